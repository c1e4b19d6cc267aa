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
	URL      string // "http://127.0.0.1:port", without a slash at the end
	http     *httptest.Server
	shutdown []func(context.Context) error
}

// Serve starts h on a loopback port. At the end of the test it calls h's method
// Shutdown(context.Context) error, if it has one, then the functions given, and
// then stops the server. h may be a *socketio.Server, or the *echo.Echo that a
// chat c is mounted on, with c.Shutdown as a function:
//
//	srv := chattest.Serve(t, e, c.Shutdown)
//
// An error of a shutdown fails the test, and each has ten seconds.
func Serve(t testing.TB, h http.Handler, shutdown ...func(context.Context) error) *Server {
	t.Helper()
	s := &Server{http: httptest.NewServer(h), shutdown: shutdown}
	if own, ok := h.(interface{ Shutdown(context.Context) error }); ok {
		s.shutdown = append([]func(context.Context) error{own.Shutdown}, shutdown...)
	}
	s.URL = s.http.URL
	t.Cleanup(func() { s.close(t) })
	return s
}

func (s *Server) close(t testing.TB) {
	t.Helper()
	for _, shutdown := range s.shutdown {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		if err := shutdown(ctx); err != nil {
			t.Errorf("shut down: %v", err)
		}
		cancel()
	}
	// A poll of a handler without a Shutdown would hold Close for long.
	s.http.CloseClientConnections()
	s.http.Close()
}
