package socketio_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

func TestCatchAll(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	seen := make(chan string, 10)
	srv.OnAny(func(_ context.Context, _ *socketio.Socket, event string, args socketio.Args) {
		seen <- "server " + event + string(args.Raw(0))
	})
	srv.Handle("known", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) { seen <- "handler" })
	var off func()
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		off = s.OnAny(func(_ context.Context, _ *socketio.Socket, event string, _ socketio.Args) { seen <- "socket " + event })
		s.OnAnyOutgoing(func(_ *socketio.Socket, event string, args []any) {
			require.Equal(t, []any{1, "two"}, args)
			seen <- "out " + event
		})
		s.Handle("known", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) { seen <- "own handler" })
	})
	client := chattest.Connect(t, url, websocket())
	require.NoError(t, client.Emit("known", 1))
	for _, want := range []string{"server known1", "socket known", "handler", "own handler"} {
		require.Equal(t, want, receive(t, seen))
	}
	off()
	require.NoError(t, client.Emit("unknown", 2))
	require.Equal(t, "server unknown2", receive(t, seen))

	require.NoError(t, srv.Emit("everybody", 1, "two"))
	require.Equal(t, "out everybody", receive(t, seen))
	require.NoError(t, srv.Sockets()[0].Emit("one", 1, "two"))
	require.Equal(t, "out one", receive(t, seen))
	require.Empty(t, seen)
}

func TestHandlersComeAndGo(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	count := 0
	answer := func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		count++
		require.NoError(t, ack.Send(count))
	}
	s.Once("once", answer)
	s.Once("never", answer)()
	s.Handle("on", answer)
	require.Equal(t, []string{"on", "once"}, s.Events())
	require.JSONEq(t, `[1]`, client.ExpectAck(t, "once").String())
	require.NoError(t, client.Emit("once"))
	require.JSONEq(t, `[2]`, client.ExpectAck(t, "on").String())
	require.Equal(t, []string{"on"}, s.Events())
	s.Off("on")
	require.Empty(t, s.Events())
	s.Handle("a", answer)
	s.Handle("b", answer)
	s.Off()
	require.Empty(t, s.Events())
	require.NoError(t, client.Emit("on"))
	srv.Handle("done", answer)
	require.JSONEq(t, `[3]`, client.ExpectAck(t, "done").String())
}

// Stock clients close the connection for an event with more than ten attachments.
func TestTooManyAttachments(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	connected := connections(srv)
	results := make(chan error, 2)
	srv.Handle("ask", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		results <- ack.Send(make([][]byte, 0), parts(11))
		results <- ack.Send(parts(10)) // what failed was not sent
	})
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	for _, emit := range []func(string, ...any) error{s.Emit, s.EmitVolatile, srv.Emit, srv.To(s.ID()).Volatile().Emit} {
		require.ErrorIs(t, emit("parts", parts(11)), socketio.ErrTooManyAttachments)
	}
	_, err := s.EmitWithAck(ctx(t), "parts", parts(11))
	require.ErrorIs(t, err, socketio.ErrTooManyAttachments)
	_, err = srv.EmitWithAck(ctx(t), "parts", parts(11))
	require.ErrorIs(t, err, socketio.ErrTooManyAttachments)
	require.NoError(t, s.Emit("parts", parts(10)))
	client.Expect(t, "parts")
	require.Equal(t, 1, client.ExpectAck(t, "ask").Len())
	require.ErrorIs(t, receive(t, results), socketio.ErrTooManyAttachments)
	require.NoError(t, receive(t, results))
}

// parts returns so many attachments.
func parts(n int) [][]byte {
	list := make([][]byte, n)
	for i := range list {
		list[i] = []byte{byte(i)}
	}
	return list
}

// What could never be called is a mistake that shows at once.
func TestHandlersThatCouldNotBeCalled(t *testing.T) {
	t.Parallel()
	srv, _ := serve(t)
	never := func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) {}
	for _, name := range []string{
		"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
	} {
		require.PanicsWithValue(t, `socketio: handler of "`+name+`": clients cannot send this event`, func() { srv.Handle(name, never) })
	}
	require.PanicsWithValue(t, `socketio: handler of "event" is nil`, func() { srv.Handle("event", nil) })
	require.PanicsWithValue(t, `socketio: namespace "/a,b": a name cannot contain a comma`, func() { srv.Of("a,b") })
	require.Empty(t, srv.Events())
}

func TestUpgrade(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	connected := connections(srv)
	conn := chattest.Open(t, url, chattest.Options{Transport: chattest.Polling})
	client, err := conn.Connect(ctx(t), "/", nil)
	require.NoError(t, err)
	s := receive(t, connected)
	require.Equal(t, "polling", s.Transport())
	upgraded := make(chan string, 2)
	s.OnUpgrade(func() { upgraded <- "removed" })()
	s.OnUpgrade(func() { upgraded <- s.Transport() })
	require.NoError(t, conn.Upgrade(ctx(t)))
	require.Equal(t, "websocket", receive(t, upgraded))
	require.NoError(t, client.Barrier(ctx(t)))
	require.Empty(t, upgraded)

	s.OnUpgrade(func() { panic("too late to be called") })
	direct := chattest.Connect(t, url, websocket())
	receive(t, connected).OnUpgrade(func() { panic("there is none") })
	require.NoError(t, direct.Barrier(ctx(t)))
}
