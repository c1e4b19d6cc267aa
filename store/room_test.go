package store_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

var (
	ann = store.User{ID: "ann", Name: "Ann", AvatarURL: "https://example.org/ann.png"}
	bob = store.User{ID: "bob", Name: "Bob"}
)

func TestRooms(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		before := store.MillisOf(time.Now())
		draft := store.RoomDraft{
			ID: "general", Name: "Général 💬", Topic: "all", Metadata: store.RawJSON(`{"a": 1}`), Creator: ann,
		}
		room, err := st.CreateRoom(ctx, draft)
		require.NoError(t, err)
		require.Equal(t, "general", room.ID)
		require.Equal(t, store.RoomPublic, room.Type)
		require.Equal(t, "ann", room.CreatedBy)
		require.EqualValues(t, 1, room.MemberCount)
		require.NotEmpty(t, room.Epoch)
		require.GreaterOrEqual(t, room.CreatedAt, before)

		got, err := st.Room(ctx, "general")
		require.NoError(t, err)
		require.Equal(t, room, got)

		_, err = st.CreateRoom(ctx, draft)
		require.ErrorIs(t, err, store.ErrRoomExists)
		_, err = st.Room(ctx, "General")
		require.ErrorIs(t, err, store.ErrRoomNotFound, "ids compare byte by byte")

		other, err := st.CreateRoom(ctx, store.RoomDraft{Type: store.RoomPrivate})
		require.NoError(t, err)
		require.NotEmpty(t, other.ID)
		require.NotEqual(t, room.Epoch, other.Epoch)
		require.Zero(t, other.MemberCount)
		require.Empty(t, other.CreatedBy)

		m, err := st.Member(ctx, "general", "ann")
		require.NoError(t, err)
		require.Equal(t, store.RoleOwner, m.Role)
		require.Equal(t, "Ann", m.User.Name)
	})
}

func TestRoomsByID(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		for _, id := range []string{"anns", "gone"} {
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: id, Creator: ann})
			require.NoError(t, err)
		}
		_, _, err := st.AddMember(ctx, "gone", user(1), "")
		require.NoError(t, err)
		_, err = st.DeleteRoom(ctx, "gone")
		require.NoError(t, err)
		rooms, err := st.RoomsByID(ctx, "general", "anns", "gone", "missing", "a\x00", "")
		require.NoError(t, err)
		require.Len(t, rooms, 2)
		require.Equal(t, "ann", rooms["anns"].CreatedBy)

		for _, c := range []struct {
			a, b  string
			share bool
		}{{"ann", "bob", true}, {"bob", "ann", true}, {"ann", "user-1", false}, {"ann", "nobody", false}, {"a\x00", "ann", false}} {
			share, err := st.ShareRoom(ctx, c.a, c.b)
			require.NoError(t, err)
			require.Equal(t, c.share, share, "%+v", c)
		}
	})
}

func TestRoomPages(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		var all, anns, private []string
		for i := range 7 {
			draft := store.RoomDraft{ID: fmt.Sprintf("room-%d", i), Creator: bob}
			if i%2 == 0 {
				draft.Creator = ann
				anns = append(anns, draft.ID)
			}
			if i%3 == 0 {
				draft.Type = store.RoomPrivate
				private = append(private, draft.ID)
			}
			_, err := st.CreateRoom(ctx, draft)
			require.NoError(t, err)
			all = append(all, draft.ID)
		}
		list := func(q store.RoomQuery) (ids []string) {
			for {
				page, err := st.Rooms(ctx, q)
				require.NoError(t, err)
				for _, r := range page.Rooms {
					ids = append(ids, r.ID)
				}
				if page.Next == "" {
					return ids
				}
				require.Len(t, page.Rooms, q.Limit)
				q.After = page.Next
			}
		}
		require.Equal(t, all, list(store.RoomQuery{Limit: 3}))
		require.Equal(t, all, list(store.RoomQuery{Limit: 7}))
		require.Equal(t, anns, list(store.RoomQuery{MemberID: "ann", Limit: 1}))
		require.Equal(t, private, list(store.RoomQuery{Type: store.RoomPrivate, Limit: 2}))
		require.Equal(t, []string{"room-0", "room-6"}, list(store.RoomQuery{Type: store.RoomPrivate, MemberID: "ann", Limit: 50}))
		require.Empty(t, list(store.RoomQuery{MemberID: "nobody", Limit: 2}))
	})
}

