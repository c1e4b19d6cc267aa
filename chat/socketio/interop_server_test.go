package socketio_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/echochat/echochat/chat/socketio"
)

// interopServer has the handlers of testdata/interop/reference.mjs, one for one: the behaviours that the stock clients
// show with Node's server they must show with this one.
type interopServer struct {
	*socketio.Server

	mu      sync.Mutex
	left    map[string]departure    // by socket id
	waiting map[string]socketio.Ack // by the id of the socket whose end is asked for
	flaky   map[string]bool
}

// departure is what is known of a socket that has disconnected.
type departure struct {
	Reason socketio.Reason `json:"reason"`
	Rooms  []string        `json:"rooms"`
}

func newInteropServer(opts ...socketio.Option) (*interopServer, error) {
	srv, err := socketio.New(append(opts, socketio.WithPingInterval(time.Second), socketio.WithPingTimeout(3*time.Second),
		socketio.WithGate(func(r *http.Request) error {
			if r.URL.Query().Has("refuse") {
				return errors.New("not today")
			}
			return nil
		}))...)
	if err != nil {
		return nil, err
	}
	s := &interopServer{
		Server:  srv,
		left:    make(map[string]departure),
		waiting: make(map[string]socketio.Ack),
		flaky:   make(map[string]bool),
	}
	s.facts()
	s.events()
	s.rooms()
	s.broadcasts()
	s.endings()
	s.namespaces()
	return s, nil
}

// facts are what a client may ask the server about itself.
func (s *interopServer) facts() {
	s.OnConnection(func(_ context.Context, sock *socketio.Socket) { _ = sock.Emit("hello", "world", sock.ID()) })
	s.Handle("whoami", func(_ context.Context, sock *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		_ = ack.Send(sock.ID(), sock.Namespace().Name())
	})
	socketio.On(s, "handshake", func(_ context.Context, sock *socketio.Socket, _ struct{}) (map[string]any, error) {
		h := sock.Handshake()
		auth := map[string]any{}
		if err := h.DecodeAuth(&auth); err != nil {
			return nil, err
		}
		seen := map[string]any{
			"auth": auth, "url": h.URL, "address": h.Address, "secure": h.Secure, "xdomain": h.XDomain, "timed": !h.Time.IsZero(),
		}
		if query := h.Query(); query.Has("flavour") {
			seen["flavour"] = query.Get("flavour")
		}
		if header := h.Headers().Get("X-Flavour"); header != "" {
			seen["header"] = header
		}
		return seen, nil
	})
	socketio.On(s, "transport", func(_ context.Context, sock *socketio.Socket, _ struct{}) (string, error) {
		return sock.Transport(), nil
	})
	socketio.On(s, "data", func(_ context.Context, sock *socketio.Socket, value *string) (any, error) {
		if value != nil {
			sock.SetData(*value)
		}
		return sock.Data(), nil
	})
}

// events are sent back, sent many times, acknowledged late or not at all, and asked of the client.
func (s *interopServer) events() {
	s.Handle("echo", echo)
	s.Handle("bounce", func(_ context.Context, sock *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		_ = sock.Emit("bounced", values(args)...)
	})
	s.Handle("burst", count(func(sock *socketio.Socket, i int) { _ = sock.Emit("tick", i) }))
	s.Handle("volatile", count(func(sock *socketio.Socket, i int) { _ = sock.EmitVolatile("tick", i) }))
	s.Handle("silent", func(context.Context, *socketio.Socket, socketio.Args, socketio.Ack) {})
	s.Handle("late", func(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		time.AfterFunc(milliseconds(args, 0), func() { _ = ack.Send("late") })
	})
	s.Handle("watch what leaves", func(_ context.Context, sock *socketio.Socket, _ socketio.Args, ack socketio.Ack) {
		var seen []any
		off := sock.OnAnyOutgoing(func(_ *socketio.Socket, event string, args []any) {
			seen = append(seen, append([]any{event}, args...))
		})
		defer off()
		_ = sock.Emit("tick", "to one")
		_ = s.To(sock.ID()).Emit("tick", "to a room")
		_ = sock.Broadcast().Emit("tick", "to others")
		_ = ack.Send(seen)
	})
	s.Handle("flaky", func(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		s.mu.Lock()
		defer s.mu.Unlock()
		id := texts(args, 0)[0]
		if s.flaky[id] {
			_ = ack.Send("at last")
		}
		s.flaky[id] = true
	})
	s.Handle("ask", func(ctx context.Context, sock *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		if answers, err := sock.EmitWithAck(ctx, "question", values(args)...); err == nil {
			_ = sock.Emit("answer", values(answers)...)
		}
	})
	s.Handle("ask in time", func(ctx context.Context, sock *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		ctx, cancel := context.WithTimeout(ctx, milliseconds(args, 0))
		defer cancel()
		answer, err := sock.EmitWithAck(ctx, "question")
		if errors.Is(err, context.DeadlineExceeded) {
			_ = ack.Send("timed out", nil)
			return
		}
		_ = ack.Send(nil, values(answer)[0])
	})
}

