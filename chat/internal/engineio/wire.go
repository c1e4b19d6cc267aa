package engineio

import (
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

const (
	// lingerTime is how long a closed connection waits for the client's own close, so that what was sent last is not
	// lost to a reset.
	lingerTime = time.Second
	// maxControlBytes bounds the control frames that wait for a client which makes the server answer pings and does
	// not read the answers.
	maxControlBytes = 4 << 10
)

// errDataFrame says that gorilla or Melody tried to send data past the queue, which nothing here makes them do.
var errDataFrame = errors.New("engineio: data frame outside of the queue")

// wire is a hijacked connection as gorilla and Melody see it. After the handshake it never lets them write to the
// socket: what they write are control frames, and these wait for the flusher like everything else, so that frames never
// mix and only one goroutine writes at a time. Deadlines that they set are ignored then, the session has its own.
type wire struct {
	net.Conn
	session *Session
	raw     syscall.RawConn // nil if writes may block; then a goroutine writes while there is something to write
	shard   *shard
	next    *wire // in the shard's list
	opens   bool  // the connection opened its session, rather than probing for it

	// The goroutine that reads is the only one to touch these.
	upgraded bool // the session receives from this connection
	probed   bool
	over     bool // the client has closed, or the connection is broken
	frames   frameScanner
	held     int64         // taken from the budget for a message that is not complete
	patience time.Duration // how long the client may take for what it is at, 0 for ever

	// Session.mu guards these.
	framed  bool          // the handshake is done
	dirty   bool          // in the shard's list
	busy    bool          // a goroutine writes
	dead    bool          // nothing can be written any more
	control []byte        // control frames that wait; they go before data
	closing []byte        // the close frame, which goes after everything
	said    bool          // the close frame was taken to be written
	out     bool          // the close frame has been written
	until   time.Duration // when a connection that is closing is cut, by the server's clock
	flushed chan struct{} // if not nil, closed once the close frame is out or never will be
}

func newWire(conn net.Conn, s *Session, opens bool) *wire {
	srv := s.srv
	w := &wire{
		Conn:     conn,
		session:  s,
		shard:    &srv.shards[srv.next.Add(1)%uint32(len(srv.shards))],
		opens:    opens,
		upgraded: opens,
	}
	if !srv.cfg.blockingWrites {
		w.raw = rawConn(conn)
	}
	return w
}

// Read reads for gorilla. It is kept small, since it lies on the stack of a goroutine that mostly waits here.
func (w *wire) Read(p []byte) (int, error) {
	n, err := w.Conn.Read(p)
	if err != nil {
		w.over = true
	}
	if n > 0 && w.framed { // framed is set by this goroutine
		if excess := w.watch(p[:n]); excess != nil {
			return 0, excess
		}
	}
	return n, err
}

// watch takes note of what was read: the time that a message takes, the memory, and how it is cut up.
func (w *wire) watch(p []byte) error {
	srv := w.session.srv
	if excess := w.frames.scan(p, srv.now()); excess != "" {
		w.finishWith(closeFrame(closePolicy, excess))
		return errors.New("engineio: " + excess)
	}
	if !w.frames.incomplete() {
		if w.frames.messages == 0 { // pings and pongs alone, of which nobody is told
			w.settle()
		}
		return nil
	}
	if !srv.inbound.take(int64(len(p))) {
		w.finishWith(closeFrame(closeTryAgainLater, "server overloaded"))
		return errors.New("engineio: budget for incoming messages exhausted")
	}
	w.held += int64(len(p))
	if w.patience == 0 {
		w.setPatience(srv.cfg.ReadTimeout)
	}
	return nil
}

// handled runs when a message has been handled.
func (w *wire) handled() {
	w.frames.messages--
	w.settle()
}

// settle gives back to the budget what has been handled. Should the next message have begun, its time starts now: while
// this one was handled, nothing was read.
func (w *wire) settle() {
	srv := w.session.srv
	srv.inbound.give(w.held)
	w.held = 0
	switch {
	case !w.upgraded: // the probe has its own time
	case w.frames.incomplete():
		w.setPatience(srv.cfg.ReadTimeout)
	case w.patience > 0:
		w.setPatience(0)
	}
}

// setPatience limits the time for what is read next, unless the connection is closing and has its limit.
func (w *wire) setPatience(d time.Duration) {
	w.patience = d
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	if w.closing != nil || w.until > 0 {
		return
	}
	var deadline time.Time
	if d > 0 {
		deadline = time.Now().Add(d)
	}
	_ = w.Conn.SetReadDeadline(deadline)
}

// Write takes the 101 during the handshake, and a whole control frame ever after.
func (w *wire) Write(p []byte) (int, error) {
	s := w.session
	s.mu.Lock()
	if !w.framed {
		s.mu.Unlock()
		return w.Conn.Write(p)
	}
	defer s.mu.Unlock()
	if w.dead {
		return 0, net.ErrClosed
	}
	if w.closing != nil {
		return len(p), nil // nothing may follow a close frame
	}
	switch p[0] & opMask {
	case opClose:
		w.closing = append([]byte(nil), p...)
	case opPing, opPong:
		if len(w.control)+len(p) > maxControlBytes {
			return 0, errors.New("engineio: client does not read")
		}
		w.control = append(w.control, p...)
	default:
		return 0, errDataFrame
	}
	w.kick()
	return len(p), nil
}

// SetDeadline applies during the handshake only.
func (w *wire) SetDeadline(t time.Time) error {
	if w.isFramed() {
		return nil
	}
	return w.Conn.SetDeadline(t)
}

// SetReadDeadline applies during the handshake only.
func (w *wire) SetReadDeadline(t time.Time) error {
	if w.isFramed() {
		return nil
	}
	return w.Conn.SetReadDeadline(t)
}

// SetWriteDeadline applies during the handshake only. Gorilla leaves one behind when it answers a ping, which would
// make a later write fail.
func (w *wire) SetWriteDeadline(t time.Time) error {
	if w.isFramed() {
		return nil
	}
	return w.Conn.SetWriteDeadline(t)
}

func (w *wire) isFramed() bool {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	return w.framed
}

// finish says goodbye. With endFlush or endDrop frame goes out after what is queued; with endGone there is nobody to
// tell, unless gorilla has a close frame to answer. Whatever happens, the client has a limited time to close, after which
// the reader gives up and the connection is closed. Session.mu is held.
func (w *wire) finish(frame []byte, how ending) {
	if w.dead {
		return
	}
	if w.closing == nil && how != endGone {
		w.closing = frame
	}
	limit := w.session.srv.cfg.linger
	if how == endFlush {
		limit = w.session.srv.cfg.SendTimeout
	}
	w.expire(limit)
	if w.pending() {
		w.kick()
	}
}

// expire limits the time until the connection is closed. Session.mu is held.
func (w *wire) expire(limit time.Duration) {
	w.until = w.session.srv.now() + limit
	_ = w.Conn.SetReadDeadline(time.Now().Add(limit))
	if w.busy {
		w.limitWrite()
	}
}

// limitWrite gives the client SendTimeout to take what is being written, or what is left if the connection is to be
// closed. Session.mu is held.
func (w *wire) limitWrite() {
	limit := w.session.srv.cfg.SendTimeout
	if w.until > 0 {
		limit = min(limit, w.until-w.session.srv.now())
	}
	_ = w.Conn.SetWriteDeadline(time.Now().Add(limit))
}

func (w *wire) finishWith(frame []byte) {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	w.finish(frame, endDrop)
}

// Close is called when reading has ended. It lets the close frame out, waits for the client to close unless it has, and
// closes the connection.
func (w *wire) Close() error {
	s := w.session
	s.mu.Lock()
	if !w.framed || w.dead {
		w.dead = true
		s.mu.Unlock()
		return w.Conn.Close()
	}
	goodbye := w.closing != nil
	var flushed chan struct{}
	if goodbye && !w.out {
		flushed = make(chan struct{})
		w.flushed = flushed
		w.kick()
	}
	wait := max(w.until-s.srv.now(), s.srv.cfg.linger)
	s.mu.Unlock()
	_ = w.Conn.SetReadDeadline(time.Unix(1, 0)) // unblocks a reader, should Melody's pump be the one to close
	if flushed != nil {
		timeout := time.NewTimer(wait)
		defer timeout.Stop()
		select {
		case <-flushed:
		case <-timeout.C:
		case <-s.srv.cut:
		}
	}
	if goodbye && !w.over && !w.frames.closed {
		w.linger()
	}
	w.cut()
	return nil
}

// linger half-closes the connection and discards what the client still sends. Closing with unread input would make the
// kernel send a reset, at which the client may throw away the close frame and what came before it.
func (w *wire) linger() {
	half, ok := w.Conn.(interface{ CloseWrite() error })
	if !ok || half.CloseWrite() != nil {
		return
	}
	_ = w.Conn.SetReadDeadline(time.Now().Add(w.session.srv.cfg.linger))
	var sink [512]byte
	for {
		if _, err := w.Conn.Read(sink[:]); err != nil {
			return
		}
	}
}

// cut closes the connection at once.
func (w *wire) cut() {
	w.session.mu.Lock()
	w.die()
	w.session.mu.Unlock()
	_ = w.Conn.Close()
}

// reset closes the connection at once and has the kernel forget what the client has not taken. Session.mu is held, so
// this must not wait; TLS would, for its own goodbye, and is therefore closed beneath.
func (w *wire) reset() {
	conn := w.beneath()
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	w.die()
	_ = conn.Close()
}

// abort closes the connection at once, without a goodbye of TLS either.
func (w *wire) abort() {
	w.session.mu.Lock()
	defer w.session.mu.Unlock()
	w.die()
	_ = w.beneath().Close()
}

// beneath returns the connection under TLS.
func (w *wire) beneath() net.Conn {
	if wrapped, ok := w.Conn.(interface{ NetConn() net.Conn }); ok {
		return wrapped.NetConn()
	}
	return w.Conn
}

// die marks the connection as closed for writing. Session.mu is held.
func (w *wire) die() {
	w.dead = true
	w.control = nil
	w.settled()
}

// settled tells Close that it need not wait any more. Session.mu is held.
func (w *wire) settled() {
	if w.flushed != nil {
		close(w.flushed)
		w.flushed = nil
	}
}

// saidGoodbye runs when the close frame has been written: the client has a moment to answer it. Session.mu is held.
func (w *wire) saidGoodbye() {
	w.out = true
	w.expire(w.session.srv.cfg.linger)
	w.settled()
}

// writeFailure is the reason for a session's end that goes with the error of a write.
func writeFailure(err error) Reason {
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return ReasonSlowClient
	}
	return ReasonTransportError
}

// broken ends a connection that could not be written.
func (w *wire) broken(err error) {
	s := w.session
	s.mu.Lock()
	used := s.wire == w
	s.mu.Unlock()
	if used {
		s.end(writeFailure(err), endDrop)
	}
	s.mu.Lock()
	w.reset()
	s.mu.Unlock()
}
