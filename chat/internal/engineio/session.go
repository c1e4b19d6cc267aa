package engineio

import (
	"sync"
	"sync/atomic"
	"time"
)

// Handler receives what arrives on one [Session]. Text and Binary are called one at a time and in order. Either may
// block: no more is read from that client meanwhile, and the heartbeat's clock stands still. A panic in a Handler ends
// its session only.
type Handler interface {
	// Text receives the content of a text message, valid UTF-8 without U+0000. The slice is the handler's to keep.
	Text(data []byte)
	// Binary receives a binary message. The slice is the handler's to keep.
	Binary(data []byte)
	// Closed is called exactly once, after [Session.Done] was closed and the last Text or Binary has returned, in a
	// goroutine of its own. Text and Binary are not called again.
	Closed(reason Reason)
}

// Pulse may be implemented by a [Handler] that wants to know what has reached the client. Pinged is called when a ping was
// queued, behind all that was sent before; Ponged when the client has answered it, so that all of that has arrived. They
// are called with the session locked: they must not block, nor call the session.
type Pulse interface {
	Pinged()
	Ponged()
}

// Upgrader may be implemented by a [Handler] that wants to know when its client has moved from polling to WebSocket.
// Upgraded is called like Text and Binary: one at a time with them, and before what comes over the WebSocket.
type Upgrader interface {
	Upgraded()
}

// Reason says why a session ended. Where the reference implementation has a word for it, it is that word.
type Reason string

// The reasons.
const (
	ReasonTransportClose Reason = "transport close"      // the client closed the connection or sent a close packet
	ReasonTransportError Reason = "transport error"      // the connection failed, or the transport was misused
	ReasonPingTimeout    Reason = "ping timeout"         // no pong within Config.PingTimeout
	ReasonParseError     Reason = "parse error"          // the client sent what is not a packet
	ReasonForcedClose    Reason = "forced close"         // closed by the server, or a Handler panicked
	ReasonServerShutdown Reason = "server shutting down" // [Server.Shutdown]
	ReasonSlowClient     Reason = "slow client"          // the queue exceeded a bound; Node has no such reason
)

// Session is the connection of one client, over whichever transport. All methods may be called from any goroutine,
// also within a Handler, and none of them blocks.
type Session struct {
	srv       *Server
	id        string
	handshake *Handshake
	done      chan struct{}

	callbacks sync.Mutex // held while the handler runs
	handler   Handler
	handling  atomic.Int64 // Server.now() when Text or Binary was called, 0 if neither is running

	mu      sync.Mutex
	live    bool          // open has admitted it and end has not ended it
	ended   Reason        // why it is not live any more
	lingers bool          // ended, and the last packets wait for a poll
	until   time.Duration // how long they do, by the server's clock
	queue   queue
	packets int   // in queue
	bytes   int   // in queue, and left over from a write that is not finished
	wire    *wire // the WebSocket in use; nil on polling
	probe   *wire // the WebSocket that wants to take over
	polling polling
	beat    heartbeat
	pulse   Pulse // nil unless the handler is one
	timer   *time.Timer
}

func (srv *Server) newSession(h *Handshake) *Session {
	return &Session{srv: srv, id: newID(), handshake: h, done: make(chan struct{})}
}

// open registers the session, queues the open packet and asks the host for the handler. The session is on polling if w
// is nil. It returns false if the server takes no more sessions.
func (s *Session) open(w *wire) bool {
	transport := Polling
	if w != nil {
		transport = WebSocket
	}
	// Once admitted, the session may be ended at any time. Closed then has to wait until there is a handler to be told.
	s.callbacks.Lock()
	defer s.callbacks.Unlock()
	s.mu.Lock()
	s.live = true
	s.wire = w
	s.startTimer()
	s.enqueue(s.srv.openPacket(s.id, transport))
	s.mu.Unlock()
	admitted := s.srv.admitSession(s)
	if admitted {
		s.callHost()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if admitted {
		s.wake()
	} else {
		s.live = false
		s.timer.Stop()
		s.drop()
	}
	return admitted
}

// callHost asks the host for the handler. s.callbacks is held.
func (s *Session) callHost() {
	defer s.srv.recovered("OnSession", s)
	s.handler = s.srv.cfg.OnSession(s)
	if s.handler == nil {
		s.end(ReasonForcedClose, endDrop)
	}
	if pulse, ok := s.handler.(Pulse); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.pulse = pulse
	}
}

// ID returns the session id: 144 random bits in base64url. It is a secret of the client; do not log it.
func (s *Session) ID() string { return s.id }

// Handshake returns what is known of the request that opened the session.
func (s *Session) Handshake() *Handshake { return s.handshake }

// Done returns a channel that is closed when the session has ended, before Handler.Closed is called.
func (s *Session) Done() <-chan struct{} { return s.done }

// Transport returns the transport in use, which an upgrade changes.
func (s *Session) Transport() Transport {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.wire != nil {
		return WebSocket
	}
	return Polling
}

// Send queues m and reports whether the session was open to take it. It neither blocks nor allocates. True does not
// mean that the client received it. If m exceeds the bounds of the queue, the session is closed with
// [ReasonSlowClient].
func (s *Session) Send(m *Message) bool {
	s.mu.Lock()
	if !s.live {
		s.mu.Unlock()
		return false
	}
	if s.full(m) {
		s.mu.Unlock()
		s.end(ReasonSlowClient, endDrop)
		return false
	}
	s.push(m)
	s.mu.Unlock()
	return true
}

