package store_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// general makes the room "general" with the members ann and bob.
func general(t testing.TB, st *store.Store) {
	t.Helper()
	_, err := st.CreateRoom(t.Context(), store.RoomDraft{ID: "general", Creator: ann})
	require.NoError(t, err)
	_, _, err = st.AddMember(t.Context(), "general", bob, "")
	require.NoError(t, err)
}

func TestAppend(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		first, dup, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, ClientID: "c1", Text: "hello 👋"})
		require.NoError(t, err)
		require.False(t, dup)
		require.EqualValues(t, 1, first.Seq)
		require.Equal(t, store.MessageRegular, first.Type)
		require.Equal(t, ann, first.Sender)

		reply, _, err := st.Append(ctx, store.Draft{
			RoomID: "general", Sender: bob, Text: strings.Repeat("ü", 64<<10), ParentID: first.ID,
			Attachments: store.RawJSON(`[{"url": "x"}]`), Metadata: store.RawJSON(`{"b": 1, "a": 2}`),
		})
		require.NoError(t, err)
		require.EqualValues(t, 2, reply.Seq)
		require.Equal(t, store.MessageReply, reply.Type)
		require.Equal(t, reply.ID, reply.ClientID, "without a client id, its own")
		got, err := st.Message(ctx, reply.ID)
		require.NoError(t, err)
		require.Equal(t, bob.Name, got.Sender.Name)
		got.Sender = reply.Sender
		require.Equal(t, reply, got, "stored as returned")

		system, _, err := st.Append(ctx, store.Draft{RoomID: "general", Text: "Bob joined", System: true})
		require.NoError(t, err)
		require.EqualValues(t, 3, system.Seq)
		require.Equal(t, store.MessageSystem, system.Type)

		room, err := st.Room(ctx, "general")
		require.NoError(t, err)
		require.EqualValues(t, 3, room.LastSeq)
		require.Equal(t, system.CreatedAt, room.LastMessageAt)

		for _, refused := range []struct {
			draft store.Draft
			want  error
		}{
			{store.Draft{RoomID: "missing", Sender: ann}, store.ErrRoomNotFound},
			{store.Draft{RoomID: "general", Sender: store.User{ID: "eve"}}, store.ErrNotMember},
			{store.Draft{RoomID: "general", Sender: ann, ParentID: "missing"}, store.ErrMessageNotFound},
			{store.Draft{RoomID: "general", Sender: ann, ClientID: "c1", Text: "other"}, store.ErrIDConflict},
			{store.Draft{RoomID: "general", Sender: ann, ClientID: "c1", Text: "hello 👋", ParentID: first.ID}, store.ErrIDConflict},
		} {
			_, _, err := st.Append(ctx, refused.draft)
			require.ErrorIs(t, err, refused.want)
		}
		_, err = st.Message(ctx, "missing")
		require.ErrorIs(t, err, store.ErrMessageNotFound)
		room, err = st.Room(ctx, "general")
		require.NoError(t, err)
		require.EqualValues(t, 3, room.LastSeq, "what is refused leaves no gap")
	})
}

func TestRepeatedClientID(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		draft := store.Draft{RoomID: "general", Sender: ann, ClientID: "c", Text: "x"}
		first, _, err := st.Append(ctx, draft)
		require.NoError(t, err)

		again, dup, err := st.Append(ctx, draft)
		require.NoError(t, err)
		require.True(t, dup)
		require.Equal(t, first.ID, again.ID)
		require.Equal(t, first.Seq, again.Seq)
		require.Equal(t, first.CreatedAt, again.CreatedAt)
		require.Equal(t, "Ann", again.Sender.Name)

		draft.Sender = bob
		other, dup, err := st.Append(ctx, draft)
		require.NoError(t, err)
		require.False(t, dup, "the client id is the sender's own")
		require.EqualValues(t, 2, other.Seq)

		// Who was removed after the message was stored still gets to know that it was.
		require.NoError(t, st.RemoveMember(ctx, "general", "ann"))
		draft.Sender = ann
		again, dup, err = st.Append(ctx, draft)
		require.NoError(t, err)
		require.True(t, dup)
		require.Equal(t, first.ID, again.ID)
	})
}

// Ten senders of one client id at once, through two stores as through two processes: one row, equal answers.
func TestConcurrentClientID(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		stores := []*store.Store{d.Store(t), d.Store(t)}
		general(t, stores[0])
		const rounds, sends = 20, 10
		for round := range rounds {
			got := make([]store.Message, sends)
			fresh := make([]bool, sends)
			var wg sync.WaitGroup
			for i := range sends {
				wg.Go(func() {
					m, dup, err := stores[i%2].Append(ctx, store.Draft{
						RoomID: "general", Sender: ann, ClientID: fmt.Sprint(round), Text: "x",
					})
					if err != nil {
						t.Error(err)
					}
					got[i], fresh[i] = m, !dup
				})
			}
			wg.Wait()
			stored := 0
			for i := range sends {
				require.Equal(t, got[0].ID, got[i].ID)
				require.EqualValues(t, round+1, got[i].Seq)
				if fresh[i] {
					stored++
				}
			}
			require.Equal(t, 1, stored)
		}
		room, err := stores[1].Room(ctx, "general")
		require.NoError(t, err)
		require.EqualValues(t, rounds, room.LastSeq)
	})
}

