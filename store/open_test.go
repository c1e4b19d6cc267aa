package store_test

import (
	"database/sql"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"github.com/echochat/echochat/migrations"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// quiet keeps the log out of the tests' output.
var quiet = store.WithLogger(slog.New(slog.DiscardHandler))

func TestOpenPaths(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"chat.db", "my chat.db", "what?.db", "chat#1.db", "100%.db", "%41.db", "a&b=c;d.db", "ünï 💬.db", "no-extension", "_pragma=x?mode=ro",
	} {
		path := filepath.Join(t.TempDir(), name)
		st, err := store.Open(path, quiet)
		require.NoError(t, err, name)
		_, err = st.CreateRoom(t.Context(), store.RoomDraft{ID: "r"})
		require.NoError(t, err)
		require.NoError(t, st.Close())
		require.FileExists(t, path)

		again, err := store.Open(path, quiet)
		require.NoError(t, err, name)
		_, err = again.Room(t.Context(), "r")
		require.NoError(t, err)
		require.NoError(t, again.Close())
		files, err := os.ReadDir(filepath.Dir(path))
		require.NoError(t, err)
		for _, f := range files {
			require.Contains(t, []string{name, name + ".lock"}, f.Name(), "nothing else is left behind")
		}
	}
}

func TestOpenRelativePath(t *testing.T) {
	t.Chdir(t.TempDir())
	require.NoError(t, os.Mkdir("sub folder", 0o700))
	for _, path := range []string{"chat.db", "./other.db", "sub folder/chat.db", "sub folder/../third.db"} {
		st, err := store.Open(path, quiet)
		require.NoError(t, err, path)
		require.NoError(t, st.Close())
		require.FileExists(t, path)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, []byte("not a database, but long enough to be taken for one by its size alone"), 0o600))
	for path, words := range map[string]string{
		"":                                    "the path is empty",
		":memory:":                            "in-memory database",
		"file::memory:?cache=shared":          "in-memory database",
		"file:chat.db":                        "want a plain path",
		filepath.Join(dir, "missing", "a.db"): "missing does not exist",
		dir:                                   "this is a folder",
		filepath.Join(file, "a.db"):           "is not a folder",
		file:                                  "not a database",
	} {
		st, err := store.Open(path, quiet)
		require.ErrorContains(t, err, words, "path %q", path)
		require.Nil(t, st)
	}
	for words, option := range map[string]store.Option{
		"WithLogger":       store.WithLogger(nil),
		"WithReaders(0)":   store.WithReaders(0),
		"WithQueue(0, 0)":  store.WithQueue(0, 0),
		"WithQueue(1, 10)": store.WithQueue(1, 10),
	} {
		_, err := store.Open(filepath.Join(dir, "chat.db"), option)
		require.ErrorContains(t, err, words)
	}
	_, err := store.New(nil)
	require.ErrorContains(t, err, "nil")
}

func TestWithoutMigrations(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		open := func() (*store.Store, error) {
			if d.Name == "sqlite" {
				return store.Open(d.Place, quiet, store.WithoutMigrations())
			}
			return store.New(d.GORM(t), quiet, store.WithoutMigrations())
		}
		_, err := open()
		require.ErrorIs(t, err, migrations.ErrOlderSchema)
		_, _, err = migrations.Up(t.Context(), d.Pool(t), d.Dialect)
		require.NoError(t, err)
		st, err := open()
		require.NoError(t, err)
		general(t, st)
		require.NoError(t, st.Close())
	})
}

