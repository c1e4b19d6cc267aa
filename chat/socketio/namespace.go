package socketio

import (
	"context"
	"sync/atomic"
	"time"
)

// Middleware decides whether a socket may connect to a namespace. An error refuses it: the client's connect_error gets
// the error's text, and the Data of a [ConnectError]. The context ends when the connection does.
//
// A socket in a middleware is not connected yet. It can join rooms and be given data; sending fails.
type Middleware func(ctx context.Context, s *Socket) error

// ConnectionHandler is called for each socket that has connected.
type ConnectionHandler func(ctx context.Context, s *Socket)

// Namespace is a part of the application with handlers, rooms and middleware of its own. One connection of a client
// carries as many namespaces as it likes. The main namespace is "/". All methods may be called at any time, from any
// goroutine.
type Namespace struct {
	handlers
	server *Server
	name   string
	parent *ParentNamespace // nil unless it was made for a client that asked for it

	middleware  hooks[Middleware]
	connections hooks[ConnectionHandler]
	roomEvents  hooks[func(RoomEvent)]
	adapter     adapter
	index       index
	ids         atomic.Uint64
	ready       chan struct{} // closed when the hooks for new namespaces have been called: clients wait for that

	// Guarded by the server's lock.
	kept  bool // was asked for by the application
	users int  // of a namespace that is not kept: sockets that are in it or about to be
}

func newNamespace(server *Server, name string, parent *ParentNamespace) *Namespace {
	n := &Namespace{server: server, name: name, parent: parent, ready: make(chan struct{})}
	n.adapter = localAdapter{n}
	if r := server.config.recovery; r != nil {
		n.index.history = newHistory(*r, server.config.pingInterval+2*server.config.pingTimeout, &server.crowd)
	}
	return n
}

// Name returns the namespace's name, which begins with a slash.
func (n *Namespace) Name() string { return n.name }

// Server returns the server that the namespace belongs to.
func (n *Namespace) Server() *Server { return n.server }

// Use adds a middleware that decides about sockets which connect from now on. They run one after another, in the order
// of their registration, and the first error is the last word. It returns a function that removes the middleware.
func (n *Namespace) Use(m Middleware) (off func()) { return n.middleware.add(m) }

// OnConnection adds a function that is called for each socket that connects from now on, before any of its events is
// handled. While it runs, events of that socket wait. It returns a function that removes it again.
func (n *Namespace) OnConnection(h ConnectionHandler) (off func()) { return n.connections.add(h) }

// OnRoomEvent adds a function that is told when rooms of this process come and go and when sockets join and leave them,
// from now on. Changes that are made at the same time may be told in another order. It returns a function that removes
// it again.
func (n *Namespace) OnRoomEvent(f func(RoomEvent)) (off func()) {
	n.index.mu.Lock()
	n.index.watched = true
	n.index.mu.Unlock()
	return n.roomEvents.add(f)
}

// Emit sends an event to all sockets of the namespace, see [Broadcast.Emit].
func (n *Namespace) Emit(event string, args ...any) error { return n.all().Emit(event, args...) }

// EmitWithAck sends an event to all sockets and waits for their acknowledgements, see [Broadcast.EmitWithAck].
func (n *Namespace) EmitWithAck(ctx context.Context, event string, args ...any) (Replies, error) {
	return n.all().EmitWithAck(ctx, event, args...)
}

// To chooses the sockets in any of the rooms.
func (n *Namespace) To(rooms ...string) Broadcast { return n.all().To(rooms...) }

// In is another name for To, which reads better before the methods that do not send.
func (n *Namespace) In(rooms ...string) Broadcast { return n.all().To(rooms...) }

// Except chooses all sockets but those in any of the rooms.
func (n *Namespace) Except(rooms ...string) Broadcast { return n.all().Except(rooms...) }

// Volatile chooses all sockets, for an event that may be lost, see [Broadcast.Volatile].
func (n *Namespace) Volatile() Broadcast { return n.all().Volatile() }

// Timeout chooses all sockets, and sets how long EmitWithAck waits for them, see [Broadcast.Timeout].
func (n *Namespace) Timeout(d time.Duration) Broadcast { return n.all().Timeout(d) }

// Local chooses all sockets of this process, see [Broadcast.Local].
func (n *Namespace) Local() Broadcast { return n.all().Local() }

// Sockets returns all sockets of this process, in no order.
func (n *Namespace) Sockets() []*Socket { return n.all().Sockets() }

// FetchSockets returns what is known of all sockets, see [Broadcast.FetchSockets].
func (n *Namespace) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return n.all().FetchSockets(ctx)
}

// SocketsJoin makes all sockets join rooms.
func (n *Namespace) SocketsJoin(rooms ...string) { n.all().SocketsJoin(rooms...) }

// SocketsLeave makes all sockets leave rooms.
func (n *Namespace) SocketsLeave(rooms ...string) { n.all().SocketsLeave(rooms...) }

// DisconnectSockets disconnects all sockets, see [Socket.Disconnect].
func (n *Namespace) DisconnectSockets(closeConnection bool) {
	n.all().DisconnectSockets(closeConnection)
}

// Socket returns the socket of this process with the given id, or nil.
func (n *Namespace) Socket(id string) *Socket {
	n.index.mu.RLock()
	defer n.index.mu.RUnlock()
	return n.index.sockets[id]
}

// Rooms returns how many sockets of this process are in each room. The rooms that sockets have under their own id are
// left out.
func (n *Namespace) Rooms() map[string]int {
	n.index.mu.RLock()
	defer n.index.mu.RUnlock()
	rooms := make(map[string]int, len(n.index.rooms))
	for name, r := range n.index.rooms {
		rooms[name] = len(r.members)
	}
	return rooms
}

func (n *Namespace) all() Broadcast { return Broadcast{nsp: n} }

// collect returns the sockets of a target.
func (n *Namespace) collect(t target) []*Socket {
	n.index.mu.RLock()
	defer n.index.mu.RUnlock()
	var sockets []*Socket
	n.index.each(t, func(s *Socket) { sockets = append(sockets, s) })
	return sockets
}

// nextID returns the id for an event that wants an acknowledgement. The ids are those of the namespace, as in Node, so
// that one can serve a broadcast.
func (n *Namespace) nextID() uint64 { return n.ids.Add(1) - 1 }
