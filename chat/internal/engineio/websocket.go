package engineio

import (
	"bufio"
	"errors"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"
	"github.com/olahol/melody"
)

const (
	// readBufferSize is gorilla's read buffer for each connection. Longer messages are read past it.
	readBufferSize = 512
	// upgradeTimeout bounds the writing of the 101 response.
	upgradeTimeout = 5 * time.Second
	// never stands for Melody's own ping and read timeouts, which the heartbeat of the protocol replaces.
	never = time.Duration(math.MaxInt64 / 4)
)

// newMelody sets Melody up to do what it is kept for: upgrading, reading, answering pings and closes, and the life of a
// connection. It never broadcasts, and no data passes its write pump.
func (srv *Server) newMelody() *melody.Melody {
	m := melody.New()
	m.Config = &melody.Config{
		WriteWait:         upgradeTimeout,
		PongWait:          never,
		PingPeriod:        never,
		MaxMessageSize:    int64(srv.cfg.MaxPayload),
		MessageBufferSize: 1, // nothing passes through it
	}
	m.Upgrader = &websocket.Upgrader{
		HandshakeTimeout: upgradeTimeout,
		ReadBufferSize:   readBufferSize,
		WriteBufferSize:  256, // control frames only
		WriteBufferPool:  new(sync.Pool),
		CheckOrigin:      func(*http.Request) bool { return true }, // Server.admit has checked
	}
	m.HandleConnect(func(ms *melody.Session) {
		ms.Request = nil // or it would live as long as the connection
		w := wireOf(ms)
		defer srv.recovered("connect", w.session)
		w.connected()
	})
	// A panic must not pass through Melody, which would keep the connection in its hub, and a goroutine for it.
	receiver := func(receive func(*wire, []byte)) func(*melody.Session, []byte) {
		return func(ms *melody.Session, data []byte) {
			w := wireOf(ms)
			defer srv.recovered("message", w.session)
			defer w.handled()
			receive(w, data)
		}
	}
	m.HandleMessage(receiver((*wire).receiveText))
	m.HandleMessageBinary(receiver((*wire).receiveBinary))
	m.HandleError(func(ms *melody.Session, err error) {
		w := wireOf(ms)
		defer srv.recovered("error", w.session)
		w.failed(err)
	})
	return m
}

// wireOf returns the connection beneath a Melody session.
func wireOf(ms *melody.Session) *wire { return ms.WebsocketConnection().NetConn().(*wire) }

// upgrade serves a WebSocket handshake: a new session's if s is nil, or the probe of a session on polling. It returns as
// soon as the connection is ours, which frees net/http's buffers, the request and the host's context; a goroutine of
// ours goes on.
func (srv *Server) upgrade(w http.ResponseWriter, r *http.Request, s *Session) {
	opens := s == nil
	if opens {
		h, ok := srv.handshakeOf(r)
		if !ok {
			srv.refuse(w, r, refusal(CodeBadRequest, "name", "IDENTITY"))
			return
		}
		s = srv.newSession(h)
	}
	if !srv.acquire() {
		srv.refuse(w, r, srv.unavailable())
		return
	}
	conn, rw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		srv.wg.Done()
		srv.cfg.Logger.Error("engineio: the connection cannot be taken over for a WebSocket", "writer", typeName(w), "err", err)
		srv.refuse(w, r, refusal(CodeBadRequest, "name", "HIJACK").withStatus(http.StatusInternalServerError))
		return
	}
	if rw.Reader.Buffered() > 0 {
		srv.wg.Done()
		rejectEarlyData(conn)
		return
	}
	// Of the headers that the host has set, cookies alone mean something in a 101: a login or a guest's id.
	header := make(http.Header)
	if cookies := w.Header()["Set-Cookie"]; len(cookies) > 0 {
		header["Set-Cookie"] = slices.Clone(cookies)
	}
	if opens {
		srv.setCookie(header, s.id)
	}
	if protocol := subprotocol(r); protocol != "" {
		header["Sec-Websocket-Protocol"] = []string{protocol}
	}
	// What gorilla reads of the request, and nothing that is the host's.
	copied := &http.Request{Method: http.MethodGet, Host: r.Host, Header: http.Header{
		"Connection":            {"Upgrade"},
		"Upgrade":               {"websocket"},
		"Sec-Websocket-Version": {"13"},
		"Sec-Websocket-Key":     {r.Header.Get("Sec-Websocket-Key")},
	}}
	go srv.serveWire(newWire(conn, s, opens), copied, header)
}

