package engineio_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// The tests of this file put the server behind what hosts put in front of it.

// echo is a Handler that sends back what it receives; "later" comes back after a while.
type echoer struct {
	s     *engineio.Session
	delay time.Duration
}

func (e echoer) Text(data []byte) {
	if string(data) == "later" {
		time.AfterFunc(e.delay, func() { e.s.Send(engineio.NewMessage(data)) })
		return
	}
	e.s.Send(engineio.NewMessage(data))
}
func (e echoer) Binary([]byte)          {}
func (e echoer) Closed(engineio.Reason) {}

// host is a server behind something, and the words that it logged.
type host struct {
	t    *testing.T
	http *httptest.Server
	log  *bytes.Buffer
}

func newHost(t *testing.T, delay time.Duration, wrap func(http.Handler) http.Handler, options ...func(*http.Server)) *host {
	t.Helper()
	h := &host{t: t, log: new(bytes.Buffer)}
	srv, err := engineio.New(engineio.Config{
		Logger:    slog.New(slog.NewTextHandler(h.log, nil)),
		OnSession: func(s *engineio.Session) engineio.Handler { return echoer{s, delay} },
	})
	require.NoError(t, err)
	h.http = httptest.NewUnstartedServer(wrap(srv))
	for _, option := range options {
		option(h.http.Config)
	}
	h.http.Start()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
		h.http.Close()
	})
	return h
}

// do sends a request. It asks for no compression unless header says so, and does not undo any.
func (h *host) do(method, query, body string, header ...string) (*http.Response, string) {
	h.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, h.http.URL+"/engine.io/?"+query, strings.NewReader(body))
	require.NoError(h.t, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	client := &http.Client{Transport: &http.Transport{DisableCompression: true}}
	defer client.CloseIdleConnections()
	res, err := client.Do(r)
	require.NoError(h.t, err)
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	require.NoError(h.t, err)
	return res, string(data)
}

func (h *host) dial(query string) *websocket.Conn {
	h.t.Helper()
	conn, res, err := websocket.DefaultDialer.Dial("ws"+strings.TrimPrefix(h.http.URL, "http")+"/engine.io/?"+query, nil)
	require.NoError(h.t, err)
	_ = res.Body.Close()
	h.t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(10 * time.Second))
	return conn
}

func (h *host) read(conn *websocket.Conn) string {
	h.t.Helper()
	_, data, err := conn.ReadMessage()
	require.NoError(h.t, err)
	return string(data)
}

func sid(open string) string {
	_, rest, _ := strings.Cut(open, `"sid":"`)
	sid, _, _ := strings.Cut(rest, `"`)
	return sid
}

const (
	polling = "EIO=4&transport=polling"
	ws      = "EIO=4&transport=websocket"
)

// works checks every transport and the upgrade, with waits of delay in between.
func (h *host) works() {
	t := h.t
	t.Helper()
	res, open := h.do("GET", polling, "")
	require.Equal(t, 200, res.StatusCode, open)
	query := polling + "&sid=" + sid(open)
	_, body := h.do("POST", query, "4hello")
	require.Equal(t, "ok", body)
	_, body = h.do("GET", query, "")
	require.Equal(t, "4hello", body)
	_, body = h.do("POST", query, "4later")
	require.Equal(t, "ok", body)
	for body = "6"; body == "6"; { // a poll may be cut short, but nothing is lost
		_, body = h.do("GET", query, "")
	}
	require.Equal(t, "4later", body)

	conn := h.dial(ws + "&sid=" + sid(open))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("2probe")))
	require.Equal(t, "3probe", h.read(conn))
	require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("5")))
	for _, conn := range []*websocket.Conn{conn, h.dial(ws)} {
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("4hello")))
		require.NoError(t, conn.WriteMessage(websocket.TextMessage, []byte("4later")))
		got := h.read(conn)
		if strings.HasPrefix(got, "0") {
			got = h.read(conn)
		}
		require.Equal(t, "4hello", got)
		require.Equal(t, "4later", h.read(conn))
	}
}

// echoHost mounts the server in Echo with the given middleware.
func echoHost(m ...echo.MiddlewareFunc) func(http.Handler) http.Handler {
	return func(srv http.Handler) http.Handler {
		e := echo.New()
		e.Use(m...)
		e.Any("/engine.io/*", func(c echo.Context) error {
			srv.ServeHTTP(c.Response(), c.Request())
			return nil
		})
		return e
	}
}

