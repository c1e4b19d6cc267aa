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
	x, offset := &a.nsp.index, ""
	if x.history != nil {
		offset = noOffset
	}
	out, err := a.nsp.server.encoders.event(a.nsp.name, nil, e.event, e.args, offset)
	if err != nil {
		return err
	}
	var listening []*Socket
	if x.history == nil {
		m := out.message()
		listening = a.deliver(e, func(s *Socket) { s.transmit(m, e.volatile) })
	} else {
		listening = a.deliverRecorded(e, out)
	}
	notify(listening, e)
	return nil
}

// deliver calls send for the sockets of an emission. It returns those who listen to what is sent.
func (a localAdapter) deliver(e emission, send func(*Socket)) (listening []*Socket) {
	x := &a.nsp.index
	x.mu.RLock()
	defer x.mu.RUnlock()
	x.each(e.target, func(s *Socket) {
		send(s)
		if s.hasOutgoing() {
			listening = append(listening, s)
		}
	})
	return listening
}

// deliverRecorded is deliver for an event that clients can recover. It takes its position and its place in each buffer
// in one step, so that nobody gets a later one first.
func (a localAdapter) deliverRecorded(e emission, out *draft) (listening []*Socket) {
	x := &a.nsp.index
	x.mu.Lock()
	defer x.mu.Unlock()
	m := x.history.record(out, e.target, e.volatile)
	x.each(e.target, func(s *Socket) {
		s.transmit(m, e.volatile)
		if s.hasOutgoing() {
			listening = append(listening, s)
		}
	})
	x.history.settled.Store(x.history.position)
	x.history.startSweeper(a.nsp)
	return listening
}

// notify calls those who listen to what is sent, without any lock.
func notify(listening []*Socket, e emission) {
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
	notify(a.deliver(e, func(s *Socket) {
		replies.expect(s)
		err := s.acks.add(id, replies.answer, a.nsp.server.config.maxAcks)
		if err == nil && !s.transmit(m, e.volatile) && s.acks.take(id) != nil {
			err = ErrDisconnected
			if e.volatile {
				err = errDropped
			}
		}
		if err != nil {
			replies.lose(s, err)
		}
	}), e)
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
	a.absent(t, func(h *history, v *session) {
		for _, room := range rooms {
			v.enter(room, h.position, h.floor)
		}
	})
}

func (a localAdapter) delSockets(t target, rooms []string) {
	for _, s := range a.nsp.collect(t) {
		s.Leave(rooms...)
	}
	a.absent(t, func(h *history, v *session) {
		for _, room := range rooms {
			v.exit(room, h.position)
		}
	})
}

func (a localAdapter) disconnectSockets(t target, closeConnection bool) {
	for _, s := range a.nsp.collect(t) {
		s.Disconnect(closeConnection)
	}
	a.absent(t, func(h *history, v *session) { h.drop(v) })
}

// absent calls f for the sockets of a target whose clients are away and may come back.
func (a localAdapter) absent(t target, f func(*history, *session)) {
	x := &a.nsp.index
	if x.history == nil {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, v := range x.history.absent(t) {
		f(x.history, v)
	}
}
