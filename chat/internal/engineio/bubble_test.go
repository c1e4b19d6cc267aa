package engineio

import (
	"bufio"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// bubble is a server on a fake clock with one session. It is therefore without a network: polls are calls of ServeHTTP,
// and a WebSocket is one end of a net.Pipe.
type bubble struct {
	t    *testing.T
	srv  *Server
	peer *peer
	sid  string
}

// inBubble runs test on a fake clock (testing/synctest): time.Sleep in it moves the clock and takes no time.
func inBubble(t *testing.T, cfg Config, test func(*bubble)) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &bubble{t: t}
		cfg.OnSession = func(s *Session) Handler {
			b.peer = newPeer(s)
			return b.peer
		}
		cfg.Logger = slog.New(slog.DiscardHandler)
		srv, err := New(cfg)
		require.NoError(t, err)
		b.srv = srv
		test(b)
		require.NoError(t, srv.Shutdown(context.Background()))
		time.Sleep(time.Minute) // for the test's own goroutines to notice; one of the server's left is an error
	})
}

// writer is a ResponseWriter that lets its deadlines be set, as net/http's do.
type writer struct {
	*httptest.ResponseRecorder
	conn net.Conn
}

func (w writer) SetReadDeadline(time.Time) error  { return nil }
func (w writer) SetWriteDeadline(time.Time) error { return nil }
func (w writer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return w.conn, bufio.NewReadWriter(bufio.NewReaderSize(w.conn, 16), bufio.NewWriterSize(w.conn, 16)), nil
}

func (b *bubble) do(method, query, body string) answer {
	w := writer{ResponseRecorder: httptest.NewRecorder()}
	b.srv.ServeHTTP(w, httptest.NewRequest(method, "/engine.io/?"+query, strings.NewReader(body)))
	return answer{w.Code, w.Header(), w.Body.String()}
}

func (b *bubble) openPolling() {
	b.sid = sidOf(b.t, b.do("GET", pollQuery, "").body)
}

func (b *bubble) get() answer             { return b.do("GET", pollQuery+"&sid="+b.sid, "") }
func (b *bubble) post(body string) answer { return b.do("POST", pollQuery+"&sid="+b.sid, body) }

// openWebSocket opens a session and returns the client's end and a reader of frames from it.
func (b *bubble) openWebSocket() (net.Conn, *bufio.Reader) {
	client, reader := b.dial(wsQuery)
	_, content, err := readFrame(reader)
	require.NoError(b.t, err)
	b.sid = sidOf(b.t, string(content))
	synctest.Wait()
	return client, reader
}

// dial does a WebSocket handshake.
func (b *bubble) dial(query string) (net.Conn, *bufio.Reader) {
	server, client := net.Pipe()
	r := httptest.NewRequest("GET", "/engine.io/?"+query, nil)
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="},
	}
	b.srv.ServeHTTP(writer{httptest.NewRecorder(), server}, r)
	reader := bufio.NewReader(client)
	for line := ""; line != "\r\n"; {
		var err error
		line, err = reader.ReadString('\n')
		require.NoError(b.t, err)
	}
	return client, reader
}

// closedAfter expects that the session ends for the given reason after the given time from now.
func (b *bubble) closedAfter(d time.Duration, reason Reason) {
	b.t.Helper()
	start := time.Now()
	select {
	case got := <-b.peer.closed:
		require.Equal(b.t, reason, got)
		require.Equal(b.t, d, time.Since(start))
	case <-time.After(d + time.Hour):
		require.Fail(b.t, "the session was not closed")
	}
}

// about compares durations; a session begins a moment after its server's clock did.
func (b *bubble) about(want, got time.Duration) {
	b.t.Helper()
	require.InDelta(b.t, want.Seconds(), got.Seconds(), 0.001)
}
