package socketio_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// crowd is a server with a few clients and their sockets.
type crowd struct {
	srv     *socketio.Server
	clients map[string]*chattest.Socket
	sockets map[string]*socketio.Socket
}

func newCrowd(t *testing.T, names ...string) *crowd {
	t.Helper()
	srv, url := serve(t)
	connected := connections(srv)
	c := &crowd{srv, map[string]*chattest.Socket{}, map[string]*socketio.Socket{}}
	for _, name := range names {
		c.clients[name] = chattest.Connect(t, url, websocket())
		c.sockets[name] = receive(t, connected)
	}
	return c
}

// got checks who received an event.
func (c *crowd) got(t *testing.T, event string, names ...string) {
	t.Helper()
	for name, client := range c.clients {
		expected := false
		for _, n := range names {
			expected = expected || n == name
		}
		if expected {
			client.Expect(t, event)
		}
		client.ExpectNone(t, event)
	}
}

func TestTargets(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "ann", "bob", "cat", "dan")
	ann, bob, cat := c.sockets["ann"], c.sockets["bob"], c.sockets["cat"]
	ann.Join("red", "big")
	bob.Join("red")
	cat.Join("blue", "big")

	for event, emit := range map[string]func(string, ...any) error{
		"to everybody":                      c.srv.Emit,
		"to a room":                         c.srv.To("red").Emit,
		"to rooms, once each":               c.srv.To("red").To("big").Emit,
		"in a room but not another":         c.srv.In("big").Except("blue").Emit,
		"to all but a room":                 c.srv.Except("red").Emit,
		"to a socket":                       c.srv.To(bob.ID()).Emit,
		"to nobody":                         c.srv.To().Emit,
		"from the sender":                   ann.Emit,
		"from the sender to others":         ann.Broadcast().Emit,
		"from the sender to a room":         ann.To("red").Emit,
		"from the sender in a room":         ann.In("red", "blue").Emit,
		"from the sender to all but a room": ann.Except("blue").Emit,
		"local":                             c.srv.Local().To("blue").Emit,
		"volatile":                          c.srv.To("blue").Volatile().Emit,
		"volatile to a socket":              cat.EmitVolatile,
	} {
		require.NoError(t, emit(event, "data"))
	}
	for event, names := range map[string][]string{
		"to everybody":                      {"ann", "bob", "cat", "dan"},
		"to a room":                         {"ann", "bob"},
		"to rooms, once each":               {"ann", "bob", "cat"},
		"in a room but not another":         {"ann"},
		"to all but a room":                 {"cat", "dan"},
		"to a socket":                       {"bob"},
		"to nobody":                         {},
		"from the sender":                   {"ann"},
		"from the sender to others":         {"bob", "cat", "dan"},
		"from the sender to a room":         {"bob"},
		"from the sender in a room":         {"bob", "cat"},
		"from the sender to all but a room": {"bob", "dan"},
		"local":                             {"cat"},
	} {
		c.got(t, event, names...)
	}
}

func TestRoomsOfSockets(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "ann", "bob", "cat")
	ann, bob := c.sockets["ann"], c.sockets["bob"]
	ann.Join("a", "b", "a")
	require.ElementsMatch(t, []string{ann.ID(), "a", "b"}, ann.Rooms())
	ann.Leave("a", "never joined")
	require.Equal(t, []string{ann.ID(), "b"}, ann.Rooms())

	c.srv.In(ann.ID()).SocketsJoin("x", "y")
	c.srv.Except(ann.ID()).SocketsJoin("z")
	require.ElementsMatch(t, []string{ann.ID(), "b", "x", "y"}, ann.Rooms())
	require.Equal(t, map[string]int{"b": 1, "x": 1, "y": 1, "z": 2}, c.srv.Rooms())
	c.srv.SocketsLeave("x", "z")
	require.Equal(t, map[string]int{"b": 1, "y": 1}, c.srv.Rooms())

	bob.SetData("bob's data")
	found, err := c.srv.In(bob.ID()).FetchSockets(ctx(t))
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Equal(t, bob.ID(), found[0].ID)
	require.Equal(t, "bob's data", found[0].Data)
	require.Equal(t, []string{bob.ID()}, found[0].Rooms)
	require.Equal(t, bob.Handshake(), found[0].Handshake)
	found[0].Join("remote")
	require.Equal(t, []string{bob.ID(), "remote"}, bob.Rooms())
	found[0].Leave("remote")
	require.NoError(t, found[0].Emit("to one"))
	c.got(t, "to one", "bob")
	require.Same(t, bob, c.srv.Socket(bob.ID()))
	require.Nil(t, c.srv.Socket("nobody"))

	found[0].Disconnect(false)
	require.ErrorIs(t, c.clients["bob"].ExpectEnd(t), chattest.ErrDisconnected)
	require.Nil(t, c.srv.Socket(bob.ID()))
	c.srv.DisconnectSockets(true)
	require.ErrorIs(t, c.clients["ann"].ExpectEnd(t), chattest.ErrDisconnected)
	_ = c.clients["cat"].Conn().ExpectEnd(t)
	require.Empty(t, c.srv.Sockets())
	require.Empty(t, c.srv.Rooms())
}

