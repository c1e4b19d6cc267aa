package store_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// requireIndexed holds the search index of a room against its messages.
func requireIndexed(t *testing.T, d storetest.Database, st *store.Store, roomID string) {
	t.Helper()
	want := []string{}
	for _, m := range history(t, st, roomID) {
		if m.DeletedAt != 0 {
			continue
		}
		for _, w := range store.IndexedWords(m) {
			want = append(want, fmt.Sprintf("%d %s", m.Seq, w))
		}
	}
	got := indexed(t, d, roomID)
	slices.Sort(want)
	require.Equal(t, want, got)
}

func indexed(t *testing.T, d storetest.Database, roomID string) []string {
	t.Helper()
	rows := []string{}
	require.NoError(t, d.GORM(t).Raw("SELECT CONCAT(seq, ' ', word) FROM chat_words WHERE room_id = ?", roomID).Scan(&rows).Error)
	slices.Sort(rows)
	return rows
}

func TestIndexFollowsMessages(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		store.StopIndexer(st)
		general(t, st)
		for i := range 300 { // more than one step
			post(t, st, store.Draft{Text: fmt.Sprintf("message number %d of %d", i, 300)})
		}
		require.Empty(t, indexed(t, d, "general"))
		m := post(t, st, store.Draft{Text: "not indexed when it is edited"})
		_, _, err := st.EditMessage(ctx, store.Edit{MessageID: m.ID, Text: ptr("edited before")})
		require.NoError(t, err)
		gone := post(t, st, store.Draft{Text: "not indexed when it is deleted"})
		_, _, err = st.DeleteMessage(ctx, gone.ID, ann)
		require.NoError(t, err)

		require.NoError(t, store.CatchUp(st, "general"))
		requireIndexed(t, d, st, "general")

		_, _, err = st.EditMessage(ctx, store.Edit{MessageID: m.ID, Text: ptr("edited after, and longer")})
		require.NoError(t, err)
		requireIndexed(t, d, st, "general")
		_, _, err = st.EditMessage(ctx, store.Edit{MessageID: m.ID, Metadata: &store.RawJSON{}})
		require.NoError(t, err)
		requireIndexed(t, d, st, "general")
		_, _, err = st.DeleteMessage(ctx, m.ID, ann)
		require.NoError(t, err)
		requireIndexed(t, d, st, "general")
		require.NoError(t, store.CatchUp(st, "general"), "once more does no harm")
		requireIndexed(t, d, st, "general")
	})
}

// The indexer follows by itself: what was left to do at the start, what is appended, and the rooms that a search finds it lagging behind in.
func TestIndexerWorksByItself(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		before := d.Store(t)
		store.StopIndexer(before)
		general(t, before)
		for i := range 300 {
			post(t, before, store.Draft{Text: fmt.Sprintf("left behind %d", i)})
		}
		upTo := func(seq int64) {
			t.Helper()
			db := d.GORM(t)
			require.Eventually(t, func() bool {
				var indexed int64
				return db.Raw("SELECT seq FROM chat_indexed WHERE room_id = 'general'").Scan(&indexed).Error == nil && indexed == seq
			}, 30*time.Second, 10*time.Millisecond)
		}
		st := d.Store(t)
		upTo(300)
		post(t, st, store.Draft{Text: "appended"})
		upTo(301)
		post(t, before, store.Draft{Text: "of a process that does not index it"})
		require.Len(t, found(t, st, store.SearchQuery{UserID: "ann", Text: "process"}), 1)
		upTo(302)
		requireIndexed(t, d, st, "general")
	})
}

// Several processes fill one index, while messages are appended, edited and deleted.
func TestIndexOfSeveralProcesses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		stores := []*store.Store{d.Store(t), d.Store(t), d.Store(t)}
		general(t, stores[0])
		var wg sync.WaitGroup
		for i, st := range stores {
			wg.Go(func() {
				for n := range 60 {
					m := post(t, st, store.Draft{Text: fmt.Sprintf("message %d of process %d", n, i)})
					switch n % 6 {
					case 0:
						_, _, err := stores[(i+1)%3].EditMessage(ctx, store.Edit{MessageID: m.ID, Text: ptr(m.Text + ", edited")})
						require.NoError(t, err)
					case 1:
						_, _, err := stores[(i+2)%3].DeleteMessage(ctx, m.ID, ann)
						require.NoError(t, err)
					}
				}
			})
			wg.Go(func() {
				for range 20 {
					require.NoError(t, store.CatchUp(st, "general"))
				}
			})
		}
		wg.Wait()
		require.NoError(t, store.CatchUp(stores[0], "general"))
		requireIndexed(t, d, stores[0], "general")
	})
}

func TestReindex(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		store.StopIndexer(st)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "empty"})
		require.NoError(t, err)
		for i := range 300 {
			post(t, st, store.Draft{Text: fmt.Sprintf("message number %d has quite a few words", i)}) // more of them than one step throws away
		}
		require.NoError(t, store.CatchUp(st, "general"))
		damage := func() {
			for _, statement := range []string{
				"DELETE FROM chat_words WHERE word = 'quite'",
				"INSERT INTO chat_words (room_id, word, seq) VALUES ('general', 'wrong', 7)",
				"INSERT INTO chat_words (room_id, word, seq) VALUES ('empty', 'wrong', 7)",
			} {
				require.NoError(t, d.GORM(t).Exec(statement).Error)
			}
		}
		damage()
		require.NoError(t, st.Reindex(ctx))
		requireIndexed(t, d, st, "general")
		requireIndexed(t, d, st, "empty")

		damage()
		cut, cancel := context.WithCancel(ctx)
		cancel()
		require.ErrorIs(t, st.Reindex(cut), context.Canceled)
		require.NoError(t, d.GORM(t).Exec("UPDATE chat_indexed SET seq = -1").Error) // as a process leaves it that ends in the middle
		require.Len(t, found(t, st, store.SearchQuery{UserID: "ann", Text: "quite", Limit: 200}), 300, "meanwhile the messages themselves are read")
		require.NoError(t, store.CatchUp(st, "general"))
		require.NoError(t, store.CatchUp(st, "empty"))
		requireIndexed(t, d, st, "general")
		requireIndexed(t, d, st, "empty")
	})
}
