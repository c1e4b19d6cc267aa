package engineio

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"time"
)

// polling is the state of a session's HTTP long-polling. Session.mu guards it.
type polling struct {
	get, post bool          // a request is being served
	writing   int           // answers to GETs that the clients are still taking
	wake      chan struct{} // wakes the open GET; nil once the session is on WebSocket
	release   bool          // the open or the next GET is to end with a noop, for an upgrade
	parting   bool          // the session has ended, and the goodbye is due after what is queued
	waited    bool          // something has been waiting for a GET since the last check
	check     time.Duration // when to look whether the client still polls
}

// notify wakes the open GET, if there is one.
func (p *polling) notify() {
	if p.get {
		select {
		case p.wake <- struct{}{}:
		default:
		}
	}
}

// probingPoll is how long a GET is held while the client probes a WebSocket: it waits for the GET to end.
const probingPoll = 100 * time.Millisecond

// handshakePolling opens a session on polling.
func (srv *Server) handshakePolling(w http.ResponseWriter, r *http.Request) {
	h, ok := srv.handshakeOf(r)
	if !ok {
		srv.refuse(w, r, refusal(CodeBadRequest, "name", "IDENTITY"))
		return
	}
	s := srv.newSession(h)
	s.polling.wake = make(chan struct{}, 1)
	if !s.open(nil) {
		srv.refuse(w, r, srv.unavailable())
		return
	}
	srv.setCookie(w.Header(), s.id)
	s.poll(w, r)
}

// poll serves a GET: it answers with what is queued, as soon as something is (Engine.IO protocol v4, section "Receiving
// data").
func (s *Session) poll(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	if !s.live && !s.lingers {
		s.mu.Unlock()
		s.srv.refuse(w, r, refusal(CodeUnknownSID))
		return
	}
	if s.polling.get {
		// "a client MUST NOT have more than one active GET request. Should it happen, the server MUST return an HTTP
		// 400 error status and close the session."
		s.mu.Unlock()
		s.end(ReasonTransportError, endDrop)
		s.srv.refuse(w, r, refusal(CodeBadRequest, "name", "OVERLAP", "method", r.Method))
		return
	}
	s.polling.get, s.polling.waited = true, false
	q, err := s.await(r.Context())
	// From here on the client may have its answer before this function returns, and may ask again.
	s.polling.get = false
	now := s.srv.now()
	s.polling.check = now + s.srv.cfg.SendTimeout
	if s.live {
		s.arm(now)
	}
	if err != nil {
		s.mu.Unlock()
		s.endPolling(ReasonTransportError, endGone)
		return
	}
	s.polling.writing++
	if s.polling.parting && s.wire == nil && s.queue.len == 0 {
		s.polling.parting = false
		s.enqueue(s.srv.goodbye)
		s.linger(s.srv.cfg.linger) // the client polls again at once
	}
	last := !s.live && s.queue.len == 0
	s.mu.Unlock()
	if last {
		s.stopLingering()
	}
	s.reply(w, q)
}

// reply answers a GET with q, which may be empty.
func (s *Session) reply(w http.ResponseWriter, q queue) {
	buf := s.srv.buffer()
	body := (*buf)[:0]
	for q.len > 0 {
		body = q.pop(&s.srv.chunks).appendPayload(body)
	}
	if len(body) == 0 {
		body = append(body, byte(packetNoop))
	}
	err := s.srv.answer(w, http.StatusOK, body)
	s.srv.recycle(buf, body)
	s.mu.Lock()
	s.polling.writing--
	s.polling.notify()
	s.mu.Unlock()
	if err != nil {
		s.endPolling(writeFailure(err), endGone)
	}
}

// await waits until there is an answer for the open GET and takes it; an empty one means a noop. The error says that the
// client has cancelled the request; then nothing was taken. While the answer to an earlier GET is still being written,
// be it that the client does not read it, there is no other: all that a client can have the server hold is one answer
// and a full queue. s.mu is held, but not while waiting.
func (s *Session) await(ctx context.Context) (queue, error) {
	var hold <-chan time.Time
	for {
		var canceled, expired bool
		if err := ctx.Err(); err != nil {
			// A deadline is some middleware's; the client is still there.
			expired = errors.Is(err, context.DeadlineExceeded)
			canceled = !expired
		}
		switch {
		case s.wire != nil:
			return queue{}, nil // what is queued goes out there
		case canceled:
			return queue{}, ctx.Err()
		case s.polling.writing > 0 && !expired:
		case s.polling.writing == 0 && (!s.live || s.queue.len > 0):
			q := s.queue
			s.queue, s.packets, s.bytes = queue{}, 0, 0
			return q, nil
		case s.polling.release || expired:
			s.polling.release = false
			return queue{}, nil
		}
		if s.probe != nil && hold == nil {
			hold = time.After(probingPoll)
		}
		wake := s.polling.wake
		s.mu.Unlock()
		select {
		case <-wake:
		case <-ctx.Done():
		case <-hold:
			s.mu.Lock()
			s.polling.release = true
			continue
		}
		s.mu.Lock()
	}
}

