package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// A client that was away asks until there is no more, and then has every message of every room once, whatever the size of the pages.
func TestSync(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		const rooms = 7
		epochs := make(map[string]string)
		for r := range rooms {
			room, err := st.CreateRoom(ctx, store.RoomDraft{ID: fmt.Sprint("room-", r), Creator: ann})
			require.NoError(t, err)
			epochs[room.ID] = room.Epoch
			for range r * 6 { // none in the first one
				post(t, st, store.Draft{RoomID: room.ID})
			}
		}
		for _, c := range []struct{ limit, bytes int }{{1, 0}, {7, 0}, {200, 0}, {200, 1}} {
			since := map[string]store.SyncPosition{
				"room-1":   {Seq: 2, Epoch: epochs["room-1"][:8]}, // four are new
				"room-2":   {Seq: 12},                             // nothing is
				"room-3":   {Seq: 99},                             // of another database
				"room-4":   {Seq: 1, Epoch: "other"},              // the same
				"room-5":   {Seq: 0},                              // all of it, 30
				"left":     {Seq: 3},
				"zzz-left": {Seq: 3},
			}
			have := map[string]int64{"room-1": 2, "room-2": 12, "room-5": 0}
			var left []string
			resynced, calls := 0, 0
			for q := (store.SyncQuery{UserID: "ann", Since: since, Limit: c.limit, MaxBytes: c.bytes}); ; calls++ {
				require.Less(t, calls, 200)
				page, err := st.Sync(ctx, q)
				require.NoError(t, err)
				left = append(left, page.Left...)
				total := 0
				for _, news := range page.Rooms {
					id := news.Room.ID
					if _, known := have[id]; !known || news.Resync {
						have[id] = news.Room.LastSeq - int64(len(news.Messages))
						require.Equal(t, have[id] > 0, news.HasMoreBefore)
					}
					if news.Resync {
						resynced++
					}
					for _, m := range news.Messages {
						require.Equal(t, have[id]+1, m.Seq, "%s: each once, in order", id)
						require.Equal(t, "Ann", m.Sender.Name)
						have[id]++
					}
					total += len(news.Messages)
					since[id] = store.SyncPosition{Seq: have[id], Epoch: news.Room.Epoch}
					require.Equal(t, store.RoleOwner, news.Member.Role)
				}
				require.LessOrEqual(t, total, c.limit)
				if !page.More {
					break
				}
				q.After = page.Next
			}
			require.Equal(t, []string{"left", "zzz-left"}, left)
			require.Equal(t, 2, resynced)
			for r := range rooms {
				require.EqualValues(t, r*6, have[fmt.Sprint("room-", r)], "limit %d", c.limit)
			}
			page, err := st.Sync(ctx, store.SyncQuery{UserID: "ann", Since: since})
			require.NoError(t, err)
			require.Empty(t, page.Rooms, "nothing is new any more")
		}
		for _, user := range []string{"nobody", "", "\x00"} {
			page, err := st.Sync(ctx, store.SyncQuery{UserID: user, Since: map[string]store.SyncPosition{}})
			require.NoError(t, err)
			require.Empty(t, page.Rooms)
		}
		_, err := st.Sync(ctx, store.SyncQuery{UserID: "ann", Limit: 201})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
	})
}
