package store_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// say appends n messages of a sender.
func say(t *testing.T, st *store.Store, room string, sender store.User, n int) {
	t.Helper()
	for range n {
		_, _, err := st.Append(t.Context(), store.Draft{RoomID: room, Sender: sender, Text: "x"})
		require.NoError(t, err)
	}
}

// readSeq is where the database says that a member is.
func readSeq(t *testing.T, st *store.Store, room, user string) int64 {
	t.Helper()
	m, err := st.Member(t.Context(), room, user)
	require.NoError(t, err)
	return m.ReadSeq
}

func TestMarkRead(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		say(t, st, "general", ann, 10)
		at := int64(0)
		for _, c := range []struct{ seq, want int64 }{{0, 0}, {3, 3}, {2, 3}, {3, 3}, {7, 7}, {99, 10}, {1, 10}} {
			state, err := st.MarkRead(ctx, "general", "bob", c.seq)
			require.NoError(t, err)
			require.Equal(t, store.ReadState{ReadSeq: c.want, LastSeq: 10, Moved: c.want > at}, state, c.seq)
			at = c.want
			require.Equal(t, 10-c.want, state.Unread())
			require.Equal(t, c.want, readSeq(t, st, "general", "bob"), c.seq)
		}

		for _, c := range []struct{ seq, want int64 }{{8, 7}, {11, 7}, {7, 6}, {1, 0}} {
			state, err := st.MarkUnread(ctx, "general", "bob", c.seq)
			require.NoError(t, err)
			require.Equal(t, store.ReadState{ReadSeq: c.want, LastSeq: 10, Moved: c.want < at}, state, c.seq)
			at = c.want
			require.Equal(t, c.want, readSeq(t, st, "general", "bob"))
		}

		_, _, err := st.AddMember(ctx, "general", user(1), "")
		require.NoError(t, err)
		require.EqualValues(t, 10, readSeq(t, st, "general", "user-1"), "what was said before is not unread")

		for _, c := range []struct{ room, user string }{
			{"general", "cleo"}, {"missing", "bob"}, {"general", "a\x00"}, {"a\x00", "bob"}, {"", ""},
		} {
			_, err := st.MarkRead(ctx, c.room, c.user, 1)
			require.ErrorIs(t, err, store.ErrNotMember, "%q", c)
			_, err = st.MarkUnread(ctx, c.room, c.user, 1)
			require.ErrorIs(t, err, store.ErrNotMember, "%q", c)
		}
		_, err = st.MarkRead(ctx, "general", "bob", -1)
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		_, err = st.MarkUnread(ctx, "general", "bob", 0)
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		_, err = st.MarkRead(gone, "general", "bob", 1)
		require.ErrorIs(t, err, context.Canceled)
		_, err = st.DeleteRoom(ctx, "general")
		require.NoError(t, err)
		_, err = st.MarkRead(ctx, "general", "bob", 1)
		require.ErrorIs(t, err, store.ErrNotMember)
	})
}

// A crowd reads at once, some of them twice, in two rooms and from two processes.
func TestMarkReadTogether(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		stores := []*store.Store{d.Store(t), d.Store(t)}
		for _, id := range []string{"a", "b"} {
			_, err := stores[0].CreateRoom(ctx, store.RoomDraft{ID: id, Creator: ann})
			require.NoError(t, err)
			for i := range 70 {
				_, _, err := stores[0].AddMember(ctx, id, user(i), "")
				require.NoError(t, err)
			}
			say(t, stores[0], id, ann, 5)
		}
		together(t, 280, func(i int) error {
			want := int64(1 + i%5)
			state, err := stores[i%2].MarkRead(ctx, []string{"a", "b"}[i/140], user(i/2%70).ID, want)
			if err == nil && state.ReadSeq < want {
				err = fmt.Errorf("%d instead of %d", state.ReadSeq, want)
			}
			return err
		})
		for i := range 140 {
			want := max(int64(1+2*i%5), int64(1+(2*i+1)%5))
			require.Equal(t, want, readSeq(t, stores[0], []string{"a", "b"}[i/70], user(i%70).ID), i)
		}
	})
}

func TestSenderHasRead(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		general(t, st)
		say(t, st, "general", ann, 2)
		say(t, st, "general", bob, 1)
		require.Eventually(t, func() bool {
			return readSeq(t, st, "general", "ann") == 2 && readSeq(t, st, "general", "bob") == 3
		}, 5*time.Second, 10*time.Millisecond)

		// What is on its way when the store closes is kept, too.
		other := d.Store(t)
		say(t, other, "general", ann, 1)
		require.NoError(t, other.Close())
		require.EqualValues(t, 4, readSeq(t, st, "general", "ann"))
		_, err := other.MarkRead(t.Context(), "general", "ann", 4)
		require.ErrorIs(t, err, store.ErrClosed)
		require.ErrorIs(t, other.PutLastSeen("ann"), store.ErrClosed)
	})
}

func TestReaders(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		for i := range 5 {
			_, _, err := st.AddMember(ctx, "general", user(i), "")
			require.NoError(t, err)
		}
		say(t, st, "general", ann, 5)
		for i := range 5 {
			_, err := st.MarkRead(ctx, "general", user(i).ID, int64(i+1))
			require.NoError(t, err)
		}
		_, err := st.MarkRead(ctx, "general", "ann", 5)
		require.NoError(t, err)
		var ids []string
		for q := (store.ReaderQuery{RoomID: "general", Seq: 3, Limit: 2}); ; {
			page, err := st.Readers(ctx, q)
			require.NoError(t, err)
			for _, m := range page.Members {
				require.Equal(t, m.UserID, m.User.ID)
				require.GreaterOrEqual(t, m.ReadSeq, int64(3))
				ids = append(ids, m.UserID)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		require.Equal(t, []string{"ann", "user-2", "user-3", "user-4"}, ids)
		page, err := st.Readers(ctx, store.ReaderQuery{RoomID: "missing", Seq: 0})
		require.NoError(t, err)
		require.Empty(t, page.Members)
	})
}

