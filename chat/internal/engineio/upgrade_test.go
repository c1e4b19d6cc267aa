package engineio

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"
)

// Both sides send numbered messages all the time while the session moves from polling to WebSocket. Nothing may be lost,
// repeated or out of order.
func TestUpgradeUnderTraffic(t *testing.T) {
	t.Parallel()
	const total = 2000
	ts := newTestServer(t, Config{})
	for round := range 10 {
		p := ts.openPolling(t)
		peer := ts.peer(t)
		peer.texts = make(chan string, total)

		step := make(chan int, total) // how many messages the server is to send meanwhile
		go func() {
			i := 0
			for n := range step {
				for range n {
					peer.session.Send(message(fmt.Sprint(i)))
					i++
					runtime.Gosched()
				}
			}
		}()

		var received []string
		take := func(body string) {
			for packet := range strings.SplitSeq(body, "\x1e") {
				if packet != "6" {
					received = append(received, packet)
				}
			}
		}
		sent := 0
		post := func(n int) {
			var packets []string
			for range n {
				packets = append(packets, fmt.Sprint("4", sent))
				sent++
			}
			require.Equal(t, "ok", p.post(payload(packets...)).body)
		}

		for range round {
			step <- 30
			take(p.get().body)
			post(20)
		}
		poll := p.goGet(t.Context())
		c := ts.dial(t, wsQuery+"&sid="+p.sid)
		step <- 100
		post(20)
		c.write("2probe")
		require.Equal(t, "3probe", c.read(), "a probe carries nothing else")
		step <- 100
		take(receive(t, poll, "the open GET").body)
		post(20)
		take(p.get().body) // as a client may that had asked again before it saw the answer to its probe
		step <- total - 200 - 30*round
		close(step)
		c.write("5")
		for sent < total {
			c.write(fmt.Sprint("4", sent))
			sent++
		}
		for len(received) < total {
			received = append(received, c.read())
		}
		for i := range total {
			require.Equal(t, fmt.Sprint("4", i), received[i])
			require.Equal(t, fmt.Sprint(i), receive(t, peer.texts, "a message"))
		}
		_ = c.Close()
	}
}

// Whatever goes wrong with the probe, the session lives on, on polling, with nothing lost.
func TestFailedUpgrade(t *testing.T) {
	t.Parallel()
	probeFrame := frame(0x81, "2probe")
	for _, c := range []struct {
		name string
		send string
		code int // of the close frame that the probe gets, -1 if the client leaves
	}{
		{"leaves at once", "", -1},
		{"leaves after the probe", probeFrame, -1},
		{"leaves within a frame", probeFrame[:5], -1},
		{"closes properly", closing(1000, ""), 1000},
		{"upgrade without a probe", frame(0x81, "5"), 1002},
		{"message without a probe", frame(0x81, "4x"), 1002},
		{"message instead of upgrade", probeFrame + frame(0x81, "4x"), 1002},
		{"two probes", probeFrame + probeFrame, 1002},
		{"another probe", frame(0x81, "2test"), 1002},
		{"a plain ping", frame(0x81, "2"), 1002},
		{"close packet", frame(0x81, "1"), 1002},
		{"binary", frame(0x82, "x"), 1002},
		{"binary after the probe", probeFrame + frame(0x82, "x"), 1002},
		{"not a packet", frame(0x81, "hello"), 1002},
		{"empty text", frame(0x81, ""), 1002},
		{"upgrade with content", probeFrame + frame(0x81, "5x"), 1002},
		{"not UTF-8", frame(0x81, "2\xff"), 1007},
		{"reserved bits", frame(0xF1, "2probe"), 1002},
		{"reserved bits after the probe", probeFrame + frame(0xF1, "5"), 1002},
		{"unknown opcode", frame(0x83, "2probe"), 1002},
		{"no mask", rawFrame(0x81, 6, false, "2probe"), 1002},
		{"length 2^64-1", rawFrame(0x82, 1<<64-1, true, "x"), 1009},
		{"a flood of pings", strings.Repeat(frame(0x89, ""), 100), 1008},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ts := newTestServer(t, Config{})
			p := ts.openPolling(t)
			peer := ts.peer(t)
			s := peer.session

			raw := ts.rawDial(t)
			raw.handshake(wsQuery + "&sid=" + p.sid)
			eventually(t, "the probe", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.probe != nil
			})
			s.Send(message("during the probe"))
			raw.send(c.send)
			if c.code < 0 {
				_ = raw.conn.(*net.TCPConn).SetLinger(0)
				_ = raw.conn.Close()
			} else {
				got := raw.rest()
				if len(got) > 1 {
					require.Equal(t, []string{"T 3probe"}, got[:len(got)-1])
				}
				require.Equal(t, fmt.Sprint("C ", c.code), got[len(got)-1])
			}
			eventually(t, "the end of the probe", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.probe == nil
			})
			require.Equal(t, Polling, s.Transport())
			require.Equal(t, "4during the probe", p.get().body)
			require.Equal(t, "ok", p.post("4still here").body)
			require.Equal(t, "still here", receive(t, peer.texts, "the message"))
			ws := ts.upgrade(t, p) // and another attempt may succeed
			s.Send(message("upgraded"))
			require.Equal(t, "4upgraded", ws.read())
		})
	}
}

func TestSecondProbeIsRefused(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	s := ts.peer(t).session
	first := ts.dial(t, wsQuery+"&sid="+p.sid)
	first.write("2probe")
	require.Equal(t, "3probe", first.read())
	code, reason := ts.dial(t, wsQuery+"&sid="+p.sid).readClose()
	require.Equal(t, 1008, code)
	require.Equal(t, "upgrade refused", reason)
	first.write("5")
	first.write("6")
	eventually(t, "the upgrade", func() bool { return s.Transport() == WebSocket })
}

