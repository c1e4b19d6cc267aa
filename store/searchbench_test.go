package store_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// BenchmarkSearch reads the first page, and one in the middle, of what is found in a room of ten thousand messages and of one million: the
// cost is the same. The words occur in every message, in every tenth, and in twenty altogether.
func BenchmarkSearch(b *testing.B) {
	for _, name := range storetest.Names() {
		for _, size := range []int{10_000, 1_000_000} {
			b.Run(fmt.Sprintf("%s/%d", name, size), func(b *testing.B) {
				d := storetest.Open(b, name)
				st := d.Store(b)
				general(b, st)
				fill(b, d, size)
				db := d.GORM(b)
				require.NoError(b, db.Exec("UPDATE chat_messages SET text = 'some lorem' WHERE seq % 10 = 0").Error)
				require.NoError(b, db.Exec("UPDATE chat_messages SET text = 'rare lorem' WHERE seq % ? = 7", size/20).Error)
				require.NoError(b, store.CatchUp(st, "general"))
				analyze(b, d, db, "chat_words")
				middle := fmt.Sprintf("0.%d.general", size/2)
				for _, q := range []struct {
					name string
					hits int
					q    store.SearchQuery
				}{
					{"common", 50, store.SearchQuery{Text: "lorem"}},
					{"common-middle", 50, store.SearchQuery{Text: "lorem", Cursor: middle}},
					{"two-words", 50, store.SearchQuery{Text: "some lorem", Cursor: middle}},
					{"rare", 20, store.SearchQuery{Text: "rare"}},
					{"rare-and-common", 20, store.SearchQuery{Text: "lorem rare"}},
					{"never-together", 0, store.SearchQuery{Text: "some rare"}},
					{"unknown", 0, store.SearchQuery{Text: "unknown lorem"}},
				} {
					q.q.UserID = "ann"
					b.Run(q.name, func(b *testing.B) {
						b.ReportAllocs()
						for b.Loop() {
							page, err := st.Search(b.Context(), q.q)
							if err != nil || len(page.Hits) != q.hits {
								b.Fatalf("%d messages, %v", len(page.Hits), err)
							}
						}
					})
				}
			})
		}
	}
}

// BenchmarkIndexing puts messages into the index, and BenchmarkAppendBesideIndexing appends while the indexer follows, and while it does not.
func BenchmarkIndexing(b *testing.B) {
	for _, name := range storetest.Names() {
		b.Run(name, func(b *testing.B) {
			d := storetest.Open(b, name)
			st := d.Store(b)
			general(b, st)
			fill(b, d, 10_000)
			for b.Loop() {
				b.StopTimer()
				for _, table := range []string{"chat_words", "chat_indexed"} {
					require.NoError(b, d.GORM(b).Exec("DELETE FROM "+table).Error)
				}
				b.StartTimer()
				require.NoError(b, store.CatchUp(st, "general"))
			}
			b.ReportMetric(10_000*float64(b.N)/b.Elapsed().Seconds(), "msg/s")
		})
	}
}

func BenchmarkAppendBesideIndexing(b *testing.B) {
	for _, name := range storetest.Names() {
		for _, senders := range []int{1, 10, 100} {
			for _, indexing := range []bool{false, true} {
				b.Run(fmt.Sprintf("%s/%d/%t", name, senders, indexing), func(b *testing.B) {
					st := storetest.Open(b, name).Store(b)
					if !indexing {
						store.StopIndexer(st)
					}
					seed(b, st)
					benchmarkSenders(b, senders, func(ctx context.Context, m store.Message) error {
						_, _, err := st.Append(ctx, store.Draft{RoomID: m.RoomID, Sender: store.User{ID: m.SenderID}, ClientID: m.ClientID, Text: m.Text})
						return err
					})
				})
			}
		}
	}
}