func (s *interopServer) rooms() {
	s.Handle("join", func(_ context.Context, sock *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		sock.Join(texts(args, 0)...)
		_ = ack.Send()
	})
	s.Handle("leave", func(_ context.Context, sock *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		sock.Leave(texts(args, 0)...)
		_ = ack.Send()
	})
	socketio.On(s, "rooms", func(_ context.Context, sock *socketio.Socket, _ struct{}) ([]string, error) {
		return joined(sock), nil
	})
	s.Handle("members", func(ctx context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		sockets, err := s.In(texts(args, 0)...).FetchSockets(ctx)
		if err != nil {
			return
		}
		ids := make([]string, 0, len(sockets))
		for _, each := range sockets {
			ids = append(ids, each.ID)
		}
		slices.Sort(ids)
		_ = ack.Send(ids)
	})
	s.Handle("move", func(_ context.Context, _ *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		s.In(texts(args, 0)...).SocketsJoin(texts(args, 1)...)
	})
	s.Handle("empty", func(_ context.Context, _ *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		s.In(texts(args, 0)...).SocketsLeave(texts(args, 1)...)
	})
	s.Handle("throw out", func(_ context.Context, _ *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		s.In(texts(args, 0)...).DisconnectSockets(flag(args, 1))
	})
	s.Handle("poll room", func(ctx context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		replies, err := s.To(texts(args, 0)...).Timeout(milliseconds(args, 1)).EmitWithAck(ctx, "question")
		answers := make([]any, 0, len(replies.Received))
		for _, reply := range replies.Received {
			answers = append(answers, values(reply.Args)[0])
		}
		slices.SortFunc(answers, func(a, b any) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
		_ = ack.Send(err != nil, answers)
	})
}

func (s *interopServer) broadcasts() {
	to := func(event string, choose func(sock *socketio.Socket, args socketio.Args) socketio.Broadcast) {
		s.Handle(event, func(_ context.Context, sock *socketio.Socket, args socketio.Args, _ socketio.Ack) {
			_ = choose(sock, args).Emit("said", values(args)[args.Len()-1])
		})
	}
	to("to", func(sock *socketio.Socket, args socketio.Args) socketio.Broadcast { return sock.To(texts(args, 0)...) })
	to("in", func(_ *socketio.Socket, args socketio.Args) socketio.Broadcast { return s.In(texts(args, 0)...) })
	to("except", func(_ *socketio.Socket, args socketio.Args) socketio.Broadcast { return s.Except(texts(args, 0)...) })
	to("to except", func(sock *socketio.Socket, args socketio.Args) socketio.Broadcast {
		return sock.To(texts(args, 0)...).Except(texts(args, 1)...)
	})
	to("broadcast", func(sock *socketio.Socket, _ socketio.Args) socketio.Broadcast { return sock.Broadcast() })
	s.Handle("all", func(_ context.Context, _ *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		_ = s.Emit("said", values(args)...)
	})
}

func (s *interopServer) endings() {
	s.Handle("disconnect me", disconnect)
	s.Handle("close my connection", func(_ context.Context, sock *socketio.Socket, _ socketio.Args, _ socketio.Ack) {
		sock.CloseConnection()
	})
	s.Handle("shut down", func(ctx context.Context, _ *socketio.Socket, _ socketio.Args, _ socketio.Ack) {
		go s.Shutdown(context.WithoutCancel(ctx)) //nolint:errcheck // the test's own call of Shutdown tells
	})
	s.OnConnection(func(_ context.Context, sock *socketio.Socket) {
		sock.OnDisconnecting(func(reason socketio.Reason) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.left[sock.ID()] = departure{Reason: reason, Rooms: joined(sock)}
		})
		sock.OnDisconnect(func(socketio.Reason) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.tell(sock.ID())
		})
	})
	s.Handle("reason", func(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		s.mu.Lock()
		defer s.mu.Unlock()
		id := texts(args, 0)[0]
		s.waiting[id] = ack
		s.tell(id)
	})
}

