package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/echochat/echochat/migrations"
)

const (
	busyTimeout = 5000 // milliseconds
	stmtCache   = 64   // prepared statements kept per connection, by drivers that can
)

// sqliteFile is a database file and the driver that opens it.
type sqliteFile struct {
	driver driver.Driver
	path   string // absolute
}

// newSQLiteFile refuses what is not a path to a file in a folder that exists: SQLite would say "unable to open database file", or
// make an odd file.
func newSQLiteFile(path string) (sqliteFile, error) {
	switch {
	case path == "":
		return sqliteFile{}, errors.New("the path is empty")
	case strings.Contains(path, ":memory:"), strings.Contains(path, "mode=memory"):
		return sqliteFile{}, errors.New("an in-memory database is not supported: every connection would see its own; use a file in a temporary folder")
	case strings.HasPrefix(path, "file:"):
		return sqliteFile{}, errors.New("want a plain path, not a URI: the store chooses the parameters itself")
	case strings.IndexByte(path, 0) >= 0:
		return sqliteFile{}, errors.New("the path contains a NUL byte")
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return sqliteFile{}, err
	}
	if info, err := os.Stat(abs); err == nil && info.IsDir() {
		return sqliteFile{}, errors.New("this is a folder, want a file")
	}
	dir := filepath.Dir(abs)
	if info, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return sqliteFile{}, fmt.Errorf("the folder %s does not exist", dir)
	} else if err == nil && !info.IsDir() {
		return sqliteFile{}, fmt.Errorf("%s is not a folder", dir)
	}
	return sqliteFile{driver: sqliteDriver(), path: abs}, nil
}

// pragmas are the settings of a connection. Every driver leaves other defaults: mattn/go-sqlite3 sets synchronous=NORMAL,
// modernc.org/sqlite no busy_timeout.
type pragmas struct {
	writer      bool // else the connection only reads
	foreignKeys bool
	wal         bool
}

// pool opens n connections, no more and no fewer, each with the same settings for its whole life.
func (f sqliteFile) pool(n int, p pragmas) *sql.DB {
	set := map[string]string{
		"busy_timeout": strconv.Itoa(busyTimeout),
		"synchronous":  "FULL",
		"foreign_keys": bit(p.foreignKeys),
		"query_only":   bit(!p.writer),
	}
	if p.wal {
		set["journal_mode"] = "WAL"
	}
	q := url.Values{"_stmt_cache_size": {strconv.Itoa(stmtCache)}}
	if p.writer {
		// A transaction that reads before it writes fails at once when somebody else has written in between, whatever
		// busy_timeout says: take the lock at the beginning.
		q.Set("_txlock", "immediate")
	}
	for name, value := range set {
		// mattn/go-sqlite3 knows the first spelling, modernc.org/sqlite and its forks the second; each ignores the other's.
		q.Set("_"+name, value)
		q.Add("_pragma", name+"("+value+")")
	}
	db := sql.OpenDB(connector{f.driver, f.uri() + "?" + q.Encode()})
	db.SetMaxOpenConns(n)
	db.SetMaxIdleConns(n)
	return db
}

// uri escapes what would end the path, such as ? and #.
func (f sqliteFile) uri() string {
	path := filepath.ToSlash(f.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path // C:/… on Windows
	}
	return (&url.URL{Scheme: "file", Path: path}).String()
}

// files are the pools of a SQLite file. A nil *files stands for a server.
type files struct {
	writer, readers *sql.DB
	wal             walKeeper
}

