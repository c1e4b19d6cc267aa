package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/echochat/echochat/migrations"
)

// Open opens the SQLite database in the file at path, which is created when it does not exist, and brings its schema up to date. The
// folder must exist. The file is used in WAL mode with synchronous=FULL, so that a commit is on disk when it returns.
//
// Beside the file there are "-wal" and "-shm" while it is open, and ".lock", which processes that open it wait for. Several may, on one
// machine: a network file system is refused, and so is an in-memory database (":memory:"); for tests, use a file in a
// temporary folder. Copy an open database with VACUUM INTO, not as a file.
func Open(path string, opts ...Option) (*Store, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	f, err := newSQLiteFile(path)
	if err != nil {
		return nil, fmt.Errorf("store: open %q: %w", path, err)
	}
	s, err := openSQLite(context.Background(), f, c)
	if err != nil {
		return nil, fmt.Errorf("store: open %q: %w", path, err)
	}
	return s, nil
}

// New works on the database that the application has opened with GORM, and brings the chat's tables there up to date.
//
// PostgreSQL, MySQL and MariaDB: the store shares db's connection pool and takes one connection while it writes and one for
// each read. It checks the settings that the promises need, and the error says what to change.
//
// SQLite: the store opens connections of its own on the same file, with the same driver, in WAL mode with synchronous=FULL.
// It does not change the application's connections. There is one writer at a time in SQLite: an Append made while the
// application holds a transaction open waits for that transaction, for 5 seconds at most.
//
// None of db's plugins, callbacks and naming rules apply to the store.
func New(db *gorm.DB, opts ...Option) (*Store, error) {
	c, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	if db == nil {
		return nil, errors.New("store: new: the *gorm.DB is nil")
	}
	pool, err := db.DB()
	if err != nil {
		return nil, fmt.Errorf("store: new: %w", err)
	}
	ctx := context.Background()
	var s *Store
	switch name := db.Name(); name {
	case "sqlite":
		var f sqliteFile
		if f, err = sqliteFileOf(ctx, pool); err == nil {
			s, err = openSQLite(ctx, f, c)
		}
	case "postgres":
		s, err = openServer(ctx, pool, migrations.Postgres, c)
	case "mysql":
		s, err = openServer(ctx, pool, migrations.MySQL, c)
	default:
		err = fmt.Errorf("the database %q is not supported: want sqlite, postgres or mysql", name)
	}
	if err != nil {
		return nil, fmt.Errorf("store: new: %w", err)
	}
	return s, nil
}

func openSQLite(ctx context.Context, f sqliteFile, c config) (*Store, error) {
	pools, err := f.open(ctx, c)
	if err != nil {
		return nil, err
	}
	s := &Store{log: c.log, dialect: migrations.SQLite, files: pools}
	if s.write, err = openGORM(sqlite.New(sqlite.Config{Conn: pools.writer}), c); err == nil {
		s.read, err = openGORM(sqlite.New(sqlite.Config{Conn: pools.readers}), c)
	}
	if err != nil {
		return nil, errors.Join(err, pools.close())
	}
	s.start(pools.writer, c)
	return s, nil
}

func openServer(ctx context.Context, pool *sql.DB, d migrations.Dialect, c config) (*Store, error) {
	check, dialector := checkPostgres, postgres.New(postgres.Config{Conn: pool})
	if d == migrations.MySQL {
		check, dialector = checkMySQL, mysql.New(mysql.Config{Conn: pool})
	}
	if err := check(ctx, pool, c); err != nil {
		return nil, err
	}
	if err := migrate(ctx, pool, d, c); err != nil {
		return nil, err
	}
	db, err := openGORM(dialector, c)
	if err != nil {
		return nil, err
	}
	s := &Store{log: c.log, dialect: d, write: db, read: db}
	s.start(pool, c)
	return s, nil
}

// openGORM makes a *gorm.DB that shares nothing with the application's but its connections. Statements are not prepared by GORM: its
// cache has a goroutine that never ends, and prepares anew in each transaction.
func openGORM(d gorm.Dialector, c config) (*gorm.DB, error) {
	return gorm.Open(d, &gorm.Config{
		SkipDefaultTransaction: true,
		NamingStrategy:         schema.NamingStrategy{TablePrefix: "chat_"},
		Logger:                 gormLogger{c.log},
	})
}

func migrate(ctx context.Context, db *sql.DB, d migrations.Dialect, c config) error {
	if c.skipMigrations {
		return migrations.Check(ctx, db, d)
	}
	from, to, err := migrations.Up(ctx, db, d)
	if err != nil {
		return err
	}
	if from != to {
		c.log.InfoContext(ctx, "store: schema migrated", "from", from, "to", to)
	}
	return nil
}
