package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// patience bounds every wait of these tests.
const patience = 10 * time.Second

// quiet keeps what tests provoke out of the output.
func quiet() socketio.Option {
	return socketio.WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil)))
}

// serve starts a server, which ends with the test.
func serve(t *testing.T, opts ...socketio.Option) (*socketio.Server, string) {
	t.Helper()
	chattest.CheckLeaks(t)
	srv, err := socketio.New(append([]socketio.Option{quiet()}, opts...)...)
	require.NoError(t, err)
	return srv, chattest.Serve(t, srv).URL
}

// websocket connects over WebSocket alone, the quickest way.
func websocket() chattest.Options { return chattest.Options{Transport: chattest.WebSocket} }

// receive returns what comes from a channel.
func receive[T any](t *testing.T, ch <-chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(patience):
		require.FailNow(t, "nothing came")
		panic("not reached")
	}
}

// connections returns the sockets that connect to a namespace.
func connections(n interface {
	OnConnection(socketio.ConnectionHandler) func()
},
) <-chan *socketio.Socket {
	ch := make(chan *socketio.Socket, 1000)
	n.OnConnection(func(_ context.Context, s *socketio.Socket) { ch <- s })
	return ch
}

func ctx(t *testing.T) context.Context {
	t.Helper()
	c, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	return c
}

func TestEventsBothWays(t *testing.T) {
	t.Parallel()
	for _, transport := range chattest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			srv, url := serve(t)
			srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
				require.NoError(t, s.Emit("hello", "world", 1, map[string]any{"data": []byte{1, 2}}))
			})
			srv.Handle("echo", func(_ context.Context, s *socketio.Socket, args socketio.Args, _ socketio.Ack) {
				var text string
				var binary struct{ Data []byte }
				require.NoError(t, args.Decode(0, &text))
				require.NoError(t, args.Decode(1, &binary))
				require.NoError(t, s.Emit("echoed", text, binary))
			})
			client := chattest.Connect(t, url, chattest.Options{Transport: transport})
			hello := client.Expect(t, "hello")
			require.Equal(t, 3, hello.Len())
			var greeting struct{ Data []byte }
			require.NoError(t, hello.Decode(2, &greeting))
			require.Equal(t, []byte{1, 2}, greeting.Data)

			require.NoError(t, client.Emit("echo", "text", map[string]any{"Data": []byte("bytes")}))
			echoed := client.Expect(t, "echoed")
			require.JSONEq(t, `"text"`, string(echoed.Raw(0)))
			var back struct{ Data []byte }
			require.NoError(t, echoed.Decode(1, &back))
			require.Equal(t, []byte("bytes"), back.Data)
		})
	}
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithIdentity(func(r *http.Request) any { return r.Header.Get("X-User") }))
	connected := connections(srv)
	o := websocket()
	o.Header = http.Header{"X-User": {"ann"}}
	o.Query = map[string][]string{"room": {"7"}}
	o.Auth = map[string]any{"token": "secret"}
	client := chattest.Connect(t, url, o)
	s := receive(t, connected)

	require.Equal(t, client.ID(), s.ID())
	require.Len(t, s.ID(), 20)
	h := s.Handshake()
	require.Equal(t, "ann", h.Identity)
	require.Equal(t, "ann", h.Headers().Get("X-User"))
	require.Equal(t, "7", h.Query().Get("room"))
	require.Contains(t, h.URL, "/socket.io/?")
	require.Contains(t, h.Address, "127.0.0.1:")
	require.False(t, h.Secure)
	require.False(t, h.XDomain)
	require.WithinDuration(t, time.Now(), h.Time, time.Minute)
	require.JSONEq(t, `{"token":"secret"}`, string(h.Auth))
	var auth struct{ Token string }
	require.NoError(t, h.DecodeAuth(&auth))
	require.Equal(t, "secret", auth.Token)
	require.Equal(t, "websocket", s.Transport())
	require.Equal(t, "/", s.Namespace().Name())
	require.Same(t, srv, s.Namespace().Server())
	require.True(t, s.Connected())
	require.False(t, s.Recovered())

	require.Nil(t, s.Data())
	s.SetData(42)
	require.Equal(t, 42, s.Data())
}

