package chat_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	chatmw "github.com/echochat/echochat/middleware"
	"github.com/echochat/echochat/store"
)

// A moderator who is muted stays so until somebody above him says otherwise.
func TestNobodyUnmutesThemselves(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	system, boss := a.chat.System(), chat.User{ID: "boss", Name: "Boss"}
	_, err := system.CreateRoom(t.Context(), chat.NewRoom{ID: "r", Creator: boss})
	require.NoError(t, err)
	_, err = system.AddMember(t.Context(), "r", chat.User{ID: "mod", Name: "Mod"})
	require.NoError(t, err)
	_, err = system.SetRole(t.Context(), "r", "mod", store.RoleModerator)
	require.NoError(t, err)
	_, err = a.chat.As(boss).Mute(t.Context(), chat.NewSanction{RoomID: "r", UserID: "mod"})
	require.NoError(t, err)
	mod := a.chat.As(chat.User{ID: "mod", Name: "Mod"})
	require.ErrorIs(t, mod.Unmute(t.Context(), "r", "mod"), &chat.Error{Code: chat.CodeForbidden})
	_, err = mod.Send(t.Context(), chat.NewMessage{RoomID: "r", Text: "x"})
	require.ErrorIs(t, err, &chat.Error{Code: chat.CodeMuted})
	require.NoError(t, a.chat.As(boss).Unmute(t.Context(), "r", "mod"))
}

// Who is banned from a private room that they know nothing of is not told about it.
func TestBanFromHiddenRoom(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	boss := chat.User{ID: "boss", Name: "Boss"}
	for id, kind := range map[string]store.RoomType{"secret": store.RoomPrivate, "plaza": store.RoomPublic} {
		_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: id, Type: kind, Creator: boss})
		require.NoError(t, err)
	}
	eve := a.connect(t, "Eve", chattest.WebSocket)
	for _, room := range []string{"secret", "plaza"} {
		_, err := a.chat.As(boss).Ban(t.Context(), chat.NewSanction{RoomID: room, UserID: "eve"})
		require.NoError(t, err)
		require.NoError(t, a.chat.As(boss).Unban(t.Context(), room, "eve"))
	}
	require.Equal(t, "plaza", expect(t, eve, "user.banned").RoomID)
	require.Equal(t, "plaza", expect(t, eve, "user.unbanned").RoomID)
}

// What the app's authorizer forbids is nowhere: in no list, no answer to a join, no sync.
func TestAuthorizerEverywhere(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithAuthorizer(func(_ context.Context, r chat.AuthRequest) (bool, error) {
		switch {
		case r.User.ID != "eve":
		case r.Action == chat.ActionRoomRead && r.Room.ID == "hidden",
			r.Action == chat.ActionHistoryRead && (r.Room.ID == "mute" || r.Room.ID == "hidden"),
			r.Action == chat.ActionMemberList, r.Action == chat.ActionRoomCreate:
			return false, nil
		}
		return r.Allowed, nil
	}))
	eve := a.connect(t, "Eve", chattest.WebSocket)
	for _, id := range []string{"hidden", "mute", "open"} {
		_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: id})
		require.NoError(t, err)
		_, err = a.chat.System().AddMember(t.Context(), id, chat.User{ID: "eve", Name: "Eve"})
		require.NoError(t, err)
		for range 60 {
			_, err = a.chat.System().Send(t.Context(), chat.NewMessage{RoomID: id, Text: "x"})
			require.NoError(t, err)
		}
	}
	rooms := func(path string) (ids []string) {
		for _, room := range get[chat.RoomPage](t, a, "Eve", path).Rooms {
			ids = append(ids, room.ID)
			require.Equal(t, path == "/rooms" && room.ID == "open", room.LastMessage != nil, room.ID)
		}
		return ids
	}
	require.ElementsMatch(t, []string{"mute", "open"}, rooms("/rooms"))
	require.ElementsMatch(t, []string{"mute", "open"}, rooms("/rooms?type=public"))
	since, cursor := "hidden:0,mute:0,open:0", ""
	for page := (chat.SyncResult{HasMore: true}); page.HasMore; since, cursor = page.Since, page.NextCursor {
		page = get[chat.SyncResult](t, a, "Eve", "/sync?since="+since+"&cursor="+cursor)
		for _, room := range page.Rooms {
			require.Equal(t, "open", room.Room.ID)
		}
	}
	require.Contains(t, since, "open:60")
	var joined chat.JoinedRoom
	require.NoError(t, eve.ExpectAck(t, "room.join", object{"room_id": "open"}).Decode(0, &joined))
	require.Empty(t, joined.Members)
	require.Equal(t, chat.CodeForbidden, refused(t, eve, "room.join", object{"room_id": "brand-new"}).Code)
}

// Filters may rewrite a private message of the tutorials, too.
func TestTutorialsPrivateMessageIsFiltered(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t, chat.WithTutorialEvents(), chat.WithFilter(chatmw.Words([]string{"darn"})))
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
	ada.Expect(t, "users")
	bob.Expect(t, "users")
	for range 2 {
		require.NoError(t, ada.Emit("private message", object{"content": "darn it", "to": "bob"}))
		var said struct{ Content, From string }
		require.NoError(t, bob.Expect(t, "private message").Decode(0, &said))
		require.Equal(t, "**** it", said.Content)
		require.Equal(t, "ada", said.From)
	}
}
