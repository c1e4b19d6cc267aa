package socketio

import (
	"context"
	"time"
)

// adapter carries out what concerns many sockets of one namespace. This one knows the sockets of its own process; one
// for several nodes would pass everything on that is not local, and do the same.
type adapter interface {
	broadcast(e emission) error
	broadcastWithAck(ctx context.Context, e emission, timeout time.Duration) (Replies, error)
	fetchSockets(ctx context.Context, t target) ([]RemoteSocket, error)
	addSockets(t target, rooms []string)
	delSockets(t target, rooms []string)
	disconnectSockets(t target, closeConnection bool)
}

// emission is an event on its way to many sockets.
type emission struct {
	event    string
	args     []any
	target   target
	volatile bool
}

// localAdapter is the adapter of one process.
type localAdapter struct{ nsp *Namespace }

var _ adapter = localAdapter{}

func (a localAdapter) broadcast(e emission) error {
	out, err := a.nsp.server.encoders.event(a.nsp.name, nil, e.event, e.args, "")
	if err != nil {
		return err
	}
	m := out.message()
	a.deliver(e, func(s *Socket) { s.transmit(m, e.volatile) })
	return nil
}

// deliver calls send for the sockets of an emission, and then those who listen to what is sent.
func (a localAdapter) deliver(e emission, send func(*Socket)) {
	var listening []*Socket
	x := &a.nsp.index
	x.mu.RLock()
	x.each(e.target, func(s *Socket) {
		send(s)
		if s.hasOutgoing() {
			listening = append(listening, s)
		}
	})
	x.mu.RUnlock()
	for _, s := range listening {
		s.notifyOutgoing(e.event, e.args)
	}
}

// broadcastWithAck uses one id for all receivers, so that the event is the same for all and encoded once.
func (a localAdapter) broadcastWithAck(ctx context.Context, e emission, timeout time.Duration) (Replies, error) {
	id := a.nsp.nextID()
	out, err := a.nsp.server.encoders.event(a.nsp.name, &id, e.event, e.args, "")
	if err != nil {
		return Replies{}, err
	}
	m, replies := out.message(), newReplies()
	a.deliver(e, func(s *Socket) {
		replies.expect(s)
		err := s.acks.add(id, replies.answer, a.nsp.server.config.maxAcks)
		if err != nil || !s.transmit(m, e.volatile) && s.acks.take(id) != nil {
			replies.answer(s, Args{}, false)
		}
	})
	replies.sent()
	received, silent, err := replies.wait(ctx, timeout)
	for _, s := range silent {
		s.acks.take(id)
	}
	return received, err
}

func (a localAdapter) fetchSockets(_ context.Context, t target) ([]RemoteSocket, error) {
	sockets := a.nsp.collect(t)
	out := make([]RemoteSocket, len(sockets))
	for i, s := range sockets {
		out[i] = RemoteSocket{ID: s.id, Handshake: s.handshake, Rooms: s.Rooms(), Data: s.Data(), nsp: a.nsp}
	}
	return out, nil
}

func (a localAdapter) addSockets(t target, rooms []string) {
	for _, s := range a.nsp.collect(t) {
		s.Join(rooms...)
	}
}

func (a localAdapter) delSockets(t target, rooms []string) {
	for _, s := range a.nsp.collect(t) {
		s.Leave(rooms...)
	}
}

func (a localAdapter) disconnectSockets(t target, closeConnection bool) {
	for _, s := range a.nsp.collect(t) {
		s.Disconnect(closeConnection)
	}
}