func TestTypedHandlers(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	type pair struct {
		socketio.Positional
		A string
		B int
	}
	type user struct {
		Name string `json:"name"`
	}
	socketio.On(srv, "object", func(_ context.Context, _ *socketio.Socket, in user) (user, error) {
		return user{in.Name + "!"}, nil
	})
	socketio.On(srv, "positions", func(_ context.Context, _ *socketio.Socket, in pair) (pair, error) {
		return pair{A: in.A + in.A, B: in.B * 2}, nil
	})
	socketio.On(srv, "nothing", func(_ context.Context, _ *socketio.Socket, _ struct{}) (struct{}, error) {
		return struct{}{}, nil
	})
	socketio.On(srv, "raw", func(_ context.Context, _ *socketio.Socket, in socketio.Args) (int, error) {
		return in.Len(), nil
	})
	socketio.On(srv, "optional", func(_ context.Context, _ *socketio.Socket, in *user) (bool, error) {
		return in != nil, nil
	})
	socketio.On(srv, "bytes", func(_ context.Context, _ *socketio.Socket, in []byte) ([]byte, error) {
		return append(in, '!'), nil
	})
	socketio.On(srv, "fails", func(_ context.Context, _ *socketio.Socket, _ struct{}) (int, error) {
		return 0, errors.New("secret of the server")
	})
	client := chattest.Connect(t, url, websocket())

	const invalid = `[{"status":"error","error":{"message":"invalid arguments"}}]`
	for _, test := range []struct {
		event string
		args  []any
		want  string
	}{
		{"object", []any{user{"Ann"}}, `[{"name":"Ann!"}]`},
		{"object", []any{user{"Ann"}, "too much"}, `[{"name":"Ann!"}]`},
		{"object", nil, invalid},
		{"object", []any{"text"}, invalid},
		{"positions", []any{"a", 2}, `["aa",4]`},
		{"positions", []any{"a"}, `["aa",0]`},
		{"positions", nil, `["",0]`},
		{"positions", []any{1, 2}, invalid},
		{"nothing", []any{1, 2}, `[]`},
		{"optional", nil, `[false]`},
		{"optional", []any{user{"Ann"}}, `[true]`},
		{"raw", []any{1, 2, 3}, `[3]`},
		{"fails", nil, `[{"status":"error","error":{"message":"internal error"}}]`},
	} {
		require.JSONEq(t, test.want, client.ExpectAck(t, test.event, test.args...).String(), "%s %v", test.event, test.args)
	}
	require.Equal(t, []byte("data!"), client.ExpectAck(t, "bytes", []byte("data")).Bytes(0))
}

func TestErrorAck(t *testing.T) {
	t.Parallel()
	transient := errors.New("database away")
	srv, url := serve(t, socketio.WithErrorAck(
		func(_ context.Context, _ *socketio.Socket, event string, err error) (any, bool) {
			return event + ": " + err.Error(), !errors.Is(err, transient)
		}))
	socketio.On(srv, "permanent", func(context.Context, *socketio.Socket, struct{}) (int, error) {
		return 0, errors.New("no")
	})
	socketio.On(srv, "transient", func(context.Context, *socketio.Socket, struct{}) (int, error) { return 0, transient })
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	require.JSONEq(t, `["permanent: no"]`, client.ExpectAck(t, "permanent").String())

	short, cancel := context.WithCancel(t.Context())
	acked := make(chan error, 1)
	go func() {
		_, err := client.EmitWithAck(short, "transient")
		acked <- err
	}()
	s := receive(t, connected)
	s.Use(func(_ context.Context, _ *socketio.Socket, e socketio.Event) error {
		if e.Name == "blocked" {
			return errors.New("refused by middleware")
		}
		return nil
	})
	// Events are handled in order, so what comes back for this one comes after the other was handled.
	require.JSONEq(t, `["blocked: refused by middleware"]`, client.ExpectAck(t, "blocked").String())
	cancel()
	require.ErrorIs(t, receive(t, acked), context.Canceled)
}

func TestRawAcks(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	results := make(chan error, 10)
	srv.Handle("twice", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		require.True(t, ack.Wanted())
		results <- ack.Send("one", []byte{2})
		require.False(t, ack.Wanted())
		results <- ack.Send("again")
	})
	srv.Handle("later", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		go func() { results <- ack.Send("later") }()
	})
	srv.Handle("unwanted", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		require.False(t, ack.Wanted())
		results <- ack.Send("nobody asked")
	})
	srv.Handle("wrong", func(_ context.Context, _ *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		results <- ack.Send(func() {})
		results <- ack.Send("right")
	})
	client := chattest.Connect(t, url, websocket())
	args := client.ExpectAck(t, "twice")
	require.Equal(t, []byte{2}, args.Bytes(1))
	require.NoError(t, receive(t, results))
	require.ErrorIs(t, receive(t, results), socketio.ErrAckSent)
	require.JSONEq(t, `["later"]`, client.ExpectAck(t, "later").String())
	require.NoError(t, receive(t, results))
	require.NoError(t, client.Emit("unwanted"))
	require.NoError(t, receive(t, results))
	require.JSONEq(t, `["right"]`, client.ExpectAck(t, "wrong").String())
	require.Error(t, receive(t, results))
}