// SendVolatile is Send for a message that may be lost: it is dropped, with result false, if the client is not ready to
// take it now, which is when it is still taking earlier bytes or when no poll is open.
func (s *Session) SendVolatile(m *Message) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	ready := s.polling.get && s.polling.writing == 0
	if s.wire != nil {
		ready = !s.wire.busy
	}
	if !s.live || !ready || s.full(m) {
		return false
	}
	s.push(m)
	return true
}

// Close ends the session for the given reason. What was queued before is still delivered, within Config.SendTimeout.
// A session that has already ended keeps its first reason.
func (s *Session) Close(reason Reason) { s.end(reason, endFlush) }

// full tells whether the queue has no room for m. An empty queue takes any message: its bytes are shared, so what
// bounds memory is what is behind it.
func (s *Session) full(m *Message) bool {
	return s.packets > 0 && s.packets+len(m.packets) > s.srv.cfg.MaxBufferPackets ||
		s.bytes > 0 && s.bytes+len(m.frames) > s.srv.cfg.MaxBufferBytes
}

// push queues m and has it sent. s.mu is held.
func (s *Session) push(m *Message) {
	s.enqueue(m)
	s.wake()
}

// enqueue appends m to the queue. s.mu is held.
func (s *Session) enqueue(m *Message) {
	s.queue.push(&s.srv.chunks, m)
	s.packets += len(m.packets)
	s.bytes += len(m.frames)
}

// wake tells whoever sends for the session that there is something to send. s.mu is held.
func (s *Session) wake() {
	if s.wire != nil {
		s.wire.kick()
	} else {
		s.polling.notify()
	}
}

// pop takes the oldest message off the queue, which must not be empty. s.mu is held.
func (s *Session) pop() *Message {
	m := s.queue.pop(&s.srv.chunks)
	s.packets -= len(m.packets)
	s.bytes -= len(m.frames)
	return m
}

// drop empties the queue. s.mu is held.
func (s *Session) drop() {
	for s.queue.len > 0 {
		s.pop()
	}
}

// ending says what becomes of the queue and of the connection when a session ends.
type ending uint8

const (
	endFlush ending = iota // what is queued goes out, then the goodbye
	endDrop                // the goodbye goes out and nothing else
	endGone                // the client said goodbye itself, or is gone; what is queued may still reach it
)

// end closes the session for good. Only the first call has an effect.
func (s *Session) end(reason Reason, how ending) {
	s.mu.Lock()
	s.endLocked(reason, how)
}

// endPolling is end for an HTTP request that went wrong. A session that has moved to WebSocket meanwhile has nothing to
// do with it any more.
func (s *Session) endPolling(reason Reason, how ending) {
	s.mu.Lock()
	if s.wire != nil {
		s.mu.Unlock()
		return
	}
	s.endLocked(reason, how)
}

// endLocked is end with s.mu held, which it unlocks.
func (s *Session) endLocked(reason Reason, how ending) {
	if !s.live {
		s.mu.Unlock()
		return
	}
	s.live = false
	s.ended = reason
	close(s.done)
	s.timer.Stop()
	if how == endDrop || how == endGone && s.wire == nil {
		s.drop()
	}
	// A client that has been answered its probe does not poll any more: what is queued can reach it on the WebSocket alone.
	if s.probe != nil && !(how == endFlush && s.probe.probed && s.queue.len > 0) {
		s.dropProbe(reason)
	}
	if s.wire != nil {
		s.wire.finish(closeFrameFor(reason), how)
	} else {
		s.finishPolling(how)
	}
	lingers := s.lingers
	s.mu.Unlock()

	s.srv.release(s, lingers)
	go s.closed(reason)
}

// closed tells the handler. It runs once, in a goroutine of its own, since end may be called from anywhere, also from
// within the handler or by somebody who holds locks that the handler wants.
func (s *Session) closed(reason Reason) {
	defer s.srv.wg.Done()
	s.callbacks.Lock()
	defer s.callbacks.Unlock()
	if s.handler != nil { // OnSession returned
		defer s.srv.recovered("Handler.Closed", nil)
		s.handler.Closed(reason)
	}
}

// receive handles one packet from the client. It returns false if the session ended, be it through this packet.
func (s *Session) receive(t packetType, data []byte) bool {
	switch t {
	case packetMessage:
		return s.deliver(data, false)
	case packetBinary:
		return s.deliver(data, true)
	case packetPong:
		return s.pong()
	case packetClose:
		s.end(ReasonTransportClose, endGone)
	case packetPing: // only servers ping since protocol v4
		s.end(ReasonTransportError, endDrop)
	case packetNoop:
		return s.alive()
	default: // open and upgrade have no place here
		s.end(ReasonParseError, endDrop)
	}
	return false
}

// deliver hands a message to the handler, which may block.
func (s *Session) deliver(data []byte, binary bool) bool {
	s.callbacks.Lock()
	defer s.callbacks.Unlock()
	if !s.alive() {
		return false
	}
	s.handling.Store(int64(s.srv.now()))
	defer s.resume()
	defer s.srv.recovered("Handler", s)
	if binary {
		s.handler.Binary(data)
	} else {
		s.handler.Text(data)
	}
	return true
}
