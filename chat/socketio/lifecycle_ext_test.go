package socketio_test

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// ends reports the ends of all sockets that connect from now on.
func ends(srv *socketio.Server) <-chan string {
	ch := make(chan string, 1000)
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.Join("room")
		s.OnDisconnect(func(reason socketio.Reason) {
			ch <- fmt.Sprintf("%s with %d rooms", reason, len(s.Rooms()))
		})
		s.OnDisconnecting(func(reason socketio.Reason) {
			ch <- fmt.Sprintf("%s from %s", reason, s.Rooms()[1])
		})
	})
	return ch
}

func TestDisconnectReasons(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		reason socketio.Reason
		opts   []socketio.Option
		end    func(t *testing.T, srv *socketio.Server, client *chattest.Socket)
	}{
		{socketio.ReasonClientNamespaceDisconnect, nil, func(t *testing.T, _ *socketio.Server, client *chattest.Socket) {
			t.Helper()
			require.NoError(t, client.Disconnect())
		}},
		{socketio.ReasonServerNamespaceDisconnect, nil, func(t *testing.T, srv *socketio.Server, client *chattest.Socket) {
			t.Helper()
			srv.Sockets()[0].Disconnect(false)
			require.ErrorIs(t, client.ExpectEnd(t), chattest.ErrDisconnected)
		}},
		{socketio.ReasonServerNamespaceDisconnect, nil, func(t *testing.T, srv *socketio.Server, client *chattest.Socket) {
			t.Helper()
			srv.Sockets()[0].Disconnect(true)
			_ = client.Conn().ExpectEnd(t)
		}},
		{socketio.ReasonTransportClose, nil, func(_ *testing.T, _ *socketio.Server, client *chattest.Socket) { client.Close() }},
		{socketio.ReasonTransportError, nil, func(t *testing.T, _ *socketio.Server, client *chattest.Socket) {
			t.Helper()
			require.NoError(t, client.Conn().SendText(t.Context(), `2`)) // pings are the server's
		}},
		{
			socketio.ReasonPingTimeout,
			[]socketio.Option{
				socketio.WithPingInterval(10 * time.Millisecond), socketio.WithPingTimeout(200 * time.Millisecond),
			},
			func(_ *testing.T, _ *socketio.Server, client *chattest.Socket) { client.Conn().Vanish() },
		},
		{socketio.ReasonParseError, nil, func(t *testing.T, _ *socketio.Server, client *chattest.Socket) {
			t.Helper()
			require.NoError(t, client.Conn().SendText(t.Context(), `42["connect"]`))
		}},
		{socketio.ReasonForcedClose, nil, func(t *testing.T, srv *socketio.Server, client *chattest.Socket) {
			t.Helper()
			srv.Sockets()[0].CloseConnection()
			_ = client.Conn().ExpectEnd(t)
		}},
		{socketio.ReasonForcedServerClose, nil, func(t *testing.T, _ *socketio.Server, client *chattest.Socket) {
			t.Helper()
			require.NoError(t, client.Conn().SendText(t.Context(), `40`))
		}},
		{socketio.ReasonServerShuttingDown, nil, func(t *testing.T, srv *socketio.Server, _ *chattest.Socket) {
			t.Helper()
			require.NoError(t, srv.Shutdown(ctx(t)))
		}},
		{
			socketio.ReasonSlowClient,
			[]socketio.Option{socketio.WithSendBuffer(1<<16, 100)},
			func(t *testing.T, srv *socketio.Server, client *chattest.Socket) {
				t.Helper()
				client.Conn().StopReading()
				text := strings.Repeat("x", 60_000)
				for len(srv.Sockets()) > 0 {
					require.NoError(t, srv.Emit("much", text))
				}
			},
		},
	} {
		t.Run(string(test.reason), func(t *testing.T) {
			t.Parallel()
			srv, url := serve(t, test.opts...)
			ended := ends(srv)
			client := chattest.Connect(t, url, websocket())
			test.end(t, srv, client)
			require.Equal(t, string(test.reason)+" from room", receive(t, ended))
			require.Equal(t, string(test.reason)+" with 0 rooms", receive(t, ended))
			require.Empty(t, srv.Sockets())
			require.Empty(t, srv.Rooms())
			require.Empty(t, ended, "once")
		})
	}
}

