package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

func TestClassify(t *testing.T) {
	t.Parallel()
	pg := func(state string) error { return &pgconn.PgError{Code: state} }
	my := func(n uint16) error { return &mysql.MySQLError{Number: n} }
	for name, c := range map[string]struct {
		err  error
		want class
	}{
		"nil":                         {nil, classOther},
		"sqlite unique":               {sqliteFault(2067), classUnique},
		"sqlite primary key":          {sqliteFault(1555), classUnique},
		"sqlite foreign key":          {sqliteFault(787), classOther},
		"sqlite trigger":              {sqliteFault(1811), classOther},
		"sqlite busy":                 {sqliteFault(5), classTransient},
		"sqlite busy snapshot":        {sqliteFault(517), classTransient},
		"sqlite full":                 {sqliteFault(13), classFull},
		"sqlite fsync failed":         {sqliteFault(1034), classTransient},
		"postgres unique":             {pg("23505"), classUnique},
		"postgres check":              {pg("23514"), classOther},
		"postgres serialization":      {pg("40001"), classTransient},
		"postgres deadlock":           {pg("40P01"), classTransient},
		"postgres shutdown":           {pg("57P01"), classTransient},
		"postgres starting":           {pg("57P03"), classTransient},
		"postgres too many clients":   {pg("53300"), classTransient},
		"postgres disk full":          {pg("53100"), classFull},
		"postgres connection failure": {pg("08006"), classTransient},
		"postgres session timeout":    {pg("25P03"), classTransient},
		"postgres syntax":             {pg("42601"), classOther},
		"mysql duplicate":             {my(1062), classUnique},
		"mysql deadlock":              {my(1213), classTransient},
		"mysql lock wait":             {my(1205), classTransient},
		"mysql statement timeout":     {my(3024), classTransient},
		"mariadb statement timeout":   {my(1969), classTransient},
		"mariadb node not ready":      {my(1047), classTransient},
		"mysql table full":            {my(1114), classFull},
		"mysql too long":              {my(1406), classOther},
		"mysql invalid connection":    {mysql.ErrInvalidConn, classTransient},
		"bad connection":              {driver.ErrBadConn, classTransient},
		"end of file":                 {io.ErrUnexpectedEOF, classTransient},
		"refused":                     {&net.OpError{Op: "dial", Err: syscall.ECONNREFUSED}, classTransient},
		"deadline":                    {context.DeadlineExceeded, classTransient},
		"transaction is over":         {sql.ErrTxDone, classTransient},
		"commit without an answer":    {errors.Join(errUnanswered, errors.New("what is this")), classTransient},
		"commit on a full disk":       {errors.Join(errUnanswered, sqliteFault(13)), classFull},
		"something else":              {errors.New("what is this"), classOther},
		"a sentinel":                  {ErrRoomNotFound, classOther},
	} {
		require.Equal(t, c.want, classify(c.err), name)
		require.Equal(t, c.want, classify(fmt.Errorf("wrapped: %w", c.err)), "wrapped %s", name)
	}
}

// Each driver's own error for a unique key that is taken, from the database itself. Servers' are in the suite.
func TestUniqueViolationOfSQLite(t *testing.T) {
	t.Parallel()
	for name, db := range map[string]*sql.DB{
		"this build's": sql.OpenDB(connector{sqliteDriver(), "file:" + filepath.Join(t.TempDir(), "a.db")}),
		"pure Go":      func() *sql.DB { db, _ := sql.Open("sqlite", filepath.Join(t.TempDir(), "b.db")); return db }(),
	} {
		_, err := db.Exec("CREATE TABLE t (a PRIMARY KEY, b UNIQUE, c CHECK (c > 0)); INSERT INTO t VALUES (1, 1, 1)")
		require.NoError(t, err)
		for statement, unique := range map[string]bool{
			"INSERT INTO t VALUES (1, 2, 1)": true, "INSERT INTO t VALUES (2, 1, 1)": true, "INSERT INTO t VALUES (2, 2, 0)": false,
			"INSERT INTO nowhere VALUES (1)": false,
		} {
			_, err := db.Exec(statement)
			require.Error(t, err)
			require.Equal(t, unique, isUnique(err), "%s: %s: %v", name, statement, err)
		}
		require.NoError(t, db.Close())
	}
}

// A driver that does not know the parameters in the DSN says nothing; reading the settings back does.
func TestSettingsAreReadBack(t *testing.T) {
	t.Parallel()
	f := sqliteFile{driver: sqliteDriver(), path: filepath.Join(t.TempDir(), "chat.db")}
	c, err := newConfig(nil)
	require.NoError(t, err)
	pools, err := f.open(t.Context(), c)
	require.NoError(t, err)
	writer, readers := pools.writer, pools.readers
	require.Equal(t, c.readers, readers.Stats().OpenConnections, "every connection has been looked at")
	_, err = readers.Exec("DELETE FROM chat_rooms")
	require.Error(t, err, "readers cannot write")
	_, err = writer.Exec("INSERT INTO chat_members (room_id, user_id, role, joined_at) VALUES ('nowhere', 'nobody', 'member', 0)")
	require.Error(t, err, "foreign keys are on")
	require.NoError(t, errors.Join(writer.Close(), readers.Close()))

	for dsn, words := range map[string]string{
		f.uri(): "PRAGMA",
		f.uri() + "?_busy_timeout=5000&_foreign_keys=1&_synchronous=NORMAL&_query_only=0": "PRAGMA synchronous is 1",
	} {
		plain := sql.OpenDB(connector{f.driver, dsn})
		require.ErrorContains(t, assertPragmas(t.Context(), plain, 1, nil), words)
		require.NoError(t, plain.Close())
	}
}

// modernc.org/sqlite works with exactly the version of libc that it was made with; another module may raise it.
func TestLibcVersion(t *testing.T) {
	t.Parallel()
	mod, err := os.ReadFile("../go.mod")
	require.NoError(t, err)
	require.Contains(t, string(mod), "\tmodernc.org/sqlite v1.60.1\n")
	require.Contains(t, string(mod), "\tmodernc.org/libc v1.77.1 // indirect\n")
}

func TestPortionsAndPieces(t *testing.T) {
	t.Parallel()
	for n := range 1100 {
		all := make([]int, n)
		for i := range all {
			all[i] = i
		}
		whole := slices.Clone(all)
		var portioned, pieced []int
		for part := range portions(all) {
			require.Equal(t, 0, len(part)&(len(part)-1), "a power of two")
			require.LessOrEqual(t, len(part), maxPortion)
			portioned = append(portioned, part...)
		}
		for part := range pieces(all) {
			require.Equal(t, 0, len(part)&(len(part)-1), "a power of two")
			require.LessOrEqual(t, len(part), maxPortion)
			pieced = append(pieced, part...)
		}
		require.Equal(t, whole, append([]int{}, pieced...))
		require.Equal(t, whole, append([]int{}, portioned[:n]...))
		for _, filler := range portioned[n:] {
			require.Equal(t, n-1, filler)
		}
		require.Equal(t, whole, all, "the caller's slice is as it was")
	}
}

func TestArray(t *testing.T) {
	t.Parallel()
	for want, values := range map[string][]string{
		`{"a"}`:              {"a"},
		`{"a","","NULL"}`:    {"a", "", "NULL"},
		`{"{,}","\"","\\x"}`: {"{,}", `"`, `\x`},
		`{"\"\\\""," ü "}`:   {`"\"`, " ü "},
	} {
		require.Equal(t, want, array(values))
	}
}
