package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// recovering is a server with recovery, and what it knows of one client.
type recovering struct {
	srv       *socketio.Server
	url       string
	connected <-chan *socketio.Socket
	ended     chan socketio.Reason
}

func newRecovering(t *testing.T, r socketio.Recovery, opts ...socketio.Option) *recovering {
	t.Helper()
	srv, url := serve(t, append(opts, socketio.WithRecovery(r))...)
	s := &recovering{srv: srv, url: url, connected: connections(srv), ended: make(chan socketio.Reason, 100)}
	srv.OnConnection(func(_ context.Context, sock *socketio.Socket) {
		sock.OnDisconnect(func(reason socketio.Reason) { s.ended <- reason })
	})
	srv.Handle("offset", func(_ context.Context, sock *socketio.Socket, _ socketio.Args, _ socketio.Ack) {
		_ = sock.Emit("offset")
	})
	return s
}

// connect returns a client that knows its position, and its socket.
func (s *recovering) connect(t *testing.T) (*chattest.Socket, *socketio.Socket) {
	t.Helper()
	client := chattest.Connect(t, s.url, websocket())
	sock := receive(t, s.connected)
	require.False(t, client.Recovered())
	require.False(t, sock.Recovered())
	require.NoError(t, client.Emit("offset"))
	client.Expect(t, "offset")
	return client, sock
}

// cut breaks the client's connection, and waits until the server knows.
func (s *recovering) cut(t *testing.T, client *chattest.Socket) {
	t.Helper()
	client.Conn().Reset()
	require.True(t, receive(t, s.ended).Recoverable())
}

// comeback reconnects and expects that the state was recovered.
func (s *recovering) comeback(t *testing.T, client *chattest.Socket) (*chattest.Socket, *socketio.Socket) {
	t.Helper()
	back := client.ExpectReconnect(t)
	require.True(t, back.Recovered())
	require.Equal(t, client.ID(), back.ID())
	sock := receive(t, s.connected)
	require.True(t, sock.Recovered())
	require.Equal(t, client.ID(), sock.ID())
	return back, sock
}

// anew reconnects and expects that the state was not recovered.
func (s *recovering) anew(t *testing.T, client *chattest.Socket) (*chattest.Socket, *socketio.Socket) {
	t.Helper()
	back := client.ExpectReconnect(t)
	require.False(t, back.Recovered())
	require.NotEqual(t, client.ID(), back.ID())
	require.NotEqual(t, client.PID(), back.PID())
	sock := receive(t, s.connected)
	require.False(t, sock.Recovered())
	back.ExpectNone(t)
	return back, sock
}

// said returns the first arguments of the events that have arrived.
func said(t *testing.T, client *chattest.Socket) []string {
	t.Helper()
	require.NoError(t, client.Barrier(ctx(t)))
	texts := []string{}
	for _, e := range client.Waiting() {
		texts = append(texts, e.Name)
		_, err := client.Next(ctx(t))
		require.NoError(t, err)
	}
	return texts
}

// With recovery off the wire is that of Node's server, byte for byte; with it on, as Node's with its recovery on.
func TestRecoveryOnTheWire(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts           []socketio.Option
		connect, event string
	}{
		"off": {nil, `^40\{"sid":"[\w-]{20}"\}$`, `^42\["event",1\]$`},
		"on": {
			[]socketio.Option{socketio.WithRecovery(socketio.Recovery{})},
			`^40\{"sid":"[\w-]{20}","pid":"[\w-]{24}"\}$`, `^42\["event",1,"[\w-]{19}"\]$`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			srv, url := serve(t, test.opts...)
			conn := raw(t, url)
			require.NoError(t, conn.SendText(t.Context(), "40"))
			require.Regexp(t, test.connect, text(t, conn))
			for _, emit := range []func(string, ...any) error{srv.Emit, srv.Volatile().Emit, srv.Sockets()[0].Emit} {
				require.NoError(t, emit("event", 1))
				require.Regexp(t, test.event, text(t, conn))
			}
			go srv.EmitWithAck(t.Context(), "event", 1) //nolint:errcheck // nobody answers
			require.Regexp(t, `^42\d+\["event",1\]$`, text(t, conn), "without an offset: its last argument is the callback")
		})
	}
}

