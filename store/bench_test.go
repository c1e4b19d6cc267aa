package store_test

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/migrations"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// benchRooms is how many rooms the concurrent senders are spread over.
const benchRooms = 10

// BenchmarkAppend compares Append with the plain correct code, in the same run on the same schema and with the same durability: one
// transaction per message that advances the room's counter and inserts.
func BenchmarkAppend(b *testing.B) {
	for _, name := range storetest.Names() {
		for _, senders := range []int{1, 10, 100} {
			b.Run(fmt.Sprintf("%s/%d/plain", name, senders), func(b *testing.B) {
				d := storetest.Open(b, name)
				seed(b, d.Store(b))
				db := plainPool(b, d)
				benchmarkSenders(b, senders, func(ctx context.Context, m store.Message) error { return plainAppend(ctx, d.Dialect, db, m) })
			})
			b.Run(fmt.Sprintf("%s/%d/store", name, senders), func(b *testing.B) {
				st := storetest.Open(b, name).Store(b)
				seed(b, st)
				benchmarkSenders(b, senders, func(ctx context.Context, m store.Message) error {
					_, _, err := st.Append(ctx, store.Draft{
						RoomID: m.RoomID, Sender: store.User{ID: m.SenderID}, ClientID: m.ClientID, Text: m.Text,
					})
					return err
				})
			})
		}
	}
}

func seed(b *testing.B, st *store.Store) {
	b.Helper()
	for i := range benchRooms {
		_, err := st.CreateRoom(b.Context(), store.RoomDraft{ID: fmt.Sprintf("room-%d", i), Creator: store.User{ID: "ann"}})
		require.NoError(b, err)
	}
}

func benchmarkSenders(b *testing.B, senders int, send func(context.Context, store.Message) error) {
	b.Helper()
	text := strings.Repeat("lorem ipsum ", 8)
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for i := range senders {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				m := store.Message{RoomID: fmt.Sprintf("room-%d", i%benchRooms), SenderID: "ann", ClientID: uuid.NewString(), Text: text}
				if err := send(b.Context(), m); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "msg/s")
}

// plainPool has the settings that the promises need: those of the store's own writer on SQLite, the server's elsewhere.
func plainPool(b *testing.B, d storetest.Database) *sql.DB {
	b.Helper()
	switch d.Name {
	case "sqlite":
		db, err := sql.Open(sqliteName, "file:"+d.Place+"?_busy_timeout=5000&_synchronous=FULL&_journal_mode=WAL&_foreign_keys=1&_txlock=immediate")
		require.NoError(b, err)
		db.SetMaxOpenConns(1)
		b.Cleanup(func() { _ = db.Close() })
		return db
	case "modernc":
		db, err := sql.Open("sqlite", "file:"+d.Place+"?_pragma=busy_timeout(5000)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate")
		require.NoError(b, err)
		db.SetMaxOpenConns(1)
		b.Cleanup(func() { _ = db.Close() })
		return db
	}
	db := d.Pool(b)
	db.SetMaxOpenConns(32)
	db.SetMaxIdleConns(32)
	return db
}

func plainAppend(ctx context.Context, d migrations.Dialect, db *sql.DB, m store.Message) (err error) {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = tx.Rollback()
		}
	}()
	at := time.Now().UnixMilli()
	if d == migrations.MySQL {
		if _, err = tx.ExecContext(ctx, "UPDATE chat_rooms SET last_seq = last_seq + 1, last_message_at = ? WHERE id = ?", at, m.RoomID); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, "SELECT last_seq FROM chat_rooms WHERE id = ?", m.RoomID).Scan(&m.Seq)
	} else {
		err = tx.QueryRowContext(ctx, "UPDATE chat_rooms SET last_seq = last_seq + 1, last_message_at = $1 WHERE id = $2 RETURNING last_seq", at, m.RoomID).Scan(&m.Seq)
	}
	if err != nil {
		return err
	}
	insert := "INSERT INTO chat_messages (id, room_id, seq, sender_id, client_id, type, text, parent_id, attachments, metadata, created_at)" +
		" VALUES ($1, $2, $3, $4, $5, 'regular', $6, '', '', '', $7)"
	if d == migrations.MySQL {
		insert = "INSERT INTO chat_messages (id, room_id, seq, sender_id, client_id, type, text, parent_id, attachments, metadata, created_at)" +
			" VALUES (?, ?, ?, ?, ?, 'regular', ?, '', '', '', ?)"
	}
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, insert, id.String(), m.RoomID, m.Seq, m.SenderID, m.ClientID, m.Text, at); err != nil {
		return err
	}
	return tx.Commit()
}

// BenchmarkHistory reads a page at the end and in the middle of a room of ten thousand messages and of one million: the cost is the same.
func BenchmarkHistory(b *testing.B) {
	for _, name := range storetest.Names() {
		for _, size := range []int{10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				d := storetest.Open(b, name)
				st := d.Store(b)
				general(b, st)
				fill(b, d, size)
				for _, q := range []struct {
					name string
					q    store.HistoryQuery
				}{
					{"latest", store.HistoryQuery{RoomID: "general"}},
					{"before-middle", store.HistoryQuery{RoomID: "general", Before: store.AtSeq(int64(size / 2))}},
					{"around-id", store.HistoryQuery{RoomID: "general", Around: store.AtMessage(fmt.Sprintf("m%d", size/2))}},
				} {
					b.Run(q.name, func(b *testing.B) {
						b.ReportAllocs()
						for b.Loop() {
							page, err := st.History(b.Context(), q.q)
							if err != nil || len(page.Messages) != 50 {
								b.Fatalf("%d messages, %v", len(page.Messages), err)
							}
						}
					})
				}
			})
		}
	}
}
