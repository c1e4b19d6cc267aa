// Package storetest runs a test on every database that the chat supports, each time in a database of its own.
//
// SQLite always runs. PostgreSQL and MySQL or MariaDB run when ECHOCHAT_POSTGRES_DSN and ECHOCHAT_MYSQL_DSN say where they are;
// without that the test is skipped, or fails when ECHOCHAT_REQUIRE_SERVICES is 1.
package storetest

import (
	"crypto/rand"
	"database/sql"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	mysqldriver "github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"gorm.io/driver/mysql"
	"gorm.io/driver/postgres"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver "sqlite", with cgo and without

	"github.com/echochat/echochat/migrations"
	"github.com/echochat/echochat/store"
)

// Database is an empty database of one test.
type Database struct {
	Name    string // sqlite, modernc, postgres or mysql
	Dialect migrations.Dialect
	Path    string // of the file, on SQLite

	pool func() (*sql.DB, error)
}

// Run runs test on each database, as parallel subtests: "sqlite" with store.Open, "modernc" with store.New on the pure-Go SQLite,
// "postgres" and "mysql" with store.New.
func Run(t *testing.T, test func(t *testing.T, d Database)) {
	t.Helper()
	for name, make := range map[string]func(testing.TB) Database{
		"sqlite": SQLite, "modernc": Modernc, "postgres": Postgres, "mysql": MySQL,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, make(t))
		})
	}
}

// SQLite returns an empty file that Store opens with store.Open.
func SQLite(t testing.TB) Database {
	d := Modernc(t)
	d.Name = "sqlite"
	return d
}

// Modernc returns an empty file that Store opens with store.New, as an application does that uses modernc.org/sqlite.
func Modernc(t testing.TB) Database {
	path := filepath.Join(t.TempDir(), "chat.db")
	return Database{Name: "modernc", Dialect: migrations.SQLite, Path: path, pool: func() (*sql.DB, error) {
		return sql.Open("sqlite", "file:"+path+"?_pragma=busy_timeout(5000)")
	}}
}

// Postgres returns a schema of its own in the database that ECHOCHAT_POSTGRES_DSN names; it is dropped after the test.
func Postgres(t testing.TB) Database {
	t.Helper()
	dsn := service(t, "ECHOCHAT_POSTGRES_DSN", "postgres://postgres@127.0.0.1:5432/postgres")
	name := "echochat_" + strings.ToLower(rand.Text())
	open := func(schema string) func() (*sql.DB, error) {
		return func() (*sql.DB, error) {
			c, err := pgx.ParseConfig(dsn)
			if err != nil {
				return nil, err
			}
			if schema != "" {
				c.RuntimeParams["search_path"] = schema
			}
			return stdlib.OpenDB(*c), nil
		}
	}
	execute(t, open(""), "CREATE SCHEMA "+name)
	t.Cleanup(func() { execute(t, open(""), "DROP SCHEMA "+name+" CASCADE") })
	return Database{Name: "postgres", Dialect: migrations.Postgres, pool: open(name)}
}

// MySQL returns a database of its own on the server that ECHOCHAT_MYSQL_DSN names, MySQL or MariaDB; it is dropped after the test.
func MySQL(t testing.TB) Database {
	t.Helper()
	dsn := service(t, "ECHOCHAT_MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test")
	name := "echochat_" + strings.ToLower(rand.Text())
	open := func(database string) func() (*sql.DB, error) {
		return func() (*sql.DB, error) {
			c, err := mysqldriver.ParseDSN(dsn)
			if err != nil {
				return nil, err
			}
			c.DBName = database
			c.Logger = &mysqldriver.NopLogger{}
			connector, err := mysqldriver.NewConnector(c)
			if err != nil {
				return nil, err
			}
			return sql.OpenDB(connector), nil
		}
	}
	execute(t, open(""), "CREATE DATABASE "+name+" CHARACTER SET utf8mb4")
	t.Cleanup(func() { execute(t, open(""), "DROP DATABASE "+name) })
	return Database{Name: "mysql", Dialect: migrations.MySQL, pool: open(name)}
}

// service returns the DSN of a server, or ends the test.
func service(t testing.TB, variable, example string) string {
	t.Helper()
	dsn := os.Getenv(variable)
	if dsn == "" {
		msg := fmt.Sprintf("NOT RUN: needs a server; run with %s='%s' go test ./...", variable, example)
		if os.Getenv("ECHOCHAT_REQUIRE_SERVICES") == "1" {
			t.Fatal(msg)
		}
		t.Skip(msg)
	}
	return dsn
}

// Pool opens a connection pool on the database, as an application would; it is closed after the test.
func (d Database) Pool(t testing.TB) *sql.DB {
	t.Helper()
	db, err := d.pool()
	if err != nil {
		t.Fatalf("open the %s database: %v", d.Name, err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Errorf("close the %s database: %v", d.Name, err)
		}
	})
	return db
}

// GORM opens the database as an application would.
func (d Database) GORM(t testing.TB) *gorm.DB {
	t.Helper()
	pool := d.Pool(t)
	var dialector gorm.Dialector
	switch d.Dialect {
	case migrations.Postgres:
		dialector = postgres.New(postgres.Config{Conn: pool})
	case migrations.MySQL:
		dialector = mysql.New(mysql.Config{Conn: pool})
	default:
		dialector = sqlite.New(sqlite.Config{Conn: pool})
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatalf("open the %s database: %v", d.Name, err)
	}
	return db
}

// Store opens a store on the database. Each call returns one of its own, as another process would have; it is closed
// after the test. It does not log unless an option says where.
func (d Database) Store(t testing.TB, opts ...store.Option) *store.Store {
	t.Helper()
	opts = append([]store.Option{store.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))}, opts...)
	var st *store.Store
	var err error
	if d.Name == "sqlite" {
		st, err = store.Open(d.Path, opts...)
	} else {
		st, err = store.New(d.GORM(t), opts...)
	}
	if err != nil {
		t.Fatalf("open a store on the %s database: %v", d.Name, err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return st
}

func execute(t testing.TB, open func() (*sql.DB, error), statement string) {
	t.Helper()
	db, err := open()
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
