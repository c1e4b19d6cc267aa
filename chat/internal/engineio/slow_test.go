package engineio

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// writers runs a test on each way by which a connection is written: by the shards, by a goroutine of its own because of
// a setting, and by such a goroutine because of TLS.
func writers(t *testing.T, test func(t *testing.T, cfg Config, options ...func(*httptest.Server))) {
	t.Parallel()
	t.Run("shards", func(t *testing.T) { t.Parallel(); test(t, Config{}) })
	t.Run("goroutines", func(t *testing.T) { t.Parallel(); test(t, Config{blockingWrites: true}) })
	t.Run("TLS", func(t *testing.T) { t.Parallel(); test(t, Config{}, withTLS) })
}

// withTLS has the test server's connections encrypted; dialing is up to dialWith.
func withTLS(s *httptest.Server) {
	cert := testCertificate()
	s.Listener = tls.NewListener(s.Listener, &tls.Config{Certificates: []tls.Certificate{cert}})
}

// smallWriteBuffers keeps the kernel from taking megabytes for a client that does not read.
func smallWriteBuffers(s *httptest.Server) {
	s.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if encrypted, ok := conn.(*tls.Conn); ok {
			conn = encrypted.NetConn()
		}
		if state == http.StateNew {
			_ = conn.(*net.TCPConn).SetWriteBuffer(16 << 10)
		}
	}
}

func testCertificate() tls.Certificate {
	s := httptest.NewUnstartedServer(nil)
	s.StartTLS()
	defer s.Close()
	return s.TLS.Certificates[0]
}

// dialWith opens a WebSocket whose receive buffer is limited if buffer is not 0, so that not reading shows soon.
func dialWith(t testing.TB, ts *testServer, encrypted bool, buffer int) *client {
	t.Helper()
	dialer := websocket.Dialer{NetDialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := new(net.Dialer).DialContext(ctx, network, addr)
		if err == nil && buffer > 0 {
			_ = conn.(*net.TCPConn).SetReadBuffer(buffer)
		}
		return conn, err
	}, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // the test's own certificate
	url := ts.wsURL(wsQuery)
	if encrypted {
		url = "wss" + strings.TrimPrefix(url, "ws")
	}
	conn, res, err := dialer.Dial(url, nil)
	require.NoError(t, err)
	_ = res.Body.Close()
	t.Cleanup(func() { _ = conn.Close() })
	return &client{t: t, Conn: conn}
}

// In a group of 100 under load some clients stop reading. They are closed with a reason and hold nobody up; the others
// get every message in order; and the memory that is queued stays bounded.
func TestSlowReadersInAGroup(t *testing.T) {
	writers(t, func(t *testing.T, cfg Config, options ...func(*httptest.Server)) {
		const (
			members  = 100
			slow     = 10
			messages = 400
			bound    = 200_000
		)
		cfg.MaxBufferBytes = bound
		cfg.SendTimeout = notHere // whom a slow client held up would wait for as long
		ts := newTestServer(t, cfg, append(options, smallWriteBuffers)...)
		encrypted := len(options) > 0

		var clients []*client
		var peers []*peer
		for i := range members {
			buffer := 0
			if i < slow {
				buffer = 4 << 10
			}
			c := dialWith(t, ts, encrypted, buffer)
			c.sid = sidOf(t, c.read())
			clients = append(clients, c)
			peers = append(peers, ts.peer(t))
		}

		var wg sync.WaitGroup
		progress := make(chan struct{}, members*messages)
		for _, c := range clients[slow:] {
			wg.Go(func() {
				for i := range messages {
					_ = c.SetReadDeadline(time.Now().Add(patience))
					_, data, err := c.ReadMessage()
					if err != nil || !strings.HasPrefix(string(data), fmt.Sprintf("4%d ", i)) {
						t.Errorf("message %d: %.20q, %v", i, data, err)
						return
					}
					progress <- struct{}{}
				}
			})
		}
		padding := strings.Repeat("x", 1000)
		peak := 0
		for i := range messages {
			m := message(fmt.Sprint(i, " ", padding))
			for _, p := range peers {
				p.session.Send(m)
			}
			if i%10 == 9 { // keep pace with those that read, so that only who stops falls behind
				for range 10 * (members - slow) {
					receive(t, progress, "the readers")
				}
			}
			for _, p := range peers[:slow] {
				p.session.mu.Lock()
				peak = max(peak, p.session.bytes)
				p.session.mu.Unlock()
			}
		}
		wg.Wait()
		for _, p := range peers[:slow] {
			require.Equal(t, ReasonSlowClient, receive(t, p.closed, "the close"))
			require.False(t, p.session.Send(message("x")))
		}
		require.LessOrEqual(t, peak, bound)
		require.Greater(t, peak, bound/2, "the bound was reached")
		require.Equal(t, members-slow, ts.Sessions())
	})
}

