package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

func TestShutdown(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		chattest.CheckLeaks(t)
		entered, proceed := make(chan struct{}), make(chan struct{})
		leave := sync.OnceFunc(func() { close(proceed) })
		a := newApp(t, chat.WithTypingExpiry(time.Hour), chat.WithPresenceGrace(time.Hour), chat.WithFilter(
			func(_ context.Context, d *chat.Draft) error {
				if d.Text == "slow" {
					close(entered)
					<-proceed
				}
				return nil
			}))
		t.Cleanup(leave)
		ada := a.connect(t, "Ada", transport)
		bob := a.connect(t, "Bob", transport)
		call(t, ada, "room.join", object{"room_id": "r"})
		call(t, bob, "room.join", object{"room_id": "r"})
		call(t, bob, "typing.start", object{"room_id": "r"})
		answered := make(chan int, 1)
		go func() {
			status, _ := a.rest(context.Background(), "Ada", "POST", "/rooms/r/messages", object{"text": "slow"}, nil)
			answered <- status
		}()
		<-entered

		stopped := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			stopped <- a.chat.Shutdown(ctx)
		}()
		expect(t, bob, "server.draining")
		require.Error(t, bob.ExpectEnd(t))
		select {
		case err := <-stopped:
			t.Fatalf("Shutdown did not wait for a REST call: %v", err)
		default:
		}
		status, err := a.rest(t.Context(), "Ada", "GET", "/me", nil, nil)
		require.NoError(t, err)
		require.Equal(t, 503, status)
		leave()
		require.Equal(t, 201, <-answered, "what had begun is finished")
		require.NoError(t, <-stopped)
		_, err = chattest.Dial(t.Context(), a.URL, chattest.Options{Transport: transport})
		require.Error(t, err)
		require.NoError(t, a.chat.Shutdown(t.Context()), "a second time")
	})
}

// Connections that come and go in every way leave nothing behind.
func TestNothingIsLeftOver(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		chattest.CheckLeaks(t)
		a := newApp(t, chat.WithTypingExpiry(time.Hour),
			chat.WithTransport(socketio.WithPingInterval(time.Second), socketio.WithPingTimeout(time.Second)))
		for i := range 50 {
			s := a.connect(t, fmt.Sprintf("u%d", i%5), transport)
			call(t, s, "room.join", object{"room_id": "r"})
			require.NoError(t, s.Emit("typing.start", object{"room_id": "r"}))
			switch i % 3 {
			case 0:
				s.Close()
			case 1:
				s.Conn().Reset()
			case 2:
				require.NoError(t, s.Disconnect())
				s.Conn().Close()
			}
		}
		require.Eventually(t, func() bool { return !a.chat.Online("u0") && !a.chat.Online("u4") }, 30*time.Second, time.Millisecond)
	})
}

// Whatever a client sends, its text, its token and its session id stay out of the log.
func TestLogsKeepSecrets(t *testing.T) {
	t.Parallel()
	var logged syncBuffer
	const text, token = "hunter2-the-text", "hunter2-the-token"
	a := newApp(t,
		chat.WithLogger(slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))),
		chat.WithTokenAuth(func(_ context.Context, auth json.RawMessage) (chat.User, error) {
			if strings.Contains(string(auth), "wrong") {
				return chat.User{}, fmt.Errorf("the token is for somebody else")
			}
			return chat.User{ID: "ada", Name: "Ada"}, nil
		}),
		chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
			if strings.Contains(d.Text, "fail") {
				return fmt.Errorf("filter failed")
			}
			if strings.Contains(d.Text, "panic") {
				panic("filter panicked")
			}
			return nil
		}))
	for _, transport := range chattest.Transports() {
		s := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Auth: object{"token": token}})
		call(t, s, "room.join", object{"room_id": "r"})
		call(t, s, "message.send", object{"room_id": "r", "text": text})
		for _, arg := range []any{object{"room_id": "r", "text": text + "fail"}, object{"room_id": "r", "text": text + "\x00"}, text} {
			require.NotEmpty(t, refused(t, s, "message.send", arg).Code)
		}
		require.Equal(t, chat.CodeInternal, refused(t, s, "message.send", object{"room_id": "r", "text": text + "panic"}).Code)
		require.Error(t, s.ExpectEnd(t))
		refusal := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport, Auth: object{"token": token + "wrong"}})
		require.Equal(t, "unauthorized", refusal.Message)
		sid := s.Conn().Handshake().SID
		a.poll(t, "GET", sid, nil)
		a.poll(t, "GET", sid+"x", nil)
		_, err := a.rest(t.Context(), token+"wrong", "GET", "/me", nil, nil)
		require.NoError(t, err)
		require.Zero(t, logged.count(sid))
	}
	require.Zero(t, logged.count("hunter2"))
	require.NotZero(t, logged.count("filter failed"), "the log works")
}
