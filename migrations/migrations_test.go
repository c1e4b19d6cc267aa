package migrations_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/migrations"
	"github.com/echochat/echochat/store/storetest"
)

const latest = 1

func TestUpDownUp(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, db := t.Context(), d.Pool(t)
		_, err := db.ExecContext(ctx, "CREATE TABLE messages (id INTEGER)") // the application's own
		require.NoError(t, err)

		from, to, err := migrations.Up(ctx, db, d.Dialect)
		require.NoError(t, err)
		require.EqualValues(t, 0, from)
		require.EqualValues(t, latest, to)
		first := schema(t, d, db)
		require.Contains(t, strings.Join(first, "\n"), "chat_messages.seq ")

		from, to, err = migrations.Up(ctx, db, d.Dialect)
		require.NoError(t, err)
		require.Equal(t, [2]int64{latest, latest}, [2]int64{from, to}, "nothing to do the second time")
		require.NoError(t, migrations.Check(ctx, db, d.Dialect))

		require.NoError(t, migrations.Down(ctx, db, d.Dialect, 0))
		for _, column := range schema(t, d, db) {
			table, _, _ := strings.Cut(column, ".")
			require.Contains(t, []string{"chat_migrations", "messages"}, table)
		}
		require.ErrorIs(t, migrations.Check(ctx, db, d.Dialect), migrations.ErrOlderSchema)

		_, _, err = migrations.Up(ctx, db, d.Dialect)
		require.NoError(t, err)
		require.Equal(t, first, schema(t, d, db))
	})
}

// A program that is older than its database would write rows that the newer one misunderstands.
func TestNewerDatabaseIsRefused(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, db := t.Context(), d.Pool(t)
		_, _, err := migrations.Up(ctx, db, d.Dialect)
		require.NoError(t, err)
		_, err = db.ExecContext(ctx, "INSERT INTO chat_migrations (version_id, is_applied) VALUES (99, true)")
		require.NoError(t, err)

		_, _, err = migrations.Up(ctx, db, d.Dialect)
		require.ErrorIs(t, err, migrations.ErrNewerSchema)
		require.ErrorContains(t, err, fmt.Sprintf("schema version 99, this program knows versions up to %d", latest))
		require.ErrorIs(t, migrations.Check(ctx, db, d.Dialect), migrations.ErrNewerSchema)
	})
}

func TestCheckOfEmptyDatabaseOnlyReads(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		db := d.Pool(t)
		require.ErrorIs(t, migrations.Check(t.Context(), db, d.Dialect), migrations.ErrOlderSchema)
		require.Empty(t, schema(t, d, db))
	})
}

// MySQL commits each CREATE TABLE by itself, so a killed process leaves half a migration behind.
func TestHalfAppliedMigration(t *testing.T) {
	t.Parallel()
	d := storetest.Open(t, "mysql")
	ctx, db := t.Context(), d.Pool(t)
	_, _, err := migrations.Up(ctx, db, d.Dialect)
	require.NoError(t, err)
	want := schema(t, d, db)
	for _, left := range []string{
		"DELETE FROM chat_migrations WHERE version_id = 1",               // all tables made, not yet written down
		"DROP TABLE chat_messages",                                       // some of the tables made
		"DROP TABLE chat_messages, chat_members, chat_rooms, chat_users", // none
		"DELETE FROM chat_migrations",                                    // not even goose's own table finished
	} {
		_, err := db.ExecContext(ctx, left)
		require.NoError(t, err)
		_, err = db.ExecContext(ctx, "DELETE FROM chat_migrations WHERE version_id = 1")
		require.NoError(t, err)
		_, _, err = migrations.Up(ctx, db, d.Dialect)
		require.NoError(t, err, left)
		require.Equal(t, want, schema(t, d, db))
	}
}

func TestConcurrentStarters(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		var wg sync.WaitGroup
		for range 4 {
			db := d.Pool(t)
			wg.Go(func() {
				_, to, err := migrations.Up(t.Context(), db, d.Dialect)
				if err != nil || to != latest {
					t.Errorf("up: version %d, %v", to, err)
				}
			})
		}
		for range 3 {
			wg.Go(func() {
				if out, err := starter(t.Context(), d).CombinedOutput(); err != nil {
					t.Errorf("starter: %v\n%s", err, out)
				}
			})
		}
		wg.Wait()
		requireOnce(t, d)
	})
}

