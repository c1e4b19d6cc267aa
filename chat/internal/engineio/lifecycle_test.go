package engineio

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestLifecycle makes more than 1,000 connections on each transport. It does not run beside other tests, since it counts
// all goroutines.
func TestLifecycle(t *testing.T) {
	if raceEnabled {
		lifecycle(t, 100)
		return
	}
	lifecycle(t, 350)
}

func TestProofLifecycle(t *testing.T) {
	if os.Getenv("ECHOCHAT_PROOF") == "" {
		t.Skip("a long proof: make proof")
	}
	lifecycle(t, 3000)
}

// lifecycle connects and disconnects perKind times in each of the ways that a connection can end, abrupt ones among
// them. Each session must be closed once and not a single goroutine be left.
func lifecycle(t *testing.T, perKind int) {
	var opened, closed atomic.Int64
	before := goroutines()

	srv, err := New(Config{
		Logger:      slog.New(slog.DiscardHandler),
		SendTimeout: notHere,
		OnSession: func(s *Session) Handler {
			opened.Add(1)
			return counting{s, &closed}
		},
	})
	require.NoError(t, err)
	ts := &testServer{Server: srv, http: httptest.NewServer(srv)}
	ts.url = ts.http.URL + "/"
	ts.http.Client().Transport.(*http.Transport).MaxIdleConnsPerHost = 64

	kinds := map[string]func(*testing.T, *testServer){
		"websocket, closed properly": func(t *testing.T, ts *testServer) {
			c := ts.rawWebSocket(t)
			c.send(frame(0x81, "4x") + closing(1000, ""))
			c.rest()
			_ = c.conn.Close()
		},
		"websocket, reset": func(t *testing.T, ts *testServer) {
			c := ts.rawWebSocket(t)
			c.send(frame(0x81, "4x"))
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
		},
		"websocket, reset within a frame": func(t *testing.T, ts *testServer) {
			c := ts.rawWebSocket(t)
			c.send(frame(0x81, "4hello")[:7])
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
		},
		"websocket, close packet": func(t *testing.T, ts *testServer) {
			c := ts.rawWebSocket(t)
			c.send(frame(0x81, "1"))
			c.rest()
			_ = c.conn.Close()
		},
		"websocket, malformed": func(t *testing.T, ts *testServer) {
			c := ts.rawWebSocket(t)
			c.send(frame(0xF1, "4x"))
			c.rest()
			_ = c.conn.Close()
		},
		"websocket, closed by the server": func(t *testing.T, ts *testServer) {
			c := ts.rawWebSocket(t)
			c.send(frame(0x81, "4close"))
			c.rest()
			_ = c.conn.Close()
		},
		"websocket, left during the handshake": func(t *testing.T, ts *testServer) {
			c := ts.rawDial(t)
			c.send(handshakeRequest(wsQuery))
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
		},
		"polling, close packet": func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			p.post("4x")
			p.post("1")
		},
		"polling, GET cancelled": func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			ctx, cancel := context.WithCancel(context.Background())
			poll := p.goGet(ctx)
			waitPolling(t, ts.lookup(p.sid))
			cancel()
			<-poll
		},
		"polling, closed by the server": func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			p.post("4close")
			require.Equal(t, "1", p.get().body)
		},
		"polling, closed by the server, last poll missing": func(t *testing.T, ts *testServer) {
			ts.openPolling(t).post("4close")
		},
		"upgraded, closed properly": func(t *testing.T, ts *testServer) {
			c := ts.rawUpgrade(t)
			c.send(frame(0x81, "5") + frame(0x81, "4x") + closing(1000, ""))
			c.rest()
			_ = c.conn.Close()
		},
		"upgraded, reset": func(t *testing.T, ts *testServer) {
			c := ts.rawUpgrade(t)
			c.send(frame(0x81, "5") + frame(0x81, "4x"))
			_ = c.conn.(*net.TCPConn).SetLinger(0)
			_ = c.conn.Close()
		},
		"probe abandoned, then closed": func(t *testing.T, ts *testServer) {
			c := ts.rawUpgrade(t)
			_ = c.conn.Close()
			(&poller{t, ts, c.sid}).post("1")
		},
		"closed during the probe": func(t *testing.T, ts *testServer) {
			c := ts.rawUpgrade(t)
			(&poller{t, ts, c.sid}).post("1")
			c.rest()
			_ = c.conn.Close()
		},
	}
	var wg sync.WaitGroup
	for _, kind := range kinds {
		wg.Go(func() {
			for range perKind {
				kind(t, ts)
			}
		})
	}
	wg.Wait()
	eventually(t, "no session", func() bool { return ts.Sessions() == 0 })
	eventually(t, "all sessions closed", func() bool { return opened.Load() == closed.Load() })
	require.GreaterOrEqual(t, opened.Load(), int64(perKind*(len(kinds)-1)))

	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	require.NoError(t, srv.Shutdown(ctx))
	require.Empty(t, srv.all())
	require.Zero(t, srv.melody.Len())
	require.Zero(t, srv.inbound.used.Load())
	ts.http.Client().CloseIdleConnections()
	ts.http.Close()
	eventually(t, fmt.Sprintf("%d goroutines", before), func() bool { return runtime.NumGoroutine() <= before })
	require.Equal(t, before, goroutines())
}

