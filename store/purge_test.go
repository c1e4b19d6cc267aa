package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

func TestDeleteRoom(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Creator: ann})
		require.NoError(t, err)
		fill(t, d, 1000)
		db := rows(t, d)
		for _, statement := range []string{
			"INSERT INTO chat_reactions (message_id, user_id, emoji, created_at) SELECT id, 'bob', 'x', 0 FROM chat_messages",
			"INSERT INTO chat_mentions (user_id, room_id, seq) SELECT 'bob', room_id, seq FROM chat_messages",
			"INSERT INTO chat_words (room_id, word, seq) SELECT room_id, 'lorem', seq FROM chat_messages",
			"INSERT INTO chat_indexed (room_id, seq) VALUES ('general', 1000)",
			"INSERT INTO chat_mentions (user_id, room_id, seq) VALUES ('bob', 'other', 1)",
			"INSERT INTO chat_words (room_id, word, seq) VALUES ('other', 'lorem', 1)",
			"INSERT INTO chat_indexed (room_id, seq) VALUES ('other', 1)",
		} {
			require.NoError(t, db.Exec(statement).Error)
		}
		kept, _, err := st.Append(ctx, store.Draft{RoomID: "other", Sender: ann, Text: "kept"})
		require.NoError(t, err)
		for i := range 300 {
			require.NoError(t, st.PutUser(ctx, user(i)))
		}
		require.NoError(t, db.Exec("INSERT INTO chat_members (room_id, user_id, role, joined_at)"+
			" SELECT 'general', id, 'member', 0 FROM chat_users WHERE id LIKE 'user-%'").Error)
		_, _, err = st.Invite(ctx, store.Invitation{RoomID: "general", UserID: "cleo"})
		require.NoError(t, err)
		_, err = st.Sanction(ctx, store.Sanction{UserID: "dave", Kind: store.SanctionBan, RoomID: "general"})
		require.NoError(t, err)
		_, _, err = st.Flag(ctx, "m5", "bob", "rude")
		require.NoError(t, err)

		room, err := st.DeleteRoom(ctx, "general", store.Audit{ActorID: "ann", Action: "room.delete", RoomID: "general"})
		require.NoError(t, err)
		require.Equal(t, store.RoomPublic, room.Type)
		require.EqualValues(t, 1000, room.LastSeq)
		missing(t, st)
		require.Equal(t, []string{"room.delete"}, audits(t, st, "general"))

		require.Eventually(t, func() bool {
			var left int64
			require.NoError(t, db.Raw("SELECT COUNT(*) FROM chat_rooms WHERE type = 'purging'").Scan(&left).Error)
			return left == 0
		}, 20*time.Second, 10*time.Millisecond)
		for table, want := range map[string]int64{
			"chat_messages": 1, "chat_mentions": 1, "chat_words": 1, "chat_indexed": 1, "chat_members": 1, // those of the other room
			"chat_reactions": 0, "chat_invitations": 0, "chat_sanctions": 0, "chat_flags": 0, "chat_rooms": 2,
		} {
			var n int64
			require.NoError(t, db.Raw("SELECT COUNT(*) FROM "+table).Scan(&n).Error)
			require.Equal(t, want, n, table)
		}
		missing(t, st)
		m, err := st.Message(ctx, kept.ID)
		require.NoError(t, err)
		require.Equal(t, "kept", m.Text)
	})
}

// missing asserts that nothing finds the deleted room "general".
func missing(t *testing.T, st *store.Store) {
	t.Helper()
	ctx, name := t.Context(), "new"
	_, err := st.Room(ctx, "general")
	require.ErrorIs(t, err, store.ErrRoomNotFound)
	_, err = st.Access(ctx, store.AccessQuery{UserID: "ann", RoomID: "general"})
	require.ErrorIs(t, err, store.ErrRoomNotFound)
	_, err = st.Access(ctx, store.AccessQuery{UserID: "ann", MessageID: "m1"})
	require.ErrorIs(t, err, store.ErrMessageNotFound)
	_, err = st.DeleteRoom(ctx, "general")
	require.ErrorIs(t, err, store.ErrRoomNotFound)
	_, _, err = st.UpdateRoom(ctx, "general", store.RoomChange{Name: &name})
	require.ErrorIs(t, err, store.ErrRoomNotFound)
	_, err = st.Member(ctx, "general", "ann")
	require.ErrorIs(t, err, store.ErrNotMember)
	_, _, err = st.AddMember(ctx, "general", ann, "")
	require.ErrorIs(t, err, store.ErrRoomNotFound)
	for _, system := range []bool{false, true} {
		_, _, err = st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, Text: "x", System: system})
		require.ErrorIs(t, err, store.ErrRoomNotFound)
	}
	members, err := st.Members(ctx, store.MemberQuery{RoomID: "general"})
	require.NoError(t, err)
	require.Empty(t, members.Members)
	for _, id := range []string{"m1", "m1000"} {
		_, err = st.Message(ctx, id)
		require.ErrorIs(t, err, store.ErrMessageNotFound)
		_, _, err = st.Flag(ctx, id, "bob", "")
		require.ErrorIs(t, err, store.ErrMessageNotFound)
	}
	_, err = st.MessageByClientID(ctx, "general", "ann", "c1")
	require.ErrorIs(t, err, store.ErrMessageNotFound)
	page, err := st.History(ctx, store.HistoryQuery{RoomID: "general"})
	require.NoError(t, err)
	require.Empty(t, page.Messages)
	for _, q := range []store.RoomQuery{{}, {MemberID: "ann"}, {Type: "purging"}, {Type: store.RoomPublic}} {
		page, err := st.Rooms(ctx, q)
		require.NoError(t, err)
		for _, r := range page.Rooms {
			require.NotEqual(t, "general", r.ID)
		}
	}
	_, err = st.CreateRoom(ctx, store.RoomDraft{ID: "general", Creator: bob})
	require.ErrorIs(t, err, store.ErrRoomExists, "the id stays taken")
}

// What a process has not removed when it ends, the next one does.
func TestPurgeResumes(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		general(t, d.Store(t))
		fill(t, d, 1000)
		db := rows(t, d)
		require.NoError(t, db.Exec("UPDATE chat_rooms SET deleted_at = 1, type = 'purging' WHERE id = 'general'").Error)
		d.Store(t)
		require.Eventually(t, func() bool {
			var n int64
			require.NoError(t, db.Raw("SELECT COUNT(*) FROM chat_messages").Scan(&n).Error)
			return n == 0
		}, 20*time.Second, 10*time.Millisecond)
	})
}

// Several processes that purge the same room leave nothing of it.
func TestPurgeTogether(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		general(t, st)
		for i := range 2000 {
			require.NoError(t, st.PutUser(t.Context(), user(i)))
		}
		db := rows(t, d)
		require.NoError(t, db.Exec("INSERT INTO chat_members (room_id, user_id, role, joined_at)"+
			" SELECT 'general', id, 'member', 0 FROM chat_users WHERE id LIKE 'user-%'").Error)
		require.NoError(t, db.Exec("UPDATE chat_rooms SET deleted_at = 1, type = 'purging' WHERE id = 'general'").Error)
		for range 3 {
			d.Store(t)
		}
		require.Eventually(t, func() bool {
			var purged int64
			require.NoError(t, db.Raw("SELECT COUNT(*) FROM chat_rooms WHERE type = 'purged'").Scan(&purged).Error)
			return purged == 1
		}, 20*time.Second, time.Millisecond)
		var left int64
		require.NoError(t, db.Raw("SELECT COUNT(*) FROM chat_members").Scan(&left).Error)
		require.Zero(t, left)
	})
}
