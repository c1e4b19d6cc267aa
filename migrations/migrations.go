// Package migrations holds the chat's schema as numbered SQL files, one folder per dialect, and brings a database to the version
// that this program needs. [github.com/echochat/echochat/store.Open] and New call it; call it yourself to change the
// schema at deployment instead, and open the store with store.WithoutMigrations.
//
// The versions applied are in the table chat_migrations. Every table is named chat_…; nothing else in the database is touched.
package migrations

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/database"
	"github.com/pressly/goose/v3/lock"
)

//go:embed sqlite/*.sql postgres/*.sql mysql/*.sql
var files embed.FS

// table is where goose keeps the versions it applied. The application may use goose itself, with its default table.
const table = "chat_migrations"

// ErrNewerSchema is returned, wrapped with the versions, for a database that a newer version of this program has changed.
var ErrNewerSchema = errors.New("the database is newer than this program")

// ErrOlderSchema is returned by [Check], wrapped with the versions, for a database that lacks migrations.
var ErrOlderSchema = errors.New("the database is older than this program")

// Dialect is the kind of database.
type Dialect string

const (
	SQLite   Dialect = "sqlite"   // SQLite 3.37 or newer.
	Postgres Dialect = "postgres" // PostgreSQL 12 or newer.
	MySQL    Dialect = "mysql"    // MySQL 8 or MariaDB 10.5, or newer.
)

// Up applies the migrations that db lacks and returns the versions before and after. It is safe to call from any number
// of processes at once: one of them migrates under a lock, the others wait for it, for a minute at most.
//
//   - SQLite: the lock is on the file beside the database whose name has ".lock" added. Up also puts the database into WAL mode.
//   - PostgreSQL: an advisory lock of the session. It does not work through a pooler that shares sessions between transactions:
//     migrate on a direct connection, then.
//   - MySQL and MariaDB: GET_LOCK on the connection used. DDL commits by itself there; the migrations can be run again after
//     having been interrupted.
//
// It returns [ErrNewerSchema] when the database has a version that this program does not know.
func Up(ctx context.Context, db *sql.DB, d Dialect) (from, to int64, err error) {
	err = d.locked(ctx, db, func(p *goose.Provider) error {
		applied, err := p.Up(ctx)
		if err != nil {
			return err
		}
		if to, err = version(ctx, db); err != nil {
			return err
		}
		from = to
		if len(applied) > 0 {
			from = applied[0].Source.Version - 1
		}
		return compare(to, p)
	})
	if err != nil {
		return 0, 0, fmt.Errorf("migrations: up: %w", err)
	}
	return from, to, nil
}

// Down takes back the migrations after the given version, newest first, with the data in their tables. Version 0 removes
// everything but chat_migrations. The program must not be running.
func Down(ctx context.Context, db *sql.DB, d Dialect, to int64) error {
	err := d.locked(ctx, db, func(p *goose.Provider) error {
		_, err := p.DownTo(ctx, to)
		return err
	})
	if err != nil {
		return fmt.Errorf("migrations: down to %d: %w", to, err)
	}
	return nil
}

// Check returns nil when db has exactly the version this program needs, else [ErrNewerSchema] or [ErrOlderSchema]. It only reads.
func Check(ctx context.Context, db *sql.DB, d Dialect) error {
	p, err := d.provider(db)
	if err != nil {
		return fmt.Errorf("migrations: check: %w", err)
	}
	v, err := version(ctx, db)
	if err != nil {
		return fmt.Errorf("migrations: check: %w: it has no table %s: %w", ErrOlderSchema, table, err)
	}
	if err := compare(v, p); err != nil {
		return fmt.Errorf("migrations: check: %w", err)
	}
	return nil
}

// version reads the newest version applied.
func version(ctx context.Context, db *sql.DB) (int64, error) {
	var v sql.NullInt64
	err := db.QueryRowContext(ctx, "SELECT MAX(version_id) FROM "+table).Scan(&v)
	return v.Int64, err
}

// compare holds the database's version against the newest that p knows.
func compare(v int64, p *goose.Provider) error {
	sources := p.ListSources()
	known := sources[len(sources)-1].Version
	switch {
	case v > known:
		return fmt.Errorf("%w: it has schema version %d, this program knows versions up to %d:"+
			" run the newer program, or take the newer migrations back with it", ErrNewerSchema, v, known)
	case v < known:
		return fmt.Errorf("%w: it has schema version %d, this program needs %d: run the migrations", ErrOlderSchema, v, known)
	}
	return nil
}

// locked runs fn while no other process migrates the same database.
func (d Dialect) locked(ctx context.Context, db *sql.DB, fn func(*goose.Provider) error) (err error) {
	var opts []goose.ProviderOption
	switch d {
	case SQLite:
		unlock, err := lockFile(ctx, db)
		if err != nil {
			return err
		}
		defer unlock()
		if err := useWAL(ctx, db); err != nil {
			return err
		}
	case Postgres, MySQL:
		locker := d.locker()
		if err := d.makeTable(ctx, db, locker); err != nil {
			return err
		}
		opts = append(opts, goose.WithSessionLocker(locker))
	}
	p, err := d.provider(db, opts...)
	if err != nil {
		return err
	}
	return fn(p)
}

func (d Dialect) locker() lock.SessionLocker {
	if d == MySQL {
		return mysqlLock{}
	}
	return postgresLock{}
}

// makeTable makes the table of versions, with the row of version 0 that goose begins with. Goose would do it before it takes the lock, and
// on MySQL, where the two statements share no transaction, it would refuse ever after a table without the row, which a killed
// process has left.
func (d Dialect) makeTable(ctx context.Context, db *sql.DB, locker lock.SessionLocker) (err error) {
	versions, err := database.NewStore(goose.Dialect(d), table)
	if err != nil {
		return err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	if err := locker.SessionLock(ctx, conn); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, locker.SessionUnlock(context.WithoutCancel(ctx), conn)) }()

	schema := "current_schema()"
	if d == MySQL {
		schema = "DATABASE()"
	}
	var n int
	query := "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = " + schema + " AND table_name = '" + table + "'"
	if err := conn.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return fmt.Errorf("look for the table %s: %w", table, err)
	}
	if n == 0 {
		if err := versions.CreateVersionTable(ctx, conn); err != nil {
			return err
		}
	}
	if err := conn.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+table).Scan(&n); err != nil {
		return fmt.Errorf("read the table %s: %w", table, err)
	}
	if n == 0 {
		return versions.Insert(ctx, conn, database.InsertRequest{Version: 0})
	}
	return nil
}

func (d Dialect) provider(db *sql.DB, opts ...goose.ProviderOption) (*goose.Provider, error) {
	var dialect goose.Dialect
	switch d {
	case SQLite:
		dialect = goose.DialectSQLite3
	case Postgres:
		dialect = goose.DialectPostgres
	case MySQL:
		dialect = goose.DialectMySQL
	default:
		return nil, fmt.Errorf("unknown dialect %q", string(d))
	}
	fsys, err := fs.Sub(files, string(d))
	if err != nil {
		return nil, err
	}
	opts = append(opts, goose.WithTableName(table), goose.WithDisableGlobalRegistry(true))
	return goose.NewProvider(dialect, db, fsys, opts...)
}
