package socketio

import (
	"sync"
	"time"
)

// disconnectGrace is how long the handlers of events that came before a disconnection may take, before the functions
// for it are called regardless.
const disconnectGrace = 500 * time.Millisecond

// inbox holds the events of one socket that wait for their handlers. A goroutine works on it while there are any, so
// an idle socket has none.
type inbox struct {
	mu      sync.Mutex
	first   *packet // the events, linked by packet.next
	last    *packet
	bytes   int
	working bool          // a goroutine is at it
	closed  bool          // takes no more
	space   chan struct{} // closed when something changes; nil if nobody waits
	drained func()        // to be called when the goroutine is through
}

// put adds an event. If there is no room it returns a channel that is closed when it is worth trying again. With start
// true the caller has to start a goroutine that works on the inbox.
func (q *inbox) put(p *packet, most int) (start bool, wait <-chan struct{}) {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch {
	case q.closed:
		return false, nil
	case q.bytes > 0 && q.bytes+p.cost() > most:
		if q.space == nil {
			q.space = make(chan struct{})
		}
		return false, q.space
	}
	if q.first == nil {
		q.first = p
	} else {
		q.last.next = p
	}
	q.last = p
	q.bytes += p.cost()
	start = !q.working
	q.working = true
	return start, nil
}

// next returns the next event, or nil when there is none and the goroutine has to end.
func (q *inbox) next() *packet {
	q.mu.Lock()
	if p := q.first; p != nil {
		defer q.mu.Unlock()
		q.first, p.next = p.next, nil
		q.bytes -= p.cost()
		q.wake()
		return p
	}
	q.last, q.working = nil, false
	drained := q.drained
	q.drained = nil
	q.mu.Unlock()
	if drained != nil {
		drained()
	}
	return nil
}

// close ends the inbox: it takes no more, and with drop true forgets what waits. It returns true if no goroutine is at
// work; otherwise that goroutine calls drained when it is through.
func (q *inbox) close(drop bool, drained func()) (idle bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	if drop {
		q.first, q.bytes = nil, 0
	}
	q.wake()
	if !q.working {
		return true
	}
	q.drained = drained
	return false
}

// drop forgets what waits.
func (q *inbox) drop() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.first, q.bytes, q.drained = nil, 0, nil
}

func (q *inbox) wake() {
	if q.space != nil {
		close(q.space)
		q.space = nil
	}
}

// receive takes an event from the connection. When the socket has too many waiting, it holds the connection back until
// there is room: neither the session's heartbeat nor anybody else minds.
func (s *Socket) receive(p *packet) {
	for {
		start, wait := s.inbox.put(p, s.nsp.server.config.maxQueuedBytes)
		if start {
			s.nsp.server.workers.start(s)
		}
		if wait == nil {
			return
		}
		select {
		case <-wait:
		case <-s.conn.session.Done():
			return
		}
	}
}

// work handles events until there are none.
func (s *Socket) work() {
	for p := s.inbox.next(); p != nil; p = s.inbox.next() {
		s.protect("event handler", func() { s.handle(p) })
	}
}

// handle calls the middleware and the handlers for an event.
func (s *Socket) handle(p *packet) {
	e := Event{Name: p.event, Args: p.args}
	if p.hasID {
		e.Ack = Ack{socket: s, packet: p}
	}
	own := s.own.Load()
	if own != nil {
		for _, m := range own.middleware.all() {
			if err := (*m)(s.ctx, s, e); err != nil {
				s.ackError(s.ctx, e.Name, err, e.Ack)
				return
			}
		}
	}
	var lists [3]*handlers
	from := lists[:0]
	if s.nsp.parent != nil {
		from = append(from, &s.nsp.parent.handlers)
	}
	from = append(from, &s.nsp.handlers)
	if own != nil {
		from = append(from, &own.handlers)
	}
	for _, list := range from {
		for _, h := range list.anyHandlers() {
			(*h)(s.ctx, s, e.Name, e.Args)
		}
	}
	for _, list := range from {
		for _, h := range list.of(e.Name) {
			(*h)(s.ctx, s, e.Args, e.Ack)
		}
	}
}