// finishPolling ends the session's polling: the open GET is answered, or the next one if there is something it should
// still get. What is queued and the goodbye go out in different answers, as with the reference implementation: the stock
// client acts on a goodbye before it acts on the messages in the same payload. s.mu is held.
func (s *Session) finishPolling(how ending) {
	if how == endGone || how == endDrop && !s.polling.get {
		s.polling.notify()
		return
	}
	s.polling.parting = s.queue.len > 0
	if s.polling.parting {
		s.polling.notify()
	} else {
		s.push(s.srv.goodbye)
	}
	if s.polling.parting || !s.polling.get {
		s.lingers = true
		s.srv.wg.Add(1)
		s.linger(s.srv.cfg.SendTimeout)
	}
}

// linger limits the wait for the next poll of a session that has ended. s.mu is held.
func (s *Session) linger(limit time.Duration) {
	s.until = s.srv.now() + limit
	s.timer.Reset(limit)
}

// hurry shortens the wait for a last poll: a client that is still there polls again at once.
func (s *Session) hurry() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lingers {
		s.linger(min(s.srv.cfg.linger, s.until-s.srv.now()))
	}
}

// stopLingering lets go of a session that waited for its last poll, which has come or will not come any more.
func (s *Session) stopLingering() {
	s.mu.Lock()
	lingers := s.lingers
	s.lingers = false
	if lingers {
		s.timer.Stop()
		s.drop()
		if s.probe != nil {
			s.dropProbe(s.ended)
		}
	}
	s.mu.Unlock()
	if lingers {
		s.srv.forget(s)
		s.srv.wg.Done()
	}
}

// post serves a POST: it handles the packets in its body (Engine.IO protocol v4, section "Sending data"). The answer
// waits for the handler, which is how back-pressure reaches a polling client.
func (s *Session) post(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	overlap := s.polling.post
	s.polling.post = true
	s.mu.Unlock()
	if overlap {
		// As for GET, section "Sending data" wants this session closed.
		s.end(ReasonTransportError, endDrop)
		s.srv.refuse(w, r, refusal(CodeBadRequest, "name", "OVERLAP", "method", r.Method))
		return
	}
	refused := s.receivePost(w, r)
	s.mu.Lock()
	s.polling.post = false
	s.mu.Unlock()
	if refused != nil {
		s.endPolling(ReasonTransportError, endDrop)
		s.srv.refuse(w, r, refused)
		return
	}
	if err := s.srv.answer(w, http.StatusOK, []byte("ok")); err != nil {
		s.endPolling(writeFailure(err), endGone)
	}
}

func (s *Session) receivePost(w http.ResponseWriter, r *http.Request) *ConnectionError {
	if e := r.Header.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return refusal(CodeBadRequest, "name", "CONTENT_ENCODING").withStatus(http.StatusUnsupportedMediaType)
	}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/octet-stream") {
		return refusal(CodeBadRequest, "name", "INVALID_CONTENT") // binary packets travel as base64 since protocol v4
	}
	body, held, refused := s.srv.readBody(w, r)
	defer s.srv.inbound.give(held)
	if refused != nil {
		return refused
	}
	if !validText(body) {
		s.end(ReasonParseError, endDrop)
		return refusal(CodeBadRequest, "name", "PARSE_ERROR")
	}
	for more, first := true, true; more; first = false {
		var raw []byte
		raw, body, more = nextPacket(body)
		t, data, err := decodePacket(raw)
		if err != nil {
			s.end(ReasonParseError, endDrop)
			return refusal(CodeBadRequest, "name", "PARSE_ERROR")
		}
		if t == packetMessage && !(first && !more) {
			data = bytes.Clone(data) // or a handler that keeps a small packet would keep all of the body
		}
		if open := s.receive(t, data); t == packetClose {
			return nil
		} else if !open {
			return refusal(CodeBadRequest, "name", "CLOSED")
		}
	}
	return nil
}

// readBody reads the body of a POST within the payload limit, the read timeout and the budget of all incoming
// messages. What it counted against the budget is to be given back once the packets have been handled.
func (srv *Server) readBody(w http.ResponseWriter, r *http.Request) (body []byte, held int64, refused *ConnectionError) {
	tooLarge := refusal(CodeBadRequest, "name", "PAYLOAD_TOO_LARGE").withStatus(http.StatusRequestEntityTooLarge)
	if r.ContentLength > int64(srv.cfg.MaxPayload) {
		return nil, 0, tooLarge
	}
	rc := http.NewResponseController(w)
	_ = rc.SetReadDeadline(time.Now().Add(srv.cfg.ReadTimeout))
	defer rc.SetReadDeadline(time.Time{}) //nolint:errcheck // was supported a moment ago
	body = make([]byte, 0, 512)           // whatever length is announced, memory follows what has arrived
	for {
		if len(body) == cap(body) {
			grown := append(body, 0)[:len(body)]
			if !srv.inbound.take(int64(cap(grown) - cap(body))) {
				return nil, held, refusal(CodeBadRequest, "name", "OVERLOADED").withStatus(http.StatusServiceUnavailable)
			}
			held += int64(cap(grown) - cap(body))
			body = grown
		}
		n, err := r.Body.Read(body[len(body):cap(body)])
		body = body[:len(body)+n]
		if len(body) > srv.cfg.MaxPayload {
			return nil, held, tooLarge
		}
		if errors.Is(err, io.EOF) {
			return body, held, nil
		}
		if err != nil {
			return nil, held, refusal(CodeBadRequest, "name", "READ_ERROR")
		}
	}
}
