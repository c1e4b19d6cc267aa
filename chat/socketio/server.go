package socketio

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path"
	"regexp"
	"runtime/debug"
	"slices"
	"strings"
	"sync"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// Server is a Socket.IO server: an http.Handler for one route, usually "/socket.io/". It does not look at the path, except
// that a last element such as socket.io.js asks for the client script. All methods may be called at any time, from
// any goroutine.
//
// The embedded Namespace is the main one, "/": what is done to the server is done to it.
type Server struct {
	*Namespace

	config   config
	engine   *engineio.Server
	handler  http.Handler
	files    clientFiles
	encoders encoders
	tasks    tasks
	workers  workers
	crowd    crowd
	base     context.Context // of all sockets

	mu         sync.RWMutex
	namespaces map[string]*Namespace
	parents    []*ParentNamespace

	newNamespace hooks[func(*Namespace)]
	refused      hooks[func(ConnectionError)]
}

// New returns a server, or an error that names the option at fault.
func New(opts ...Option) (*Server, error) {
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	s := &Server{config: cfg, base: context.Background(), namespaces: make(map[string]*Namespace)}
	s.workers.tasks = &s.tasks
	s.encoders.attachments = cfg.maxAttachments
	if r := cfg.recovery; r != nil {
		s.crowd.most = int64(r.MaxClients)
	}
	s.Namespace = s.Of("/")
	if s.engine, err = engineio.New(s.engineConfig()); err != nil {
		return nil, fmt.Errorf("socketio: %w", err)
	}
	if s.files, err = newClientFiles(cfg); err != nil {
		return nil, fmt.Errorf("socketio: WithClientFiles: %w", err)
	}
	s.handler = http.HandlerFunc(s.serve)
	for _, wrap := range slices.Backward(cfg.middleware) {
		s.handler = wrap(s.handler)
	}
	return s, nil
}

func (s *Server) engineConfig() engineio.Config {
	cfg := engineio.Config{
		PingInterval:     s.config.pingInterval,
		PingTimeout:      s.config.pingTimeout,
		UpgradeTimeout:   s.config.upgradeTimeout,
		MaxPayload:       s.config.maxPayload,
		MaxBufferBytes:   s.config.maxBufferBytes,
		MaxBufferPackets: s.config.maxBufferPackets,
		MaxSessions:      s.config.maxConnections,
		DisableUpgrades:  s.config.noUpgrades,
		Origins:          s.config.origins,

		TrustForwardedProto: s.config.trustForwardedProto,
		Cookie:              s.config.cookie,
		Gate:                s.config.gate,
		Identity:            s.config.identity,
		OnSession:           func(session *engineio.Session) engineio.Handler { return newConn(s, session) },
		OnError:             s.connectionRefused,
		Logger:              s.config.logger,
	}
	for _, name := range s.config.transports {
		cfg.Transports = append(cfg.Transports, engineio.Transport(name))
	}
	if verify := s.config.verify; verify != nil {
		cfg.Verify = func(h *engineio.Handshake, r *http.Request) bool { return verify(newHandshake(h, nil), r) }
	}
	return cfg
}

// ServeHTTP answers a request of a client: a handshake, a poll, an upgrade to WebSocket, or for the client script.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) { s.handler.ServeHTTP(w, r) }

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if file, ok := s.files[path.Base(r.URL.Path)]; ok {
		file.serve(w, r)
		return
	}
	s.engine.ServeHTTP(w, r)
}

// CheckOrigin reports whether the page that sent r may use the server ([WithOrigins]), for other routes that hold to the
// same rules. The value is for Access-Control-Allow-Origin: empty if none is needed, "*" for a page that may not
// send credentials.
func (s *Server) CheckOrigin(r *http.Request) (allow string, ok bool) { return s.engine.CheckOrigin(r) }

// Connections returns the number of open connections. One connection may be in several namespaces, or in none yet.
func (s *Server) Connections() int { return s.engine.Sessions() }

// Of returns the namespace of the given name, and makes it if there is none. A missing slash is put in front of the
// name. Clients cannot connect to a namespace before it was made. It panics for a name with a comma, which the protocol
// does not allow.
func (s *Server) Of(name string) *Namespace {
	if !strings.HasPrefix(name, "/") {
		name = "/" + name
	}
	if strings.Contains(name, ",") {
		panic(fmt.Sprintf("socketio: namespace %q: a name cannot contain a comma", name))
	}
	s.mu.Lock()
	n := s.namespaces[name]
	if n != nil {
		n.kept = true
		s.mu.Unlock()
		return n
	}
	n = newNamespace(s, name, s.parentOf(name))
	n.kept = true
	s.namespaces[name] = n
	s.mu.Unlock()
	s.announce(n)
	return n
}

