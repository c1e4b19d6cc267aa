package engineio

import (
	"context"
	"net/http"
)

// Server serves Engine.IO v4. It is an http.Handler for one route of the host's server and looks at the query only.
// Create one with [New]; an unused Server holds no goroutine.
type Server struct {
	cfg Config
}

// New returns a Server, or an error that names the setting at fault.
func New(cfg Config) (*Server, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Server{cfg: cfg}, nil
}

// ServeHTTP answers a handshake, a poll, a POST or a WebSocket upgrade.
func (srv *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusNotImplemented)
}

// Sessions returns the number of open sessions.
func (srv *Server) Sessions() int { return 0 }

// Shutdown refuses new handshakes, closes every session with [ReasonServerShutdown] after sending what is queued for
// it, and waits until every connection is closed and every Handler.Closed has returned. When ctx ends first, what is
// left is cut off and ctx's error returned. The host's HTTP server is left alone. Shutdown may be called again.
func (srv *Server) Shutdown(ctx context.Context) error { return nil }
