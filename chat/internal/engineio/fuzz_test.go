package engineio

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// fuzzing is what all executions of a target share: one server, without a network and without a timer that anything
// waits for.
type fuzzing struct {
	srv            *Server
	opened, closed atomic.Int64
	overdue        context.Context // a request's that has used up its time: a poll does not wait
	gone           context.Context // a request's whose client has left
}

func newFuzzing(f *testing.F) *fuzzing {
	f.Helper()
	z := new(fuzzing)
	srv, err := New(Config{
		Logger:           slog.New(slog.DiscardHandler),
		MaxPayload:       10_000,
		MaxBufferBytes:   20_000,
		MaxBufferPackets: 200,
		linger:           time.Millisecond,
		OnSession: func(s *Session) Handler {
			z.opened.Add(1)
			return counting{s, &z.closed}
		},
	})
	require.NoError(f, err)
	z.srv = srv
	var cancel context.CancelFunc
	z.overdue, cancel = context.WithDeadline(context.Background(), time.Unix(0, 0))
	f.Cleanup(cancel)
	z.gone, cancel = context.WithCancel(context.Background())
	cancel()
	return z
}

// bounded runs an execution and checks what every one of them is held to: it takes little time, no more than limit bytes
// of memory, and leaves nothing behind.
func (z *fuzzing) bounded(t *testing.T, limit int, execution func()) {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	frugal(t, limit, func() {
		execution()
		for _, s := range z.srv.all() { // those that nobody has closed, or that wait for a last poll
			s.end(ReasonForcedClose, endGone)
			s.stopLingering()
		}
		settled := func() bool {
			return z.closed.Load() == z.opened.Load() && z.srv.Sessions() == 0 && z.srv.inbound.used.Load() == 0 &&
				z.srv.melody.Len() == 0 && runtime.NumGoroutine() <= goroutines
		}
		for range 1000 { // it takes no longer, so that no timer has to be waited for
			if settled() {
				break
			}
			runtime.Gosched()
		}
		eventually(t, "the end of all sessions and goroutines", settled)
	})
	require.Empty(t, z.srv.all())
}

// frugal checks that f takes no more than limit bytes of memory, and little time. What it exceeds by something else that
// the process or the machine does, it does not exceed three times.
func frugal(t *testing.T, limit int, f func()) {
	t.Helper()
	const soon = time.Second
	var took time.Duration
	var memory uint64
	for range 3 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		f()
		took = time.Since(began)
		runtime.ReadMemStats(&after)
		memory = after.TotalAlloc - before.TotalAlloc
		if took < soon && memory <= uint64(limit) {
			return
		}
	}
	require.Less(t, took, soon)
	require.LessOrEqual(t, memory, uint64(limit))
}

// The state in which FuzzPolling sends its requests to a session.
const (
	fuzzQueued   = 1 << iota // messages wait for the client
	fuzzEnded                // the server has closed the session
	fuzzPolled               // a GET is open
	fuzzProbed               // a WebSocket is probing
	fuzzUpgraded             // the session has moved to a WebSocket
	fuzzGone                 // the client does not wait for the answer
	fuzzChunked              // the length of the body is not announced
)

// FuzzPolling sends an arbitrary request twice to no session and twice to a session, in whatever state that is. There is
// an answer at once, it is one of the protocol's, and nothing is left afterwards.
func FuzzPolling(f *testing.F) {
	z := newFuzzing(f)
	f.Add("GET", "", "", "", byte(0))
	f.Add("GET", "", "", "", byte(fuzzQueued|fuzzEnded))
	f.Add("GET", "", "", "Origin: http://example.com\nCookie: io=x", byte(fuzzPolled))
	f.Add("GET", "", "", "", byte(fuzzQueued|fuzzGone))
	f.Add("GET", "&transport=websocket", "", "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\n"+
		"Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==", byte(0))
	f.Add("POST", "", "4hello\x1e4there\x1ebAQID", "Content-Type: text/plain", byte(0))
	f.Add("POST", "", "4close\x1e4x", "", byte(fuzzPolled|fuzzChunked))
	f.Add("POST", "", "3\x1e6\x1e4x", "", byte(fuzzProbed))
	f.Add("POST", "&transport=websocket", "1", "", byte(fuzzUpgraded))
	f.Add("POST", "&sid=x", "2", "Content-Type: application/octet-stream", byte(fuzzQueued))
	f.Add("POST", "", "4"+strings.Repeat("x", 10_000), "Content-Encoding: gzip", byte(fuzzChunked))
	f.Add("PUT", "&EIO=3", "\x1e\x1e", "Sec-Fetch-Site: cross-site", byte(0))
	f.Add("OPTIONS", "&transport=__proto__", "", "Origin: null\nAccess-Control-Request-Method: POST", byte(0))
	f.Fuzz(func(t *testing.T, method, query, body, headers string, state byte) {
		if len(query) > 4<<10 || len(headers) > 4<<10 {
			return // net/http limits them
		}
		header := parseHeaders(headers)
		if method == http.MethodGet {
			body = "" // another one is refused, which a GET with Transfer-Encoding: chunked shows as well
		}
		input := len(method) + len(query) + len(body) + len(headers)
		z.bounded(t, 64*input+256<<10, func() {
			for range 2 {
				z.request(t, method, pollQuery+query, body, header, state)
			}
			z.session(t, state, func(sid string) {
				for range 2 {
					z.request(t, method, pollQuery+"&sid="+sid+query, body, header, state)
				}
			})
		})
	})
}