func TestMembers(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "r", Creator: ann})
		require.NoError(t, err)

		m, added, err := st.AddMember(ctx, "r", bob, "")
		require.NoError(t, err)
		require.True(t, added)
		require.Equal(t, store.RoleMember, m.Role)
		require.Equal(t, "Bob", m.User.Name)

		robert := store.User{ID: "bob", Name: "Robert"}
		again, added, err := st.AddMember(ctx, "r", robert, store.RoleOwner)
		require.NoError(t, err)
		require.False(t, added)
		require.Equal(t, store.RoleMember, again.Role, "a second join does not promote")
		require.Equal(t, m.JoinedAt, again.JoinedAt)
		got, err := st.Member(ctx, "r", "bob")
		require.NoError(t, err)
		require.Equal(t, "Robert", got.User.Name, "but it tells the new name")

		_, _, err = st.AddMember(ctx, "missing", bob, "")
		require.ErrorIs(t, err, store.ErrRoomNotFound)
		for i := range 5 {
			_, _, err := st.AddMember(ctx, "r", store.User{ID: fmt.Sprintf("user %d", i)}, "")
			require.NoError(t, err)
		}
		room, err := st.Room(ctx, "r")
		require.NoError(t, err)
		require.EqualValues(t, 7, room.MemberCount)

		var ids []string
		for q := (store.MemberQuery{RoomID: "r", Limit: 3}); ; {
			page, err := st.Members(ctx, q)
			require.NoError(t, err)
			for _, m := range page.Members {
				require.Equal(t, m.UserID, m.User.ID)
				ids = append(ids, m.UserID)
			}
			if q.After = page.Next; q.After == "" {
				break
			}
		}
		require.Equal(t, []string{"ann", "bob", "user 0", "user 1", "user 2", "user 3", "user 4"}, ids)

		require.NoError(t, st.RemoveMember(ctx, "r", "bob"))
		require.ErrorIs(t, st.RemoveMember(ctx, "r", "bob"), store.ErrNotMember)
		require.ErrorIs(t, st.RemoveMember(ctx, "missing", "bob"), store.ErrNotMember)
		_, err = st.Member(ctx, "r", "bob")
		require.ErrorIs(t, err, store.ErrNotMember)
		room, err = st.Room(ctx, "r")
		require.NoError(t, err)
		require.EqualValues(t, 6, room.MemberCount)
	})
}

func TestUsers(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		require.NoError(t, st.PutUser(ctx, ann))
		first, err := st.Users(ctx, "ann", "bob")
		require.NoError(t, err)
		require.Len(t, first, 1)
		require.Equal(t, ann.AvatarURL, first["ann"].AvatarURL)

		require.NoError(t, st.PutUser(ctx, ann))
		same, err := st.Users(ctx, "ann")
		require.NoError(t, err)
		require.Equal(t, first, same, "nothing changed, nothing written")

		require.NoError(t, st.PutUser(ctx, store.User{ID: "ann", Name: "Anne"}))
		// Ids that some collation takes for equal are different users.
		for _, id := range []string{"Ann", "ann ", "änn", "ánn"} {
			require.NoError(t, st.PutUser(ctx, store.User{ID: id, Name: "not " + id}))
		}
		users, err := st.Users(ctx, "ann", "Ann", "ann ", "änn", "ánn", "nobody")
		require.NoError(t, err)
		require.Len(t, users, 5)
		require.Equal(t, "Anne", users["ann"].Name)
		require.Equal(t, "not ann ", users["ann "].Name)
	})
}

