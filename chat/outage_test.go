package chat_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// While the database is away, events are not acknowledged, so that a client with retries sends them again, and REST says
// that the call may be repeated. Connections live.
func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	require.NoError(t, a.store.Close())
	for _, event := range []string{"message.send", "room.join", "room.leave", "room.history"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*aMoment)
		_, err := ada.EmitWithAck(ctx, event, object{"room_id": "r", "text": "x"})
		cancel()
		require.ErrorIs(t, err, context.DeadlineExceeded, event)
	}
	require.NoError(t, ada.Barrier(t.Context()))
	_, err := chattest.Open(t, a.URL, chattest.Options{}).Connect(t.Context(), "/", object{"name": "Bob"})
	var refusal *chattest.ConnectError
	require.Error(t, err)
	require.NotErrorAs(t, err, &refusal, "whoever comes is sent away to come back by themselves: %v", err)
	e := a.post(t, "Ada", "/rooms/r/messages", object{"text": "x"}, 503).Error
	require.Equal(t, chat.CodeServerBusy, e.Code)
	require.True(t, e.Retryable)
	_, err = a.chat.As(chat.User{ID: "ada"}).Send(t.Context(), chat.NewMessage{RoomID: "r", Text: "x"})
	require.ErrorIs(t, err, store.ErrClosed, "Go callers see what is behind it")
	require.ErrorIs(t, err, chat.NewError(chat.CodeServerBusy, ""))
}

// Whether a removal has happened is not known while the database is away: the connections end, rather than stay and miss
// what is said to a member.
func TestRemovalWhileDatabaseAway(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t)
		ada, bob := a.connect(t, "Ada", transport), a.connect(t, "Bob", transport)
		elsewhere := a.connect(t, "Ada", transport)
		room := call(t, ada, "room.join", object{"room_id": "r"}).Room
		call(t, bob, "room.join", object{"room_id": "r"})
		require.NoError(t, a.store.Close())
		err := chat.RemoveMemberOf(a.chat, t.Context(), room, chat.User{ID: "ada"})
		require.ErrorIs(t, err, chat.NewError(chat.CodeServerBusy, ""))
		require.Error(t, ada.ExpectEnd(t))
		require.NoError(t, bob.Barrier(t.Context()))
		require.NoError(t, elsewhere.Barrier(t.Context()), "was not in the room")
	})
}

// Who stops reading is disconnected with a reason, holds nobody up, and has everything after coming back.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		reasons := make(chan string, 100)
		a := newApp(t, chat.WithTransport(socketio.WithSendBuffer(64<<10, 4096)), chat.WithHooks(chat.Hooks{
			Disconnect: func(_ context.Context, u chat.User, _ *socketio.Socket, reason string) {
				if u.ID == "slow" {
					reasons <- reason
				}
			},
		}))
		slow := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Auth: object{"name": "slow"}, ReadBufferBytes: 4096})
		call(t, slow, "room.join", object{"room_id": "r"})
		fast := a.connect(t, "Fast", transport)
		call(t, fast, "room.join", object{"room_id": "r"})
		slow.Conn().StopReading()

		sent := 0
		for stopped := false; !stopped; sent++ {
			require.Less(t, sent, 2000, "the slow reader is never closed")
			call(t, fast, "message.send", object{"room_id": "r", "text": fmt.Sprint(sent+1, strings.Repeat(" x", 8000))})
			require.Equal(t, int64(sent+1), expect(t, fast, "message.new").Seq)
			select {
			case reason := <-reasons:
				require.Equal(t, string(socketio.ReasonSlowClient), reason)
				stopped = true
			default:
			}
		}
		back := a.connect(t, "slow", chattest.WebSocket)
		r := call(t, back, "room.join", object{"room_id": "r", "after": 0, "limit": 1})
		require.Equal(t, int64(sent), r.Room.LastSeq)
		require.Equal(t, int64(1), r.Messages[0].Seq)
	})
}

// A nil *Error that an app's function returns by mistake refuses, and harms nobody.
func TestNilError(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithFilter(func(context.Context, *chat.Draft) error {
		var e *chat.Error
		return e
	}))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	require.Equal(t, chat.CodeInternal, refused(t, ada, "message.send", object{"room_id": "r", "text": "x"}).Code)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, ada.Barrier(ctx))
}