func TestRecovery(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{})
	client, sock := s.connect(t)
	sock.SetData("data")
	sock.Join("in", "left")
	require.NoError(t, s.srv.Emit("received"))
	client.Expect(t, "received")
	s.cut(t, client)

	require.NoError(t, s.srv.Emit("all"))
	require.NoError(t, s.srv.To("in").Emit("in", []byte("binary")))
	require.NoError(t, s.srv.To("out").Emit("out"))
	require.NoError(t, s.srv.To("in", "out").Emit("in and out"))
	require.NoError(t, s.srv.To("in").Except("left").Emit("except"))
	require.NoError(t, s.srv.Except(sock.ID()).Emit("except self"))
	require.NoError(t, s.srv.To(sock.ID()).Emit("self"))
	require.NoError(t, s.srv.Volatile().Emit("volatile"))
	require.ErrorIs(t, sock.Emit("by the former socket"), socketio.ErrDisconnected)
	_, err := s.srv.EmitWithAck(ctx(t), "acked")
	require.NoError(t, err)

	back, now := s.comeback(t, client)
	require.Equal(t, []string{"all", "in", "in and out", "self"}, said(t, back))
	require.Equal(t, "data", now.Data())
	require.ElementsMatch(t, []string{now.ID(), "in", "left"}, now.Rooms())
	require.Len(t, s.srv.Sockets(), 1)
	require.NoError(t, s.srv.To("in").Emit("goes on"))
	back.Expect(t, "goes on")

	s.cut(t, back)
	require.NoError(t, now.Namespace().Emit("again"))
	again, _ := s.comeback(t, back)
	require.Equal(t, []string{"again"}, said(t, again), "nothing twice")
}

// socketio/socket.io issues 5538 and 4888: a client that has received nothing yet has no offset.
func TestRecoveryWithoutOffset(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{})
	require.NoError(t, s.srv.Emit("before"))
	client := chattest.Connect(t, s.url, websocket())
	receive(t, s.connected)
	require.Empty(t, client.Offset())
	s.cut(t, client)
	require.NoError(t, s.srv.Emit("first"))
	back, _ := s.comeback(t, client)
	require.Equal(t, []string{"first"}, said(t, back))
}

// A client whose recovery failed keeps the offset of the session before, and it may be anything.
func TestRecoveryWithForeignOffset(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{})
	early, _ := s.connect(t)
	require.NoError(t, s.srv.Emit("before"))
	for name, offset := range map[string]any{
		"of another server": "others" + early.Offset()[6:], "from before the connection": early.Offset(), "no offset": "text",
		"empty": "", "number": 12, "null": nil, "long": strings.Repeat("x", 1000),
	} {
		client := chattest.Connect(t, s.url, websocket())
		receive(t, s.connected)
		s.cut(t, client)
		require.NoError(t, s.srv.Emit("missed"))
		o := websocket()
		o.Auth = map[string]any{"pid": client.PID(), "offset": offset}
		back := chattest.Connect(t, s.url, o)
		require.Equal(t, client.PID(), back.PID(), name)
		receive(t, s.connected)
		require.Equal(t, []string{"missed"}, said(t, back), name)
		back.Close()
		receive(t, s.ended)
	}
	for name, auth := range map[string]map[string]any{
		"unknown":                {"pid": "unknown"},
		"no string":              {"pid": 12},
		"from the future":        {"pid": early.PID(), "offset": early.Offset()[:6] + "zzzzzzzzzzzzz"},
		"ahead of all positions": {"pid": early.PID(), "offset": early.Offset()[:6] + "0000000000zzz"},
	} {
		o := websocket()
		o.Auth = auth
		require.NotEqual(t, early.PID(), chattest.Connect(t, s.url, o).PID(), name)
		receive(t, s.connected)
	}
}

// socketio/socket.io issue 4880: the server still believes in the former connection.
func TestRecoveryTakesOver(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{})
	client, sock := s.connect(t)
	sock.Join("room")
	sock.SetData("live data")
	require.NoError(t, s.srv.Of("/").Emit("received"))
	client.Expect(t, "received")
	client.Conn().Vanish()
	require.NoError(t, s.srv.To("room").Emit("into the void"))
	require.True(t, sock.Connected())

	back, now := s.comeback(t, client)
	require.Equal(t, socketio.ReasonTransportClose, receive(t, s.ended))
	require.False(t, sock.Connected())
	require.Error(t, sock.Context().Err())
	require.Equal(t, []string{"into the void"}, said(t, back))
	require.Equal(t, "live data", now.Data())
	require.Equal(t, []*socketio.Socket{now}, s.srv.In("room").Sockets())
	require.Same(t, now, s.srv.Socket(now.ID()))
	s.cut(t, back)
	s.comeback(t, back)
}