// subprotocol returns the first protocol that the client asks for, which the reference implementation agrees to (ws 8,
// lib/websocket-server.js): a browser that asked for some and got none gives up.
func subprotocol(r *http.Request) string {
	asked := websocket.Subprotocols(r)
	if len(asked) == 0 || len(asked[0]) > maxContextBytes || !consistsOf(asked[0], isTokenByte) {
		return ""
	}
	return asked[0]
}

// isTokenByte tells whether c may stand in a token (RFC 9110, section 5.6.2).
func isTokenByte(c byte) bool {
	return isLower(c) || isDigit(c) || c >= 'A' && c <= 'Z' || strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0
}

// rejectEarlyData answers a client that sent frames before it had seen the 101: they sit in net/http's buffer, which
// gorilla does not read.
func rejectEarlyData(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
	_ = conn.Close()
}

// serveWire runs a connection until it is closed. Like wire.Read it is kept small.
func (srv *Server) serveWire(w *wire, r *http.Request, header http.Header) {
	defer w.served()
	if err := srv.melody.HandleRequest(&hijacked{wire: w, header: header}, r); err != nil {
		srv.logHandshake(err)
	}
}

//go:noinline
func (srv *Server) logHandshake(err error) {
	srv.cfg.Logger.Debug("engineio: WebSocket handshake failed", "err", err)
}

// served cleans up after a connection. Most of it is left to do only if there was a panic.
func (w *wire) served() {
	s := w.session
	defer s.srv.wg.Done()
	if p := recover(); p != nil {
		s.srv.panicked("WebSocket", p, s)
	}
	s.srv.inbound.give(w.held)
	w.cut()
	if w.upgraded {
		s.end(ReasonTransportError, endGone)
		s.stopLingering() // it may have ended while the client was on its way here
		s.mu.Lock()
		s.drop() // somebody may keep the session
		s.mu.Unlock()
	}
}

// hijacked is the http.ResponseWriter that gorilla's Upgrader gets: it hands over the connection that was hijacked
// before. Gorilla has no reason left to refuse, so nothing else is ever written.
type hijacked struct {
	wire   *wire
	header http.Header
}

func (h *hijacked) Header() http.Header         { return h.header }
func (h *hijacked) Write(b []byte) (int, error) { return len(b), nil }
func (h *hijacked) WriteHeader(int)             {}

// Hijack implements http.Hijacker.
func (h *hijacked) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	const unused = 16 // gorilla has buffers of its own
	return h.wire, bufio.NewReadWriter(bufio.NewReaderSize(h.wire, unused), bufio.NewWriterSize(h.wire, unused)), nil
}

// connected runs when the 101 is out and before anything is read.
func (w *wire) connected() {
	s := w.session
	s.mu.Lock()
	w.framed = true
	s.mu.Unlock()
	if !w.opens {
		s.startProbe(w)
	} else if !s.open(w) {
		w.finishWith(closeFrame(closeTryAgainLater, "unavailable"))
	}
}

// receiveText handles a text message: one packet.
func (w *wire) receiveText(data []byte) {
	s := w.session
	if !validText(data) {
		w.misused(closeInvalidData, "invalid text")
		return
	}
	t, content, err := decodePacket(data)
	switch {
	case err != nil:
		w.misused(closeProtocolError, string(ReasonParseError))
	case !w.upgraded:
		w.receiveProbe(t, content)
	case t == packetClose:
		s.end(ReasonTransportClose, endDrop)
	default:
		s.receive(t, content)
	}
}

// receiveBinary handles a binary message, which is a message packet without a type.
func (w *wire) receiveBinary(data []byte) {
	if !w.upgraded {
		w.receiveProbe(packetBinary, data)
		return
	}
	w.session.receive(packetBinary, data)
}

// misused closes a connection on which something came that is not a packet.
func (w *wire) misused(code int, text string) {
	w.finishWith(closeFrame(code, text))
	if w.upgraded {
		w.session.end(ReasonParseError, endDrop)
	} else {
		w.session.abandonProbe(w)
	}
}

// failed runs when the connection cannot be read any more, be it because it was closed.
func (w *wire) failed(err error) {
	reason := ReasonTransportError
	var closed *websocket.CloseError
	switch {
	case errors.As(err, &closed), errors.Is(err, io.EOF):
		reason = ReasonTransportClose
	case errors.Is(err, websocket.ErrReadLimit): // for which gorilla does not always send the close frame
		w.finishWith(closeFrame(closeTooBig, "message too big"))
	}
	if w.upgraded {
		w.session.end(reason, endGone)
	} else {
		w.session.abandonProbe(w)
	}
}

var _ http.Hijacker = (*hijacked)(nil)
