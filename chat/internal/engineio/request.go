package engineio

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// query holds the parameters of a request that the protocol knows (Engine.IO protocol v4, section "Transports"). As in
// the reference implementation the last value of a repeated parameter counts.
type query struct{ eio, transport, sid string }

// parseQuery picks the known parameters without building a map of the others, which may be many.
func parseQuery(raw string) (q query) {
	for pair := range strings.SplitSeq(raw, "&") {
		key, value, _ := strings.Cut(pair, "=")
		var field *string
		switch key {
		case "EIO":
			field = &q.eio
		case "transport":
			field = &q.transport
		case "sid":
			field = &q.sid
		default:
			continue
		}
		if unescaped, err := url.QueryUnescape(value); err == nil {
			value = unescaped
		}
		*field = value
	}
	return q
}

// admit checks a request in the order of the reference implementation (engine.io 6, Server.verify). It returns the
// session that the request belongs to, nil for a handshake, or why it is refused.
func (srv *Server) admit(r *http.Request, origin verdict) (*Session, *ConnectionError) {
	q := parseQuery(r.URL.RawQuery)
	upgrade := websocket.IsWebSocketUpgrade(r)
	transport := Transport(q.transport)
	if !srv.offers(transport) {
		return nil, refusal(CodeUnknownTransport, "transport", q.transport)
	}
	if !origin.allowed {
		srv.logOrigin(r)
		return nil, refusal(CodeForbidden, "name", "ORIGIN", "origin", r.Header.Get("Origin"))
	}
	if r.Method == http.MethodGet && r.ContentLength != 0 {
		return nil, refusal(CodeBadRequest, "name", "BODY") // nobody reads it, and a poll cannot end before it has come
	}
	if upgrade {
		if transport != WebSocket {
			return nil, refusal(CodeBadRequest, "name", "TRANSPORT_HANDSHAKE_ERROR", "transport", q.transport)
		}
		if err := checkWebSocket(r); err != nil {
			return nil, err
		}
	}
	if q.sid == "" {
		return nil, srv.admitHandshake(r, q, upgrade)
	}
	s := srv.lookup(q.sid)
	if s == nil || !srv.verify(s, r) {
		return nil, refusal(CodeUnknownSID, "sid", q.sid)
	}
	if current := s.Transport(); !upgrade && current != transport {
		return nil, refusal(CodeBadRequest, "name", "TRANSPORT_MISMATCH",
			"transport", q.transport, "previousTransport", string(current))
	}
	if q.eio != "4" {
		return nil, refusal(CodeBadRequest, "name", "PROTOCOL_MISMATCH", "protocol", q.eio, "previousProtocol", "4")
	}
	return s, nil
}

func (srv *Server) admitHandshake(r *http.Request, q query, upgrade bool) *ConnectionError {
	if r.Method != http.MethodGet {
		return refusal(CodeBadHandshakeMethod, "method", r.Method)
	}
	if q.transport == string(WebSocket) && !upgrade {
		return refusal(CodeBadRequest, "name", "TRANSPORT_HANDSHAKE_ERROR")
	}
	if q.eio != "4" {
		return refusal(CodeUnsupportedProtocolVersion, "protocol", q.eio)
	}
	if len(r.URL.RawQuery)+len(r.URL.Path)+len(r.Host) > maxHeaderBytes { // they are kept
		return refusal(CodeBadRequest, "name", "URI_TOO_LONG").withStatus(http.StatusRequestURITooLong)
	}
	srv.mu.RLock()
	draining, full := srv.draining, srv.cfg.MaxSessions > 0 && srv.open >= srv.cfg.MaxSessions
	srv.mu.RUnlock()
	if draining || full {
		return srv.unavailable()
	}
	return srv.gate(r)
}

// logOrigin tells the operator about a refused origin, once per second at most.
func (srv *Server) logOrigin(r *http.Request) {
	last, now := srv.warnOrigin.Load(), int64(srv.now())
	if last != 0 && now-last < int64(time.Second) || !srv.warnOrigin.CompareAndSwap(last, now) {
		return
	}
	srv.cfg.Logger.Warn("engineio: origin refused; see Config.Origins and Config.TrustForwardedProto",
		"origin", cut(r.Header.Get("Origin")), "host", cut(r.Host), "sec-fetch-site", cut(r.Header.Get("Sec-Fetch-Site")))
}

