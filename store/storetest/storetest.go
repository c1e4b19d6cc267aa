// Package storetest runs a test on every database that the chat supports, each time in a database of its own.
//
// SQLite always runs. PostgreSQL and MySQL or MariaDB run when ECHOCHAT_POSTGRES_DSN and ECHOCHAT_MYSQL_DSN say where they are;
// without that the test is skipped, or fails when ECHOCHAT_REQUIRE_SERVICES is 1.
package storetest

import (
	"crypto/rand"
	"database/sql"
	"fmt"
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

// Database is a database of one test, empty at first.
type Database struct {
	Name    string             // sqlite, modernc, postgres or mysql
	Dialect migrations.Dialect // sqlite, postgres or mysql
	Place   string             // the file, the schema or the database on its server
}

// Names are the databases that [Run] runs on: "sqlite" with store.Open, "modernc" with store.New on the pure-Go SQLite,
// "postgres" and "mysql" with store.New; or those of them that ECHOCHAT_DATABASES lists, with spaces between.
func Names() []string {
	if only := strings.Fields(os.Getenv("ECHOCHAT_DATABASES")); len(only) > 0 {
		return only
	}
	return []string{"sqlite", "modernc", "postgres", "mysql"}
}

// Run runs test on each database, as parallel subtests.
func Run(t *testing.T, test func(t *testing.T, d Database)) {
	t.Helper()
	for _, name := range Names() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, Open(t, name))
		})
	}
}

// Open makes a database, see [Names]. It is removed after the test.
func Open(t testing.TB, name string) Database {
	t.Helper()
	place := "echochat_" + strings.ToLower(rand.Text())
	d := Attach(t, name, place)
	switch name {
	case "postgres":
		execute(t, d.server, "CREATE SCHEMA "+place)
		t.Cleanup(func() { execute(t, d.server, "DROP SCHEMA "+place+" CASCADE") })
	case "mysql":
		execute(t, d.server, "CREATE DATABASE "+place+" CHARACTER SET utf8mb4")
		t.Cleanup(func() { execute(t, d.server, "DROP DATABASE "+place) })
	default:
		d.Place = filepath.Join(t.TempDir(), "chat.db")
	}
	return d
}

// Attach returns a database that Open has made, for use in another process: name and place are those of the [Database].
func Attach(t testing.TB, name, place string) Database {
	t.Helper()
	d := Database{Name: name, Place: place}
	switch name {
	case "sqlite", "modernc":
		d.Dialect = migrations.SQLite
	case "postgres":
		d.Dialect = migrations.Postgres
		d.dsn(t)
	case "mysql":
		d.Dialect = migrations.MySQL
		d.dsn(t)
	default:
		t.Fatalf("unknown database %q", name)
	}
	return d
}

// dsn returns where the server is, or ends the test.
func (d Database) dsn(t testing.TB) string {
	t.Helper()
	if d.Dialect == migrations.Postgres {
		return service(t, "ECHOCHAT_POSTGRES_DSN", "postgres://postgres@127.0.0.1:5432/postgres")
	}
	return service(t, "ECHOCHAT_MYSQL_DSN", "root@tcp(127.0.0.1:3306)/test")
}

// server connects to the server that holds the database.
func (d Database) server(t testing.TB) (*sql.DB, error) { return d.connect(t, "") }

func (d Database) connect(t testing.TB, place string) (*sql.DB, error) {
	switch d.Dialect {
	case migrations.Postgres:
		c, err := pgx.ParseConfig(d.dsn(t))
		if err != nil {
			return nil, err
		}
		if place != "" {
			c.RuntimeParams["search_path"] = place
			c.RuntimeParams["application_name"] = place
		}
		return stdlib.OpenDB(*c), nil
	case migrations.MySQL:
		c, err := mysqldriver.ParseDSN(d.dsn(t))
		if err != nil {
			return nil, err
		}
		c.DBName = place
		c.Logger = &mysqldriver.NopLogger{}
		connector, err := mysqldriver.NewConnector(c)
		if err != nil {
			return nil, err
		}
		return sql.OpenDB(connector), nil
	}
	// Like the store itself: two copies of SQLite in one process do not see each other's locks.
	if d.Name == "sqlite" && withCgo {
		return sql.Open("sqlite3", "file:"+place+"?_busy_timeout=5000")
	}
	return sql.Open("sqlite", "file:"+place+"?_pragma=busy_timeout(5000)")
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
	db, err := d.connect(t, d.Place)
	if err != nil {
		t.Fatalf("open the %s database: %v", d.Name, err)
	}
	db.SetMaxOpenConns(8)
	db.SetMaxIdleConns(8)
	t.Cleanup(func() { _ = db.Close() }) // a connection that was cut says so
	return db
}

// GORM opens the database as an application would.
func (d Database) GORM(t testing.TB) *gorm.DB {
	t.Helper()
	return gormOn(t, d.Dialect, d.Pool(t))
}

func gormOn(t testing.TB, d migrations.Dialect, pool *sql.DB) *gorm.DB {
	t.Helper()
	var dialector gorm.Dialector
	switch d {
	case migrations.Postgres:
		dialector = postgres.New(postgres.Config{Conn: pool})
	case migrations.MySQL:
		dialector = mysql.New(mysql.Config{Conn: pool})
	default:
		dialector = sqlite.New(sqlite.Config{Conn: pool})
	}
	db, err := gorm.Open(dialector, &gorm.Config{Logger: logger.Discard})
	if err != nil {
		t.Fatalf("open a %s database: %v", d, err)
	}
	return db
}

// Store opens a store on the database. Each call returns one of its own, as another process would have; it is closed
// after the test. It does not log unless an option says where.
func (d Database) Store(t testing.TB, opts ...store.Option) *store.Store {
	t.Helper()
	opts = append([]store.Option{store.WithLogger(slog.New(slog.DiscardHandler))}, opts...)
	var st *store.Store
	var err error
	if d.Name == "sqlite" {
		st, err = store.Open(d.Place, opts...)
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

// Interrupt cuts every connection to the database, as a restart of its server does. It does nothing on SQLite.
func (d Database) Interrupt(t testing.TB) {
	t.Helper()
	switch d.Dialect {
	case migrations.Postgres:
		execute(t, d.server, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '"+d.Place+"'")
	case migrations.MySQL:
		db, err := d.server(t)
		if err != nil {
			t.Fatalf("interrupt: %v", err)
		}
		defer func() { _ = db.Close() }()
		var ids []int64
		if err := gormOn(t, d.Dialect, db).Raw("SELECT id FROM information_schema.processlist WHERE db = ?", d.Place).Scan(&ids).Error; err != nil {
			t.Fatalf("interrupt: %v", err)
		}
		for _, id := range ids {
			_, _ = db.Exec(fmt.Sprintf("KILL %d", id)) // it may be gone by itself
		}
	}
}

func execute(t testing.TB, connect func(testing.TB) (*sql.DB, error), statement string) {
	t.Helper()
	db, err := connect(t)
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	defer func() { _ = db.Close() }()
	if _, err := db.Exec(statement); err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
}
