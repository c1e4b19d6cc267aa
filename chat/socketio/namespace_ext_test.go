package socketio_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

func TestNamespacesAreApart(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	admin := srv.Of("admin")
	require.Same(t, admin, srv.Of("/admin"))
	require.Same(t, srv.Namespace, srv.Of("/"))
	require.Same(t, srv.Namespace, srv.Of(""))
	conn := chattest.Open(t, url, websocket())
	root, err := conn.Connect(ctx(t), "/", nil)
	require.NoError(t, err)
	sub, err := conn.Connect(ctx(t), "/admin", map[string]any{"token": 1})
	require.NoError(t, err)
	require.NotEqual(t, root.ID(), sub.ID())
	require.JSONEq(t, `{"token":1}`, string(admin.Sockets()[0].Handshake().Auth))
	require.Nil(t, srv.Sockets()[0].Handshake().Auth)

	srv.SocketsJoin("room")
	require.NoError(t, admin.To("room").Emit("to nobody"))
	require.NoError(t, admin.Emit("admin"))
	require.NoError(t, srv.To("room").Emit("root"))
	sub.Expect(t, "admin")
	root.Expect(t, "root")
	root.ExpectNone(t)
	sub.ExpectNone(t)
	require.Equal(t, 1, srv.Connections())
}

func TestNewNamespaceHook(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	var made []string
	off := srv.OnNewNamespace(func(n *socketio.Namespace) { made = append(made, n.Name()) })
	srv.Of("/a")
	srv.Of("/a")
	srv.OfPattern(regexp.MustCompile(`^/dynamic-\d+$`))
	o := websocket()
	o.Namespace = "/dynamic-1"
	chattest.Connect(t, url, o)
	off()
	srv.Of("/b")
	require.Equal(t, []string{"/a", "/dynamic-1"}, made)
}

