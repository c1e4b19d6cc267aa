package socketio

import (
	"context"
	"slices"
	"time"
)

// Broadcast is a choice of sockets of one namespace, and what to do with them. It is a value: each method that narrows
// or widens the choice returns a new one, so a Broadcast may be kept, shared and used any number of times.
//
//	srv.To("room1", "room2").Except("room3").Emit("news", item)
//
// Until rooms are added it means all sockets of the namespace. A socket in several of the rooms is meant once.
type Broadcast struct {
	nsp      *Namespace
	target   target
	volatile bool
	timeout  time.Duration
}

// To adds rooms: instead of all sockets, those in any of the rooms are meant. The id of a socket is a room that this
// socket is in. An empty list of rooms adds none, and does not mean everybody.
func (b Broadcast) To(rooms ...string) Broadcast {
	b.target.narrowed = true
	b.target.rooms = slices.Concat(b.target.rooms, rooms)
	return b
}

// In is another name for To, which reads better before the methods that do not send.
func (b Broadcast) In(rooms ...string) Broadcast { return b.To(rooms...) }

// Except takes out the sockets in any of the rooms.
func (b Broadcast) Except(rooms ...string) Broadcast {
	b.target.except = slices.Concat(b.target.except, rooms)
	return b
}

// Volatile lets events be dropped for sockets that are not ready to take them, as when earlier ones are still waiting
// to be sent: for what is out of date soon, like positions.
func (b Broadcast) Volatile() Broadcast {
	b.volatile = true
	return b
}

// Timeout sets how long EmitWithAck waits, besides the deadline of its context. Defaults to no limit of its own.
func (b Broadcast) Timeout(d time.Duration) Broadcast {
	b.timeout = d
	return b
}

// Local means the sockets of this process alone, when there are several.
func (b Broadcast) Local() Broadcast {
	b.target.local = true
	return b
}

// Emit sends an event to the sockets. It is encoded once, queued for each of them, and does not block. Binary data ([]byte) anywhere
// in the arguments travels as such; everything else is encoded by encoding/json. The error says why it could not be
// encoded, or is [ErrReservedEvent].
func (b Broadcast) Emit(event string, args ...any) error {
	return b.nsp.adapter.broadcast(emission{event, args, b.target, b.volatile})
}

// EmitWithAck sends an event to the sockets and waits for their acknowledgements, until all have come or their sockets
// are gone, the time is over ([Broadcast.Timeout]) or ctx ends. The replies that came are returned in any case; the error
// is nil if none is missing. It wraps [context.DeadlineExceeded] or ctx's cause; or, if it was not time that was lacking,
// why the first of the missing replies could not come: [ErrDisconnected] for a socket that is gone, [ErrTooManyAcks] for a
// client that owes too many already.
func (b Broadcast) EmitWithAck(ctx context.Context, event string, args ...any) (Replies, error) {
	return b.nsp.adapter.broadcastWithAck(ctx, emission{event, args, b.target, b.volatile}, b.timeout)
}

// Sockets returns the sockets of this process, in no order.
func (b Broadcast) Sockets() []*Socket { return b.nsp.collect(b.target) }

// FetchSockets returns what is known of the sockets, on all nodes where there are several.
func (b Broadcast) FetchSockets(ctx context.Context) ([]RemoteSocket, error) {
	return b.nsp.adapter.fetchSockets(ctx, b.target)
}

// SocketsJoin makes the sockets join rooms.
func (b Broadcast) SocketsJoin(rooms ...string) { b.nsp.adapter.addSockets(b.target, rooms) }

// SocketsLeave makes the sockets leave rooms.
func (b Broadcast) SocketsLeave(rooms ...string) { b.nsp.adapter.delSockets(b.target, rooms) }

// DisconnectSockets disconnects the sockets, see [Socket.Disconnect].
func (b Broadcast) DisconnectSockets(closeConnection bool) {
	b.nsp.adapter.disconnectSockets(b.target, closeConnection)
}

// RemoteSocket is what is known of a socket that may be of another node.
type RemoteSocket struct {
	// ID is the socket's id.
	ID string
	// Handshake is what its client said when it connected.
	Handshake *Handshake
	// Rooms are the rooms it was in, its own first.
	Rooms []string
	// Data is what was given to [Socket.SetData].
	Data any

	nsp *Namespace
}

// Emit sends an event to the socket, see [Broadcast.Emit].
func (r RemoteSocket) Emit(event string, args ...any) error {
	return r.nsp.To(r.ID).Emit(event, args...)
}

// Join makes the socket join rooms.
func (r RemoteSocket) Join(rooms ...string) { r.nsp.In(r.ID).SocketsJoin(rooms...) }

// Leave makes the socket leave rooms.
func (r RemoteSocket) Leave(rooms ...string) { r.nsp.In(r.ID).SocketsLeave(rooms...) }

// Disconnect disconnects the socket, see [Socket.Disconnect].
func (r RemoteSocket) Disconnect(closeConnection bool) {
	r.nsp.In(r.ID).DisconnectSockets(closeConnection)
}