// unavailable refuses a handshake while the server shuts down or is full.
func (srv *Server) unavailable() *ConnectionError {
	return refusal(CodeForbidden, "name", "UNAVAILABLE").withStatus(http.StatusServiceUnavailable)
}

func (srv *Server) gate(r *http.Request) (refused *ConnectionError) {
	if srv.cfg.Gate == nil {
		return nil
	}
	refused = refusal(CodeForbidden, "name", "GATE") // should Gate panic
	defer srv.recovered("Gate", nil)
	if err := srv.cfg.Gate(r); err != nil {
		return gateRefusal(err)
	}
	return nil
}

func (srv *Server) verify(s *Session, r *http.Request) (ok bool) {
	if srv.cfg.Verify == nil {
		return true
	}
	defer srv.recovered("Verify", nil)
	return srv.cfg.Verify(s.handshake, r)
}

// handshakeOf keeps what is needed of a request that has passed the gate.
func (srv *Server) handshakeOf(r *http.Request) (h *Handshake, ok bool) {
	h = newHandshake(r, srv.origins.scheme(r))
	if srv.cfg.Identity == nil {
		return h, true
	}
	defer srv.recovered("Identity", nil)
	h.Identity = srv.cfg.Identity(r)
	return h, true
}

// checkWebSocket refuses what gorilla/websocket would refuse later, when the connection is no longer net/http's and an
// answer could not be written in the usual way (RFC 6455, section 4.2.1).
func checkWebSocket(r *http.Request) *ConnectionError {
	bad := func(what string) *ConnectionError {
		return refusal(CodeBadRequest, "name", "TRANSPORT_HANDSHAKE_ERROR", "header", what)
	}
	if r.Method != http.MethodGet {
		return bad("method")
	}
	if v := r.Header.Values("Sec-Websocket-Version"); len(v) != 1 || strings.TrimSpace(v[0]) != "13" {
		return bad("Sec-WebSocket-Version")
	}
	keys := r.Header.Values("Sec-Websocket-Key")
	if len(keys) != 1 {
		return bad("Sec-WebSocket-Key")
	}
	if key, err := base64.StdEncoding.DecodeString(keys[0]); err != nil || len(key) != 16 {
		return bad("Sec-WebSocket-Key")
	}
	return nil
}

// setCookie adds the stickiness cookie to the answer of a handshake.
func (srv *Server) setCookie(h http.Header, id string) {
	if srv.cfg.Cookie == nil {
		return
	}
	c := *srv.cfg.Cookie
	c.Value = id
	c.HttpOnly = true
	if c.Name == "" {
		c.Name = "io"
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	h.Add("Set-Cookie", c.String())
}

// answer writes a complete answer of the polling transport. The type is never one that a browser would render.
func (srv *Server) answer(w http.ResponseWriter, status int, body []byte) error {
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=UTF-8")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	return srv.write(w, status, body)
}

// write writes status and body and flushes them through whatever wraps w, within the send timeout. The deadline is
// lifted afterwards, since the connection may serve other handlers.
func (srv *Server) write(w http.ResponseWriter, status int, body []byte) error {
	rc := http.NewResponseController(w)
	_ = rc.SetWriteDeadline(time.Now().Add(srv.cfg.SendTimeout))
	defer rc.SetWriteDeadline(time.Time{}) //nolint:errcheck // was supported a moment ago
	if status != http.StatusNoContent {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	w.WriteHeader(status)
	if len(body) > 0 {
		if _, err := w.Write(body); err != nil {
			return err
		}
	}
	return rc.Flush()
}

// cut shortens a value from a client for the log.
func cut(s string) string {
	if len(s) > maxContextBytes {
		s = s[:maxContextBytes]
	}
	return s
}

// buffer returns memory of at least scratchSize for what is about to be written.
func (srv *Server) buffer() *[]byte {
	if buf, ok := srv.scratch.Get().(*[]byte); ok {
		return buf
	}
	buf := make([]byte, 0, scratchSize)
	return &buf
}

// recycle takes a buffer back, and with it what it has grown to, unless that is too much to keep.
func (srv *Server) recycle(buf *[]byte, grown []byte) {
	if cap(grown) > cap(*buf) && cap(grown) <= maxBatch {
		*buf = grown[:0]
	}
	srv.scratch.Put(buf)
}

func typeName(v any) string { return fmt.Sprintf("%T", v) }