// What the hook registers, such as a middleware, holds for all who connect, also at the moment at which it runs.
func TestNewNamespaceHookComesFirst(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	srv.OfPattern(regexp.MustCompile(`^/dynamic-\d+$`))
	inside, release := make(chan struct{}), make(chan struct{})
	srv.OnNewNamespace(func(n *socketio.Namespace) {
		close(inside)
		<-release
		n.Use(func(context.Context, *socketio.Socket) error { return errors.New("refused by the hook's middleware") })
	})
	results := make(chan error, 2)
	first, second := chattest.Open(t, url, websocket()), chattest.Open(t, url, websocket())
	connect := func(conn *chattest.Conn) {
		_, err := conn.Connect(ctx(t), "/dynamic-1", nil)
		results <- err
	}
	go connect(first)
	receive(t, inside)
	go connect(second)
	select {
	case err := <-results:
		require.Fail(t, "connected while the hook ran", "%v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(release)
	for range 2 {
		require.ErrorContains(t, receive(t, results), "refused by the hook's middleware")
	}
}

// Whoever has gone while a hook ran leaves nothing behind.
func TestNewNamespaceHookOfWhoHasGone(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	parent := srv.OfPattern(regexp.MustCompile(`^/dynamic-\d+$`))
	inside, release := make(chan struct{}), make(chan struct{})
	srv.OnNewNamespace(func(*socketio.Namespace) {
		close(inside)
		<-release
	})
	conns := []*chattest.Conn{chattest.Open(t, url, websocket()), chattest.Open(t, url, websocket())}
	for _, conn := range conns {
		require.NoError(t, conn.SendText(ctx(t), "40/dynamic-1"))
	}
	receive(t, inside)
	for _, conn := range conns {
		conn.Reset()
	}
	require.Eventually(t, func() bool { return srv.Connections() == 0 }, patience, time.Millisecond)
	close(release)
	require.Eventually(t, func() bool { return len(parent.Children()) == 0 }, patience, time.Millisecond)
}

func TestDynamicNamespaces(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	srv.Of("/rooms/static")
	rooms := srv.OfPattern(regexp.MustCompile(`^/rooms/\w+$`))
	tenants := srv.OfFunc(func(_ context.Context, name string, auth json.RawMessage) bool {
		return string(auth) == fmt.Sprintf(`{"tenant":%q}`, name)
	})
	var refused bool
	rooms.Use(func(_ context.Context, s *socketio.Socket) error {
		if s.Namespace().Name() == "/rooms/closed" {
			refused = true
			return &socketio.ConnectError{Message: "closed"}
		}
		return nil
	})
	connected := connections(rooms)
	socketio.On(rooms, "where", func(_ context.Context, s *socketio.Socket, _ struct{}) (string, error) {
		return s.Namespace().Name(), nil
	})
	conn := chattest.Open(t, url, websocket())
	one, err := conn.Connect(ctx(t), "/rooms/one", nil)
	require.NoError(t, err)
	require.Equal(t, "/rooms/one", receive(t, connected).Namespace().Name())
	two, err := conn.Connect(ctx(t), "/rooms/two", nil)
	require.NoError(t, err)
	require.JSONEq(t, `["/rooms/one"]`, one.ExpectAck(t, "where").String())
	require.JSONEq(t, `["/rooms/two"]`, two.ExpectAck(t, "where").String())
	require.Len(t, rooms.Children(), 2)
	require.NoError(t, rooms.Emit("all children"))
	one.Expect(t, "all children")
	two.Expect(t, "all children")

	_, err = conn.Connect(ctx(t), "/rooms/closed", nil)
	require.ErrorContains(t, err, "closed")
	require.True(t, refused)
	for _, name := range []string{"/rooms/", "/rooms/one/more", "/tenant"} {
		_, err = conn.Connect(ctx(t), name, nil)
		require.ErrorContains(t, err, "Invalid namespace", name)
	}
	_, err = conn.Connect(ctx(t), "/tenant", map[string]any{"tenant": "/tenant"})
	require.NoError(t, err)
	require.Len(t, tenants.Children(), 1)

	// Handlers that are registered later hold for the children that exist.
	socketio.On(rooms, "late", func(context.Context, *socketio.Socket, struct{}) (bool, error) { return true, nil })
	require.JSONEq(t, `[true]`, one.ExpectAck(t, "late").String())

	kept := srv.Of("/rooms/two")
	require.Len(t, kept.Sockets(), 1, "the child that exists")
	require.NoError(t, one.Disconnect())
	require.NoError(t, two.Disconnect())
	require.NoError(t, one.Barrier(ctx(t)))
	require.Equal(t, []*socketio.Namespace{kept}, rooms.Children(), "a child goes with its last socket, unless it is wanted")
	conn.Close()
	require.Eventually(t, func() bool { return len(tenants.Children()) == 0 }, patience, 1e6)
}

// A static namespace whose name matches a pattern gets what is registered on the parent, as in Node.
func TestStaticChild(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	parent := srv.OfPattern(regexp.MustCompile(`^/child`))
	connected := connections(parent)
	srv.Of("/child").OnConnection(func(_ context.Context, s *socketio.Socket) { s.Join("own") })
	o := websocket()
	o.Namespace = "/child"
	chattest.Connect(t, url, o)
	s := receive(t, connected)
	require.Same(t, srv.Of("/child"), s.Namespace())
}

// The children of a server with recovery stay as long as somebody may come back to them.
func TestDynamicNamespaceWithRecovery(t *testing.T) {
	t.Parallel()
	lost := make(chan socketio.LostClient, 10)
	srv, url := serve(t, socketio.WithRecovery(socketio.Recovery{
		MaxDisconnection: patience / 50,
		OnExpire:         func(l socketio.LostClient) { lost <- l },
	}))
	parent := srv.OfPattern(regexp.MustCompile(`^/child`))
	connected := connections(parent)
	o := websocket()
	o.Namespace = "/child"
	client := chattest.Connect(t, url, o)
	receive(t, connected)
	client.Conn().Reset()
	back := client.ExpectReconnect(t)
	require.True(t, back.Recovered())
	receive(t, connected)
	back.Close()
	receive(t, lost)
	require.Eventually(t, func() bool { return len(parent.Children()) == 0 }, patience, 1e6)
}