// tell answers who asked for the end of a socket, once it is known. What was told is forgotten: a socket may come back.
func (s *interopServer) tell(id string) {
	departure, left := s.left[id]
	ack, asked := s.waiting[id]
	if !left || !asked {
		return
	}
	_ = ack.Send(departure)
	delete(s.left, id)
	delete(s.waiting, id)
}

func (s *interopServer) namespaces() {
	hello := func(_ context.Context, sock *socketio.Socket) { _ = sock.Emit("hello", sock.Namespace().Name()) }
	allHere := func(_ context.Context, sock *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		_ = sock.Namespace().Emit("said", values(args)...)
	}
	members := s.Of("/members")
	members.Use(func(_ context.Context, sock *socketio.Socket) error {
		var auth struct{ Token string }
		if err := sock.Handshake().DecodeAuth(&auth); err != nil || auth.Token != "secret" {
			return &socketio.ConnectError{Message: "not authorized", Data: map[string]any{"code": 401, "hint": "a token, please"}}
		}
		return nil
	})
	guarded := s.Of("/guarded")
	guarded.OnConnection(func(_ context.Context, sock *socketio.Socket) {
		sock.Use(func(_ context.Context, sock *socketio.Socket, e socketio.Event) error {
			if e.Name != "forbidden" {
				return nil
			}
			err := errors.New("that is forbidden")
			_ = sock.Emit("refused", err.Error())
			return err
		})
	})
	plain, quiet := s.Of("/plain"), s.Of("/quiet")
	for _, nsp := range []*socketio.Namespace{plain, members, guarded} {
		nsp.OnConnection(hello)
	}
	for _, nsp := range []*socketio.Namespace{plain, quiet, members, guarded} {
		nsp.Handle("echo", echo)
		nsp.Handle("all here", allHere)
		nsp.Handle("disconnect me", disconnect)
	}
	numbered := s.OfPattern(regexp.MustCompile(`^/room-\d+$`))
	numbered.OnConnection(hello)
	numbered.Handle("echo", echo)
	numbered.Handle("all here", allHere)
	locked := s.OfFunc(func(_ context.Context, name string, auth json.RawMessage) bool {
		var with struct{ Key string }
		return strings.HasPrefix(name, "/lock-") && json.Unmarshal(auth, &with) == nil && with.Key == name
	})
	locked.OnConnection(hello)
	locked.Handle("echo", echo)

	s.Of("/watched").OnAny(func(_ context.Context, sock *socketio.Socket, event string, args socketio.Args) {
		_ = sock.Emit("caught", event, values(args))
	})
}

func echo(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
	_ = ack.Send(values(args)...)
}

func disconnect(_ context.Context, sock *socketio.Socket, args socketio.Args, _ socketio.Ack) {
	sock.Disconnect(flag(args, 0))
}

// count returns a handler that calls f as many times as its argument says.
func count(f func(sock *socketio.Socket, i int)) socketio.Handler {
	return func(_ context.Context, sock *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		var n int
		_ = args.Decode(0, &n)
		for i := range n {
			f(sock, i)
		}
	}
}

// values returns arguments as they can be sent again.
func values(args socketio.Args) []any {
	list := make([]any, args.Len())
	for i := range list {
		_ = args.Decode(i, &list[i])
	}
	return list
}

// texts returns an argument that is a string or a list of them.
func texts(args socketio.Args, i int) []string {
	var list []string
	if args.Decode(i, &list) == nil {
		return list
	}
	var text string
	_ = args.Decode(i, &text)
	return []string{text}
}

func milliseconds(args socketio.Args, i int) time.Duration {
	var ms int
	_ = args.Decode(i, &ms)
	return time.Duration(ms) * time.Millisecond
}

func flag(args socketio.Args, i int) (set bool) {
	_ = args.Decode(i, &set)
	return set
}

// joined returns the rooms of a socket but its own.
func joined(sock *socketio.Socket) []string {
	rooms := slices.DeleteFunc(slices.Clone(sock.Rooms()), func(room string) bool { return room == sock.ID() })
	slices.Sort(rooms)
	return slices.AppendSeq(make([]string, 0, len(rooms)), slices.Values(rooms))
}
