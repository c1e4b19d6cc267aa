package migrations

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/pressly/goose/v3/lock"
)

// lockWait is how long to wait for another process's migrations.
const lockWait = time.Minute

var errLockTimeout = fmt.Errorf("another process has been migrating this database for %v", lockWait)

// postgresLock is an advisory lock of the session, one per schema of a database.
type postgresLock struct{}

var _ lock.SessionLocker = postgresLock{}

const postgresLockKey = "hashtextextended('chat_migrations:' || coalesce(current_schema(), ''), 0)"

// SessionLock waits in the server, so that the next process starts as soon as this one is done.
func (postgresLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errLockTimeout)
	defer cancel()
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+postgresLockKey+")"); err != nil {
		return lockError(ctx, err)
	}
	return nil
}

func (postgresLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "SELECT pg_advisory_unlock("+postgresLockKey+")")
	return err
}

// mysqlLock is a named lock of the connection, one per database of a server: the names are the server's, at most 64 characters.
type mysqlLock struct{}

var _ lock.SessionLocker = mysqlLock{}

const mysqlLockName = "CONCAT('chat_migrations:', MD5(COALESCE(DATABASE(), '')))"

func (mysqlLock) SessionLock(ctx context.Context, conn *sql.Conn) error {
	var got sql.NullBool
	q := fmt.Sprintf("SELECT GET_LOCK(%s, %d)", mysqlLockName, int(lockWait.Seconds()))
	if err := conn.QueryRowContext(ctx, q).Scan(&got); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	if !got.Bool {
		return errLockTimeout
	}
	return nil
}

func (mysqlLock) SessionUnlock(ctx context.Context, conn *sql.Conn) error {
	_, err := conn.ExecContext(ctx, "DO RELEASE_LOCK("+mysqlLockName+")")
	return err
}

// lockFile holds a write transaction on an empty SQLite file beside the database, with the driver that db uses. The system ends it
// when the process dies. A lock in the database itself would not do: changing the journal mode needs it to be unlocked.
func lockFile(ctx context.Context, db *sql.DB) (unlock func(), err error) {
	path, err := sqliteFile(ctx, db)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, lockWait, errLockTimeout)
	defer cancel()
	lockDB := sql.OpenDB(connector{db.Driver(), fileDSN(path + ".lock")})
	conn, err := lockDB.Conn(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open the lock file %s.lock: %w", path, err), lockDB.Close())
	}
	if err = begin(ctx, conn); err != nil {
		err = errors.Join(fmt.Errorf("lock the file %s.lock: %w", path, lockError(ctx, err)), conn.Close(), lockDB.Close())
		return nil, err
	}
	return func() {
		// Closing the connection rolls the transaction back; nothing was written.
		_ = conn.Close()
		_ = lockDB.Close()
	}, nil
}

// begin tries again and again: a transaction that waits inside SQLite cannot be told that ctx has ended.
func begin(ctx context.Context, conn *sql.Conn) error {
	if _, err := conn.ExecContext(ctx, "PRAGMA busy_timeout = 100"); err != nil {
		return err
	}
	for {
		_, err := conn.ExecContext(ctx, "BEGIN IMMEDIATE")
		// Every driver passes on SQLite's own words for SQLITE_BUSY; they have no error type in common.
		if err == nil || ctx.Err() != nil || !strings.Contains(err.Error(), "database is locked") {
			return err
		}
	}
}

// sqliteFile returns the path of db's main file.
func sqliteFile(ctx context.Context, db *sql.DB) (string, error) {
	var path string
	err := db.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path)
	if err != nil {
		return "", fmt.Errorf("find the database's file: %w", err)
	}
	if path == "" {
		return "", errors.New("an in-memory database is not supported: use a file")
	}
	return path, nil
}

// useWAL lets readers and the writer work beside each other. The mode is a property of the file and stays.
func useWAL(ctx context.Context, db *sql.DB) error {
	var mode string
	if err := db.QueryRowContext(ctx, "PRAGMA journal_mode = WAL").Scan(&mode); err != nil {
		return fmt.Errorf("change to WAL mode: %w", err)
	}
	if mode != "wal" {
		return fmt.Errorf("change to WAL mode: the database stays in mode %q; its file system may not support WAL", mode)
	}
	return nil
}

// fileDSN escapes what SQLite reads as the end of the path in a file: URI.
func fileDSN(path string) string {
	path = filepath.ToSlash(path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… on Windows
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// connector opens connections with a driver that is there already.
type connector struct {
	driver driver.Driver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

// lockError prefers the reason that ctx ended with to the driver's words about it.
func lockError(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return fmt.Errorf("lock: %w", err)
}