// goroutines returns their number, once those of earlier tests that are about to end have had the time to.
func goroutines() int {
	n := runtime.NumGoroutine()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 20 {
		<-tick.C
		n = min(n, runtime.NumGoroutine())
	}
	return n
}

type counting struct {
	s      *Session
	closed *atomic.Int64
}

func (c counting) Text(data []byte) {
	if string(data) == "close" {
		c.s.Close(ReasonForcedClose)
		return
	}
	c.s.Send(NewMessage(data))
}
func (c counting) Binary([]byte) {}
func (c counting) Closed(Reason) { c.closed.Add(1) }

// rawUpgrade opens a session on polling and a WebSocket that has probed.
func (ts *testServer) rawUpgrade(t testing.TB) *rawClient {
	t.Helper()
	p := ts.openPolling(t)
	c := ts.rawDial(t)
	c.sid = p.sid
	c.handshake(wsQuery + "&sid=" + p.sid)
	c.send(frame(0x81, "2probe"))
	_, content, err := readFrame(c.r)
	require.NoError(t, err)
	require.Equal(t, "3probe", string(content))
	return c
}

// A panic in any hook or callback ends its session and nothing else.
func TestPanics(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{OnSession: func(s *Session) Handler {
		switch s.Handshake().Query().Get("panic") {
		case "OnSession":
			panic("OnSession")
		case "nil":
			return nil
		}
		return panicking{s}
	}})
	survivor := ts.openWebSocket(t)
	for range 100 {
		for _, query := range []string{pollQuery, wsQuery} {
			for _, where := range []string{"OnSession", "nil"} {
				if query == pollQuery {
					require.Equal(t, 400, ts.do(t, "GET", query+"&panic="+where, "").status)
				} else {
					ts.dial(t, query+"&panic="+where).readClose()
				}
			}
		}
		for _, packet := range []string{"4text", "bAQID", "4closed"} {
			c := ts.openWebSocket(t)
			c.write(packet)
			c.readClose()
			p := ts.openPolling(t)
			a := p.post(packet)
			require.Contains(t, []int{200, 400}, a.status)
		}
	}
	eventually(t, "only the survivor", func() bool { return ts.Sessions() == 1 })
	survivor.write("4fine")
	require.Equal(t, "4fine", survivor.read())
}

type panicking struct{ s *Session }

func (p panicking) Text(data []byte) {
	switch string(data) {
	case "text":
		panic("Text")
	case "closed":
		p.s.Close(ReasonForcedClose)
	}
	p.s.Send(NewMessage(data))
}
func (p panicking) Binary([]byte) { panic("Binary") }
func (p panicking) Closed(Reason) { panic("Closed") }

// Closed comes after the last Text has returned, also when the session is closed while Text blocks; and Text sees Done.
func TestClosedComesLast(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	c := ts.openWebSocket(t)
	p := ts.peer(t)
	entered, returned := make(chan struct{}), make(chan struct{})
	p.onText = func(p *peer, _ []byte) {
		close(entered)
		<-p.session.Done()
		require.Empty(t, p.closed)
		close(returned)
	}
	c.write("4x")
	c.write("4y")
	receive(t, entered, "Text")
	p.session.Close(ReasonForcedClose)
	p.session.Close(ReasonServerShutdown)
	receive(t, returned, "the end of Text")
	require.Equal(t, ReasonForcedClose, receive(t, p.closed, "Closed"))
	c.readClose()
	require.Empty(t, p.closed, "exactly once")
}

// Back-pressure: while Text blocks, its client is not read, whatever it sends, and others are.
func TestBlockedHandlerHoldsBackItsOwnClient(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	blocked, release := ts.openWebSocket(t), make(chan struct{})
	p := ts.peer(t)
	var calls atomic.Int64
	p.onText = func(*peer, []byte) { calls.Add(1); <-release }
	go func() {
		for range 50 {
			if blocked.WriteMessage(1, append([]byte("4"), repeat('x', 100_000)...)) != nil {
				return
			}
		}
	}()
	other := ts.openWebSocket(t)
	op := ts.peer(t)
	for range 100 {
		other.write("4x")
		receive(t, op.texts, "a message of the other client")
	}
	require.LessOrEqual(t, calls.Load(), int64(1))
	close(release)
	eventually(t, "all messages", func() bool { return calls.Load() == 50 })
}

// When messages in flight take all the memory they may, further ones are refused and the rest go on.
func TestInboundBudget(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{MaxInboundBytes: 150_000})
	body := "4" + string(repeat('x', 100_000))
	first := ts.rawWebSocket(t)
	firstPeer := ts.peer(t)
	first.send(frame(0x81, body)[:90_000])
	eventually(t, "the budget taken", func() bool { return ts.inbound.used.Load() > 80_000 })

	second := ts.openWebSocket(t)
	second.write(body)
	code, reason := second.readClose()
	require.Equal(t, 1013, code)
	require.Equal(t, "server overloaded", reason)
	require.Equal(t, 503, ts.openPolling(t).post(body).status)

	first.send(frame(0x81, body)[90_000:])
	require.Len(t, receive(t, firstPeer.texts, "the first message"), 100_000)
	eventually(t, "the budget given back", func() bool { return ts.inbound.used.Load() == 0 })
	require.Equal(t, 200, ts.openPolling(t).post(body).status)
	require.Zero(t, ts.inbound.used.Load())
}

