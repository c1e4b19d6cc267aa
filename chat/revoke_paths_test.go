package chat_test

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// Who has invited somebody and was removed since does not hear of the answer.
func TestDeclineAfterRemoval(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t)
	ctx, system := t.Context(), a.chat.System()
	_, err := system.CreateRoom(ctx, chat.NewRoom{ID: "r", Type: store.RoomPrivate, Creator: chat.User{ID: "ada", Name: "Ada"}})
	require.NoError(t, err)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	for _, name := range []string{"bob", "carol"} {
		_, err := a.chat.As(named("ada")).Invite(ctx, "r", named(name), "")
		require.NoError(t, err)
	}
	require.NoError(t, a.chat.As(named("bob")).DeclineInvitation(ctx, "r"))
	require.Equal(t, "bob", expect(t, ada, "invitation.removed").User.ID)
	require.NoError(t, a.store.RemoveMember(ctx, "r", "ada"))
	require.NoError(t, a.chat.As(named("carol")).DeclineInvitation(ctx, "r"))
	ada.ExpectNone(t, "invitation.removed")
}

// What the app's own code takes long about is asked about once more: who was removed in the meantime gets nothing.
func TestRemovalWhileSlow(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	a := newClosedApp(t, chat.WithBefore(func(_ context.Context, o *chat.Operation) error {
		if o.Name == chat.EventRoomHistory && o.User.ID == "ada" {
			close(begun)
			<-goOn
		}
		return nil
	}))
	ctx, system := t.Context(), a.chat.System()
	_, err := system.CreateRoom(ctx, chat.NewRoom{ID: "r", Type: store.RoomPrivate, Creator: named("ada")})
	require.NoError(t, err)
	type answer struct {
		status int
		err    error
	}
	answers := make(chan answer)
	go func() {
		status, err := a.rest(ctx, "Ada", http.MethodGet, "/rooms/r/messages", nil, nil)
		answers <- answer{status, err}
	}()
	<-begun
	slow := time.NewTimer(2 * chat.AdmissionAge)
	require.NoError(t, system.RemoveMember(ctx, "r", "ada"))
	_, err = system.Send(ctx, chat.NewMessage{RoomID: "r", Text: "she is gone"})
	require.NoError(t, err)
	<-slow.C
	close(goOn)
	require.Equal(t, answer{status: http.StatusNotFound}, <-answers)
}

// Whoever tries a removal again that got no answer gets the connections out, too, if it had happened.
func TestRemovalAgain(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.Polling)
	for _, s := range []*chattest.Socket{ada, bob} {
		call(t, s, "room.join", object{"room_id": "r"})
	}
	require.NoError(t, a.store.RemoveMember(t.Context(), "r", "bob"))
	require.Equal(t, chat.CodeNotAMember, refused(t, ada, "member.remove", object{"room_id": "r", "user_id": "bob"}).Code)
	call(t, ada, "message.send", object{"room_id": "r", "text": "he is gone"})
	bob.ExpectNone(t, "message.new")
}

// Who has left the room of two hears nothing of it by the tutorials' events either, and others what the filters have made of it.
func TestPrivateMessageAfterLeaving(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t, chat.WithTutorialEvents(), chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
		d.Text = strings.ToUpper(d.Text)
		return nil
	}))
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
	say := object{"content": "hi", "to": "bob"}
	ada.ExpectAck(t, "private message", say)
	var said struct{ Content, From string }
	require.NoError(t, bob.Expect(t, "private message").Decode(0, &said))
	require.Equal(t, "HI", said.Content)
	call(t, bob, "room.leave", object{"room_id": store.DirectID("ada", "bob")})
	ada.ExpectAck(t, "private message", say)
	bob.ExpectNone(t, "private message")
}