// parseHeaders reads lines of "Name: value", as net/http hands headers on.
func parseHeaders(lines string) http.Header {
	header := make(http.Header)
	for line := range strings.SplitSeq(lines, "\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
		}
	}
	return header
}

// session opens a session and has use run while it is in the given state.
func (z *fuzzing) session(t *testing.T, state byte, use func(sid string)) {
	t.Helper()
	open := z.do(z.overdue, "GET", pollQuery, strings.NewReader(""), nil)
	require.Equal(t, 200, open.Code)
	sid := sidOf(t, open.Body.String())
	s := z.srv.lookup(sid)
	var stream string
	if state&(fuzzProbed|fuzzUpgraded) != 0 {
		stream = frame(0x81, "2probe")
	}
	if state&fuzzUpgraded != 0 {
		stream += frame(0x81, "5")
	}
	if stream != "" {
		client := z.dial(wsQuery + "&sid=" + sid)
		defer client.close()
		_, _ = client.conn.Write([]byte(stream))
		for state&fuzzUpgraded != 0 && s.Transport() == Polling {
			runtime.Gosched()
		}
	}
	if state&fuzzQueued != 0 {
		s.Send(NewMessage([]byte("one"), []byte{1, 2, 3}))
		s.Send(NewMessage([]byte("two")))
	}
	if state&fuzzEnded != 0 {
		s.Close(ReasonForcedClose)
	}
	if state&fuzzPolled != 0 {
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		go func() {
			defer close(done)
			z.do(ctx, "GET", pollQuery+"&sid="+sid, strings.NewReader(""), nil)
		}()
		defer func() { cancel(); <-done }()
		runtime.Gosched()
	}
	use(sid)
}

func (z *fuzzing) do(ctx context.Context, method, query string, body io.Reader, header http.Header) *httptest.ResponseRecorder {
	r := httptest.NewRequest("GET", "/engine.io/", body).WithContext(ctx)
	r.Method = method
	r.URL.RawQuery = query
	if header != nil {
		r.Header = header
	}
	w := httptest.NewRecorder()
	z.srv.ServeHTTP(&fuzzWriter{ResponseRecorder: w}, r)
	return w
}

// fuzzWriter is a ResponseWriter over a connection that the client has left, should somebody take it over.
type fuzzWriter struct {
	*httptest.ResponseRecorder
}

func (w *fuzzWriter) SetReadDeadline(time.Time) error  { return nil }
func (w *fuzzWriter) SetWriteDeadline(time.Time) error { return nil }
func (w *fuzzWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	server, client := net.Pipe()
	_ = client.Close()
	w.Code = http.StatusSwitchingProtocols
	return writer{conn: server}.Hijack()
}

// request sends a request and checks that the answer is one that the protocol knows.
func (z *fuzzing) request(t *testing.T, method, query, body string, header http.Header, state byte) {
	t.Helper()
	ctx := z.overdue
	if state&fuzzGone != 0 {
		ctx = z.gone
	}
	var reader io.Reader = strings.NewReader(body)
	if state&fuzzChunked != 0 {
		reader = io.MultiReader(reader) // of which httptest does not know the length
	}
	w := z.do(ctx, method, query, reader, header)
	got := w.Body.Bytes()
	require.NotContains(t, w.Header().Get("Content-Type"), "html")
	switch w.Code {
	case http.StatusSwitchingProtocols:
	case http.StatusNoContent:
		require.Equal(t, http.MethodOptions, method)
		require.Empty(t, got)
	case http.StatusOK:
		require.Contains(t, []string{http.MethodGet, http.MethodPost}, method)
		if method == http.MethodGet && len(got) > 0 { // nothing is answered to a client that has gone
			requirePayload(t, got)
		} else if method == http.MethodPost {
			require.Equal(t, "ok", string(got))
		}
	default:
		require.Contains(t, []int{400, 403, 405, 413, 414, 415, 503}, w.Code)
		if w.Header().Get("Content-Type") != "application/json" { // of a refused upgrade
			require.Equal(t, "text/plain; charset=UTF-8", w.Header().Get("Content-Type"))
			return
		}
		var refusal struct {
			Code    *ErrorCode
			Message string
		}
		require.NoError(t, json.Unmarshal(got, &refusal))
		require.NotNil(t, refusal.Code)
		require.Equal(t, refusal.Code.String(), refusal.Message)
	}
}