// Middleware decides about each connection; one that was refused changes nothing.
func TestRecoveryAsksTheMiddleware(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{})
	var refuse error
	asked := make(chan string, 10)
	s.srv.Use(func(_ context.Context, sock *socketio.Socket) error {
		asked <- fmt.Sprintf("%s %v %v", sock.ID(), sock.Recovered(), sock.Data())
		sock.Join("of the middleware")
		return refuse
	})
	client, sock := s.connect(t)
	require.Equal(t, client.ID()+" false <nil>", receive(t, asked))
	sock.SetData("data")
	sock.Join("room")
	client.Conn().Vanish()
	require.NoError(t, s.srv.Emit("missed"))

	refuse = errors.New("banned")
	for range 3 {
		_, err := client.Reconnect(ctx(t))
		require.ErrorContains(t, err, "banned")
		require.Equal(t, client.ID()+" true data", receive(t, asked))
	}
	require.True(t, sock.Connected(), "who is refused takes nothing over")
	refuse = nil
	back, now := s.comeback(t, client)
	require.Equal(t, []string{"missed"}, said(t, back))
	require.ElementsMatch(t, []string{now.ID(), "of the middleware", "room"}, now.Rooms())
}

// A session belongs to whom the middleware let in; somebody else gets one of their own, from the same page.
func TestRecoveryOfAnotherPrincipal(t *testing.T) {
	t.Parallel()
	user := "ann"
	s := newRecovering(t, socketio.Recovery{Principal: func(sock *socketio.Socket) string {
		name, _ := sock.Data().(string)
		return name
	}})
	s.srv.Use(func(_ context.Context, sock *socketio.Socket) error { sock.SetData(user); return nil })
	client, sock := s.connect(t)
	sock.Join("secret")
	s.cut(t, client)
	require.NoError(t, s.srv.To("secret").Emit("for ann"))
	user = "eve"
	_, now := s.anew(t, client)
	require.Equal(t, "eve", now.Data())
	require.Equal(t, []string{now.ID()}, now.Rooms())
	user = "ann"
	back, _ := s.comeback(t, client)
	require.Equal(t, []string{"for ann"}, said(t, back))
}

func TestRecoveryAsksForRooms(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{AllowRoom: func(_ context.Context, _ *socketio.Socket, room string) bool {
		return room != "forbidden"
	}})
	client, sock := s.connect(t)
	sock.Join("allowed", "forbidden")
	s.cut(t, client)
	require.NoError(t, s.srv.To("forbidden").Emit("secret"))
	require.NoError(t, s.srv.To("allowed").Emit("open"))
	require.NoError(t, s.srv.To("allowed", "forbidden").Emit("both"))
	back, now := s.comeback(t, client)
	require.Equal(t, []string{"open", "both"}, said(t, back))
	require.Equal(t, []string{now.ID(), "allowed"}, now.Rooms())
}

// What was sent to a room belongs to those who were in it at that time.
func TestRecoveryKnowsWhoWasWhere(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{})
	client, sock := s.connect(t)
	client.Conn().StopReading()
	for _, step := range []struct {
		event       string
		join, leave string
	}{
		{"not in yet", "a", ""},
		{"in", "", "a"},
		{"not in any more", "a", ""},
		{"in again", "b", "a"},
		{"not in again", "", ""},
	} {
		require.NoError(t, s.srv.To("a").Emit(step.event))
		if step.join != "" {
			sock.Join(step.join)
		}
		if step.leave != "" {
			sock.Leave(step.leave)
		}
	}
	s.cut(t, client)
	// While it is away it can be made to join and leave as well.
	s.srv.In("b").SocketsJoin("c")
	require.NoError(t, s.srv.To("c").Emit("in c"))
	s.srv.In("c").SocketsLeave("b", "c")
	require.NoError(t, s.srv.To("b", "c").Emit("not in c"))
	back, now := s.comeback(t, client)
	require.Equal(t, []string{"in", "in again", "in c"}, said(t, back))
	require.Equal(t, []string{now.ID()}, now.Rooms())
}