func TestEmitWithAck(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithMaxAcks(2))
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)

	answers := make(chan socketio.Args, 1)
	ask := func(c context.Context, event string) <-chan error {
		done := make(chan error, 1)
		go func() {
			args, err := s.EmitWithAck(c, event, "x")
			if err == nil {
				answers <- args
			}
			done <- err
		}()
		return done
	}
	first, second := ask(ctx(t), "first"), ask(ctx(t), "second")
	one, two := client.Expect(t, "first"), client.Expect(t, "second")
	require.NotEqual(t, one.AckID, two.AckID)
	_, err := s.EmitWithAck(ctx(t), "third")
	require.ErrorIs(t, err, socketio.ErrTooManyAcks)
	require.NoError(t, two.Ack("b", []byte("bytes")))
	require.NoError(t, receive(t, second))
	answer := receive(t, answers)
	data, ok := answer.Bytes(1)
	require.True(t, ok)
	require.Equal(t, []byte("bytes"), data)

	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, receive(t, ask(short, "timeout")), context.DeadlineExceeded)
	require.NoError(t, client.Expect(t, "timeout").Ack("too late"))

	client.Close()
	require.ErrorIs(t, receive(t, first), socketio.ErrDisconnected)
	_, err = s.EmitWithAck(ctx(t), "gone")
	require.ErrorIs(t, err, socketio.ErrDisconnected)
	require.ErrorIs(t, s.Emit("gone"), socketio.ErrDisconnected)
}

func TestTypedEmitWithAck(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	go func() {
		for range 3 {
			if e, err := client.Next(ctx(t)); err == nil {
				_ = e.Ack("Ann", 7)
			}
		}
	}()
	name, err := socketio.EmitWithAck[string](ctx(t), s, "name")
	require.NoError(t, err)
	require.Equal(t, "Ann", name)
	both, err := socketio.EmitWithAck[struct {
		socketio.Positional
		Name string
		Age  int
	}](ctx(t), s, "both")
	require.NoError(t, err)
	require.Equal(t, 7, both.Age)
	_, err = socketio.EmitWithAck[int](ctx(t), s, "wrong")
	var bad *socketio.ArgumentError
	require.ErrorAs(t, err, &bad)
	client.Close()
	_, err = socketio.EmitWithAck[int](ctx(t), s, "gone")
	require.ErrorIs(t, err, socketio.ErrDisconnected)
}

func TestReservedNames(t *testing.T) {
	t.Parallel()
	srv, _ := serve(t)
	for _, name := range []string{
		"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
	} {
		require.ErrorIs(t, srv.Emit(name), socketio.ErrReservedEvent)
	}
}

func TestConnectMiddleware(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	var asked []string
	srv.Use(func(_ context.Context, s *socketio.Socket) error {
		asked = append(asked, "first")
		require.ErrorIs(t, s.Emit("too early"), socketio.ErrDisconnected)
		s.Join("early")
		s.SetData("data of the middleware")
		return nil
	})
	off := srv.Use(func(_ context.Context, s *socketio.Socket) error {
		asked = append(asked, "second")
		var auth struct{ Refuse string }
		require.NoError(t, s.Handshake().DecodeAuth(&auth))
		switch auth.Refuse {
		case "text":
			return errors.New("not authorized")
		case "data":
			return errors.Join(&socketio.ConnectError{Message: "expired", Data: map[string]any{"code": 7}})
		}
		return nil
	})
	connected := connections(srv)

	for refuse, want := range map[string]chattest.ConnectError{
		"text": {Message: "not authorized"},
		"data": {Message: "expired", Data: json.RawMessage(`{"code":7}`)},
	} {
		asked = nil
		o := websocket()
		o.Auth = map[string]any{"refuse": refuse}
		require.Equal(t, want, *chattest.ExpectRefused(t, url, o))
		require.Equal(t, []string{"first", "second"}, asked)
		require.Empty(t, srv.In("early").Sockets())
	}
	chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	require.Equal(t, "data of the middleware", s.Data())
	require.Equal(t, []string{s.ID(), "early"}, s.Rooms())
	require.Len(t, srv.In("early").Sockets(), 1)

	off()
	asked = nil
	o := websocket()
	o.Auth = map[string]any{"refuse": "text"}
	chattest.Connect(t, url, o)
	require.Equal(t, []string{"first"}, asked)
}

// The same connection may try again after it was refused.
func TestRefusedThenConnected(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	allowed := false
	srv.Use(func(context.Context, *socketio.Socket) error {
		if allowed = !allowed; allowed {
			return errors.New("once")
		}
		return nil
	})
	conn := chattest.Open(t, url, websocket())
	_, err := conn.Connect(ctx(t), "/", nil)
	require.ErrorContains(t, err, "once")
	_, err = conn.Connect(ctx(t), "/", nil)
	require.NoError(t, err)
}