// A starter that is killed leaves the lock free and nothing half done for the next.
func TestKilledStarter(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		for range 3 {
			child := starter(t.Context(), d)
			out, err := child.StdoutPipe()
			require.NoError(t, err)
			require.NoError(t, child.Start())
			_, _ = out.Read(make([]byte, 1)) // it says when it begins
			require.NoError(t, child.Process.Kill())
			_ = child.Wait()
		}
		_, _, err := migrations.Up(t.Context(), d.Pool(t), d.Dialect)
		require.NoError(t, err)
		requireOnce(t, d)
	})
}

// TestStarter is not a test but the other process of those above.
func TestStarter(t *testing.T) {
	name, place, ok := strings.Cut(os.Getenv("ECHOCHAT_TEST_STARTER"), " ")
	if !ok {
		t.Skip("for TestConcurrentStarters")
	}
	db := storetest.Attach(t, name, place)
	fmt.Println("begin")
	_, to, err := migrations.Up(t.Context(), db.Pool(t), db.Dialect)
	require.NoError(t, err)
	require.EqualValues(t, latest, to)
}

func starter(ctx context.Context, d storetest.Database) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0], "-test.run=^TestStarter$", "-test.timeout=1m")
	cmd.Env = append(os.Environ(), "ECHOCHAT_TEST_STARTER="+d.Name+" "+d.Place)
	return cmd
}

func requireOnce(t *testing.T, d storetest.Database) {
	t.Helper()
	db := d.Pool(t)
	require.NoError(t, migrations.Check(t.Context(), db, d.Dialect))
	var rows int
	require.NoError(t, db.QueryRowContext(t.Context(), "SELECT COUNT(*) FROM chat_migrations").Scan(&rows))
	require.Equal(t, latest+1, rows, "each version once, and the zero that goose begins with")
}

func TestLockedByAnother(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "chat.db")
	other, err := sql.Open("sqlite", "file:"+path+".lock")
	require.NoError(t, err)
	defer func() { require.NoError(t, other.Close()) }()
	other.SetMaxOpenConns(1)
	_, err = other.Exec("BEGIN IMMEDIATE")
	require.NoError(t, err)

	db, err := sql.Open("sqlite", "file:"+path)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	_, _, err = migrations.Up(ctx, db, migrations.SQLite)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.ErrorContains(t, err, "chat.db.lock")

	_, err = other.Exec("ROLLBACK")
	require.NoError(t, err)
	_, _, err = migrations.Up(t.Context(), db, migrations.SQLite)
	require.NoError(t, err)
}

func TestInMemoryIsRefused(t *testing.T) {
	t.Parallel()
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	_, _, err = migrations.Up(t.Context(), db, migrations.SQLite)
	require.ErrorContains(t, err, "in-memory")
}

func TestUnknownDialect(t *testing.T) {
	t.Parallel()
	_, _, err := migrations.Up(t.Context(), nil, "oracle")
	require.ErrorContains(t, err, `unknown dialect "oracle"`)
}

// schema lists every column and index of the database.
func schema(t *testing.T, d storetest.Database, db *sql.DB) []string {
	t.Helper()
	query := `SELECT m.name || '.' || c.name || ' ' || c.type || ' ' || c."notnull" || ' ' || c.pk FROM sqlite_master m, pragma_table_info(m.name) c
		WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' UNION ALL SELECT tbl_name || '. ' || sql FROM sqlite_master WHERE type = 'index' AND sql > '' ORDER BY 1`
	switch d.Dialect {
	case migrations.Postgres:
		query = `SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable || ' ' || coalesce(collation_name, '')
			FROM information_schema.columns WHERE table_schema = current_schema()
			UNION ALL SELECT tablename || '. ' || indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY 1`
	case migrations.MySQL:
		query = `SELECT CONCAT(table_name, '.', column_name, ' ', column_type, ' ', is_nullable, ' ', coalesce(collation_name, ''))
			FROM information_schema.columns WHERE table_schema = DATABASE()
			UNION ALL SELECT CONCAT(table_name, '. ', index_name, ' ', seq_in_index, ' ', column_name, ' ', non_unique)
			FROM information_schema.statistics WHERE table_schema = DATABASE() ORDER BY 1`
	}
	rows, err := db.QueryContext(t.Context(), query)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	var lines []string
	for rows.Next() {
		var line string
		require.NoError(t, rows.Scan(&line))
		lines = append(lines, line)
	}
	require.NoError(t, rows.Err())
	return lines
}
