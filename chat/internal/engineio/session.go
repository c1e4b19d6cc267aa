package engineio

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
	id        string
	handshake *Handshake
	done      chan struct{}
}

// ID returns the session id: 144 random bits in base64url. It is a secret of the client; do not log it.
func (s *Session) ID() string { return s.id }

// Handshake returns what is known of the request that opened the session.
func (s *Session) Handshake() *Handshake { return s.handshake }

// Done returns a channel that is closed when the session has ended, before Handler.Closed is called.
func (s *Session) Done() <-chan struct{} { return s.done }

// Transport returns the transport in use, which an upgrade changes.
func (s *Session) Transport() Transport { return Polling }

// Send queues m and reports whether the session was open to take it. It neither blocks nor allocates. True does not
// mean that the client received it. If m exceeds the bounds of the queue, the session is closed with
// [ReasonSlowClient].
func (s *Session) Send(m *Message) bool { return true }

// SendVolatile is Send for a message that may be lost: it is dropped, with result false, if the client is not ready to
// take it now, which is when earlier bytes are still waiting or when no poll is open.
func (s *Session) SendVolatile(m *Message) bool { return true }

// Close ends the session for the given reason. What was queued before is still delivered, within Config.SendTimeout.
// A session that has already ended keeps its first reason.
func (s *Session) Close(reason Reason) {}
