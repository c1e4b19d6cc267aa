package chattest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

// Server is a server on a loopback port.
type Server struct {
	URL     string // "http://127.0.0.1:port", without a slash at the end
	Handler http.Handler
	http    *httptest.Server
}

// Serve starts h on a loopback port. At the end of the test it shuts h down, if
// h has a method Shutdown(context.Context) error, and then the server. h may be
// a *socketio.Server, an *echo.Echo with a chat mounted, or any other handler.
func Serve(t testing.TB, h http.Handler) *Server {
	t.Helper()
	s := &Server{Handler: h, http: httptest.NewServer(h)}
	s.URL = s.http.URL
	t.Cleanup(func() { s.close(t) })
	return s
}

func (s *Server) close(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if h, ok := s.Handler.(interface{ Shutdown(context.Context) error }); ok {
		if err := h.Shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
	}
	// A poll of a handler without a Shutdown would hold Close for long.
	s.http.CloseClientConnections()
	s.http.Close()
}