// OfPattern returns a parent for all namespaces whose names match the pattern: they come into being when a client
// connects to one, and go when the last one has left.
func (s *Server) OfPattern(pattern *regexp.Regexp) *ParentNamespace {
	return s.addParent(&ParentNamespace{server: s, pattern: pattern})
}

// OfFunc returns a parent for all namespaces that the function allows: they come into being when a client connects to
// one, and go when the last one has left. The function is called when a client asks for a namespace that does not exist,
// with its auth payload. It may block; the context ends with the connection.
func (s *Server) OfFunc(allow func(ctx context.Context, name string, auth json.RawMessage) bool) *ParentNamespace {
	return s.addParent(&ParentNamespace{server: s, allow: allow})
}

func (s *Server) addParent(p *ParentNamespace) *ParentNamespace {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parents = append(s.parents, p)
	return p
}

// OnNewNamespace adds a function that is called for each namespace that is made from now on, before any client is let in:
// what it registers there holds for all of them. It returns a function that removes it again.
func (s *Server) OnNewNamespace(f func(*Namespace)) (off func()) { return s.newNamespace.add(f) }

func (s *Server) announce(n *Namespace) {
	defer close(n.ready)
	for _, f := range s.newNamespace.all() {
		s.guard("new namespace hook", func() { (*f)(n) })
	}
}

// ConnectionError describes a request that was refused before there was a connection, with the codes and messages of
// Engine.IO.
type ConnectionError struct {
	// Code is 0 for an unknown transport, 1 for an unknown session, 2 for a bad handshake method, 3 for a bad request,
	// 4 for a request that [WithGate] or the origin forbade, and 5 for an unsupported protocol version.
	Code int
	// Message is what the client was told.
	Message string
	// Status is the HTTP status of the answer.
	Status int
	// Context says more, with names that depend on the case, such as "transport", "sid", "method" or "origin". Its values
	// come from the client.
	Context map[string]string
	// Err is what the gate returned, if it was the gate.
	Err error
	// Method, URL, Address and Header are those of the request.
	Method, URL, Address string
	Header               http.Header
}

// OnConnectionError adds a function that is told of every request that was refused. It must not block. It returns a
// function that removes it again.
func (s *Server) OnConnectionError(f func(ConnectionError)) (off func()) { return s.refused.add(f) }

func (s *Server) connectionRefused(e engineio.ConnectionError) {
	refused := ConnectionError{
		Code: int(e.Code), Message: e.Message, Status: e.Status, Context: e.Context, Err: e.Err,
		Method: e.Method, URL: e.URL, Address: e.RemoteAddr, Header: e.Header,
	}
	for _, f := range s.refused.all() {
		s.guard("connection error hook", func() { (*f)(refused) })
	}
}

// guard calls user code and reports whether it returned. A panic, or the end of its goroutine, is logged.
func (s *Server) guard(what string, f func()) (returned bool) {
	defer func() {
		if !returned {
			s.config.logger.Error("socketio: panic in user code",
				"in", what, "panic", recover(), "stack", string(debug.Stack()))
		}
	}()
	f()
	return true
}

// Shutdown ends the server: new connections are refused, all sockets are disconnected with
// [ReasonServerShuttingDown], the clients are sent what is queued for them and that the connection is closed (they try
// to reconnect, to whatever takes this server's place), and their handlers are waited for. The HTTP server in front is
// left alone: shut it down afterwards. When ctx ends first, what is left is cut off, and ctx's error is returned.
func (s *Server) Shutdown(ctx context.Context) error {
	err := s.engine.Shutdown(ctx)
	s.mu.RLock()
	for _, n := range s.namespaces {
		n.forgetAll()
	}
	s.mu.RUnlock()
	if err := errors.Join(err, s.tasks.wait(ctx)); err != nil {
		return fmt.Errorf("socketio: shutdown: %w", err)
	}
	return nil
}

// randomID returns n bytes of cryptographic randomness as text.
func randomID(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b)
	return base64.RawURLEncoding.EncodeToString(b)
}
