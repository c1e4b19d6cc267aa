package store_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// rows opens the database with the store's names for its tables, for rows that go in past the store.
func rows(t *testing.T, d storetest.Database) *gorm.DB {
	t.Helper()
	db := d.GORM(t)
	db.NamingStrategy = schema.NamingStrategy{TablePrefix: "chat_"}
	return db
}

func TestAccess(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		other, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Type: store.RoomPrivate, Metadata: store.RawJSON(`{"a": 1}`)})
		require.NoError(t, err)
		m, _, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, Text: "hello"})
		require.NoError(t, err)
		hour := store.MillisOf(time.Now().Add(time.Hour))
		past := store.MillisOf(time.Now().Add(-time.Second))
		invitation := store.Invitation{RoomID: "other", UserID: "cleo", Role: store.RoleReadOnly, InvitedBy: "ann", CreatedAt: 7}
		sanctions := []store.Sanction{
			{UserID: "dave", Kind: store.SanctionMute, RoomID: "general", SetBy: "ann", Reason: "loud", Until: hour},
			{UserID: "dave", Kind: store.SanctionMute, Until: hour - 1},
			{UserID: "dave", Kind: store.SanctionBan, RoomID: "other"},
			{UserID: "erin", Kind: store.SanctionBan, RoomID: "general", Until: hour},
			{UserID: "erin", Kind: store.SanctionBan},
			{UserID: "finn", Kind: store.SanctionMute, RoomID: "general", Until: past},
			{UserID: "finn", Kind: store.SanctionBan, Until: past},
		}
		db := rows(t, d)
		require.NoError(t, db.Create(&invitation).Error)
		require.NoError(t, db.Create(&sanctions).Error)

		access := func(user, room, message string) store.Access {
			t.Helper()
			a, err := st.Access(ctx, store.AccessQuery{UserID: user, RoomID: room, MessageID: message})
			require.NoError(t, err)
			return a
		}
		a := access("ann", "general", "")
		require.Equal(t, "general", a.Room.ID)
		require.EqualValues(t, 1, a.Room.LastSeq)
		require.Equal(t, store.RoleOwner, a.Member.Role)
		require.Equal(t, store.NotifyAll, a.Member.Notifications)
		require.NotZero(t, a.Member.JoinedAt)
		require.Nil(t, a.Invited)
		require.Nil(t, a.Muted)
		require.Nil(t, a.Banned)
		require.Nil(t, a.Message)

		require.Equal(t, store.Access{Room: other}, access("ann", "other", ""), "a stranger")
		require.Equal(t, store.Access{Room: other}, access("", "other", ""), "nobody")
		require.Equal(t, store.Access{Room: other, Invited: &invitation}, access("cleo", "other", ""))
		require.Equal(t, &sanctions[0], access("dave", "general", "").Muted, "the one that ends later")
		require.Equal(t, &sanctions[1], access("dave", "other", "").Muted, "everywhere")
		require.Equal(t, &sanctions[2], access("dave", "other", "").Banned)
		require.Nil(t, access("dave", "general", "").Banned, "in another room")
		require.Equal(t, &sanctions[4], access("erin", "general", "").Banned, "for good outlasts an hour")
		a = access("finn", "general", "")
		require.Nil(t, a.Muted, "it has ended")
		require.Nil(t, a.Banned, "it has ended")

		for _, room := range []string{"general", ""} {
			a := access("ann", room, m.ID)
			require.Equal(t, "general", a.Room.ID)
			require.Equal(t, "hello", a.Message.Text)
			require.NotNil(t, a.Member)
		}
	})
}

func TestAccessToWhatIsMissing(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		var inDeleted, inOther store.Message
		for id, m := range map[string]*store.Message{"gone": &inDeleted, "other": &inOther} {
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: id, Creator: ann})
			require.NoError(t, err)
			*m, _, err = st.Append(ctx, store.Draft{RoomID: id, Sender: ann, Text: "hello"})
			require.NoError(t, err)
		}
		require.NoError(t, rows(t, d).Exec("UPDATE chat_rooms SET deleted_at = 1 WHERE id = 'gone'").Error)
		for name, c := range map[string]struct {
			q    store.AccessQuery
			want error
			room string
		}{
			"nothing":                         {store.AccessQuery{}, store.ErrRoomNotFound, ""},
			"missing room":                    {store.AccessQuery{RoomID: "missing"}, store.ErrRoomNotFound, ""},
			"unfindable room":                 {store.AccessQuery{RoomID: "a\x00"}, store.ErrRoomNotFound, ""},
			"deleted room":                    {store.AccessQuery{RoomID: "gone"}, store.ErrRoomNotFound, ""},
			"missing message":                 {store.AccessQuery{MessageID: "missing"}, store.ErrMessageNotFound, ""},
			"unfindable message":              {store.AccessQuery{MessageID: "\xff"}, store.ErrMessageNotFound, ""},
			"message of a deleted room":       {store.AccessQuery{MessageID: inDeleted.ID}, store.ErrMessageNotFound, ""},
			"message and its deleted room":    {store.AccessQuery{RoomID: "gone", MessageID: inDeleted.ID}, store.ErrRoomNotFound, ""},
			"missing message in a room":       {store.AccessQuery{RoomID: "general", MessageID: "missing"}, store.ErrMessageNotFound, "general"},
			"message of another room":         {store.AccessQuery{RoomID: "general", MessageID: inOther.ID}, store.ErrMessageNotFound, "general"},
			"message of another deleted room": {store.AccessQuery{RoomID: "general", MessageID: inDeleted.ID}, store.ErrMessageNotFound, "general"},
			"message in a missing room":       {store.AccessQuery{RoomID: "missing", MessageID: inOther.ID}, store.ErrRoomNotFound, ""},
		} {
			c.q.UserID = "ann"
			a, err := st.Access(ctx, c.q)
			require.ErrorIs(t, err, c.want, name)
			require.Equal(t, c.room, a.Room.ID, name)
			require.Equal(t, c.room != "", a.Member != nil, name)
			require.Nil(t, a.Message, name)
		}
		for _, id := range []string{"a\x00", "\xff", "%", "' OR 1=1 --"} {
			a, err := st.Access(ctx, store.AccessQuery{UserID: id, RoomID: "general"})
			require.NoError(t, err)
			require.Nil(t, a.Member, "%q", id)
		}
	})
}
