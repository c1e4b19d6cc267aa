package socketio_test

import (
	"context"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// echoServer is the server that the protocol's own test suite wants.
func echoServer(t *testing.T, opts ...socketio.Option) string {
	t.Helper()
	srv, url := serve(t, opts...)
	srv.Of("/slow").Use(func(ctx context.Context, _ *socketio.Socket) error {
		<-ctx.Done()
		return ctx.Err()
	})
	for _, nsp := range []*socketio.Namespace{srv.Namespace, srv.Of("/custom")} {
		nsp.OnConnection(func(_ context.Context, s *socketio.Socket) {
			auth := any(map[string]any{})
			if raw := s.Handshake().Auth; raw != nil {
				auth = raw
			}
			_ = s.Emit("auth", auth) // some clients have gone by now, with purpose
		})
		nsp.Handle("message", func(_ context.Context, s *socketio.Socket, args socketio.Args, _ socketio.Ack) {
			_ = s.Emit("message-back", all(t, args)...)
		})
		nsp.Handle("message-with-ack", func(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
			_ = ack.Send(all(t, args)...)
		})
	}
	return url
}

func all(t *testing.T, args socketio.Args) []any {
	t.Helper()
	values := make([]any, args.Len())
	for i := range values {
		require.NoError(t, args.Decode(i, &values[i]))
	}
	return values
}

// raw opens a connection on which nothing is done by itself.
func raw(t *testing.T, url string) *chattest.Conn {
	t.Helper()
	return rawBy(t, url, chattest.WebSocket)
}

func rawBy(t *testing.T, url string, transport chattest.Transport) *chattest.Conn {
	t.Helper()
	return chattest.Open(t, url, chattest.Options{Transport: transport, Raw: true})
}

// text returns the next text message.
func text(t *testing.T, conn *chattest.Conn) string {
	t.Helper()
	p := conn.Expect(t)
	require.False(t, p.Binary)
	return string(p.Type) + string(p.Data)
}

// enter is raw, connected to the main namespace.
func enter(t *testing.T, url string) *chattest.Conn {
	t.Helper()
	return enterBy(t, url, chattest.WebSocket)
}

func enterBy(t *testing.T, url string, transport chattest.Transport) *chattest.Conn {
	t.Helper()
	conn := rawBy(t, url, transport)
	require.NoError(t, conn.SendText(t.Context(), "40"))
	require.Contains(t, text(t, conn), `40{"sid":"`)
	require.JSONEq(t, `["auth",{}]`, text(t, conn)[2:])
	return conn
}

// Socket.IO protocol v5, sections "Connection to a namespace" and "Packet encoding", byte for byte.
func TestProtocolConnect(t *testing.T) {
	t.Parallel()
	url := echoServer(t)
	const sid = `\{"sid":"[\w-]{20}"\}`
	for _, test := range []struct{ send, connect, auth string }{
		{`40`, `^40` + sid + `$`, `42["auth",{}]`},
		{`40{"token":"123"}`, `^40` + sid + `$`, `42["auth",{"token":"123"}]`},
		{`40/custom,`, `^40/custom,` + sid + `$`, `42/custom,["auth",{}]`},
		{`40/custom`, `^40/custom,` + sid + `$`, `42/custom,["auth",{}]`},
		{`40/custom,{"token":"abc"}`, `^40/custom,` + sid + `$`, `42/custom,["auth",{"token":"abc"}]`},
	} {
		conn := raw(t, url)
		require.NoError(t, conn.SendText(t.Context(), test.send))
		require.Regexp(t, test.connect, text(t, conn), test.send)
		require.Equal(t, test.auth, text(t, conn), test.send)
	}
	conn := raw(t, url)
	require.NoError(t, conn.SendText(t.Context(), "40/random"))
	require.Equal(t, `44/random,{"message":"Invalid namespace"}`, text(t, conn))
}

// Sections "Sending and receiving data" and "Acknowledgement".
func TestProtocolMessages(t *testing.T) {
	t.Parallel()
	conn := enter(t, echoServer(t))
	for send, want := range map[string]string{
		`42["message",1,"2",{"3":[true]}]`:       `42["message-back",1,"2",{"3":[true]}]`,
		`42456["message-with-ack",1,"2",[null]]`: `43456[1,"2",[null]]`,
		`4212["message-with-ack"]`:               `4312[]`,
	} {
		require.NoError(t, conn.SendText(t.Context(), send))
		require.Equal(t, want, text(t, conn), send)
	}
	const holes = `{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`
	for send, want := range map[string]string{
		`452-["message",` + holes:             `452-["message-back",` + holes,
		`452-789["message-with-ack",` + holes: `462-789[` + holes,
	} {
		require.NoError(t, conn.SendText(t.Context(), send))
		require.NoError(t, conn.SendBinary(t.Context(), []byte{1, 2, 3}))
		require.NoError(t, conn.SendBinary(t.Context(), []byte{4, 5, 6}))
		require.Equal(t, want, text(t, conn), send)
		require.Equal(t, []byte{1, 2, 3}, conn.Expect(t).Data)
		require.Equal(t, []byte{4, 5, 6}, conn.Expect(t).Data)
	}
}

// Section "Disconnection from a namespace": the connection may live on.
func TestProtocolDisconnect(t *testing.T) {
	t.Parallel()
	conn := enter(t, echoServer(t))
	require.NoError(t, conn.SendText(t.Context(), "40/custom"))
	require.Contains(t, text(t, conn), "40/custom,")
	text(t, conn)
	require.NoError(t, conn.SendText(t.Context(), "41/custom"))
	require.NoError(t, conn.SendText(t.Context(), `42["message","to the main namespace"]`))
	require.Equal(t, `42["message-back","to the main namespace"]`, text(t, conn))
	require.NoError(t, conn.SendText(t.Context(), "41"))
	require.NoError(t, conn.SendText(t.Context(), "40"))
	require.Contains(t, text(t, conn), `40{"sid":"`)
}

// What does not fit the state of the connection, or is no packet at all, ends it.
func TestProtocolViolations(t *testing.T) {
	t.Parallel()
	for _, transport := range []chattest.Transport{chattest.WebSocket, chattest.Polling} {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			testViolations(t, transport)
		})
	}
}

