package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// audits returns the actions of the audit log, the latest first.
func audits(t *testing.T, st *store.Store, roomID string) (actions []string) {
	t.Helper()
	page, err := st.AuditLog(t.Context(), store.AuditQuery{RoomID: roomID})
	require.NoError(t, err)
	for _, e := range page.Entries {
		actions = append(actions, e.Action)
	}
	return actions
}

func TestUpdateRoom(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		made, err := st.CreateRoom(ctx, store.RoomDraft{ID: "r", Name: "Old", Metadata: store.RawJSON(`{}`), Creator: ann})
		require.NoError(t, err)
		_, _, err = st.Append(ctx, store.Draft{RoomID: "r", Sender: ann, Text: "hello"})
		require.NoError(t, err)

		name, topic, private, metadata := "New", "things", store.RoomPrivate, store.RawJSON(`{"a": 1}`)
		entry := store.Audit{ActorID: "ann", Action: "room.update", RoomID: "r"}
		before, after, err := st.UpdateRoom(ctx, "r", store.RoomChange{Name: &name, Type: &private}, entry)
		require.NoError(t, err)
		require.Equal(t, "Old", before.Name)
		require.Equal(t, "New", after.Name)
		require.Equal(t, store.RoomPrivate, after.Type)
		require.Greater(t, after.UpdatedAt, made.UpdatedAt)
		_, after, err = st.UpdateRoom(ctx, "r", store.RoomChange{Topic: &topic, Metadata: &metadata}, entry)
		require.NoError(t, err)
		got, err := st.Room(ctx, "r")
		require.NoError(t, err)
		require.Equal(t, after, got)
		require.Equal(t, "New", got.Name)
		require.JSONEq(t, `{"a": 1}`, string(got.Metadata))
		require.EqualValues(t, 1, got.LastSeq)
		require.EqualValues(t, 1, got.MemberCount)

		before, after, err = st.UpdateRoom(ctx, "r", store.RoomChange{Name: &name}, entry)
		require.NoError(t, err)
		require.Equal(t, before, after)
		require.Equal(t, []string{"room.update", "room.update"}, audits(t, st, "r"), "none for a change that changes nothing")

		var none store.RawJSON
		_, after, err = st.UpdateRoom(ctx, "r", store.RoomChange{Metadata: &none})
		require.NoError(t, err)
		require.Empty(t, after.Metadata)

		_, _, err = st.UpdateRoom(ctx, "missing", store.RoomChange{Name: &name})
		require.ErrorIs(t, err, store.ErrRoomNotFound)
		direct, broken := store.RoomDirect, "\xff"
		_, _, err = st.UpdateRoom(ctx, "r", store.RoomChange{Type: &direct})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		_, _, err = st.UpdateRoom(ctx, "r", store.RoomChange{Name: &broken})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		dm, _, err := st.DirectRoom(ctx, ann, bob)
		require.NoError(t, err)
		_, _, err = st.UpdateRoom(ctx, dm.ID, store.RoomChange{Type: &private})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
	})
}

func TestDirectRoom(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		room, created, err := st.DirectRoom(ctx, ann, bob)
		require.NoError(t, err)
		require.True(t, created)
		require.Equal(t, store.RoomDirect, room.Type)
		require.Equal(t, store.DirectID("bob", "ann"), room.ID)
		got, err := st.Room(ctx, room.ID)
		require.NoError(t, err)
		require.Equal(t, room, got)
		require.EqualValues(t, 2, got.MemberCount)

		again, created, err := st.DirectRoom(ctx, bob, ann)
		require.NoError(t, err)
		require.False(t, created)
		require.Equal(t, room, again)

		require.NoError(t, st.RemoveMember(ctx, room.ID, "bob"))
		again, created, err = st.DirectRoom(ctx, ann, bob)
		require.NoError(t, err)
		require.False(t, created)
		require.EqualValues(t, 2, again.MemberCount, "back again")
		for _, id := range []string{"ann", "bob"} {
			m, err := st.Member(ctx, room.ID, id)
			require.NoError(t, err)
			require.Equal(t, store.RoleMember, m.Role)
		}

		_, _, err = st.DirectRoom(ctx, ann, ann)
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		_, err = st.CreateRoom(ctx, store.RoomDraft{ID: store.DirectID("ann", "cleo"), Creator: bob})
		require.ErrorIs(t, err, store.ErrInvalidArgument, "nobody takes the id before")
		_, err = st.DeleteRoom(ctx, room.ID)
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		_, err = st.Sanction(ctx, store.Sanction{UserID: "cleo", Kind: store.SanctionBan})
		require.NoError(t, err)
		_, _, err = st.DirectRoom(ctx, ann, store.User{ID: "cleo"})
		require.ErrorIs(t, err, store.ErrBanned)
		_, err = st.Room(ctx, store.DirectID("ann", "cleo"))
		require.ErrorIs(t, err, store.ErrRoomNotFound)

		// Both write to each other at the same moment, from two processes.
		st2 := d.Store(t)
		var made [2]bool
		var rooms [2]store.Room
		together(t, 2, func(i int) (err error) {
			users := []store.User{{ID: "x", Name: "X"}, {ID: "y", Name: "Y"}}
			rooms[i], made[i], err = []*store.Store{st, st2}[i].DirectRoom(ctx, users[i], users[1-i])
			return err
		})
		require.Equal(t, rooms[0].Epoch, rooms[1].Epoch)
		require.NotEqual(t, made[0], made[1], "one of them has created it")
	})
}

