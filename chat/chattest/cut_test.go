package chattest_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// newTalker starts a server.
func newTalker(t *testing.T) (*socketio.Server, string) {
	t.Helper()
	srv, err := socketio.New(socketio.WithLogger(slog.New(slog.DiscardHandler)))
	require.NoError(t, err)
	return srv, chattest.Serve(t, srv).URL
}

func TestSlowReaders(t *testing.T) {
	t.Parallel()
	for _, transport := range []chattest.Transport{chattest.Polling, chattest.WebSocket} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			chattest.CheckLeaks(t)
			srv, url := newTalker(t)
			s := chattest.Connect(t, url, chattest.Options{Transport: transport, ReadBufferBytes: 4096})
			s.ExpectNone(t)
			text := strings.Repeat("x", 2000)

			s.Conn().StopReading()
			require.NoError(t, srv.Emit("news", text))
			ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := s.Next(ctx)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			s.Conn().ResumeReading()
			s.Expect(t, "news")

			s.Conn().LimitReading(20_000)
			began := time.Now()
			require.NoError(t, srv.Emit("news", text))
			s.Expect(t, "news")
			require.Greater(t, time.Since(began), 50*time.Millisecond, "2,000 bytes at 20,000 a second")
		})
	}
}

func TestCutsEndTheConnection(t *testing.T) {
	t.Parallel()
	cuts := map[string]func(*chattest.Socket){
		"reset":     func(s *chattest.Socket) { s.Conn().Reset() },
		"mid frame": func(s *chattest.Socket) { s.Conn().CutMidFrame() },
		"while writing": func(s *chattest.Socket) {
			s.Conn().CutAfterWriting(3)
			_ = s.Emit("anything")
		},
	}
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTransport(t, func(t *testing.T, transport chattest.Transport) {
				srv, url := newTalker(t)
				gone := make(chan socketio.Reason, 1)
				srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
					s.OnDisconnect(func(r socketio.Reason) { gone <- r })
				})
				s := chattest.Connect(t, url, chattest.Options{Transport: transport})
				cut(s)
				require.ErrorIs(t, s.ExpectEnd(t), chattest.ErrCut)
				if transport == chattest.WebSocket {
					<-gone // a polling server cannot see it before its pings do
				}
			})
		})
	}
}