// A ban from a hidden room does not tell a stranger of it.
func TestBanOfStranger(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t)
	ctx, system := t.Context(), a.chat.System()
	for id, kind := range map[string]store.RoomType{"hidden": store.RoomPrivate, "open": store.RoomPublic} {
		_, err := system.CreateRoom(ctx, chat.NewRoom{ID: id, Type: kind})
		require.NoError(t, err)
	}
	bob := a.connect(t, "Bob", chattest.WebSocket)
	for _, id := range []string{"hidden", "open"} {
		_, err := system.Ban(ctx, chat.NewSanction{RoomID: id, UserID: "bob"})
		require.NoError(t, err)
		require.NoError(t, system.Unban(ctx, id, "bob"))
	}
	require.Equal(t, "open", expect(t, bob, "user.banned").RoomID)
	require.Equal(t, "open", expect(t, bob, "user.unbanned").RoomID)
	bob.ExpectNone(t, "user.banned", "user.unbanned")
	_, err := system.AddMember(ctx, "hidden", named("bob"))
	require.NoError(t, err)
	_, err = system.Ban(ctx, chat.NewSanction{RoomID: "hidden", UserID: "bob"})
	require.NoError(t, err)
	require.Equal(t, "hidden", expect(t, bob, "user.banned").RoomID, "who was a member is told")
}

// Who is muted while a filter still looks at what they say has not said it.
func TestMuteWhileFiltering(t *testing.T) {
	t.Parallel()
	begun, goOn := make(chan struct{}), make(chan struct{})
	a := newApp(t, chat.WithFilter(func(context.Context, *chat.Draft) error {
		close(begun)
		<-goOn
		return nil
	}))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	go func() {
		<-begun
		_, err := a.chat.System().Mute(context.WithoutCancel(t.Context()), chat.NewSanction{RoomID: "r", UserID: "ada", DurationMS: 60_000})
		assert.NoError(t, err)
		close(goOn)
	}()
	e := refused(t, ada, "message.send", object{"room_id": "r", "text": "x"})
	require.Equal(t, chat.CodeMuted, e.Code)
	require.InDelta(t, time.Minute, e.RetryAfter, float64(10*time.Second))
	require.Empty(t, get[chat.Page](t, a, "Ada", "/rooms/r/messages").Messages)
}

// What a client is in other namespaces lasts as long as its connection to the main one, where bans find it.
func TestUserOfOtherNamespaces(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	type found struct {
		user chat.User
		ok   bool
	}
	seen := make(chan found, 1)
	a.chat.Server().Of("/game").Handle("who", func(_ context.Context, s *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		u, ok := chat.UserOf(s)
		seen <- found{u, ok}
		_ = ack.Send()
	})
	ada := a.connect(t, "Ada", chattest.WebSocket)
	game, err := ada.Conn().Connect(t.Context(), "/game", nil)
	require.NoError(t, err)
	game.ExpectAck(t, "who")
	require.Equal(t, found{chat.User{ID: "ada", Name: "Ada"}, true}, <-seen)
	require.NoError(t, ada.Disconnect())
	game.ExpectAck(t, "who")
	require.False(t, (<-seen).ok)
}

// A refresh that is answered when its client has signed in as somebody else changes nothing: what one hears then would not end with
// one's own membership.
func TestRefreshAfterSignIn(t *testing.T) {
	t.Parallel()
	asked, goOn := make(chan struct{}), make(chan struct{})
	done := make(chan error, 1)
	a := serve(t, onEcho, chat.WithOpenRooms(), chat.WithTokenAuth(func(ctx context.Context, auth json.RawMessage) (chat.User, error) {
		var in struct{ Token string }
		if json.Unmarshal(auth, &in) == nil && in.Token == "Ada" {
			close(asked)
			<-goOn
		}
		return byName(ctx, auth)
	}), chat.WithAfter(func(_ context.Context, o *chat.Operation) {
		if o.Name == "auth.refresh" {
			done <- o.Err
		}
	}))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	require.NoError(t, ada.Emit("auth.refresh", object{"token": "Ada"}))
	<-asked
	require.NoError(t, ada.Disconnect())
	bob, err := ada.Conn().Connect(t.Context(), "/", object{"name": "Bob"})
	require.NoError(t, err)
	close(goOn)
	require.ErrorIs(t, <-done, &chat.Error{Code: chat.CodeUnauthorized})
	joined := call(t, bob, "room.join", object{"room_id": "r"})
	require.Equal(t, "bob", joined.Members[0].User.ID)
}