func TestLastSeen(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		require.NoError(t, st.PutUser(ctx, ann))
		require.NoError(t, st.PutUser(ctx, bob))
		before := store.MillisOf(time.Now())
		require.NoError(t, st.PutLastSeen("ann", "nobody", "a\x00"))
		var users map[string]store.User
		require.Eventually(t, func() bool {
			var err error
			users, err = st.Users(ctx, "ann", "bob", "nobody")
			require.NoError(t, err)
			return users["ann"].LastSeenAt >= before
		}, 5*time.Second, 10*time.Millisecond)
		require.Zero(t, users["bob"].LastSeenAt)
		require.Len(t, users, 2)
		require.NoError(t, st.PutUser(ctx, store.User{ID: "ann", Name: "Anne"}))
		again, err := st.Users(ctx, "ann")
		require.NoError(t, err)
		require.Equal(t, users["ann"].LastSeenAt, again["ann"].LastSeenAt)
	})
}

func TestUserRooms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		for i := range 6 {
			id := fmt.Sprint("room-", i)
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: id, Creator: ann})
			require.NoError(t, err)
			_, _, err = st.AddMember(ctx, id, bob, "")
			require.NoError(t, err)
		}
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "anns-own", Creator: ann})
		require.NoError(t, err)
		for i, room := range []string{"room-3", "room-1", "room-5", "room-2"} {
			say(t, st, room, ann, i+1)
		}
		db := rows(t, d)
		for _, at := range []string{"room-1", "room-5"} { // in the same millisecond
			require.NoError(t, db.Exec("UPDATE chat_rooms SET last_message_at = 7 WHERE id = ?", at).Error)
		}
		require.NoError(t, db.Exec("UPDATE chat_rooms SET last_message_at = 9 WHERE id = 'room-2'").Error)
		require.NoError(t, db.Exec("UPDATE chat_rooms SET last_message_at = 5 WHERE id = 'room-3'").Error)
		for _, seq := range []int{1, 2, 4} {
			require.NoError(t, db.Exec("INSERT INTO chat_mentions (user_id, room_id, seq) VALUES ('bob', 'room-2', ?), ('ann', 'room-2', ?)", seq, seq).Error)
		}
		_, err = st.MarkRead(ctx, "room-2", "bob", 1)
		require.NoError(t, err)
		require.NoError(t, st.SetNotifications(ctx, "room-5", "bob", store.NotifyMentions))

		list := func(q store.UserRoomQuery) (all []store.UserRoom) {
			for {
				page, err := st.UserRooms(ctx, q)
				require.NoError(t, err)
				all = append(all, page.Rooms...)
				if q.Cursor = page.Next; q.Cursor == "" {
					return all
				}
			}
		}
		for _, limit := range []int{1, 2, 6, 50} {
			var got []string
			for _, r := range list(store.UserRoomQuery{UserID: "bob", Limit: limit}) {
				last := "-"
				if r.LastMessage != nil {
					require.Equal(t, "Ann", r.LastMessage.Sender.Name)
					last = fmt.Sprint(r.LastMessage.Seq)
				}
				require.Equal(t, "bob", r.Member.UserID)
				got = append(got, fmt.Sprintf("%s last %s unread %d mentions %d %s", r.Room.ID, last, r.Unread(), r.Mentions, r.Member.Notifications))
			}
			require.Equal(t, []string{
				"room-2 last 4 unread 3 mentions 2 all",
				"room-1 last 2 unread 2 mentions 0 all",
				"room-5 last 3 unread 3 mentions 0 mentions",
				"room-3 last 1 unread 1 mentions 0 all",
				"room-0 last - unread 0 mentions 0 all",
				"room-4 last - unread 0 mentions 0 all",
			}, got, limit)
		}
		require.Len(t, list(store.UserRoomQuery{UserID: "bob", MaxBytes: 2}), 6)
		page, err := st.UserRooms(ctx, store.UserRoomQuery{UserID: "bob", MaxBytes: 2})
		require.NoError(t, err)
		require.Len(t, page.Rooms, 2)

		unread, err := st.Unread(ctx, "bob")
		require.NoError(t, err)
		require.Equal(t, store.Unread{Rooms: 4, Messages: 9, Mentions: 2}, unread)
		require.NoError(t, st.SetNotifications(ctx, "room-2", "bob", store.NotifyNone))
		_, err = st.DeleteRoom(ctx, "room-1")
		require.NoError(t, err)
		unread, err = st.Unread(ctx, "bob")
		require.NoError(t, err)
		require.Equal(t, store.Unread{Rooms: 2, Messages: 4}, unread)
		require.Len(t, list(store.UserRoomQuery{UserID: "bob"}), 5)

		for _, id := range []string{"nobody", "", "a\x00"} {
			unread, err = st.Unread(ctx, id)
			require.NoError(t, err)
			require.Zero(t, unread)
			require.Empty(t, list(store.UserRoomQuery{UserID: id}))
		}
		for _, cursor := range []string{"x", "1", "1.", ".r", "1.a\x00"} {
			_, err = st.UserRooms(ctx, store.UserRoomQuery{UserID: "bob", Cursor: cursor})
			require.ErrorIs(t, err, store.ErrInvalidArgument, "%q", cursor)
		}
	})
}
