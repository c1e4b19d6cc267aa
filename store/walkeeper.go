package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
)

const (
	walTruncate = 16 << 20 // From this size on the log is emptied as soon as no reader needs it,
	walAlarm    = 64 << 20 // and from this size on it is a sign of a reader that never ends.
)

// walKeeper keeps the write-ahead log of a SQLite file small. SQLite copies it into the database by itself, and starts
// it anew when no reader is in it; under readers that overlap for ever it would grow without end.
type walKeeper struct {
	path string
	db   *sql.DB
	log  *slog.Logger
	next time.Time
}

// keepSmall is called by the writer between two batches.
func (f *files) keepSmall(ctx context.Context) {
	if f != nil {
		f.wal.keep(ctx)
	}
}

func (k *walKeeper) keep(ctx context.Context) {
	if time.Now().Before(k.next) {
		return
	}
	k.next = time.Now().Add(time.Second)
	size := k.size()
	if size < walTruncate {
		return
	}
	if err := k.truncate(ctx); err != nil {
		k.log.WarnContext(ctx, "store: emptying the write-ahead log failed", "file", k.path, "error", err)
	}
	if size = k.size(); size > walAlarm {
		k.next = time.Now().Add(time.Minute)
		k.log.WarnContext(ctx, "store: the write-ahead log does not shrink; some process holds a read transaction open",
			"file", k.path, "bytes", size)
	}
}

func (k *walKeeper) size() int64 {
	info, err := os.Stat(k.path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// truncate waits a moment for readers, not as long as for a lock: the writer stands still meanwhile.
func (k *walKeeper) truncate(ctx context.Context) (err error) {
	conn, err := k.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() {
		_, e := conn.ExecContext(ctx, fmt.Sprintf("PRAGMA busy_timeout = %d", busyTimeout))
		err = errors.Join(err, e, conn.Close())
	}()
	if _, err = conn.ExecContext(ctx, "PRAGMA busy_timeout = 50"); err != nil {
		return err
	}
	_, err = conn.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)")
	return err
}