func TestBehindEchoMiddleware(t *testing.T) {
	t.Parallel()
	log := middleware.LoggerConfig{Output: io.Discard}
	for name, m := range map[string][]echo.MiddlewareFunc{
		"none":       nil,
		"Logger":     {middleware.LoggerWithConfig(log)},
		"Recover":    {middleware.Recover()},
		"Gzip":       {middleware.Gzip()},
		"Decompress": {middleware.Decompress()},
		"BodyLimit":  {middleware.BodyLimit("1K")},
		"CORS":       {middleware.CORS()},
		"Secure":     {middleware.Secure()},
		"RequestID":  {middleware.RequestID()},
		"BodyDump":   {middleware.BodyDump(func(echo.Context, []byte, []byte) {})},
		"all": {
			middleware.LoggerWithConfig(log), middleware.Recover(), middleware.RequestID(), middleware.Gzip(), middleware.CORS(),
			middleware.BodyLimit("1M"), middleware.Secure(), middleware.ContextTimeout(time.Second),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			newHost(t, 10*time.Millisecond, echoHost(m...)).works()
		})
	}
}

// ContextTimeout ends the context of every request. A poll then ends with a noop, and what comes later with the next
// one; a WebSocket has left its request behind.
func TestBehindContextTimeout(t *testing.T) {
	t.Parallel()
	newHost(t, 300*time.Millisecond, echoHost(middleware.ContextTimeout(100*time.Millisecond))).works()
}

// The timeouts of the host's server are shorter than a poll is held.
func TestBehindServerTimeouts(t *testing.T) {
	t.Parallel()
	newHost(t, 500*time.Millisecond, func(h http.Handler) http.Handler { return h }, func(s *http.Server) {
		s.ReadTimeout = 300 * time.Millisecond
		s.WriteTimeout = 300 * time.Millisecond
		s.IdleTimeout = 300 * time.Millisecond
		s.ReadHeaderTimeout = 300 * time.Millisecond
	}).works()
}

// A client that accepts gzip gets it from the host's middleware, complete with each poll.
func TestCompressedPolls(t *testing.T) {
	t.Parallel()
	h := newHost(t, 0, echoHost(middleware.Gzip()))
	unzip := func(res *http.Response, body string) string {
		require.Equal(t, "gzip", res.Header.Get("Content-Encoding"))
		r, err := gzip.NewReader(strings.NewReader(body))
		require.NoError(t, err)
		plain, err := io.ReadAll(r)
		require.NoError(t, err)
		return string(plain)
	}
	open := unzip(h.do("GET", polling, "", "Accept-Encoding", "gzip"))
	query := polling + "&sid=" + sid(open)
	text := "4" + strings.Repeat("x", 5000)
	require.Equal(t, "ok", unzip(h.do("POST", query, text, "Accept-Encoding", "gzip")))
	require.Equal(t, text, unzip(h.do("GET", query, "", "Accept-Encoding", "gzip")))
}

// Nothing can work behind http.TimeoutHandler. The answer and the log say so in words.
func TestBehindTimeoutHandler(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]func(http.Handler) http.Handler{
		"http.TimeoutHandler": func(h http.Handler) http.Handler { return http.TimeoutHandler(h, time.Minute, "") },
		"Echo":                echoHost(middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: time.Minute})), //nolint:staticcheck // deprecated, and in use
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHost(t, 0, wrap)
			for range 3 {
				res, body := h.do("GET", polling, "")
				require.Equal(t, 500, res.StatusCode)
				require.Contains(t, body, "ContextTimeout")
			}
			require.Equal(t, 1, strings.Count(h.log.String(), "TimeoutHandler"), "once in the log")
		})
	}
}

// HTTP/2 has no connection to take over; polling works, and a WebSocket would use a connection of its own.
func TestPollingOverHTTP2(t *testing.T) {
	t.Parallel()
	srv, err := engineio.New(engineio.Config{
		OnSession: func(s *engineio.Session) engineio.Handler { return echoer{s: s} },
	})
	require.NoError(t, err)
	ts := httptest.NewUnstartedServer(srv)
	ts.EnableHTTP2 = true
	ts.StartTLS()
	defer ts.Close()
	do := func(method, query, body string) string {
		r, err := http.NewRequest(method, ts.URL+"/?"+query, strings.NewReader(body))
		require.NoError(t, err)
		res, err := ts.Client().Do(r)
		require.NoError(t, err)
		defer res.Body.Close()
		require.Equal(t, 2, res.ProtoMajor)
		data, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		return string(data)
	}
	query := polling + "&sid=" + sid(do("GET", polling, ""))
	require.Equal(t, "ok", do("POST", query, "4hello"))
	require.Equal(t, "4hello", do("GET", query, ""))
	require.Equal(t, "ok", do("POST", query, "1"))
	require.NoError(t, srv.Shutdown(t.Context()))
}
