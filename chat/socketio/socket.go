package socketio

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// Socket is one client in one [Namespace]. All methods may be called from any goroutine, at any time, and none waits for
// the client unless it says so.
type Socket struct {
	id        string
	nsp       *Namespace
	conn      *conn
	handshake *Handshake
	ctx       context.Context // ends with the socket
	cancel    context.CancelCauseFunc

	state atomic.Int32 // of socketState
	own   atomic.Pointer[socketHooks]
	acks  acks
	inbox inbox

	member    membership // guarded by the namespace's index
	session   *session   // nil unless it can be recovered; what is in it is guarded by the namespace's index
	recovered bool

	mu     sync.Mutex
	data   any
	reason Reason // of its end, once the functions for that are being called
}

type socketState int32

const (
	socketConnecting socketState = iota
	socketConnected
	socketClosed
)

// socketHooks are the functions that were registered on one socket. Most sockets have none.
type socketHooks struct {
	handlers
	middleware    hooks[EventMiddleware]
	outgoing      hooks[OutgoingHandler]
	upgraded      hooks[func()]
	disconnecting hooks[func(Reason)]
	disconnect    hooks[func(Reason)]
}

// EventMiddleware decides whether an event of a socket reaches its handlers. An error refuses it: the client gets what
// [WithErrorAck] makes of the error, if it wants an acknowledgement.
type EventMiddleware func(ctx context.Context, s *Socket, e Event) error

// OutgoingHandler is called for every event that is sent to a socket, with the arguments as they were given.
type OutgoingHandler func(s *Socket, event string, args []any)

// ID returns the socket's id: random, and new with every connection unless its state was recovered. The client knows
// it as socket.id.
func (s *Socket) ID() string { return s.id }

// Namespace returns the namespace that the socket is in.
func (s *Socket) Namespace() *Namespace { return s.nsp }

// Handshake returns what the client said when it connected.
func (s *Socket) Handshake() *Handshake { return s.handshake }

// Context returns the socket's context, which ends when it disconnects: at once if the server wants it so, otherwise
// when the events that the client sent before have been handled, or half a second later.
func (s *Socket) Context() context.Context { return s.ctx }

// Connected reports whether the socket is connected.
func (s *Socket) Connected() bool { return socketState(s.state.Load()) == socketConnected }

// Recovered reports whether the socket goes on where its client was before it lost the connection, see [WithRecovery].
func (s *Socket) Recovered() bool { return s.recovered }

// Transport returns the name of the transport that the client uses now, "polling" or "websocket".
func (s *Socket) Transport() string { return string(s.conn.session.Transport()) }

// SetData keeps a value with the socket, in place of the one before.
func (s *Socket) SetData(v any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data = v
}

// Data returns what was given to SetData last, or nil.
func (s *Socket) Data() any {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.data
}

// Join adds the socket to rooms. It is in the rooms when the call returns.
func (s *Socket) Join(rooms ...string) {
	s.nsp.change(func(x *index) {
		for _, name := range rooms {
			x.join(s, name)
		}
	})
}

// Leave takes the socket out of rooms: what is sent to them after the call has returned does not reach it. It cannot
// leave the room of its own id.
func (s *Socket) Leave(rooms ...string) {
	s.nsp.change(func(x *index) {
		for _, name := range rooms {
			x.leave(s, name)
		}
	})
}

// Rooms returns the rooms that the socket is in, the one of its own id first. In a function for the socket's end they
// are those it was in; later there are none.
func (s *Socket) Rooms() []string {
	x := &s.nsp.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	if s.member.state == wasMember {
		return append([]string(nil), s.member.names...)
	}
	return s.roomNames()
}

// Emit sends an event to the client, see [Broadcast.Emit]. It returns [ErrDisconnected] when the socket is not connected.
func (s *Socket) Emit(event string, args ...any) error { return s.emit(event, args, false) }

// EmitVolatile is Emit for an event that may be lost: it is dropped if the client is not ready to take it, as when
// earlier ones are still waiting to be sent.
func (s *Socket) EmitVolatile(event string, args ...any) error { return s.emit(event, args, true) }

func (s *Socket) emit(event string, args []any, volatile bool) error {
	if s.nsp.index.history != nil && s.Connected() { // so that it can be sent again
		return s.nsp.adapter.broadcast(emission{event, args, target{narrowed: true, rooms: []string{s.id}}, volatile})
	}
	out, err := s.nsp.server.encoders.event(s.nsp.name, nil, event, args, "")
	if err != nil {
		return err
	}
	if !s.Connected() {
		return ErrDisconnected
	}
	s.notifyOutgoing(event, args)
	if !s.transmit(out.message(), volatile) && !volatile {
		return ErrDisconnected
	}
	return nil
}

// send sends a message, if the socket is connected.
func (s *Socket) send(m *engineio.Message) error {
	if !s.Connected() || !s.conn.session.Send(m) {
		return ErrDisconnected
	}
	return nil
}

