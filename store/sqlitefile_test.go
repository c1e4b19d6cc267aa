package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// pureGoDriver is modernc.org/sqlite in every build.
func pureGoDriver(t *testing.T) driver.Driver {
	t.Helper()
	db, err := sql.Open("sqlite", ":memory:")
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	return db.Driver()
}

// A file that may not grow is what SQLite makes of a full disk. Nothing that was acked is missing, and with space writing goes on.
func TestFullFile(t *testing.T) {
	t.Parallel()
	for name, drv := range map[string]driver.Driver{"this build's": sqliteDriver(), "pure Go": pureGoDriver(t)} {
		c, err := newConfig([]Option{WithLogger(slog.New(slog.DiscardHandler))})
		require.NoError(t, err)
		s, err := openSQLite(t.Context(), sqliteFile{driver: drv, path: filepath.Join(t.TempDir(), "chat.db")}, c)
		require.NoError(t, err)
		_, err = s.CreateRoom(t.Context(), RoomDraft{ID: "r", Creator: User{ID: "ann"}})
		require.NoError(t, err)
		limited, acked := 0, int64(0)
		big := draft("")
		big.Text = strings.Repeat("x", 100<<10)
		for limited < 3 {
			// The limit is the connection's own, and goes with it.
			_, err := s.files.writer.Exec("PRAGMA max_page_count = 150")
			require.NoError(t, err)
			m, _, err := s.Append(t.Context(), big)
			if err != nil {
				require.ErrorIs(t, err, ErrStorageFull, name)
				limited++
				continue
			}
			acked++
			require.Equal(t, acked, m.Seq)
			require.Less(t, acked, int64(20))
		}
		require.NotZero(t, acked)
		m, _, err := s.Append(t.Context(), big)
		require.NoError(t, err, "there is space again")
		require.Equal(t, acked+1, m.Seq)
		page, err := s.History(t.Context(), HistoryQuery{RoomID: "r"})
		require.NoError(t, err)
		require.Len(t, page.Messages, int(acked+1))
		var check string
		require.NoError(t, s.files.writer.QueryRow("PRAGMA integrity_check").Scan(&check))
		require.Equal(t, "ok", check)
		require.NoError(t, s.Close())
	}
}

// The write-ahead log is emptied when it has grown, and a reader that keeps it from being emptied is told of.
func TestWriteAheadLogStaysSmall(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	c, err := newConfig([]Option{WithLogger(slog.New(slog.NewTextHandler(&log, nil)))})
	require.NoError(t, err)
	f := sqliteFile{driver: sqliteDriver(), path: filepath.Join(t.TempDir(), "chat.db")}
	pools, err := f.open(t.Context(), c)
	require.NoError(t, err)
	writer, readers, k := pools.writer, pools.readers, &pools.wal

	reader, err := readers.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	var n int
	require.NoError(t, reader.QueryRow("SELECT COUNT(*) FROM chat_rooms").Scan(&n))
	for range 70 {
		_, err := writer.Exec("INSERT OR REPLACE INTO chat_users (id, name, avatar_url, updated_at) VALUES ('big', ?, '', 0)", strings.Repeat("x", 1<<20))
		require.NoError(t, err)
	}
	require.Greater(t, k.size(), int64(walAlarm))
	k.keep(t.Context())
	require.Greater(t, k.size(), int64(walAlarm), "a reader needs it")
	require.Contains(t, log.String(), "does not shrink")

	require.NoError(t, reader.Rollback())
	k.keep(t.Context())
	require.Greater(t, k.size(), int64(walAlarm), "not looked at all the time")
	k.next = time.Time{}
	k.keep(t.Context())
	require.Zero(t, k.size())
	require.NoError(t, assertPragmas(context.Background(), writer, 1, nil), "the settings are as before")
	require.NoError(t, writer.Close())
	require.NoError(t, readers.Close())
	_, err = os.Stat(k.path)
	require.ErrorIs(t, err, os.ErrNotExist)
}