func TestNoRecovery(t *testing.T) {
	t.Parallel()
	for name, leave := range map[string]func(*testing.T, *recovering, *chattest.Socket){
		"the client left": func(t *testing.T, s *recovering, client *chattest.Socket) {
			t.Helper()
			require.NoError(t, client.Disconnect())
			require.Equal(t, socketio.ReasonClientNamespaceDisconnect, receive(t, s.ended))
		},
		"the server sent it away": func(t *testing.T, s *recovering, _ *chattest.Socket) {
			t.Helper()
			s.srv.DisconnectSockets(false)
			require.Equal(t, socketio.ReasonServerNamespaceDisconnect, receive(t, s.ended))
		},
		"the server sent it away while it was not there": func(t *testing.T, s *recovering, client *chattest.Socket) {
			t.Helper()
			s.cut(t, client)
			s.srv.In("room").DisconnectSockets(true)
		},
		"it sent what is no packet": func(t *testing.T, s *recovering, client *chattest.Socket) {
			t.Helper()
			require.NoError(t, client.Conn().SendText(t.Context(), "4x"))
			require.Equal(t, socketio.ReasonParseError, receive(t, s.ended))
		},
		"it missed more than is kept": func(t *testing.T, s *recovering, client *chattest.Socket) {
			t.Helper()
			s.cut(t, client)
			for range 20 {
				require.NoError(t, s.srv.Emit("much", strings.Repeat("x", 1000)))
			}
		},
		"it missed small events that take more memory than they have bytes": func(t *testing.T, s *recovering, client *chattest.Socket) {
			t.Helper()
			s.cut(t, client)
			for range 45 {
				require.NoError(t, s.srv.Emit("small"))
			}
		},
		"it missed more than fits its buffer": func(t *testing.T, s *recovering, client *chattest.Socket) {
			t.Helper()
			s.cut(t, client)
			for range 60 {
				require.NoError(t, s.srv.Emit("many"))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newRecovering(t, socketio.Recovery{MaxBytes: 10_000}, socketio.WithSendBuffer(1<<20, 100))
			client, sock := s.connect(t)
			sock.Join("room")
			leave(t, s, client)
			s.anew(t, client)
		})
	}
}

func TestRecoveryExpires(t *testing.T) {
	t.Parallel()
	lost := make(chan socketio.LostClient, 10)
	s := newRecovering(t, socketio.Recovery{
		MaxDisconnection: 50 * time.Millisecond,
		OnExpire:         func(l socketio.LostClient) { lost <- l },
	})
	client, sock := s.connect(t)
	sock.Join("room")
	sock.SetData("data")
	s.cut(t, client)
	require.Equal(t, socketio.LostClient{SocketID: client.ID(), Rooms: []string{"room"}, Data: "data"}, receive(t, lost))
	s.anew(t, client)
	require.Empty(t, lost)
}

// What is kept for clients that are away is bounded, however many come and go: who left first is given up.
func TestRecoveryOfTooManyClients(t *testing.T) {
	t.Parallel()
	lost := make(chan socketio.LostClient, 10)
	s := newRecovering(t, socketio.Recovery{MaxClients: 2, OnExpire: func(l socketio.LostClient) { lost <- l }})
	var clients [4]*chattest.Socket
	for i := range clients {
		clients[i], _ = s.connect(t)
	}
	for _, client := range clients[:3] {
		s.cut(t, client)
	}
	require.Equal(t, clients[0].ID(), receive(t, lost).SocketID)
	s.anew(t, clients[0])
	s.comeback(t, clients[1])
	s.cut(t, clients[3]) // there is room for it again
	s.comeback(t, clients[2])
	s.comeback(t, clients[3])
	require.Empty(t, lost)
}

// The limit is that of the server: a client in a namespace of its own is given up for none of another.
func TestRecoveryOfTooManyClientsElsewhere(t *testing.T) {
	t.Parallel()
	lost := make(chan socketio.LostClient, 10)
	s := newRecovering(t, socketio.Recovery{MaxClients: 1, OnExpire: func(l socketio.LostClient) { lost <- l }})
	s.srv.OfPattern(regexp.MustCompile(`^/\d+$`))
	first, _ := s.connect(t)
	s.cut(t, first)
	for n := range 3 {
		o := websocket()
		o.Namespace = fmt.Sprintf("/%d", n)
		client := chattest.Connect(t, s.url, o)
		client.Conn().Reset()
		require.Equal(t, client.ID(), receive(t, lost).SocketID)
	}
	s.comeback(t, first)
}

// socketio/socket.io issue 5282: a client to which nothing is sent has an old position, and has missed nothing.
func TestRecoveryOfAQuietClient(t *testing.T) {
	t.Parallel()
	s := newRecovering(t, socketio.Recovery{MaxBytes: 10_000},
		socketio.WithPingInterval(10*time.Millisecond), socketio.WithPingTimeout(patience))
	client, _ := s.connect(t)
	for range 100 {
		require.NoError(t, s.srv.To("others").Emit("much", strings.Repeat("x", 1000)))
	}
	clock := raw(t, s.url)
	for range 20 { // long enough for a ping of the client
		require.Equal(t, chattest.PacketPing, clock.Expect(t).Type)
		require.NoError(t, clock.SendText(ctx(t), "3"))
	}
	s.cut(t, client)
	require.NoError(t, s.srv.Emit("missed"))
	back, _ := s.comeback(t, client)
	require.Equal(t, []string{"missed"}, said(t, back))
}