// Many senders in many rooms through two stores: every room is numbered without gaps, every sender's messages keep their order,
// and OnCommit of each store gets each of its messages once, in order.
func TestOrder(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		const rooms, senders, messages = 5, 8, 12
		nodes := []*node{newNode(t, d), newNode(t, d)}
		for r := range rooms {
			_, err := nodes[0].CreateRoom(ctx, store.RoomDraft{ID: fmt.Sprint("room-", r), Creator: user(0)})
			require.NoError(t, err)
			for s := range senders {
				_, _, err := nodes[0].AddMember(ctx, fmt.Sprint("room-", r), user(s), "")
				require.NoError(t, err)
			}
		}
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range messages {
					for r := range rooms {
						if _, _, err := nodes[s%2].Append(ctx, store.Draft{
							RoomID: fmt.Sprint("room-", r), Sender: user(s), ClientID: fmt.Sprint(i), Text: fmt.Sprint(i),
						}); err != nil {
							t.Error(err)
						}
					}
				}
			})
		}
		wg.Wait()
		for r := range rooms {
			id := fmt.Sprint("room-", r)
			next := make(map[string]int)
			all := history(t, nodes[0].Store, id)
			require.Len(t, all, senders*messages)
			for i, m := range all {
				require.EqualValues(t, i+1, m.Seq)
				require.Equal(t, fmt.Sprint(next[m.SenderID]), m.Text, "messages of one sender keep their order")
				next[m.SenderID]++
				if i > 0 {
					require.GreaterOrEqual(t, m.CreatedAt, all[i-1].CreatedAt)
				}
			}
		}
		delivered := 0
		for _, n := range nodes {
			require.NoError(t, n.Close()) // delivers what is under way
			last := make(map[string]int64)
			for _, m := range n.delivered {
				require.Greater(t, m.Seq, last[m.RoomID])
				last[m.RoomID] = m.Seq
				delivered++
			}
		}
		require.Equal(t, rooms*senders*messages, delivered)
	})
}

// node is a store that remembers what OnCommit was given.
type node struct {
	*store.Store
	delivered []store.Message // to be read after Close
}

func newNode(t testing.TB, d storetest.Database, opts ...store.Option) *node {
	n := &node{Store: d.Store(t, opts...)}
	n.OnCommit(func(batch []store.Message) { n.delivered = append(n.delivered, batch...) })
	return n
}

func user(i int) store.User {
	return store.User{ID: fmt.Sprint("user-", i), Name: fmt.Sprint("User ", i)}
}

// history reads a whole room, a page at a time.
func history(t testing.TB, st *store.Store, roomID string) (all []store.Message) {
	t.Helper()
	for after := int64(0); ; after = all[len(all)-1].Seq {
		page, err := st.History(context.Background(), store.HistoryQuery{RoomID: roomID, After: store.AtSeq(after), Limit: 200})
		require.NoError(t, err)
		all = append(all, page.Messages...)
		if !page.HasMoreAfter {
			return all
		}
	}
}

// Ids are the application's: whatever is in them is neither SQL nor the syntax of a list.
func TestOddIDs(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		ids := []string{`"`, `\`, `\"`, "{", "}", ",", "{}", "NULL", "'", "' OR 1=1 --", "%", "_", "$1", "?", " a", "a ", "a", "A", "ä", "💬", "\t\n"}
		for _, id := range ids {
			_, _, err := st.AddMember(ctx, "general", store.User{ID: id}, "")
			require.NoError(t, err)
		}
		var wg sync.WaitGroup // at once, so that they come to stand in one list
		for range 2 {
			for _, id := range ids {
				wg.Go(func() {
					_, _, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: store.User{ID: id}, ClientID: id, Text: id})
					if err != nil {
						t.Errorf("%q: %v", id, err)
					}
				})
			}
		}
		wg.Wait()
		all := history(t, st, "general")
		require.Len(t, all, len(ids))
		for _, m := range all {
			require.Equal(t, m.SenderID, m.Text)
			require.Equal(t, m.SenderID, m.ClientID)
			require.Contains(t, ids, m.Text)
		}
	})
}

// Whoever is removed while sending sends nothing more once RemoveMember has returned.
func TestRemovedMemberCannotAppend(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		stores := []*store.Store{d.Store(t), d.Store(t)}
		general(t, stores[0])
		started := make(chan struct{}, 8)
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				for {
					_, _, err := stores[i%2].Append(ctx, store.Draft{RoomID: "general", Sender: bob, Text: "x"})
					if err != nil {
						require.ErrorIs(t, err, store.ErrNotMember)
						return
					}
					select {
					case started <- struct{}{}:
					default:
					}
				}
			})
		}
		for range 8 {
			<-started
		}
		require.NoError(t, stores[0].RemoveMember(ctx, "general", "bob"))
		room, err := stores[0].Room(ctx, "general")
		require.NoError(t, err)
		wg.Wait()
		after, err := stores[1].Room(ctx, "general")
		require.NoError(t, err)
		require.Equal(t, room.LastSeq, after.LastSeq)
	})
}

// The clock of a machine may step back; the times of a room's messages do not.
func TestTimesDoNotDecrease(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		ahead := time.Now().Add(time.Hour).UnixMilli()
		require.NoError(t, d.GORM(t).Exec("UPDATE chat_rooms SET last_message_at = ?", ahead).Error)
		for range 2 {
			m, _, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann})
			require.NoError(t, err)
			require.EqualValues(t, ahead, m.CreatedAt)
		}
	})
}