// What comes from a URL may be anything. Nothing of it is found, and nothing of it is an error of the database.
func TestUnfindable(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		for _, id := range []string{"", "a\x00", "\xff", "\xed\xa0\x80", strings.Repeat("x", 10_000), "%", "_", "'", `" OR 1=1 --`, "\\"} {
			_, err := st.Room(ctx, id)
			require.ErrorIs(t, err, store.ErrRoomNotFound, "%q", id)
			_, err = st.Message(ctx, id)
			require.ErrorIs(t, err, store.ErrMessageNotFound, "%q", id)
			_, err = st.Member(ctx, "general", id)
			require.ErrorIs(t, err, store.ErrNotMember, "%q", id)
			_, err = st.Member(ctx, id, "ann")
			require.ErrorIs(t, err, store.ErrNotMember, "%q", id)
			_, _, err = st.AddMember(ctx, id, ann, "")
			require.ErrorIs(t, err, store.ErrRoomNotFound, "%q", id)
			require.ErrorIs(t, st.RemoveMember(ctx, id, "ann"), store.ErrNotMember, "%q", id)
			require.ErrorIs(t, st.RemoveMember(ctx, "general", id), store.ErrNotMember, "%q", id)
			_, _, err = st.Append(ctx, store.Draft{RoomID: id, Sender: ann})
			require.ErrorIs(t, err, store.ErrRoomNotFound, "%q", id)
			_, err = st.MessageByClientID(ctx, "general", "ann", id)
			require.ErrorIs(t, err, store.ErrMessageNotFound, "%q", id)
			page, err := st.History(ctx, store.HistoryQuery{RoomID: id})
			require.NoError(t, err)
			require.Empty(t, page.Messages)
			rooms, err := st.Rooms(ctx, store.RoomQuery{Type: store.RoomType(id + "x")})
			require.NoError(t, err)
			require.Empty(t, rooms.Rooms)
			members, err := st.Members(ctx, store.MemberQuery{RoomID: id})
			require.NoError(t, err)
			require.Empty(t, members.Members)
			users, err := st.Users(ctx, id)
			require.NoError(t, err)
			require.Empty(t, users)
			_, err = st.History(ctx, store.HistoryQuery{RoomID: "general", Before: store.AtMessage(id)})
			require.ErrorIs(t, err, store.ErrMessageNotFound, "%q", id)
			if id != "" { // else it is no reply
				_, _, err = st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, ParentID: id})
				require.ErrorIs(t, err, store.ErrMessageNotFound, "%q", id)
			}
		}
	})
}

func TestInvalidArguments(t *testing.T) {
	t.Parallel()
	ctx, st := t.Context(), storetest.Open(t, "sqlite").Store(t)
	_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "r", Creator: ann})
	require.NoError(t, err)
	room := func(d store.RoomDraft) error { _, err := st.CreateRoom(ctx, d); return err }
	send := func(d store.Draft) error { d.RoomID = "r"; _, _, err := st.Append(ctx, d); return err }
	long := strings.Repeat("x", 2<<20)
	for name, err := range map[string]error{
		"room id with a space":    room(store.RoomDraft{ID: "a b"}),
		"room id in capitals":     room(store.RoomDraft{ID: "General"}),
		"room id too long":        room(store.RoomDraft{ID: long[:65]}),
		"room name too long":      room(store.RoomDraft{ID: "x", Name: long[:257]}),
		"room name broken UTF-8":  room(store.RoomDraft{ID: "x", Name: "\xff"}),
		"room metadata no JSON":   room(store.RoomDraft{ID: "x", Metadata: store.RawJSON("{")}),
		"room creator without id": room(store.RoomDraft{ID: "x", Creator: store.User{Name: "Ann"}}),
		"no sender":               send(store.Draft{Text: "x"}),
		"sender id too long":      send(store.Draft{Sender: store.User{ID: long[:129]}}),
		"client id too long":      send(store.Draft{Sender: ann, ClientID: long[:129]}),
		"client id with NUL":      send(store.Draft{Sender: ann, ClientID: "a\x00"}),
		"text too long":           send(store.Draft{Sender: ann, Text: long}),
		"text broken UTF-8":       send(store.Draft{Sender: ann, Text: "a\xc3"}),
		"text with NUL":           send(store.Draft{Sender: ann, Text: "a\x00b"}),
		"attachments no JSON":     send(store.Draft{Sender: ann, Attachments: store.RawJSON("[")}),
		"metadata too long":       send(store.Draft{Sender: ann, Metadata: store.RawJSON(`"` + long[:64<<10] + `"`)}),
		"user without id":         st.PutUser(ctx, store.User{Name: "x"}),
	} {
		require.ErrorIs(t, err, store.ErrInvalidArgument, name)
	}
	_, err = st.History(ctx, store.HistoryQuery{RoomID: "r", Limit: 201})
	require.ErrorIs(t, err, store.ErrInvalidArgument)
	_, err = st.History(ctx, store.HistoryQuery{RoomID: "r", Before: store.AtSeq(1), After: store.AtSeq(2)})
	require.ErrorIs(t, err, store.ErrInvalidArgument)
	_, err = st.Rooms(ctx, store.RoomQuery{Limit: -1})
	require.ErrorIs(t, err, store.ErrInvalidArgument)
	_, err = st.Members(ctx, store.MemberQuery{Limit: 1000})
	require.ErrorIs(t, err, store.ErrInvalidArgument)
}