// open migrates the file and returns its pools.
func (f sqliteFile) open(ctx context.Context, c config) (*files, error) {
	if name, network := networkFileSystem(filepath.Dir(f.path)); network && !c.relaxed {
		return nil, fmt.Errorf("the file is on a network file system (%s), where SQLite's locks and shared memory are not reliable:"+
			" use a local disk, or a database server", name)
	}
	// Migrations may rebuild tables, which must not delete what refers to them.
	setup := f.pool(1, pragmas{writer: true})
	err := migrate(ctx, setup, migrations.SQLite, c)
	if err = errors.Join(err, setup.Close()); err != nil {
		return nil, err
	}
	pools := &files{
		writer:  f.pool(1, pragmas{writer: true, foreignKeys: true, wal: true}),
		readers: f.pool(c.readers, pragmas{foreignKeys: true}),
	}
	pools.wal = walKeeper{path: f.path + "-wal", db: pools.writer, log: c.log}
	err = errors.Join(
		assertPragmas(ctx, pools.writer, 1, map[string]string{"query_only": "0"}),
		assertPragmas(ctx, pools.readers, c.readers, map[string]string{"query_only": "1"}),
	)
	if err != nil {
		return nil, errors.Join(err, pools.close())
	}
	return pools, nil
}

func (f *files) close() error {
	if f == nil {
		return nil
	}
	return errors.Join(f.readers.Close(), f.writer.Close())
}

// distrust closes the idle connections after an input or output error or on a full disk: what the library believes about
// the file may differ from what is on disk. A connection that is only waiting for another one is fine.
func (f *files) distrust(err error) {
	code, ok := sqliteCode(err)
	if f == nil || !ok {
		return
	}
	switch code & 0xff {
	case 10, 11, 13, 14, 26: // IOERR, CORRUPT, FULL, CANTOPEN, NOTADB
		for _, pool := range []*sql.DB{f.writer, f.readers} {
			n := pool.Stats().MaxOpenConnections
			pool.SetMaxIdleConns(-1)
			pool.SetMaxIdleConns(n)
		}
	}
}

// assertPragmas reads the settings back on all n connections of a pool: a driver that does not know a parameter says nothing.
func assertPragmas(ctx context.Context, db *sql.DB, n int, also map[string]string) error {
	want := map[string]string{
		"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "busy_timeout": strconv.Itoa(busyTimeout),
	}
	for name, value := range also {
		want[name] = value
	}
	conns := make([]*sql.Conn, 0, n)
	defer func() {
		for _, conn := range conns {
			_ = conn.Close()
		}
	}()
	for range n { // all at once, so that each is another one
		conn, err := db.Conn(ctx)
		if err != nil {
			return fmt.Errorf("connect: %w", err)
		}
		conns = append(conns, conn)
		for name, value := range want {
			var got string
			if err := conn.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
				return fmt.Errorf("read PRAGMA %s: %w", name, err)
			}
			if got != value {
				return fmt.Errorf("PRAGMA %s is %s after the driver %T was asked for %s", name, got, db.Driver(), value)
			}
		}
	}
	return nil
}

// connector opens connections with a driver that is there already, so that one process never has two copies of SQLite working on one
// file: closing a file in one copy would drop the locks of the other.
type connector struct {
	driver driver.Driver
	dsn    string
}

func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }
func (c connector) Driver() driver.Driver                        { return c.driver }

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// sqliteFileOf finds the file and the driver of the application's own pool.
func sqliteFileOf(ctx context.Context, pool *sql.DB) (sqliteFile, error) {
	var path, synchronous string
	err := pool.QueryRowContext(ctx, "SELECT file FROM pragma_database_list WHERE name = 'main'").Scan(&path)
	if err == nil {
		err = pool.QueryRowContext(ctx, "PRAGMA synchronous").Scan(&synchronous)
	}
	switch {
	case err != nil:
		return sqliteFile{}, fmt.Errorf("find the database's file: %w", err)
	case path == "":
		return sqliteFile{}, errors.New("an in-memory database is not supported: the store needs connections of its own; use a file")
	case synchronous == "0":
		// A checkpoint made by such a connection would put what is in the log into the database without an fsync.
		return sqliteFile{}, errors.New("the application's connections have synchronous=OFF, with which any of them can lose" +
			" what was committed: use NORMAL or FULL")
	}
	return sqliteFile{driver: pool.Driver(), path: path}, nil
}