// A slow reader that catches up in time gets everything, in order, with pings answered in between.
func TestReaderThatCatchesUp(t *testing.T) {
	writers(t, func(t *testing.T, cfg Config, options ...func(*httptest.Server)) {
		cfg.MaxBufferBytes = 64 << 20
		cfg.MaxBufferPackets = 1 << 20
		cfg.SendTimeout = notHere
		ts := newTestServer(t, cfg, options...)
		c := dialWith(t, ts, len(options) > 0, 256<<10)
		c.read()
		s := ts.peer(t).session
		const messages = 20000
		padding := strings.Repeat("x", 500)
		for i := range messages {
			require.True(t, s.Send(message(fmt.Sprint(i, padding))))
		}
		eventually(t, "a full socket", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.wire.busy
		})
		require.False(t, s.SendVolatile(message("volatile")))
		require.NoError(t, c.WriteControl(websocket.PingMessage, []byte("are you there"), time.Now().Add(patience)))
		pong := make(chan string, 1)
		c.SetPongHandler(func(data string) error { pong <- data; return nil })
		for i := range messages {
			require.Equal(t, fmt.Sprint("4", i, padding), c.read())
			if i%100 == 0 {
				s.Send(NewMessage([]byte("late"), []byte{byte(i)}))
			}
		}
		for i := 0; i < messages; i += 100 {
			require.Equal(t, "4late", c.read())
			require.Equal(t, fmt.Sprintf("%02x", byte(i)), c.read())
		}
		require.Equal(t, "are you there", receive(t, pong, "the pong"))
		eventually(t, "nothing queued", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.bytes == 0 && s.packets == 0 && !s.wire.busy
		})
		require.True(t, s.SendVolatile(message("volatile")))
		require.Equal(t, "4volatile", c.read())
	})
}

// Many goroutines send to many sessions that come and go.
func TestConcurrentSenders(t *testing.T) {
	writers(t, func(t *testing.T, cfg Config, options ...func(*httptest.Server)) {
		cfg.SendTimeout = notHere
		ts := newTestServer(t, cfg, options...)
		const sessions, senders, each = 8, 8, 200
		var peers []*peer
		var wg sync.WaitGroup
		for range sessions {
			c := dialWith(t, ts, len(options) > 0, 0)
			c.read()
			peers = append(peers, ts.peer(t))
			wg.Go(func() {
				next := make([]int, senders)
				for range senders * each {
					var sender, n int
					if _, err := fmt.Sscanf(c.read(), "4%d %d", &sender, &n); err != nil || next[sender] != n {
						t.Errorf("sender %d: got %d, want %d: %v", sender, n, next[sender], err)
						return
					}
					next[sender]++
				}
			})
		}
		for sender := range senders {
			wg.Go(func() {
				for n := range each {
					m := message(fmt.Sprint(sender, " ", n))
					for _, p := range peers {
						p.session.Send(m)
					}
					runtime.Gosched()
				}
			})
		}
		wg.Wait()
	})
}

// The number of packets is bounded like their bytes.
func TestPacketBound(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{MaxBufferPackets: 10})
	ts.openPolling(t)
	p := ts.peer(t)
	for range 10 {
		require.True(t, p.session.Send(message("x")))
	}
	require.False(t, p.session.Send(message("one too many")))
	require.Equal(t, ReasonSlowClient, receive(t, p.closed, "the close"))
	require.Zero(t, ts.Sessions())
}

// One message is taken whatever its size, since it is shared; a second one is not.
func TestMessageLargerThanTheBound(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{MaxBufferBytes: 1000})
	poller := ts.openPolling(t)
	p := ts.peer(t)
	big := message(strings.Repeat("x", 100_000))
	require.True(t, p.session.Send(big))
	require.Len(t, poller.get().body, 100_001)
	require.True(t, p.session.Send(big))
	require.False(t, p.session.Send(message("x")))
	require.Equal(t, ReasonSlowClient, receive(t, p.closed, "the close"))
}

func TestSendVolatileOnPolling(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	s := ts.peer(t).session
	require.False(t, s.SendVolatile(message("nobody asks")))
	poll := p.goGet(t.Context())
	waitPolling(t, s)
	require.True(t, s.SendVolatile(message("now")))
	require.Equal(t, "4now", receive(t, poll, "the poll").body)
}

// A client may ask again before the server knows that it has the answer, but what it does not read is not followed by
// more: it can have the server hold one answer and one queue.
func TestAnswersThatAreNotRead(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{SendTimeout: notHere}, smallWriteBuffers)
	p := ts.openPolling(t)
	peer := ts.peer(t)
	big := NewMessage(repeat('x', 900_000))
	sent := 0
	for more := true; more && sent < 10; sent++ {
		conn, err := net.Dial("tcp", ts.http.Listener.Addr().String())
		require.NoError(t, err)
		defer conn.Close()
		require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
		_, err = io.WriteString(conn, "GET /?"+p.query()+" HTTP/1.1\r\nHost: test\r\n\r\n")
		require.NoError(t, err)
		waitPolling(t, peer.session)
		if more = peer.session.Send(big); more {
			eventually(t, "the answer, or what it waits for", func() bool {
				peer.session.mu.Lock()
				defer peer.session.mu.Unlock()
				return !peer.session.polling.get || peer.session.polling.writing > 0
			})
		}
		if sent == 1 { // the second GET waits, a third one would be an overlap
			more = peer.session.Send(big)
			sent++
		}
	}
	require.Equal(t, 3, sent, "one is written, one is queued, and one is too many")
	require.Equal(t, ReasonSlowClient, receive(t, peer.closed, "the close"))
}

// A client that does not take the answer to its poll is as slow as one that does not read its WebSocket.
func TestAnswerThatIsNotTakenInTime(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{SendTimeout: 500 * time.Millisecond}, smallWriteBuffers)
	p := ts.openPolling(t)
	peer := ts.peer(t)
	conn, err := net.Dial("tcp", ts.http.Listener.Addr().String())
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.(*net.TCPConn).SetReadBuffer(4<<10))
	require.True(t, peer.session.Send(NewMessage(repeat('x', 900_000))))
	_, err = io.WriteString(conn, "GET /?"+p.query()+" HTTP/1.1\r\nHost: test\r\n\r\n")
	require.NoError(t, err)
	require.Equal(t, ReasonSlowClient, receive(t, peer.closed, "the close"))
}