func TestRoles(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		entry := store.Audit{ActorID: "ann", Action: "member.role", RoomID: "general", UserID: "bob"}
		m, err := st.SetRole(ctx, "general", "bob", store.RoleReadOnly, entry)
		require.NoError(t, err)
		require.Equal(t, store.RoleReadOnly, m.Role)
		_, err = st.SetRole(ctx, "general", "bob", store.RoleReadOnly, entry)
		require.NoError(t, err)
		require.Len(t, audits(t, st, "general"), 1, "nothing changed the second time")
		got, err := st.Member(ctx, "general", "bob")
		require.NoError(t, err)
		require.Equal(t, store.RoleReadOnly, got.Role)

		changed, err := st.TransferOwnership(ctx, "general", "bob", entry)
		require.NoError(t, err)
		roles := map[string]store.Role{}
		for _, m := range changed {
			roles[m.UserID] = m.Role
		}
		require.Equal(t, map[string]store.Role{"ann": store.RoleModerator, "bob": store.RoleOwner}, roles)
		changed, err = st.TransferOwnership(ctx, "general", "bob", entry)
		require.NoError(t, err)
		require.Empty(t, changed)
		require.Len(t, audits(t, st, "general"), 2)

		require.NoError(t, st.SetNotifications(ctx, "general", "bob", store.NotifyMentions))
		got, err = st.Member(ctx, "general", "bob")
		require.NoError(t, err)
		require.Equal(t, store.NotifyMentions, got.Notifications)
		require.Equal(t, store.RoleOwner, got.Role)

		for _, room := range []string{"general", "missing"} {
			_, err = st.SetRole(ctx, room, "cleo", store.RoleMember)
			require.ErrorIs(t, err, store.ErrNotMember)
			_, err = st.TransferOwnership(ctx, room, "cleo")
			require.ErrorIs(t, err, store.ErrNotMember)
			require.ErrorIs(t, st.SetNotifications(ctx, room, "cleo", store.NotifyAll), store.ErrNotMember)
		}
		_, err = st.SetRole(ctx, "general", "bob", "king")
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		require.ErrorIs(t, st.SetNotifications(ctx, "general", "bob", "loud"), store.ErrInvalidArgument)
	})
}

func TestAuditLog(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Creator: ann})
		require.NoError(t, err)
		for i, role := range []store.Role{store.RoleReadOnly, store.RoleModerator, store.RoleMember, store.RoleOwner} {
			_, err := st.SetRole(ctx, "general", "bob", role, store.Audit{
				ActorID: "ann", Action: "member.role", RoomID: "general", UserID: "bob", Details: store.RawJSON(`{"role": "` + role + `"}`),
			})
			require.NoError(t, err, i)
		}
		_, err = st.SetRole(ctx, "other", "ann", store.RoleMember, store.Audit{Action: "member.role", RoomID: "other"})
		require.NoError(t, err)

		var details []string
		for q := (store.AuditQuery{RoomID: "general", Limit: 3}); ; {
			page, err := st.AuditLog(ctx, q)
			require.NoError(t, err)
			for _, e := range page.Entries {
				require.NotZero(t, e.CreatedAt)
				require.Equal(t, "ann", e.ActorID)
				details = append(details, string(e.Details))
			}
			if q.Before = page.Next; q.Before == "" {
				break
			}
		}
		require.Equal(t, []string{`{"role": "owner"}`, `{"role": "member"}`, `{"role": "moderator"}`, `{"role": "readonly"}`}, details)
		page, err := st.AuditLog(ctx, store.AuditQuery{Limit: 1})
		require.NoError(t, err)
		require.Equal(t, "other", page.Entries[0].RoomID)
		require.NotEmpty(t, page.Next)

		_, err = st.SetRole(ctx, "general", "bob", store.RoleMember, store.Audit{})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		m, err := st.Member(ctx, "general", "bob")
		require.NoError(t, err)
		require.Equal(t, store.RoleOwner, m.Role, "what cannot be written down does not happen")
	})
}