// The application's own connections keep the settings they had, and its own tables are left alone.
func TestNewLeavesTheApplicationAlone(t *testing.T) {
	t.Parallel()
	for _, driver := range sqliteDrivers() {
		path := filepath.Join(t.TempDir(), "app.db")
		pool, err := sql.Open(driver, "file:"+path)
		require.NoError(t, err)
		pool.SetMaxOpenConns(1) // so that the settings read below are those of the one connection
		app, err := gorm.Open(sqlite.New(sqlite.Config{Conn: pool}), &gorm.Config{
			Logger:         logger.Discard,
			NamingStrategy: schema.NamingStrategy{TablePrefix: "app_", SingularTable: true},
		})
		require.NoError(t, err)
		require.NoError(t, app.Exec("CREATE TABLE messages (text); CREATE TABLE users (id)").Error)
		require.NoError(t, app.Exec("INSERT INTO messages VALUES ('mine')").Error)
		settings := func() (got []string) {
			for _, name := range []string{"synchronous", "foreign_keys", "busy_timeout", "query_only", "journal_size_limit"} {
				var v string
				require.NoError(t, pool.QueryRow("PRAGMA "+name).Scan(&v))
				got = append(got, name+"="+v)
			}
			return got
		}
		before := settings()

		st, err := store.New(app, quiet)
		require.NoError(t, err)
		general(t, st)
		_, _, err = st.Append(t.Context(), store.Draft{RoomID: "general", Sender: ann, Text: "x"})
		require.NoError(t, err)
		require.Equal(t, before, settings())
		var n int64
		require.NoError(t, app.Table("messages").Count(&n).Error)
		require.EqualValues(t, 1, n)
		require.NoError(t, app.Table("chat_messages").Count(&n).Error)
		require.EqualValues(t, 1, n)

		require.NoError(t, st.Close())
		require.NoError(t, pool.Ping(), "the application's pool stays open")
		require.NoError(t, pool.Close())
	}
}

func TestNewRefusesOnSQLite(t *testing.T) {
	t.Parallel()
	for _, driver := range sqliteDrivers() {
		for dsn, words := range map[string]string{
			":memory:": "in-memory database",
			"file:" + filepath.Join(t.TempDir(), "a.db") + "?_synchronous=OFF&_pragma=synchronous(OFF)": "synchronous=OFF",
		} {
			pool, err := sql.Open(driver, dsn)
			require.NoError(t, err)
			app, err := gorm.Open(sqlite.New(sqlite.Config{Conn: pool}))
			require.NoError(t, err)
			_, err = store.New(app, quiet)
			require.ErrorContains(t, err, words)
			require.NoError(t, pool.Close())
		}
	}
}

func sqliteDrivers() []string {
	if sqliteName == "sqlite" {
		return []string{"sqlite"}
	}
	return []string{sqliteName, "sqlite"}
}

// Settings of a server under which the promises do not hold are refused, in words that say what to change.
func TestServerSettings(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, statement, words string
		relaxed                bool
	}{
		{"postgres", "SET synchronous_commit = off", "synchronous_commit", true},
		{"postgres", "SET default_transaction_read_only = on", "transaction_read_only", false},
		{"postgres", "SET client_encoding = 'LATIN1'", "client_encoding", false},
		{"mysql", "SET SESSION sql_mode = ''", "STRICT_TRANS_TABLES", false},
		{"mysql", "SET NAMES latin1", "charset=utf8mb4", false},
	} {
		t.Run(c.name+"/"+c.words, func(t *testing.T) {
			t.Parallel()
			app := storetest.Open(t, c.name).GORM(t)
			pool, err := app.DB()
			require.NoError(t, err)
			pool.SetMaxOpenConns(1)
			require.NoError(t, app.Exec(c.statement).Error)
			_, err = store.New(app, quiet)
			require.ErrorContains(t, err, c.words)

			var log strings.Builder
			st, err := store.New(app, store.WithRelaxedDurability(), store.WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
			if !c.relaxed {
				require.ErrorContains(t, err, c.words)
				return
			}
			require.NoError(t, err)
			require.NoError(t, st.Close())
			require.Contains(t, log.String(), c.words)
		})
	}
}

// A pool of one connection is enough: the application may have no more to spare.
func TestSingleConnection(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"modernc", "postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := storetest.Open(t, name).GORM(t)
			pool, err := app.DB()
			require.NoError(t, err)
			pool.SetMaxOpenConns(1)
			st, err := store.New(app, quiet)
			require.NoError(t, err)
			general(t, st)
			for range 3 {
				_, _, err := st.Append(t.Context(), store.Draft{RoomID: "general", Sender: ann})
				require.NoError(t, err)
			}
			require.Len(t, history(t, st, "general"), 3)
			require.NoError(t, st.Close())
		})
	}
}