func TestSessionThatEndsDuringAProbe(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	peer := ts.peer(t)
	c := ts.dial(t, wsQuery+"&sid="+p.sid)
	c.write("2probe")
	require.Equal(t, "3probe", c.read())
	peer.session.Close(ReasonForcedClose)
	code, _ := c.readClose()
	require.Equal(t, 1000, code)
	require.Equal(t, ReasonForcedClose, receive(t, peer.closed, "the close"))
	require.Equal(t, "1", p.get().body)
}

// A client that has been answered its probe stops polling, so what is queued waits for it on the WebSocket.
func TestSessionThatEndsBeforeTheUpgradePacket(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	peer := ts.peer(t)
	c := ts.dial(t, wsQuery+"&sid="+p.sid)
	c.write("2probe")
	require.Equal(t, "3probe", c.read())
	peer.session.Send(message("last"))
	peer.session.Close(ReasonForcedClose)
	require.Equal(t, ReasonForcedClose, receive(t, peer.closed, "the close"))
	c.write("5")
	require.Equal(t, "4last", c.read())
	code, _ := c.readClose()
	require.Equal(t, 1000, code)
	eventually(t, "the end of the wait for a poll", func() bool {
		peer.session.mu.Lock()
		defer peer.session.mu.Unlock()
		return !peer.session.lingers
	})
}

func TestUpgradesCanBeDisabled(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{DisableUpgrades: true})
	p := ts.openPolling(t)
	code, _ := ts.dial(t, wsQuery+"&sid="+p.sid).readClose()
	require.Equal(t, 1008, code)
	require.Equal(t, "ok", p.post("4x").body)
	ts.openWebSocket(t)
}

// The connection is reset after each byte of the handshake, the probe and the upgrade in turn.
func TestResetAtEachByteOfTheUpgrade(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	peer := ts.peer(t)
	conversation := handshakeRequest(wsQuery+"&sid="+p.sid) + frame(0x81, "2probe") + frame(0x81, "5")
	for n := range len(conversation) {
		conn, err := net.Dial("tcp", ts.http.Listener.Addr().String())
		require.NoError(t, err)
		_, err = conn.Write([]byte(conversation[:n]))
		require.NoError(t, err)
		if n%3 == 0 {
			_ = conn.(*net.TCPConn).SetLinger(0)
		}
		require.NoError(t, conn.Close())
	}
	require.Equal(t, "ok", p.post("4still here").body)
	require.Equal(t, "still here", receive(t, peer.texts, "the message"))
	peer.session.Send(message("x"))
	require.Equal(t, "4x", p.get().body)
}

// A client that sends frames before it has seen the 101 has them in a buffer that is not the WebSocket's.
func TestDataBeforeTheHandshakeIsDone(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	raw := ts.rawDial(t)
	raw.send(handshakeRequest(wsQuery) + frame(0x81, "4x"))
	line, err := raw.r.ReadString('\n')
	require.NoError(t, err)
	require.Contains(t, line, " 400 ")
	require.Zero(t, ts.Sessions())
}

// A GET that is still open when the upgrade is complete ends with a noop, and takes nothing away from the WebSocket.
func TestOpenGetAtTheEndOfTheUpgrade(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	s := ts.peer(t).session
	c := ts.dial(t, wsQuery+"&sid="+p.sid)
	c.write("2probe")
	require.Equal(t, "3probe", c.read())
	require.Equal(t, "6", p.get().body)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	poll := p.goGet(ctx)
	waitPolling(t, s)
	c.write("5")
	require.Equal(t, "6", receive(t, poll, "the open GET").body)
	eventually(t, "the upgrade", func() bool { return s.Transport() == WebSocket })
	s.Send(message("x"))
	require.Equal(t, "4x", c.read())
}

// A request of the transport that the session has left fails. That is nothing to the session.
func TestRequestThatFailsAfterTheUpgrade(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	peer := ts.peer(t)
	c := ts.upgrade(t, p)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	request := func(method string, body io.Reader) (http.ResponseWriter, *http.Request) {
		return brokenWriter{writer{ResponseRecorder: httptest.NewRecorder()}}, httptest.NewRequest(method, "/", body).WithContext(ctx)
	}
	// Each was admitted when the session was still on polling.
	peer.session.poll(request("GET", nil))                                 // and cancelled
	peer.session.reply(brokenWriter{}, queue{})                            // and answered
	peer.session.post(request("POST", iotest.ErrReader(io.ErrNoProgress))) // and broke off
	peer.session.post(request("POST", strings.NewReader("6")))             // and answered
	require.Equal(t, 1, ts.Sessions())
	c.write("4still here")
	require.Equal(t, "still here", receive(t, peer.texts, "the message"))
}

// brokenWriter is a ResponseWriter whose client is gone.
type brokenWriter struct{ writer }

func (brokenWriter) Header() http.Header       { return http.Header{} }
func (brokenWriter) WriteHeader(int)           {}
func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
func (brokenWriter) FlushError() error         { return io.ErrClosedPipe }

// A client that finishes its upgrade after the session has ended learns why it did.
func TestReasonAfterTheUpgradePacket(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	p := ts.openPolling(t)
	s := ts.peer(t).session
	c := ts.dial(t, wsQuery+"&sid="+p.sid)
	c.write("2probe")
	require.Equal(t, "3probe", c.read())
	s.Send(message("last"))
	s.end(ReasonServerShutdown, endFlush)
	c.write("5")
	require.Equal(t, "4last", c.read())
	code, reason := c.readClose()
	require.Equal(t, 1012, code)
	require.Equal(t, "server shutting down", reason)
}