// net/http's handler, and with it the request and the host's context, must be free as soon as the connection is ours.
func TestHandlerReturnsAfterTheHandshake(t *testing.T) {
	t.Parallel()
	srv, err := New(Config{OnSession: echoing})
	require.NoError(t, err)
	returned := make(chan struct{}, 1)
	ts := &testServer{Server: srv, http: httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		srv.ServeHTTP(w, r)
		returned <- struct{}{}
	}))}
	ts.url = ts.http.URL + "/"
	defer ts.http.Close()
	c := ts.openWebSocket(t)
	receive(t, returned, "the handler to return")
	c.write("4x")
	require.Equal(t, "4x", c.read())
	_ = c.Close()
	require.NoError(t, srv.Shutdown(t.Context()))
}

// Shutdown, in the middle of it: every client gets all that was sent to it, and learns why the connection ends; nobody
// new comes in.
func TestShutdownUnderTraffic(t *testing.T) {
	writers(t, func(t *testing.T, cfg Config, options ...func(*httptest.Server)) {
		const clients, messages = 30, 200
		encrypted := len(options) > 0
		cfg.SendTimeout, cfg.linger = notHere, notHere
		ts := newTestServer(t, cfg, options...)
		var wg sync.WaitGroup
		for range clients {
			c := dialWith(t, ts, encrypted, 0)
			c.read()
			wg.Go(func() {
				for i := range messages {
					if got := c.read(); got != fmt.Sprint("4", i) {
						t.Errorf("got %q, want message %d", got, i)
						return
					}
				}
				code, text := c.readClose()
				if code != 1012 || text != "server shutting down" {
					t.Errorf("closed with %d %q", code, text)
				}
			})
		}
		for range clients {
			if encrypted {
				break // the HTTP client of the tests does not speak TLS
			}
			p := ts.openPolling(t)
			wg.Go(func() {
				var got []string
				for len(got) == 0 || got[len(got)-1] != "1" {
					a, err := ts.try(context.Background(), "GET", p.query(), "")
					if err != nil || a.status != 200 {
						t.Errorf("after %d messages: %v %v", len(got), a, err)
						return
					}
					got = append(got, strings.Split(a.body, "\x1e")...)
				}
				for i := range messages {
					if got[i] != fmt.Sprint("4", i) {
						t.Errorf("got %q, want message %d", got[i], i)
						return
					}
				}
			})
		}
		var peers []*peer
		for range ts.Sessions() {
			peers = append(peers, ts.peer(t))
		}
		for i := range messages {
			m := message(fmt.Sprint(i))
			for _, p := range peers {
				require.True(t, p.session.Send(m))
			}
		}
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		require.NoError(t, ts.Shutdown(ctx))
		for _, p := range peers {
			require.Equal(t, ReasonServerShutdown, receive(t, p.closed, "the close"))
			require.False(t, p.session.Send(message("too late")))
		}
		require.Zero(t, ts.Sessions())
		require.Empty(t, ts.all())
		require.Zero(t, ts.melody.Len())
		if !encrypted {
			require.Equal(t, 503, ts.do(t, "GET", pollQuery, "").status)
		}
		wg.Wait()
	})
}

// The timer may have fired just before a session ended, and its goroutine may come to run only afterwards. It must not
// take what the session's last polls are to get.
func TestTimerThatFiresAsTheSessionEnds(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	s := ts.peer(t).session
	s.Send(message("last"))
	s.Close(ReasonForcedClose)
	s.tick()
	require.Equal(t, "4last", p.get().body)
	s.tick()
	require.Equal(t, "1", p.get().body)
	requireGone(t, p)
}

// A session may be ended as soon as it is admitted. When the host is told of it, the host is told of its end.
func TestSessionThatEndsDuringItsHandshake(t *testing.T) {
	t.Parallel()
	for range 20 {
		closed := make(chan Reason, 1)
		srv, err := New(Config{OnSession: func(s *Session) Handler { return panickyPulse{closed: closed} }})
		require.NoError(t, err)
		s := srv.newSession(new(Handshake))
		opened := make(chan bool, 1)
		srv.mu.Lock() // so that the session waits to be admitted
		go func() { opened <- s.open(nil) }()
		eventually(t, "the open packet", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.queue.len > 0
		})
		s.mu.Lock() // so that it gets no further
		srv.mu.Unlock()
		eventually(t, "a session", func() bool { return srv.lookup(s.id) != nil })
		s.mu.Unlock()
		s.end(ReasonServerShutdown, endDrop)
		require.True(t, receive(t, opened, "the end of the handshake"))
		require.Equal(t, ReasonServerShutdown, receive(t, closed, "the close"))
		require.NoError(t, srv.Shutdown(t.Context()))
	}
}
