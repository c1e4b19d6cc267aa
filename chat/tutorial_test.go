package chat_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	chatmw "github.com/echochat/echochat/middleware"
)

// The clients of Socket.IO's own tutorials and examples, as stock clients.
func TestTutorialsWithStockClient(t *testing.T) {
	t.Parallel()
	requireNode(t)
	for _, transport := range []string{"default", "polling", "websocket"} {
		t.Run(transport, func(t *testing.T) {
			t.Parallel()
			a := serve(t, onEcho, chat.WithGuests(), chat.WithTutorialEvents())
			runNode(t, "tutorials.mjs", "--url", a.URL, "--transport", transport)
		})
	}
}

// What the tutorials' clients say is in the chat, for its own clients, filters and permissions, and the other way round.
func TestTutorialsAreTheChat(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t, chat.WithTutorialEvents(),
		chat.WithFilter(chatmw.WordsWithConfig(chatmw.WordsConfig{List: []string{"darn"}, Reason: "Stay polite."})))
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.Polling)
	for _, s := range []*chattest.Socket{ada, bob} {
		s.Expect(t, "users") // the last thing that a client is sent when it comes
	}
	said := func(s *chattest.Socket, want string) (seq int64) {
		t.Helper()
		var text string
		e := s.Expect(t, "chat message")
		require.NoError(t, e.Decode(0, &text))
		require.NoError(t, e.Decode(1, &seq))
		require.Equal(t, want, text)
		return seq
	}

	require.Zero(t, ada.ExpectAck(t, "chat message", "hello", "mine-1").Len(), "the tutorials' answer is empty")
	require.Equal(t, said(ada, "hello"), said(bob, "hello"))
	e := expect(t, bob, "message.new")
	require.Equal(t, "general", e.RoomID)
	require.Equal(t, "hello", e.Message.Text)
	require.Equal(t, "mine-1", e.Message.ClientID)
	require.Equal(t, "Ada", e.Message.User.Name)
	require.Zero(t, ada.ExpectAck(t, "chat message", "hello", "mine-1").Len(), "sent again")

	call(t, bob, "message.send", object{"room_id": "general", "text": "from the chat"})
	require.EqualValues(t, 2, said(ada, "from the chat"), "and hello is stored once")

	require.NoError(t, ada.Emit("add user", "Somebody Else"))
	ada.Expect(t, "login")
	var joined struct{ Username string }
	require.NoError(t, bob.Expect(t, "user joined").Decode(0, &joined))
	require.Equal(t, "Ada", joined.Username, "who has signed in keeps their name")

	var refusal struct{ Error *chat.Error }
	require.NoError(t, ada.ExpectAck(t, "chat message", "darn").Decode(0, &refusal))
	require.Equal(t, chat.CodeMessageRejected, refusal.Error.Code)
	for _, args := range [][]any{{}, {7}, {object{}}, {"x", 7}, {""}, {nil}} {
		require.NoError(t, ada.ExpectAck(t, "chat message", args...).Decode(0, &refusal), "%v", args)
		require.Equal(t, chat.CodeInvalidArgument, refusal.Error.Code, "%v", args)
	}
	require.NoError(t, ada.ExpectAck(t, "private message", object{"content": "psst", "to": "missing"}).Decode(0, &refusal))

	call(t, a.connect(t, "Boss", chattest.WebSocket), "room.get", object{"room_id": "general"})
	require.NoError(t, a.chat.System().RemoveMember(t.Context(), "general", "ada"))
	require.NoError(t, ada.ExpectAck(t, "chat message", "I was shown out").Decode(0, &refusal))
	require.Equal(t, chat.CodeNotAMember, refusal.Error.Code)
}

// Without the option there are no such events.
func TestNoTutorialsUnasked(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	require.NoError(t, ada.Emit("chat message", "hello"))
	call(t, ada, "room.join", object{"room_id": "r"})
	ada.ExpectNone(t, "chat message")
}