// requirePayload checks that every packet in the answer to a poll is one that a server sends.
func requirePayload(t *testing.T, body []byte) {
	t.Helper()
	require.True(t, utf8.Valid(body))
	for more := true; more; {
		var raw []byte
		raw, body, more = nextPacket(body)
		kind, _, err := decodePacket(raw)
		require.NoError(t, err)
		require.Contains(t, "01246b", string(rune(kind)))
	}
}

// fuzzClient is the client's end of a WebSocket.
type fuzzClient struct {
	conn     net.Conn
	received bytes.Buffer // complete once done is closed
	done     chan struct{}
}

// dial does the handshake for a WebSocket, whose answers are read from then on.
func (z *fuzzing) dial(query string) *fuzzClient {
	server, conn := net.Pipe()
	c := &fuzzClient{conn: conn, done: make(chan struct{})}
	r := httptest.NewRequest("GET", "/engine.io/?"+query, nil)
	r.Header = http.Header{
		"Connection": {"Upgrade"}, "Upgrade": {"websocket"},
		"Sec-Websocket-Version": {"13"}, "Sec-Websocket-Key": {"MDEyMzQ1Njc4OWFiY2RlZg=="},
	}
	z.srv.ServeHTTP(writer{httptest.NewRecorder(), server}, r)
	go func() {
		defer close(c.done)
		_, _ = io.Copy(&c.received, conn)
	}()
	return c
}

// close leaves, and waits until all has been received.
func (c *fuzzClient) close() {
	_ = c.conn.Close()
	<-c.done
}

// requireFrames checks that what the server has sent are frames as it may send them, the last one possibly cut off, and
// that nothing follows a close frame.
func (c *fuzzClient) requireFrames(t *testing.T) {
	t.Helper()
	head, frames, found := bytes.Cut(c.received.Bytes(), []byte("\r\n\r\n"))
	if !found {
		return // left before the handshake was done
	}
	require.True(t, bytes.HasPrefix(head, []byte("HTTP/1.1 101 ")))
	r := bufio.NewReader(bytes.NewReader(frames))
	for closed := false; ; {
		first, content, err := readFrame(r)
		if err != nil {
			return
		}
		require.False(t, closed, "a frame after the close frame")
		switch first {
		case 0x81:
			require.True(t, utf8.Valid(content))
			require.Contains(t, "012346", string(content[:1]))
		case 0x82:
		case 0x88:
			require.NotEqual(t, 1, len(content))
			require.True(t, len(content) < 2 || utf8.Valid(content[2:]))
			fallthrough
		case 0x8A:
			require.LessOrEqual(t, len(content), 125)
			closed = first == 0x88
		default:
			require.Failf(t, "frame", "of type %x", first)
		}
	}
}

// FuzzWebSocket sends arbitrary bytes after a handshake, and as a probe, cut into two writes anywhere. What comes back
// are frames, the session ends with its connection, a probe leaves the session as it was, and nothing is left.
func FuzzWebSocket(f *testing.F) {
	z := newFuzzing(f)
	add := func(stream string, cut uint16) { f.Add([]byte(stream), cut) }
	plain := func(first byte, content string) string { return string(clientFrame(first, []byte(content))) }
	add(frame(0x81, "4hello")+frame(0x82, "bin")+closing(1000, "bye"), 0)
	add(plain(0x01, "4he")+plain(0x89, "p")+plain(0x80, "llo")+plain(0x88, "\x03\xe8bye"), 5)
	add(plain(0x81, "2probe")+plain(0x81, "5")+plain(0x81, "4x"), 14)
	add(plain(0x81, "2probe")+plain(0x81, "5")+plain(0x81, "4close")+plain(0x8A, ""), 3)
	add(plain(0x81, "3")+plain(0x81, "6")+plain(0x81, "bAQID")+plain(0x81, "4€")+plain(0x81, "1"), 20)
	add(rawFrame(0x82, 1<<64-1, true, "x"), 0)
	add(plain(0x81, "4"+strings.Repeat("x", 9_999))+plain(0x81, "bAQID"), 9_000)
	add(strings.Repeat(plain(0x81, "4x"), 300)+plain(0x81, "1"), 1)
	add(plain(0xF1, "4x"), 1)
	f.Fuzz(func(t *testing.T, stream []byte, cut uint16) {
		send := func(query string) {
			client := z.dial(query)
			n := min(int(cut), len(stream))
			_ = client.conn.SetWriteDeadline(time.Now().Add(patience))
			if _, err := client.conn.Write(stream[:n]); err == nil {
				_, _ = client.conn.Write(stream[n:])
			}
			client.close()
			client.requireFrames(t)
		}
		// The stream is sent twice, and gorilla takes half a kilobyte for a message, be it one of seven bytes.
		z.bounded(t, 2*128*len(stream)+256<<10, func() {
			send(wsQuery)
			open := z.do(z.overdue, "GET", pollQuery, strings.NewReader(""), nil)
			send(wsQuery + "&sid=" + sidOf(t, open.Body.String()))
		})
	})
}