// transmit hands a message to the connection. It allocates nothing and never blocks.
func (s *Socket) transmit(m *engineio.Message, volatile bool) bool {
	if volatile {
		return s.conn.session.SendVolatile(m)
	}
	return s.conn.session.Send(m)
}

// Broadcast chooses all sockets of the namespace but this one.
func (s *Socket) Broadcast() Broadcast { return s.nsp.Except(s.id) }

// To chooses the sockets in any of the rooms, but not this one.
func (s *Socket) To(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// In is another name for To.
func (s *Socket) In(rooms ...string) Broadcast { return s.Broadcast().To(rooms...) }

// Except chooses all sockets but this one and those in any of the rooms.
func (s *Socket) Except(rooms ...string) Broadcast { return s.Broadcast().Except(rooms...) }

// Handle registers a handler for an event of this socket and returns a function that removes it again, see
// [Namespace.Handle]. Where all sockets have the same handlers, register them on the [Namespace] instead, once.
func (s *Socket) Handle(event string, h Handler) (off func()) { return s.hooks().Handle(event, h) }

// Once is Handle for a handler that is called for the first of the events only.
func (s *Socket) Once(event string, h Handler) (off func()) {
	checkHandler(event, h)
	r := &s.hooks().handlers
	var first Handler
	first = func(ctx context.Context, s *Socket, args Args, ack Ack) {
		r.remove(event, &first)
		h(ctx, s, args, ack)
	}
	r.add(event, &first)
	return func() { r.remove(event, &first) }
}

// OnAny registers a handler for all events of this socket and returns a function that removes it again.
func (s *Socket) OnAny(h AnyHandler) (off func()) { return s.hooks().OnAny(h) }

// Off removes all handlers of the events named, or of all events if none is, that were registered on this socket.
func (s *Socket) Off(events ...string) { s.hooks().Off(events...) }

// Events returns the names of the events that have a handler registered on this socket.
func (s *Socket) Events() []string { return s.hooks().Events() }

// OnAnyOutgoing registers a function that is called for every event that is sent to this socket, and returns a function
// that removes it again.
func (s *Socket) OnAnyOutgoing(h OutgoingHandler) (off func()) { return s.hooks().outgoing.add(h) }

// Use adds a middleware for the events of this socket and returns a function that removes it again. They run one after
// another before the handlers, in the order of their registration, and the first error is the last word.
func (s *Socket) Use(m EventMiddleware) (off func()) { return s.hooks().middleware.add(m) }

// OnUpgrade registers a function that is called when the client moves from long-polling to WebSocket, and returns a
// function that removes it again. If it has done so already, which [Socket.Transport] tells, the function is not called.
func (s *Socket) OnUpgrade(f func()) (off func()) { return s.hooks().upgraded.add(f) }

// OnDisconnecting registers a function that is called when the socket has disconnected, before those of OnDisconnect.
// Rooms still returns the rooms that it was in.
func (s *Socket) OnDisconnecting(f func(Reason)) (off func()) {
	return s.onEnd(&s.hooks().disconnecting, f)
}

// OnDisconnect registers a function that is called when the socket has disconnected. It is called once, after the
// handlers of the events that the client sent before; at the latest half a second after the disconnection, when a
// handler takes longer. No handler begins after it.
func (s *Socket) OnDisconnect(f func(Reason)) (off func()) {
	return s.onEnd(&s.hooks().disconnect, f)
}

// Disconnect makes the socket leave its namespace: the client is told and does not reconnect by itself. With
// closeConnection it does so for all namespaces of the client, and closes the connection. It does not wait for the
// functions registered with OnDisconnect.
func (s *Socket) Disconnect(closeConnection bool) {
	if closeConnection {
		s.conn.disconnect()
	} else {
		s.kick()
	}
}

// CloseConnection closes the client's connection, with all of its namespaces, after what is queued for it has been sent.
// Unlike after Disconnect, a stock client takes this for a failure and reconnects.
func (s *Socket) CloseConnection() { s.conn.close(ReasonForcedClose) }

// hooks returns the socket's own functions, making room for them at the first call.
func (s *Socket) hooks() *socketHooks {
	if h := s.own.Load(); h != nil {
		return h
	}
	s.own.CompareAndSwap(nil, &socketHooks{})
	return s.own.Load()
}

func (s *Socket) hasOutgoing() bool {
	own := s.own.Load()
	return own != nil && len(own.outgoing.all()) > 0
}

// notifyOutgoing calls those who listen to what is sent.
func (s *Socket) notifyOutgoing(event string, args []any) {
	own := s.own.Load()
	if own == nil {
		return
	}
	for _, f := range own.outgoing.all() {
		s.protect("outgoing listener", func() { (*f)(s, event, args) })
	}
}

// protect calls user code, see [conn.protect].
func (s *Socket) protect(what string, f func()) { s.conn.protect(what, f) }