func TestBroadcastWithAck(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "ann", "bob", "cat", "dan")
	type result struct {
		replies socketio.Replies
		err     error
	}
	ask := func(b socketio.Broadcast, event string) <-chan result {
		done := make(chan result, 1)
		go func() {
			replies, err := b.EmitWithAck(context.Background(), event, []byte("binary too"))
			done <- result{replies, err}
		}()
		return done
	}
	all := ask(c.srv.Timeout(patience), "all")
	for name, client := range c.clients {
		e := client.Expect(t, "all")
		require.Equal(t, []byte("binary too"), e.Bytes(0))
		require.NoError(t, e.Ack(name))
	}
	r := receive(t, all)
	require.NoError(t, r.err)
	require.Empty(t, r.replies.Missing)
	got := map[string]string{}
	for _, reply := range r.replies.Received {
		var name string
		require.NoError(t, reply.Args.Decode(0, &name))
		got[name] = reply.SocketID
	}
	for name, s := range c.sockets {
		require.Equal(t, s.ID(), got[name])
	}

	some := ask(c.srv.Except(c.sockets["dan"].ID()).Timeout(50*time.Millisecond), "some")
	require.NoError(t, c.clients["ann"].Expect(t, "some").Ack())
	r = receive(t, some)
	require.ErrorIs(t, r.err, context.DeadlineExceeded)
	require.Len(t, r.replies.Received, 1)
	require.ElementsMatch(t, []string{c.sockets["bob"].ID(), c.sockets["cat"].ID()}, r.replies.Missing)
	require.NoError(t, c.clients["bob"].Expect(t, "some").Ack("too late"))

	gone := ask(c.srv.To(c.sockets["ann"].ID(), c.sockets["bob"].ID()), "gone")
	require.NoError(t, c.clients["ann"].Expect(t, "gone").Ack())
	c.clients["bob"].Expect(t, "gone")
	c.clients["bob"].Close()
	r = receive(t, gone)
	require.ErrorIs(t, r.err, socketio.ErrDisconnected)
	require.Equal(t, []string{c.sockets["bob"].ID()}, r.replies.Missing)

	r = receive(t, ask(c.srv.To("nobody"), "nobody"))
	require.NoError(t, r.err)
	require.Empty(t, r.replies)
}

// Why replies are missing: not everything that goes wrong is a disconnection.
func TestBroadcastWithAckSaysWhy(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithMaxAcks(1))
	connected := connections(srv)
	client := chattest.Connect(t, url, websocket())
	s := receive(t, connected)
	done := make(chan error, 1)
	go func() {
		_, err := s.EmitWithAck(ctx(t), "first")
		done <- err
	}()
	first := client.Expect(t, "first")
	replies, err := srv.EmitWithAck(ctx(t), "second")
	require.ErrorIs(t, err, socketio.ErrTooManyAcks)
	require.NotErrorIs(t, err, socketio.ErrDisconnected)
	require.Equal(t, []string{s.ID()}, replies.Missing)
	require.NoError(t, first.Ack())
	require.NoError(t, receive(t, done))

	polling := chattest.Open(t, url, chattest.Options{Transport: chattest.Polling, Raw: true})
	require.NoError(t, polling.SendText(ctx(t), "40"))
	quiet := receive(t, connected)
	polling.StopReading()
	require.Eventually(t, func() bool {
		replies, err = srv.To(quiet.ID()).Volatile().Timeout(time.Millisecond).EmitWithAck(ctx(t), "third")
		return !errors.Is(err, context.DeadlineExceeded)
	}, patience, time.Millisecond)
	require.ErrorContains(t, err, "1 of 1 clients did not acknowledge: volatile event was dropped")
}

func TestRoomEvents(t *testing.T) {
	t.Parallel()
	c := newCrowd(t, "ann", "bob")
	ann, bob := c.sockets["ann"], c.sockets["bob"]
	ann.Join("before")
	var events []socketio.RoomEvent
	off := c.srv.OnRoomEvent(func(e socketio.RoomEvent) {
		require.NotNil(t, c.srv.Rooms(), "no lock is held")
		events = append(events, e)
	})
	ann.Join("room", "room")
	bob.Join("room")
	ann.Leave("room", "elsewhere")
	bob.Disconnect(false)
	off()
	ann.Leave("before")
	require.Equal(t, []socketio.RoomEvent{
		{Kind: socketio.RoomCreated, Room: "room", SocketID: ann.ID()},
		{Kind: socketio.RoomJoined, Room: "room", SocketID: ann.ID()},
		{Kind: socketio.RoomJoined, Room: "room", SocketID: bob.ID()},
		{Kind: socketio.RoomLeft, Room: "room", SocketID: ann.ID()},
		{Kind: socketio.RoomLeft, Room: "room", SocketID: bob.ID()},
		{Kind: socketio.RoomDeleted, Room: "room", SocketID: bob.ID()},
	}, events)
}
