package engineio

import (
	"bufio"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fuzzServer returns a server that counts its sessions, and a function that waits for all of them to be closed.
func fuzzServer(f *testing.F) (srv *Server, settle func(*testing.T)) {
	f.Helper()
	var opened, closed atomic.Int64
	srv, err := New(Config{
		Logger:     slog.New(slog.DiscardHandler),
		MaxPayload: 10_000,
		OnSession: func(s *Session) Handler {
			opened.Add(1)
			return counting{s, &closed}
		},
	})
	require.NoError(f, err)
	return srv, func(t *testing.T) {
		t.Helper()
		eventually(t, "the end of all sessions", func() bool { return closed.Load() == opened.Load() })
		require.Zero(t, srv.Sessions())
		eventually(t, "the budget given back", func() bool { return srv.inbound.used.Load() == 0 })
	}
}

// FuzzPolling sends two arbitrary requests to a session on polling, and to no session at all. Whatever comes, there is an
// answer at once, and nothing is left afterwards.
func FuzzPolling(f *testing.F) {
	srv, settle := fuzzServer(f)
	do := func(method, query, body string, header http.Header) *httptest.ResponseRecorder {
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		r := httptest.NewRequest("GET", "/engine.io/", strings.NewReader(body)).WithContext(ctx)
		r.Method = method
		r.URL.RawQuery = query
		if header != nil {
			r.Header = header
		}
		w := httptest.NewRecorder()
		idle, other := net.Pipe()
		defer other.Close()
		srv.ServeHTTP(writer{w, idle}, r)
		return w
	}
	f.Add("GET", "", "", "")
	f.Add("POST", "", "4hello\x1e4there\x1ebAQID", "text/plain")
	f.Add("POST", "&transport=websocket", "1", "")
	f.Add("POST", "&sid=x", "2", "application/octet-stream")
	f.Add("PUT", "&EIO=3", "\x1e\x1e", "")
	f.Add("OPTIONS", "&transport=__proto__", "", "")
	f.Fuzz(func(t *testing.T, method, query, body, contentType string) {
		open := do("GET", pollQuery, "", nil)
		require.Equal(t, 200, open.Code)
		sid := sidOf(t, open.Body.String())
		for _, q := range []string{pollQuery + query, pollQuery + "&sid=" + sid + query} {
			for range 2 {
				w := do(method, q, body, http.Header{"Content-Type": {contentType}})
				require.Contains(t, []int{200, 204, 400, 403, 405, 413}, w.Code)
				require.NotContains(t, w.Header().Get("Content-Type"), "html")
				if rest, ok := strings.CutPrefix(w.Body.String(), "0"); ok { // query may have opened another
					do("POST", pollQuery+"&sid="+sidOf(t, "0"+firstPacket(rest)), "1", nil)
				}
			}
		}
		do("POST", pollQuery+"&sid="+sid, "1", nil)
		for _, s := range srv.all() { // closed for an invalid packet, or waiting for a last poll
			s.end(ReasonForcedClose, endGone)
			s.stopLingering()
		}
		settle(t)
	})
}

func firstPacket(body string) string {
	first, _, _ := strings.Cut(body, "\x1e")
	return first
}

// FuzzWebSocket sends arbitrary bytes after a handshake, and as a probe. The session ends with the connection, a probe
// leaves the session as it was, and nothing is left afterwards.
func FuzzWebSocket(f *testing.F) {
	srv, settle := fuzzServer(f)
	connect := func(t *testing.T, query string, stream []byte) {
		server, client := net.Pipe()
		r := httptest.NewRequest("GET", "/engine.io/?"+query, nil)
		r.Header = http.Header{
			"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
			"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="},
		}
		srv.ServeHTTP(writer{httptest.NewRecorder(), server}, r)
		done := make(chan struct{})
		go func() {
			defer close(done)
			_, _ = io.Copy(io.Discard, bufio.NewReader(client))
		}()
		_ = client.SetWriteDeadline(time.Now().Add(patience))
		_, _ = client.Write(stream)
		_ = client.Close()
		receive(t, done, "the end of the connection")
	}
	f.Add([]byte(frame(0x81, "4hello") + frame(0x82, "bin") + closing(1000, "bye")))
	f.Add([]byte(frame(0x01, "4he") + frame(0x89, "p") + frame(0x80, "llo")))
	f.Add([]byte(frame(0x81, "2probe") + frame(0x81, "5") + frame(0x81, "4x")))
	f.Add([]byte(rawFrame(0x82, 1<<64-1, true, "x")))
	f.Add([]byte(frame(0xF1, "4x")))
	f.Fuzz(func(t *testing.T, stream []byte) {
		connect(t, wsQuery, stream)
		w := httptest.NewRecorder()
		srv.ServeHTTP(writer{w, nil}, httptest.NewRequest("GET", "/?"+pollQuery, nil))
		connect(t, wsQuery+"&sid="+sidOf(t, w.Body.String()), stream)
		for _, s := range srv.all() { // those that stayed on polling
			if s.Transport() == Polling {
				s.end(ReasonForcedClose, endGone)
				s.stopLingering()
			}
		}
		settle(t)
	})
}
