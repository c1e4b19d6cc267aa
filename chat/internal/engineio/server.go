package engineio

import (
	"context"
	"maps"
	"net/http"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
	"github.com/olahol/melody"
)

// Server serves Engine.IO v4. It is an http.Handler for one route of the host's server and looks at the query only.
// Create one with [New]; an unused Server holds no goroutine.
type Server struct {
	cfg     Config
	origins originRules
	melody  *melody.Melody
	shards  []shard
	next    atomic.Uint32 // shard of the next connection

	chunks  chunkPool
	scratch sync.Pool // *[]byte, for connections that are written by a goroutine of their own
	inbound budget
	began   time.Time

	ping, noop, goodbye *Message

	mu       sync.RWMutex
	sessions map[string]*Session // open ones, and closed ones whose last packets wait for a poll
	open     int
	draining bool

	wg         sync.WaitGroup // sessions, connections and their goroutines
	cut        chan struct{}  // closed when Shutdown's context ends
	cutOnce    sync.Once
	warnHost   sync.Once
	warnOrigin atomic.Int64 // now() of the last warning about an origin
}

// New returns a Server, or an error that names the setting at fault.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	origins, err := newOriginRules(cfg.Origins, cfg.TrustForwardedProto)
	if err != nil {
		return nil, err
	}
	srv := &Server{
		cfg:      cfg,
		origins:  origins,
		shards:   make([]shard, runtime.GOMAXPROCS(0)),
		ping:     newMessage(packetPing, nil),
		noop:     newMessage(packetNoop, nil),
		goodbye:  newMessage(packetClose, nil),
		sessions: make(map[string]*Session),
		cut:      make(chan struct{}),
		began:    time.Now(),
		inbound:  budget{max: cfg.MaxInboundBytes},
	}
	for i := range srv.shards {
		srv.shards[i].init(srv)
	}
	srv.melody = srv.newMelody()
	return srv, nil
}

// ServeHTTP answers a handshake, a poll, a POST or a WebSocket upgrade.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A poll outlives the timeouts of the host's server, so the deadlines must be ours to set. What does not even let
	// them through, http.TimeoutHandler, hides the connection and cuts every poll.
	if http.NewResponseController(w).SetWriteDeadline(time.Time{}) != nil {
		srv.refuseHost(w)
		return
	}
	origin := srv.origins.check(r)
	if r.Method == http.MethodOptions && origin.allowed {
		srv.preflight(w, r, origin)
		return
	}
	origin.setCORS(w.Header())
	s, refused := srv.admit(r, origin)
	switch {
	case refused != nil:
		srv.refuse(w, r, refused)
	case websocket.IsWebSocketUpgrade(r):
		srv.upgrade(w, r, s)
	case s == nil:
		srv.handshakePolling(w, r)
	case r.Method == http.MethodGet:
		s.poll(w, r)
	case r.Method == http.MethodPost:
		s.post(w, r)
	default:
		w.Header().Set("Allow", "GET, POST, OPTIONS")
		srv.refuse(w, r, refusal(CodeBadRequest, "name", "METHOD", "method", r.Method).
			withStatus(http.StatusMethodNotAllowed))
	}
}

// CheckOrigin reports whether the page that sent r may talk to the server, by the rules that every request of the
// transports is held to, and the value that Access-Control-Allow-Origin needs then: empty if none is needed, "*" for a
// page that may not send credentials.
func (srv *Server) CheckOrigin(r *http.Request) (allow string, ok bool) {
	v := srv.origins.check(r)
	return v.cross, v.allowed
}

// refuseHost answers for a host that gives the handler no access to the connection.
func (srv *Server) refuseHost(w http.ResponseWriter) {
	const message = "the response writer hides the connection (http.TimeoutHandler, Echo's middleware.Timeout): " +
		"long polls and WebSockets cannot work behind it; take it off this route, or use Echo's middleware.ContextTimeout"
	srv.warnHost.Do(func() { srv.cfg.Logger.Error("engineio: "+message, "writer", typeName(w)) })
	http.Error(w, message, http.StatusInternalServerError)
}

// Sessions returns the number of open sessions.
func (srv *Server) Sessions() int {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.open
}

// lookup returns the session with the given id, or nil.
func (srv *Server) lookup(id string) *Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return srv.sessions[id]
}

// admitSession counts a session that is about to open, unless the server is shutting down or full.
func (srv *Server) admitSession(s *Session) bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.draining || srv.cfg.MaxSessions > 0 && srv.open >= srv.cfg.MaxSessions {
		return false
	}
	srv.sessions[s.id] = s
	srv.open++
	srv.wg.Add(1) // until Handler.Closed has returned
	return true
}

// acquire counts a goroutine that serves a connection, unless the server is shutting down.
func (srv *Server) acquire() bool {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	if srv.draining {
		return false
	}
	srv.wg.Add(1)
	return true
}

// release takes a session that has ended off the count, and out of reach unless its last packets wait for a poll.
func (srv *Server) release(s *Session, lingers bool) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	srv.open--
	if !lingers {
		delete(srv.sessions, s.id)
	}
}

func (srv *Server) forget(s *Session) {
	srv.mu.Lock()
	defer srv.mu.Unlock()
	delete(srv.sessions, s.id)
}

// Shutdown refuses new handshakes, closes every session with [ReasonServerShutdown] after sending what is queued for
// it, and waits until every connection is closed and every Handler.Closed has returned. When ctx ends first, what is
// left is cut off and ctx's error returned. The host's HTTP server is left alone. Shutdown may be called again.
func (srv *Server) Shutdown(ctx context.Context) error {
	srv.mu.Lock()
	srv.draining = true
	open := slices.Collect(maps.Values(srv.sessions))
	srv.mu.Unlock()
	for _, s := range open {
		s.end(ReasonServerShutdown, endFlush)
		s.hurry()
	}

	done := make(chan struct{})
	go func() {
		srv.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		srv.cutAll()
		return ctx.Err()
	}
}

// cutAll closes every connection without further ado.
func (srv *Server) cutAll() {
	srv.cutOnce.Do(func() { close(srv.cut) })
	reading, _ := srv.melody.Sessions()
	for _, ms := range reading {
		wireOf(ms).abort()
	}
	srv.mu.RLock()
	waiting := slices.Collect(maps.Values(srv.sessions))
	srv.mu.RUnlock()
	for _, s := range waiting {
		s.stopLingering()
	}
}

// recovered is deferred around everything that is not ours. If there is a session, a panic ends it.
func (srv *Server) recovered(where string, s *Session) {
	if p := recover(); p != nil {
		srv.panicked(where, p, s)
	}
}

// panicked logs a panic that was recovered and ends the session, if there is one.
func (srv *Server) panicked(where string, p any, s *Session) {
	srv.cfg.Logger.Error("engineio: panic recovered", "in", where, "panic", p, "stack", string(debug.Stack()))
	if s != nil {
		s.end(ReasonForcedClose, endDrop)
	}
}
