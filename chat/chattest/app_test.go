package chattest_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// This is how an app tests the chat that it has mounted: start the whole app,
// connect as its users, and say what is to happen.

type object map[string]any

// newShop is the app under test: it signs in by the name in the auth payload,
// and takes no advertising.
func newShop(t *testing.T) *chattest.Server {
	t.Helper()
	st, err := store.Open(filepath.Join(t.TempDir(), "chat.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	c, err := chat.New(st,
		chat.WithOpenRooms(),
		chat.WithTokenAuth(func(_ context.Context, auth json.RawMessage) (chat.User, error) {
			var login struct{ Name string }
			if json.Unmarshal(auth, &login) != nil || login.Name == "" {
				return chat.User{}, chat.ErrNoCredentials
			}
			return chat.User{ID: login.Name, Name: login.Name}, nil
		}),
		chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
			if d.Text == "buy now" {
				return chat.Reject("no advertising")
			}
			return nil
		}),
	)
	require.NoError(t, err)
	e := echo.New()
	require.NoError(t, c.Mount(e))
	return chattest.Serve(t, e, c.Shutdown)
}

func TestShop(t *testing.T) {
	t.Parallel()
	chattest.CheckLeaks(t)
	shop := newShop(t)

	refused := chattest.ExpectRefused(t, shop.URL, chattest.Options{})
	require.Equal(t, "unauthorized", refused.Message)

	ada := chattest.Connect(t, shop.URL, chattest.Options{Auth: object{"name": "ada"}})
	bob := chattest.Connect(t, shop.URL, chattest.Options{Auth: object{"name": "bob"}, Transport: chattest.Polling})
	ada.ExpectAck(t, "room.join", object{"room_id": "support"})
	bob.ExpectAck(t, "room.join", object{"room_id": "support"})

	ack := ada.ExpectAck(t, "message.send", object{"room_id": "support", "text": "hello"})
	var reply struct{ Status string }
	require.NoError(t, ack.Decode(0, &reply))
	require.Equal(t, "ok", reply.Status)
	var event struct{ Message struct{ Text string } }
	require.NoError(t, bob.Expect(t, "message.new").Decode(0, &event))
	require.Equal(t, "hello", event.Message.Text)

	// What is refused reaches nobody. Nothing waits for a silence: the round trip
	// that ExpectNone makes would have brought it.
	ack = ada.ExpectAck(t, "message.send", object{"room_id": "support", "text": "buy now"})
	require.NoError(t, ack.Decode(0, &reply))
	require.Equal(t, "error", reply.Status)
	bob.ExpectNone(t, "message.new")

	// The network breaks, and the client comes back.
	bob.Conn().Reset()
	require.ErrorIs(t, bob.ExpectEnd(t), chattest.ErrCut)
	again := bob.ExpectReconnect(t)
	again.ExpectAck(t, "room.join", object{"room_id": "support"})
	ada.ExpectAck(t, "message.send", object{"room_id": "support", "text": "still there?"})
	again.Expect(t, "message.new")
}