func testViolations(t *testing.T, transport chattest.Transport) {
	t.Helper()
	url := echoServer(t)
	binary := []byte{1}
	for _, test := range []struct {
		rule   string
		joined bool
		send   []any
	}{
		{"the first packet is a CONNECT", false, []any{`42["message"]`}},
		{"the first packet is a CONNECT", false, []any{`41`}},
		{"the first packet is a CONNECT", false, []any{`431[]`}},
		{"the first packet is a CONNECT", false, []any{`451-["message",{"_placeholder":true,"num":0}]`}},
		{"the first packet is a CONNECT", false, []any{binary}},
		{"the server has answered the CONNECT first", false, []any{`40/slow`, `42/slow,["message"]`}},
		{"the server has answered the CONNECT first", false, []any{`40/slow`, `451-/slow,["message",{"_placeholder":true,"num":0}]`}},
		{"one CONNECT at a time", false, []any{`40/slow`, `40/slow`}},
		{"one CONNECT", false, []any{`40`, `40`}},
		{"one CONNECT", true, []any{`40`}},
		{"a valid handshake", false, []any{`4abc`}},
		{"a known type", true, []any{`4abc`}},
		{"a known type", true, []any{`47`}},
		{"a payload that is an array", true, []any{`42{}`}},
		{"a payload that is not empty", true, []any{`42[]`}},
		{"a payload", true, []any{`42`}},
		{"valid JSON", true, []any{`42["message`}},
		{"valid JSON", true, []any{`42 ["message"]`}},
		{"no reserved name", true, []any{`42["disconnect"]`}},
		{"no CONNECT_ERROR from a client", true, []any{`44{"message":"a"}`}},
		{"an EVENT in a namespace that was joined", true, []any{`42/custom,["message"]`}},
		{"an attachment after a binary packet", true, []any{binary}},
		{"no packet between the attachments", true, []any{`451-["message",{"_placeholder":true,"num":0}]`, `42["message"]`}},
		{"a limited number of attachments", true, []any{`4511-["message"]`}},
		{"DISCONNECT once", true, []any{`41`, `41`}},
	} {
		conn := rawBy(t, url, transport)
		if test.joined {
			conn = enterBy(t, url, transport)
		}
		for _, message := range test.send {
			switch message := message.(type) {
			case string:
				_ = conn.SendText(t.Context(), message)
			case []byte:
				_ = conn.SendBinary(t.Context(), message)
			}
		}
		require.Error(t, conn.ExpectEnd(t), "%s: %v", test.rule, test.send)
	}
}

func TestConnectTimeout(t *testing.T) {
	t.Parallel()
	url := echoServer(t, socketio.WithConnectTimeout(50*time.Millisecond))
	for name, send := range map[string][]string{
		"nothing sent":       nil,
		"no such namespace":  {"40/random"},
		"left after joining": {"40", "41"},
	} {
		conn := raw(t, url)
		for _, message := range send {
			require.NoError(t, conn.SendText(t.Context(), message))
			if message == "40" {
				text(t, conn)
				text(t, conn)
			}
		}
		require.Error(t, conn.ExpectEnd(t), name)
	}
	left := enter(t, url) // while another CONNECT is not answered
	require.NoError(t, left.SendText(t.Context(), "40/slow"))
	require.NoError(t, left.SendText(t.Context(), "41"))
	require.Error(t, left.ExpectEnd(t), "left")
	conn := enter(t, url)
	timer := time.NewTimer(100 * time.Millisecond)
	<-timer.C
	require.NoError(t, conn.SendText(t.Context(), `42["message"]`))
	require.Equal(t, `42["message-back"]`, text(t, conn))
}

func TestTooManyNamespaces(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithMaxNamespaces(2))
	srv.Of("/a")
	srv.Of("/b")
	conn := chattest.Open(t, url, websocket())
	for _, name := range []string{"/", "/a"} {
		_, err := conn.Connect(ctx(t), name, nil)
		require.NoError(t, err)
	}
	_, err := conn.Connect(ctx(t), "/b", nil)
	require.ErrorContains(t, err, "Too many namespaces")
}

// Namespaces from which the server has sent a client away do not count for its limit.
func TestNamespacesThatWereLeftDoNotCount(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithMaxNamespaces(3))
	games := srv.OfPattern(regexp.MustCompile(`^/game-\d+$`))
	socketio.On(games, "over", func(_ context.Context, s *socketio.Socket, _ struct{}) (struct{}, error) {
		s.Namespace().DisconnectSockets(false)
		return struct{}{}, nil
	})
	conn := chattest.Open(t, url, websocket())
	root, err := conn.Connect(ctx(t), "/", nil)
	require.NoError(t, err)
	for n := range 10 {
		game, err := conn.Connect(ctx(t), fmt.Sprintf("/game-%d", n), nil)
		require.NoError(t, err)
		require.NoError(t, game.Emit("over"))
		require.ErrorIs(t, game.ExpectEnd(t), chattest.ErrDisconnected)
	}
	require.NoError(t, root.Barrier(ctx(t)))
}
