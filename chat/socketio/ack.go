package socketio

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Ack acknowledges one incoming event. It may be kept and used after the handler has returned, by any goroutine. The
// zero value acknowledges nothing.
type Ack struct {
	socket *Socket
	packet *packet // what is acknowledged
}

// Wanted reports whether the client asked for an acknowledgement and none was sent yet.
func (a Ack) Wanted() bool { return a.socket != nil && !a.packet.acked.Load() }

// Send acknowledges the event: the arguments become those of the client's callback. It does nothing if the client did
// not ask for it. It returns [ErrAckSent] if that was done before, [ErrDisconnected] if the client is gone, or an error
// if an argument cannot be encoded. It does not block.
func (a Ack) Send(args ...any) error {
	if a.socket == nil {
		return nil
	}
	if a.packet.acked.Load() {
		return ErrAckSent
	}
	nsp := a.socket.nsp
	out, err := nsp.server.encoders.ack(nsp.name, a.packet.id, args)
	if err != nil {
		return err
	}
	if !a.packet.acked.CompareAndSwap(false, true) {
		return ErrAckSent
	}
	return a.socket.send(out.message())
}

// ackError tells the client about the error of a handler or a middleware.
func (s *Socket) ackError(ctx context.Context, event string, err error, ack Ack) {
	payload, ok := s.nsp.server.config.errorAck(ctx, s, event, err)
	if !ok || !ack.Wanted() {
		return
	}
	if err := ack.Send(payload); err != nil {
		s.logAck(ctx, event, err)
	}
}

// logAck logs an acknowledgement that could not be sent, unless that is because the client has gone.
func (s *Socket) logAck(ctx context.Context, event string, err error) {
	if !errors.Is(err, ErrDisconnected) {
		s.nsp.server.config.logger.ErrorContext(ctx, "socketio: acknowledgement not sent",
			"namespace", s.nsp.name, "socket", s.id, "event", event, "error", err)
	}
}

// acks are the acknowledgements that a client owes.
type acks struct {
	mu      sync.Mutex
	waiting map[uint64]ackWaiter
	closed  bool
}

// ackWaiter is told of an acknowledgement, or with ok false that none will come. It must not block.
type ackWaiter func(s *Socket, args Args, ok bool)

// add registers a waiter under an id.
func (a *acks) add(id uint64, w ackWaiter, most int) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return ErrDisconnected
	}
	if len(a.waiting) >= most {
		return ErrTooManyAcks
	}
	if a.waiting == nil {
		a.waiting = make(map[uint64]ackWaiter)
	}
	a.waiting[id] = w
	return nil
}

// take removes and returns the waiter for an id, or nil if there is none (any more).
func (a *acks) take(id uint64) ackWaiter {
	a.mu.Lock()
	defer a.mu.Unlock()
	w := a.waiting[id]
	delete(a.waiting, id)
	return w
}

// close tells all waiters that nothing will come.
func (a *acks) close(s *Socket) {
	a.mu.Lock()
	waiting := a.waiting
	a.waiting, a.closed = nil, true
	a.mu.Unlock()
	for _, w := range waiting {
		w(s, Args{}, false)
	}
}

// EmitWithAck sends an event to the client and waits for its acknowledgement, whose arguments it returns. It gives up
// when ctx ends, with ctx's error wrapped, or when the socket disconnects, with [ErrDisconnected]; without a deadline
// it waits as long as the client is there.
//
// A handler that asks its own client should have a deadline: when the client has sent more than [WithMaxQueuedBytes]
// behind the event that is being handled, nothing more is read from it, the acknowledgement neither.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	id := s.nsp.nextID()
	out, err := s.nsp.server.encoders.event(s.nsp.name, &id, event, args, "")
	if err != nil {
		return Args{}, err
	}
	type answer struct {
		args Args
		ok   bool
	}
	answers := make(chan answer, 1)
	err = s.acks.add(id, func(_ *Socket, args Args, ok bool) { answers <- answer{args, ok} }, s.nsp.server.config.maxAcks)
	if err != nil {
		return Args{}, err
	}
	s.notifyOutgoing(event, args)
	if err := s.send(out.message()); err != nil {
		s.acks.take(id)
		return Args{}, err
	}
	select {
	case a := <-answers:
		if !a.ok {
			return Args{}, ErrDisconnected
		}
		return a.args, nil
	case <-ctx.Done():
		s.acks.take(id)
		return Args{}, fmt.Errorf("socketio: acknowledgement of %q: %w", event, context.Cause(ctx))
	}
}

// Reply is what one client acknowledged of a broadcast.
type Reply struct {
	// SocketID is the id of the client's socket.
	SocketID string
	// Args are the arguments of the acknowledgement.
	Args Args
}

// Replies are the acknowledgements of a broadcast.
type Replies struct {
	// Received are those that came, in the order of their arrival.
	Received []Reply
	// Missing are the ids of the sockets that did not acknowledge.
	Missing []string
}

// replies collects the acknowledgements of one broadcast.
type replies struct {
	mu       sync.Mutex
	received []Reply
	waiting  map[*Socket]struct{}
	lost     []string
	cause    error // why the first of them was lost
	complete bool  // all receivers are known
	done     chan struct{}
}

// errDropped says that a volatile event was not sent.
var errDropped = errors.New("volatile event was dropped")

func newReplies() *replies {
	return &replies{waiting: make(map[*Socket]struct{}), done: make(chan struct{})}
}

// expect adds a receiver.
func (r *replies) expect(s *Socket) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.waiting[s] = struct{}{}
}

// answer is the [ackWaiter] of all receivers.
func (r *replies) answer(s *Socket, args Args, ok bool) {
	if !ok {
		r.lose(s, ErrDisconnected)
		return
	}
	r.settle(s, func() { r.received = append(r.received, Reply{SocketID: s.id, Args: args}) })
}

// lose notes that a receiver will not answer.
func (r *replies) lose(s *Socket, why error) {
	r.settle(s, func() {
		r.lost = append(r.lost, s.id)
		if r.cause == nil {
			r.cause = why
		}
	})
}

// settle takes note of what became of a receiver, unless it is too late.
func (r *replies) settle(s *Socket, note func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, expected := r.waiting[s]; !expected {
		return
	}
	delete(r.waiting, s)
	note()
	r.check()
}

// sent says that all receivers are known.
func (r *replies) sent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.complete = true
	r.check()
}

func (r *replies) check() {
	if r.complete && len(r.waiting) == 0 {
		close(r.done)
	}
}

// wait returns what came until all have answered, the time is over or ctx ends.
func (r *replies) wait(ctx context.Context, timeout time.Duration) (Replies, []*Socket, error) {
	if timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, timeout)
		defer cancel()
	}
	var cause error
	select {
	case <-r.done:
	case <-ctx.Done():
		cause = context.Cause(ctx)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	out := Replies{Received: r.received, Missing: r.lost}
	var silent []*Socket
	for s := range r.waiting {
		silent = append(silent, s)
		out.Missing = append(out.Missing, s.id)
	}
	clear(r.waiting) // what comes now is too late
	if len(out.Missing) == 0 {
		return out, silent, nil
	}
	if cause == nil || len(silent) == 0 {
		cause = r.cause
	}
	err := fmt.Errorf("socketio: %d of %d clients did not acknowledge: %w",
		len(out.Missing), len(out.Missing)+len(out.Received), cause)
	return out, silent, err
}