// Events of one socket are handled in order, one at a time.
func TestEventsInOrder(t *testing.T) {
	t.Parallel()
	for _, transport := range chattest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			const events = 500
			srv, url := serve(t)
			running, next := 0, 0
			done := make(chan struct{})
			socketio.On(srv, "event", func(_ context.Context, _ *socketio.Socket, n int) (struct{}, error) {
				running++ // the race detector watches
				require.Equal(t, 1, running)
				require.Equal(t, next, n)
				next++
				running--
				if next == events {
					close(done)
				}
				return struct{}{}, nil
			})
			client := chattest.Connect(t, url, chattest.Options{Transport: transport})
			for n := range events {
				require.NoError(t, client.Emit("event", n))
			}
			receive(t, done)
		})
	}
}

// The first event waits for the connection handler; what is sent to the socket meanwhile does not.
func TestConnectionHandlerComesFirst(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	var order []string
	release := make(chan struct{})
	srv.OnConnection(func(context.Context, *socketio.Socket) {
		<-release
		order = append(order, "connection")
	})
	srv.Handle("event", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		order = append(order, "event")
		require.NoError(t, ack.Send())
	})
	client := chattest.Connect(t, url, websocket())
	require.NoError(t, client.Emit("event"))
	require.NoError(t, srv.Emit("meanwhile"))
	client.Expect(t, "meanwhile")
	close(release)
	client.ExpectAck(t, "event")
	require.Equal(t, []string{"connection", "event", "event"}, order)
}

// A handler that blocks holds back the events of its socket, and nothing else: not acknowledgements, not pongs, not
// the disconnection, not others.
func TestBlockedHandler(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithPingInterval(20*time.Millisecond), socketio.WithPingTimeout(patience))
	release := make(chan struct{})
	blocked, ended := make(chan struct{}, 1), make(chan socketio.Reason, 1)
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { ended <- reason })
	})
	srv.Handle("block", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) {
		blocked <- struct{}{}
		<-release
	})
	srv.Handle("ask back", func(ctx context.Context, s *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		args, err := s.EmitWithAck(ctx, "question") // would wait for itself if it went through the queue
		require.NoError(t, err)
		require.NoError(t, ack.Send(args.Raw(0)))
	})
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	other := chattest.Connect(t, url, websocket())

	go func() {
		if e, err := client.NextNamed(ctx(t), "question"); err == nil {
			_ = e.Ack("answer")
		}
	}()
	require.JSONEq(t, `["answer"]`, client.ExpectAck(t, "ask back").String())

	require.NoError(t, client.Emit("block"))
	receive(t, blocked)
	for range 1000 {
		require.NoError(t, client.Emit("waits behind it"))
	}
	acked := make(chan error, 1)
	go func() {
		_, err := s.EmitWithAck(ctx(t), "acked")
		acked <- err
	}()
	require.NoError(t, client.Expect(t, "acked").Ack())
	require.NoError(t, receive(t, acked))
	require.NoError(t, srv.To(s.ID()).Emit("sent"))
	client.Expect(t, "sent")
	go func() {
		if e, err := other.NextNamed(ctx(t), "question"); err == nil {
			_ = e.Ack("answer")
		}
	}()
	other.ExpectAck(t, "ask back")

	require.NoError(t, client.Disconnect())
	require.Equal(t, socketio.ReasonClientNamespaceDisconnect, receive(t, ended))
	require.ErrorIs(t, s.Emit("late"), socketio.ErrDisconnected)
	require.Error(t, s.Context().Err())
	close(release)
}

