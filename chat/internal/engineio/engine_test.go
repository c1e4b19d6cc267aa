package engineio

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

const (
	// patience bounds every wait of a test for something that should happen soon, on a busy machine too.
	patience = 30 * time.Second
	// notHere stands for a timeout that is not what a test is about: whatever waited for it would outlast patience.
	notHere = time.Hour
)

// peer is the Handler of the tests: what it is told arrives in channels.
type peer struct {
	session *Session
	texts   chan string
	blobs   chan []byte
	closed  chan Reason

	onText func(*peer, []byte) // instead of texts

	pings, pongs atomic.Int32
}

func newPeer(s *Session) *peer {
	return &peer{session: s, texts: make(chan string, 1024), blobs: make(chan []byte, 64), closed: make(chan Reason, 2)}
}

func (p *peer) Text(data []byte) {
	if p.onText != nil {
		p.onText(p, data)
		return
	}
	p.texts <- string(data)
}
func (p *peer) Binary(data []byte)   { p.blobs <- data }
func (p *peer) Closed(reason Reason) { p.closed <- reason }
func (p *peer) Pinged()              { p.pings.Add(1) }
func (p *peer) Ponged()              { p.pongs.Add(1) }

// testServer is a Server behind a real listener.
type testServer struct {
	*Server
	http  *httptest.Server
	url   string
	peers chan *peer

	mu   sync.Mutex
	errs []ConnectionError
}

// newTestServer starts a server. Unless cfg has a hook of its own, each session's peer is sent to peers.
func newTestServer(t testing.TB, cfg Config, options ...func(*httptest.Server)) *testServer {
	t.Helper()
	ts := &testServer{peers: make(chan *peer, 4096)}
	if cfg.OnSession == nil {
		cfg.OnSession = func(s *Session) Handler {
			p := newPeer(s)
			ts.peers <- p
			return p
		}
	}
	if cfg.OnError == nil {
		cfg.OnError = func(e ConnectionError) {
			ts.mu.Lock()
			defer ts.mu.Unlock()
			ts.errs = append(ts.errs, e)
		}
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	srv, err := New(cfg)
	require.NoError(t, err)
	ts.Server = srv
	ts.http = httptest.NewUnstartedServer(srv)
	for _, option := range options {
		option(ts.http)
	}
	ts.http.Start()
	ts.url = ts.http.URL + "/engine.io/"
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		for _, s := range srv.all() { // or Shutdown would wait a moment for a last poll
			if s.Transport() == Polling {
				s.end(ReasonForcedClose, endGone)
				s.stopLingering()
			}
		}
		require.NoError(t, srv.Shutdown(ctx))
		ts.http.CloseClientConnections()
		ts.http.Close()
	})
	return ts
}

func (srv *Server) all() []*Session {
	srv.mu.RLock()
	defer srv.mu.RUnlock()
	return slices.Collect(maps.Values(srv.sessions))
}

// echoing makes each session send back what it receives.
func echoing(s *Session) Handler {
	p := newPeer(s)
	p.onText = func(p *peer, data []byte) { p.session.Send(NewMessage(data)) }
	return p
}

func (ts *testServer) peer(t testing.TB) *peer {
	t.Helper()
	return receive(t, ts.peers, "a session")
}

func (ts *testServer) wsURL(query string) string {
	return "ws" + strings.TrimPrefix(ts.url, "http") + "?" + query
}

// receive takes a value from c, which must come soon.
func receive[T any](t testing.TB, c <-chan T, what string) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(patience):
		require.FailNow(t, "timeout", "waiting for %s", what)
		panic("unreachable")
	}
}

// answer is what a request got.
type answer struct {
	status int
	header http.Header
	body   string
}

func (ts *testServer) do(t testing.TB, method, query, body string, header ...string) answer {
	t.Helper()
	a, err := ts.try(context.Background(), method, query, body, header...)
	require.NoError(t, err)
	return a
}

