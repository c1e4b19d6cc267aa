package store

import (
	"context"
	"database/sql/driver"
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// faultyDriver is this build's SQLite with a fault where a transaction begins or commits.
type faultyDriver struct {
	driver.Driver
	begin  atomic.Pointer[func() error]
	commit atomic.Pointer[func(commit, rollback func() error) error]
	opened atomic.Int32

	mu         sync.Mutex
	statements []string // that have been run
}

// run returns the statements since the last call.
func (d *faultyDriver) run() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	defer func() { d.statements = nil }()
	return d.statements
}

func (d *faultyDriver) note(query string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.statements = append(d.statements, query)
}

func (d *faultyDriver) onBegin(fn func() error)                               { d.begin.Store(&fn) }
func (d *faultyDriver) onCommit(fn func(commit, rollback func() error) error) { d.commit.Store(&fn) }

func (d *faultyDriver) heal() {
	d.begin.Store(nil)
	d.commit.Store(nil)
}

func (d *faultyDriver) Open(dsn string) (driver.Conn, error) {
	d.opened.Add(1)
	conn, err := d.Driver.Open(dsn)
	return &faultyConn{conn, d}, err
}

type faultyConn struct {
	driver.Conn
	d *faultyDriver
}

func (c *faultyConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

func (c *faultyConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	c.d.note(query)
	return c.Conn.(driver.ExecerContext).ExecContext(ctx, query, args)
}

func (c *faultyConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	c.d.note(query)
	return c.Conn.(driver.QueryerContext).QueryContext(ctx, query, args)
}

func (c *faultyConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	if fault := c.d.begin.Load(); fault != nil {
		if err := (*fault)(); err != nil {
			return nil, err
		}
	}
	tx, err := c.Conn.(driver.ConnBeginTx).BeginTx(ctx, opts)
	return &faultyTx{tx, c.d}, err
}

type faultyTx struct {
	driver.Tx
	d *faultyDriver
}

func (t *faultyTx) Commit() error {
	if fault := t.d.commit.Load(); fault != nil {
		return (*fault)(t.Tx.Commit, t.Tx.Rollback)
	}
	return t.Tx.Commit()
}

// sqliteFault is an error as the pure-Go driver and its forks return it.
type sqliteFault int

func (e sqliteFault) Error() string { return "sqlite fault" }
func (e sqliteFault) Code() int     { return int(e) }

// faultyStore has a room "r" with the member "ann", and no faults yet.
func faultyStore(t *testing.T, opts ...Option) (*Store, *faultyDriver) {
	t.Helper()
	d := &faultyDriver{Driver: sqliteDriver()}
	c, err := newConfig(append([]Option{WithLogger(slog.New(slog.DiscardHandler))}, opts...))
	require.NoError(t, err)
	s, err := openSQLite(context.Background(), sqliteFile{driver: d, path: filepath.Join(t.TempDir(), "chat.db")}, c)
	require.NoError(t, err)
	_, err = s.CreateRoom(context.Background(), RoomDraft{ID: "r", Creator: User{ID: "ann"}})
	require.NoError(t, err)
	return s, d
}

func draft(clientID string) Draft {
	return Draft{RoomID: "r", Sender: User{ID: "ann"}, ClientID: clientID, Text: "text of " + clientID}
}