// What the client sent before it left is handled before the functions for its end, as in Node.
func TestEventsBeforeDisconnect(t *testing.T) {
	t.Parallel()
	for _, transport := range chattest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			srv, url := serve(t)
			seen := make(chan string, 100)
			srv.OnConnection(func(ctx context.Context, s *socketio.Socket) {
				s.Handle("bye", func(ctx context.Context, _ *socketio.Socket, args socketio.Args, _ socketio.Ack) {
					seen <- fmt.Sprint("bye ", string(args.Raw(0)), " ", ctx.Err())
				})
				s.OnDisconnect(func(socketio.Reason) { seen <- fmt.Sprint("end ", ctx.Err()) })
			})
			client := chattest.Connect(t, url, chattest.Options{Transport: transport})
			for n := range 10 {
				require.NoError(t, client.Emit("bye", n))
			}
			require.NoError(t, client.Disconnect())
			for n := range 10 {
				require.Equal(t, fmt.Sprint("bye ", n, " <nil>"), receive(t, seen))
			}
			require.Equal(t, "end context canceled", receive(t, seen))
		})
	}
}

// Events that wait when the server sends a socket away are not handled any more.
func TestNoEventsAfterKick(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	ended := make(chan socketio.Reason, 1)
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { ended <- reason })
	})
	inside, release := make(chan struct{}), make(chan struct{})
	srv.Handle("kick me", func(ctx context.Context, s *socketio.Socket, _ socketio.Args, _ socketio.Ack) {
		close(inside)
		<-release
		s.Disconnect(false)
		require.ErrorIs(t, context.Cause(ctx), socketio.ErrDisconnected)
	})
	srv.Handle("too late", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) { t.Error("handled") })
	client := chattest.Connect(t, url, websocket())
	require.NoError(t, client.Emit("kick me"))
	for range 10 {
		require.NoError(t, client.Emit("too late"))
	}
	receive(t, inside)
	require.NoError(t, client.Barrier(ctx(t))) // they are in the queue
	close(release)
	require.ErrorIs(t, client.ExpectEnd(t), chattest.ErrDisconnected)
	require.Equal(t, socketio.ReasonServerNamespaceDisconnect, receive(t, ended))
}

// In flight while the server sends it away: ignored, and the other namespaces of the connection live on.
func TestKickOneNamespace(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	admin := srv.Of("admin")
	srv.Handle("ping", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		require.NoError(t, ack.Send())
	})
	admin.Handle("too late", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) { t.Error("handled") })
	conn := chattest.Open(t, url, websocket())
	root, err := conn.Connect(ctx(t), "/", nil)
	require.NoError(t, err)
	sub, err := conn.Connect(ctx(t), "/admin", nil)
	require.NoError(t, err)
	admin.Sockets()[0].Disconnect(false)
	require.NoError(t, conn.SendText(ctx(t), `42/admin,["too late"]`))
	require.NoError(t, conn.SendText(ctx(t), `43/admin,1[]`))
	require.NoError(t, conn.SendText(ctx(t), `41/admin,`))
	require.ErrorIs(t, sub.ExpectEnd(t), chattest.ErrDisconnected)
	root.ExpectAck(t, "ping")
	_, err = conn.Connect(ctx(t), "/admin", nil)
	require.NoError(t, err, "it may come back")
	root.ExpectAck(t, "ping")
}

// When a socket has too many events waiting the server stops reading from it; nothing is lost, and a client whose
// pongs are not read meanwhile is not taken for dead.
func TestBackPressure(t *testing.T) {
	t.Parallel()
	const interval, timeout, events = 10 * time.Millisecond, 2 * time.Second, 300 // on a busy machine a pong may take a second
	srv, url := serve(t, socketio.WithMaxQueuedBytes(10_000),
		socketio.WithPingInterval(interval), socketio.WithPingTimeout(timeout))
	release, done := make(chan struct{}), make(chan struct{})
	next := 0
	socketio.On(srv, "event", func(_ context.Context, _ *socketio.Socket, in struct {
		socketio.Positional
		N    int
		Text string
	},
	) (struct{}, error) {
		<-release
		require.Equal(t, next, in.N)
		if next++; next == events {
			close(done)
		}
		return struct{}{}, nil
	})
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	sent := make(chan error, 1)
	go func() {
		text := strings.Repeat("x", 10_000)
		for n := range events {
			if err := client.Emit("event", n, text); err != nil {
				sent <- err
				return
			}
		}
		sent <- nil
	}()
	clock := raw(t, url)
	for range int((timeout + 100*time.Millisecond) / interval) { // pings of another connection measure the time
		require.Equal(t, chattest.PacketPing, clock.Expect(t).Type)
		require.NoError(t, clock.SendText(ctx(t), "3"))
	}
	require.LessOrEqual(t, socketio.QueuedBytes(s), 10_500, "of 3 MB that were sent: one event that is taken alone")
	close(release)
	receive(t, done)
	require.NoError(t, receive(t, sent))
	require.True(t, s.Connected())
}