func (ts *testServer) try(ctx context.Context, method, query, body string, header ...string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, method, ts.url+"?"+query, strings.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := ts.http.Client().Do(r)
	if err != nil {
		return answer{}, err
	}
	defer res.Body.Close()
	data, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(data)}, err
}

// poller is a client on polling.
type poller struct {
	t   testing.TB
	ts  *testServer
	sid string
}

const pollQuery = "EIO=4&transport=polling"

func (ts *testServer) openPolling(t testing.TB) *poller {
	t.Helper()
	a := ts.do(t, "GET", pollQuery, "")
	require.Equal(t, 200, a.status, a.body)
	return &poller{t, ts, sidOf(t, a.body)}
}

func sidOf(t testing.TB, open string) string {
	t.Helper()
	require.True(t, strings.HasPrefix(open, "0"), open)
	var hello struct{ SID string }
	require.NoError(t, json.Unmarshal([]byte(open[1:]), &hello))
	require.NotEmpty(t, hello.SID)
	return hello.SID
}

func (p *poller) query() string { return pollQuery + "&sid=" + p.sid }

func (p *poller) get() answer {
	p.t.Helper()
	return p.ts.do(p.t, "GET", p.query(), "")
}

func (p *poller) post(body string) answer {
	p.t.Helper()
	return p.ts.do(p.t, "POST", p.query(), body)
}

// goGet polls in the background, until ctx ends.
func (p *poller) goGet(ctx context.Context) <-chan answer {
	c := make(chan answer, 1)
	go func() {
		a, err := p.ts.try(ctx, "GET", p.query(), "")
		if err != nil {
			a = answer{body: err.Error()}
		}
		c <- a
	}()
	return c
}

// waitPolling waits until the session has an open GET.
func waitPolling(t testing.TB, s *Session) {
	t.Helper()
	eventually(t, "an open GET", func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.polling.get
	})
}

// eventually waits for a state that nothing announces. It starts no goroutine, since these may be what is counted.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		require.True(t, time.Now().Before(deadline), "waiting for %s", what)
	}
}

// client is a client on WebSocket.
type client struct {
	t testing.TB
	*websocket.Conn
	sid string
}

const wsQuery = "EIO=4&transport=websocket"

func (ts *testServer) openWebSocket(t testing.TB) *client {
	t.Helper()
	c := ts.dial(t, wsQuery)
	c.sid = sidOf(t, c.read())
	return c
}

func (ts *testServer) dial(t testing.TB, query string) *client {
	t.Helper()
	conn, res, err := websocket.DefaultDialer.Dial(ts.wsURL(query), nil)
	require.NoError(t, err)
	_ = res.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, Conn: conn}
}

// read returns the next message, binary in hexadecimal.
func (c *client) read() string {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	kind, data, err := c.ReadMessage()
	require.NoError(c.t, err)
	if kind == websocket.BinaryMessage {
		return fmt.Sprintf("%x", data)
	}
	return string(data)
}

func (c *client) write(text string) {
	c.t.Helper()
	require.NoError(c.t, c.WriteMessage(websocket.TextMessage, []byte(text)))
}

// readClose reads until the connection is closed, and returns the close code, or -1 without a close frame.
func (c *client) readClose() (int, string) {
	c.t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	for {
		if _, _, err := c.ReadMessage(); err != nil {
			var e *websocket.CloseError
			if errors.As(err, &e) && e.Code != websocket.CloseAbnormalClosure {
				return e.Code, e.Text
			}
			require.False(c.t, isTimeout(err), "the connection stayed open")
			return -1, err.Error()
		}
	}
}

func isTimeout(err error) bool {
	var e net.Error
	return errors.As(err, &e) && e.Timeout()
}

// payload joins packets as in the body of a poll.
func payload(packets ...string) string { return strings.Join(packets, "\x1e") }

func message(text string) *Message { return NewMessage([]byte(text)) }

func repeat(c byte, n int) []byte { return bytes.Repeat([]byte{c}, n) }