func TestPanics(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	ended, registered := make(chan socketio.Reason, 10), make(chan struct{}, 10)
	var panicIn atomic.Value
	panicIn.Store("")
	boom := func(where string) {
		switch panicIn.Load() {
		case where:
			panic(where)
		case where + " exit":
			runtime.Goexit()
		}
	}
	srv.Use(func(context.Context, *socketio.Socket) error { boom("connect middleware"); return nil })
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.OnDisconnect(func(reason socketio.Reason) { ended <- reason })
		s.OnDisconnect(func(socketio.Reason) { boom("disconnect") })
		s.OnAnyOutgoing(func(*socketio.Socket, string, []any) { boom("outgoing") })
		s.OnUpgrade(func() { boom("upgrade") })
		s.Use(func(context.Context, *socketio.Socket, socketio.Event) error { boom("middleware"); return nil })
		registered <- struct{}{}
		boom("connection")
	})
	srv.OnAny(func(context.Context, *socketio.Socket, string, socketio.Args) { boom("any") })
	srv.Handle("event", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		boom("handler")
		require.NoError(t, ack.Send())
	})
	for _, where := range []string{
		"connect middleware", "connection", "middleware", "any", "handler", "handler exit", "outgoing", "upgrade", "disconnect",
	} {
		panicIn.Store(where)
		o := websocket()
		if where == "upgrade" {
			o.Transport = chattest.Polling
		}
		conn := chattest.Open(t, url, o)
		client, err := conn.Connect(ctx(t), "/", nil)
		if where != "connect middleware" {
			receive(t, registered)
		}
		switch where {
		case "upgrade":
			require.NoError(t, conn.Upgrade(ctx(t)))
		case "connect middleware":
			require.Error(t, err)
			_ = conn.ExpectEnd(t)
			continue
		case "disconnect":
			client.Close()
			require.Equal(t, socketio.ReasonTransportClose, receive(t, ended))
			continue
		case "outgoing":
			require.NoError(t, srv.Emit("event"))
		case "connection":
		default:
			require.NoError(t, client.Emit("event"))
		}
		_ = conn.ExpectEnd(t)
		require.Equal(t, socketio.ReasonForcedServerClose, receive(t, ended), where)
	}
	panicIn.Store("")
	chattest.Connect(t, url, websocket()).ExpectAck(t, "event")
}

// Whoever counts connections gets the end of each, also of one that is over before the connection handler is.
func TestLateDisconnectHandler(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	inside, ended := make(chan struct{}), make(chan socketio.Reason, 2)
	srv.OnConnection(func(ctx context.Context, s *socketio.Socket) {
		close(inside)
		<-ctx.Done()
		s.OnDisconnect(func(reason socketio.Reason) { ended <- reason })
	})
	client := chattest.Connect(t, url, websocket())
	receive(t, inside)
	client.Close()
	require.Equal(t, socketio.ReasonTransportClose, receive(t, ended))
	require.Empty(t, ended)
}

func TestShutdownWaits(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	inside, release, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	srv.Handle("work", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) {
		close(inside)
		<-release
		close(done)
	})
	client := chattest.Connect(t, url, websocket())
	require.NoError(t, client.Emit("work"))
	receive(t, inside)
	require.NoError(t, srv.Emit("last words"))

	short, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, srv.Shutdown(short), context.DeadlineExceeded)
	client.Expect(t, "last words")
	_ = client.Conn().ExpectEnd(t)
	_, err := chattest.Dial(ctx(t), url, websocket())
	require.Error(t, err)

	stopped := make(chan error, 1)
	go func() { stopped <- srv.Shutdown(ctx(t)) }()
	close(release)
	require.NoError(t, receive(t, stopped))
	receive(t, done)
}
