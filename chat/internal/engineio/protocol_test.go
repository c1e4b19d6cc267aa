package engineio

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestProtocol holds the server to the document "Engine.IO protocol v4", rule by rule. Each name is the section and the
// rule; what a MUST forbids is tried.
func TestProtocol(t *testing.T) {
	t.Parallel()
	for _, rule := range []struct {
		name string
		test func(*testing.T, *testServer)
	}{
		{"Transports: without a mandatory query parameter the server responds with 400", func(t *testing.T, ts *testServer) {
			for _, query := range []string{"", "EIO=4", "transport=polling", "transport=websocket", "EIO=4&sid=x"} {
				require.Equal(t, 400, ts.do(t, "GET", query, "").status, query)
			}
		}},
		{"Sending data: a POST with an unknown sid gets 400", func(t *testing.T, ts *testServer) {
			require.Equal(t, 400, ts.do(t, "POST", pollQuery+"&sid=unknown", "4x").status)
		}},
		{"Sending data: success is 200 with ok", func(t *testing.T, ts *testServer) {
			a := ts.openPolling(t).post("4hello")
			require.Equal(t, 200, a.status)
			require.Equal(t, "ok", a.body)
			require.Equal(t, "text/plain; charset=UTF-8", a.header.Get("Content-Type"))
			require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
		}},
		{"Sending data: a second POST at the same time gets 400 and the session is closed", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			peer := ts.peer(t)
			entered, release := make(chan struct{}), make(chan struct{})
			peer.onText = func(*peer_, []byte) { close(entered); <-release }
			first := make(chan answer, 1)
			go func() { a, _ := ts.try(context.Background(), "POST", p.query(), "4x"); first <- a }()
			receive(t, entered, "the first POST")
			require.Equal(t, 400, p.post("4y").status)
			close(release)
			receive(t, first, "the answer to the first POST")
			require.Equal(t, ReasonTransportError, receive(t, peer.closed, "the close"))
			requireGone(t, p)
		}},
		{"Receiving data: a GET with an unknown sid gets 400", func(t *testing.T, ts *testServer) {
			require.Equal(t, 400, ts.do(t, "GET", pollQuery+"&sid=unknown", "").status)
		}},
		{"Receiving data: the server may respond later, once there are packets", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			s := ts.peer(t).session
			poll := p.goGet(t.Context())
			waitPolling(t, s)
			s.Send(message("late"))
			require.Equal(t, "4late", receive(t, poll, "the poll").body)
		}},
		{"Receiving data: a second GET at the same time gets 400 and the session is closed", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			peer := ts.peer(t)
			poll := p.goGet(t.Context())
			waitPolling(t, peer.session)
			require.Equal(t, 400, p.get().status)
			first := receive(t, poll, "the first poll")
			require.Equal(t, 200, first.status)
			require.Equal(t, "1", first.body, "the first GET is told that the session was closed")
			require.Equal(t, ReasonTransportError, receive(t, peer.closed, "the close"))
			requireGone(t, p)
		}},
		{"Receiving data: a GET that the client cancels closes the session", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			peer := ts.peer(t)
			ctx, cancel := context.WithCancel(t.Context())
			poll := p.goGet(ctx)
			waitPolling(t, peer.session)
			cancel()
			receive(t, poll, "the cancelled poll")
			require.Equal(t, ReasonTransportError, receive(t, peer.closed, "the close"))
			requireGone(t, p)
		}},
		{"WebSocket: each packet is a frame of its own, text or binary", func(t *testing.T, ts *testServer) {
			c := ts.openWebSocket(t)
			ts.peer(t).session.Send(NewMessage([]byte("hello"), []byte{1, 2}, []byte{3}))
			require.Equal(t, "4hello", c.read())
			require.Equal(t, "0102", c.read())
			require.Equal(t, "03", c.read())
		}},
		{"Handshake: it is a GET", func(t *testing.T, ts *testServer) {
			for _, method := range []string{"POST", "PUT", "DELETE", "PATCH"} {
				require.Equal(t, 400, ts.do(t, method, pollQuery, "").status, method)
			}
		}},
		{"Handshake: the open packet has sid, upgrades, pingInterval, pingTimeout and maxPayload", func(t *testing.T, ts *testServer) {
			open := ts.do(t, "GET", pollQuery, "").body
			for _, key := range []string{"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"} {
				require.Contains(t, open, `"`+key+`":`)
			}
		}},
		{"Handshake: another version is refused", func(t *testing.T, ts *testServer) {
			for _, version := range []string{"", "3", "5", "abc", "44", "4.0"} {
				require.Equal(t, 400, ts.do(t, "GET", "transport=polling&EIO="+version, "").status, version)
			}
		}},
		{"Heartbeat: only the server pings", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			require.Equal(t, 400, p.post("2").status)
			require.Equal(t, ReasonTransportError, receive(t, ts.peer(t).closed, "the close"))
			requireGone(t, p)
			c := ts.openWebSocket(t)
			c.write("2")
			c.readClose()
			require.Equal(t, ReasonTransportError, receive(t, ts.peer(t).closed, "the close"))
		}},
		{"Heartbeat: a pong that nobody asked for does no harm", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			require.Equal(t, "ok", p.post(payload("3", "4x")).body)
			require.Equal(t, "x", receive(t, ts.peer(t).texts, "the message"))
		}},
		{"Upgrade: the probe is answered, an open GET is released, and then the WebSocket carries the session", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			peer := ts.peer(t)
			poll := p.goGet(t.Context())
			waitPolling(t, peer.session)
			c := ts.dial(t, wsQuery+"&sid="+p.sid)
			c.write("2probe")
			require.Equal(t, "3probe", c.read())
			require.Equal(t, "6", receive(t, poll, "the open GET").body)
			c.write("5")
			c.write("4hello")
			require.Equal(t, "hello", receive(t, peer.texts, "the message"))
			require.Equal(t, WebSocket, peer.session.Transport())
			peer.session.Send(message("back"))
			require.Equal(t, "4back", c.read())
		}},
		{"Upgrade: a GET after the probe is released too", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			c := ts.dial(t, wsQuery+"&sid="+p.sid)
			c.write("2probe")
			require.Equal(t, "3probe", c.read())
			require.Equal(t, "6", p.get().body)
			require.Equal(t, "6", p.get().body)
		}},
		{"Upgrade: afterwards GET and POST get 400 and do no harm", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			c := ts.upgrade(t, p)
			require.Equal(t, 400, p.get().status)
			require.Equal(t, 400, p.post("4x").status)
			c.write("4hello")
			require.Equal(t, "hello", receive(t, ts.peer(t).texts, "the message"))
		}},
		{"Upgrade: a WebSocket for a session that has one is closed and does no harm", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			c := ts.upgrade(t, p)
			second := ts.dial(t, wsQuery+"&sid="+p.sid)
			code, _ := second.readClose()
			require.Equal(t, 1008, code)
			c.write("4hello")
			require.Equal(t, "hello", receive(t, ts.peer(t).texts, "the message"))
		}},
		{"Upgrade: a WebSocket for a session that opened with one is closed", func(t *testing.T, ts *testServer) {
			c := ts.openWebSocket(t)
			code, _ := ts.dial(t, wsQuery+"&sid="+c.sid).readClose()
			require.Equal(t, 1008, code)
			c.write("4hello")
			require.Equal(t, "hello", receive(t, ts.peer(t).texts, "the message"))
		}},
		{"Packets: a text message", func(t *testing.T, ts *testServer) {
			peer, send := ts.both(t)
			for i, p := range peer {
				send[i]("4€")
				require.Equal(t, "€", receive(t, p.texts, "the message"))
			}
		}},
		{"Packets: an empty message", func(t *testing.T, ts *testServer) {
			peer, send := ts.both(t)
			for i, p := range peer {
				send[i]("4")
				require.Equal(t, "", receive(t, p.texts, "the message"))
			}
		}},
		{"Packets: binary as base64, on polling, and from clients that force it", func(t *testing.T, ts *testServer) {
			peer, send := ts.both(t)
			for i, p := range peer {
				send[i]("bAQIDBA==")
				require.Equal(t, []byte{1, 2, 3, 4}, receive(t, p.blobs, "the message"))
			}
		}},
		{"Packets: close ends the session", func(t *testing.T, ts *testServer) {
			peer, send := ts.both(t)
			for i, p := range peer {
				send[i]("1")
				require.Equal(t, ReasonTransportClose, receive(t, p.closed, "the close"))
			}
		}},
		{"Packets: close on polling answers the open GET with a noop", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			poll := p.goGet(t.Context())
			waitPolling(t, ts.peer(t).session)
			require.Equal(t, "ok", p.post("1").body)
			require.Equal(t, "6", receive(t, poll, "the open GET").body)
			requireGone(t, p)
		}},
		{"Packets: noop does nothing", func(t *testing.T, ts *testServer) {
			peer, send := ts.both(t)
			for i, p := range peer {
				send[i]("6")
				send[i]("4x")
				require.Equal(t, "x", receive(t, p.texts, "the message"))
			}
		}},
		{"Packets: open is the server's", invalidPacket(`0{"sid":"x"}`, ReasonParseError)},
		{"Packets: upgrade has no place outside of one", invalidPacket("5", ReasonParseError)},
		{"Packets: an unknown type", invalidPacket("7", ReasonParseError)},
		{"Packets: not a packet", invalidPacket("abc", ReasonParseError)},
		{"Packets: nothing at all", invalidPacket("", ReasonParseError)},
		{"Packets: base64 that is none", invalidPacket("b!", ReasonParseError)},
		{"Packets: text that is not UTF-8", invalidPacket("4\xff", ReasonParseError)},
		{"Packets: text with U+0000", invalidPacket("4a\x00b", ReasonParseError)},
		{"HTTP long-polling: several packets in one body, in order", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			require.Equal(t, "ok", p.post(payload("4test1", "4test2", "bAQIDBA==", "4test3")).body)
			peer := ts.peer(t)
			for _, want := range []string{"test1", "test2", "test3"} {
				require.Equal(t, want, receive(t, peer.texts, "a message"))
			}
			require.Equal(t, []byte{1, 2, 3, 4}, receive(t, peer.blobs, "the binary message"))
			peer.session.Send(message("a"))
			peer.session.Send(NewMessage([]byte("b"), []byte{1, 2, 3, 4}))
			require.Equal(t, payload("4a", "4b", "bAQIDBA=="), p.get().body)
		}},
		{"HTTP long-polling: a body that ends with a separator", invalidBody("4a\x1e")},
		{"HTTP long-polling: a body that begins with a separator", invalidBody("\x1e4a")},
		{"HTTP long-polling: the length prefix of protocol 3", invalidBody("6:4hello")},
		{"HTTP long-polling: binary bodies ended with protocol 3", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			a := ts.do(t, "POST", p.query(), "\x04\x01", "Content-Type", "application/octet-stream")
			require.Equal(t, 400, a.status)
			requireGone(t, p)
		}},
		{"HTTP long-polling: a compressed body is refused", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			a := ts.do(t, "POST", p.query(), "4x", "Content-Encoding", "gzip")
			require.Equal(t, http.StatusUnsupportedMediaType, a.status)
			requireGone(t, p)
		}},
		{"HTTP long-polling: there is no JSONP", func(t *testing.T, ts *testServer) {
			a := ts.do(t, "GET", pollQuery+"&j=0", "")
			require.True(t, strings.HasPrefix(a.body, "0{"), a.body)
			require.Equal(t, "text/plain; charset=UTF-8", a.header.Get("Content-Type"))
			p := &poller{t, ts, sidOf(t, a.body)}
			require.Equal(t, 400, ts.do(t, "POST", p.query()+"&j=0", "d=4x").status)
		}},
		{"HTTP long-polling: more than maxPayload is refused", func(t *testing.T, ts *testServer) {
			for _, chunked := range []bool{false, true} {
				p := ts.openPolling(t)
				r, err := http.NewRequest("POST", ts.url+"?"+p.query(), strings.NewReader("4"+strings.Repeat("x", 1000)))
				require.NoError(t, err)
				if chunked {
					r.ContentLength = -1
				}
				res, err := ts.http.Client().Do(r)
				require.NoError(t, err)
				require.NoError(t, res.Body.Close())
				require.Equal(t, http.StatusRequestEntityTooLarge, res.StatusCode)
				requireGone(t, p)
			}
			p := ts.openPolling(t)
			require.Equal(t, 200, p.post("4"+strings.Repeat("x", 999)).status)
		}},
		{"HTTP long-polling: a body that does not come", func(t *testing.T, _ *testServer) {
			ts := newTestServer(t, Config{ReadTimeout: 200 * time.Millisecond})
			p := ts.openPolling(t)
			c := ts.rawDial(t)
			c.send("POST /engine.io/?" + p.query() + " HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n4he")
			line, err := c.r.ReadString('\n')
			require.NoError(t, err)
			require.Contains(t, line, " 400 ")
			require.Equal(t, ReasonTransportError, receive(t, ts.peer(t).closed, "the close"))
			requireGone(t, p)
			_, err = io.Copy(io.Discard, c.r)
			require.NoError(t, err, "the connection is closed without waiting for the rest")
		}},
		{"WebSocket: more than maxPayload is refused", func(t *testing.T, ts *testServer) {
			c := ts.openWebSocket(t)
			peer := ts.peer(t)
			c.write("4" + strings.Repeat("x", 999))
			require.Len(t, receive(t, peer.texts, "the largest message"), 999)
			c.write("4" + strings.Repeat("x", 1000))
			code, _ := c.readClose()
			require.Equal(t, 1009, code)
			require.Equal(t, ReasonTransportError, receive(t, peer.closed, "the close"))
		}},
		{"Close: a server that closes tells a polling client by the open GET", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			peer := ts.peer(t)
			poll := p.goGet(t.Context())
			waitPolling(t, peer.session)
			peer.session.Send(message("last"))
			peer.session.Close(ReasonForcedClose)
			require.Equal(t, "4last", receive(t, poll, "the poll").body)
			require.Equal(t, "1", p.get().body)
			requireGone(t, p)
		}},
		{"Close: a server that closes tells a polling client by the next two GETs", func(t *testing.T, ts *testServer) {
			p := ts.openPolling(t)
			peer := ts.peer(t)
			peer.session.Send(message("last"))
			peer.session.Close(ReasonForcedClose)
			require.Equal(t, ReasonForcedClose, receive(t, peer.closed, "the close"))
			require.Zero(t, ts.Sessions())
			require.Equal(t, 400, p.post("4x").status, "a closed session takes nothing")
			require.Equal(t, "4last", p.get().body, "in a payload of its own: the stock client acts on a close before it acts on messages")
			require.Equal(t, "1", p.get().body)
			requireGone(t, p)
		}},
		{"Close: a server that closes tells a WebSocket client by a close frame, after what was queued", func(t *testing.T, ts *testServer) {
			c := ts.openWebSocket(t)
			s := ts.peer(t).session
			for range 100 {
				s.Send(message("x"))
			}
			s.Close(ReasonForcedClose)
			require.False(t, s.Send(message("too late")))
			for range 100 {
				require.Equal(t, "4x", c.read())
			}
			code, text := c.readClose()
			require.Equal(t, 1000, code)
			require.Equal(t, "forced close", text)
		}},
	} {
		t.Run(rule.name, func(t *testing.T) {
			t.Parallel()
			rule.test(t, newTestServer(t, Config{MaxPayload: 1000}))
		})
	}
}

// peer_ is peer where a variable has that name.
type peer_ = peer

// requireGone checks that the session of p is unknown.
func requireGone(t *testing.T, p *poller) {
	t.Helper()
	a := p.get()
	require.Equal(t, 400, a.status)
	require.Equal(t, `{"code":1,"message":"Session ID unknown"}`, a.body)
}

// both opens a session on each transport and returns their peers, and for each a function that sends a packet.
func (ts *testServer) both(t *testing.T) ([]*peer, []func(string)) {
	t.Helper()
	p := ts.openPolling(t)
	peers := []*peer{ts.peer(t)}
	c := ts.openWebSocket(t)
	peers = append(peers, ts.peer(t))
	return peers, []func(string){func(s string) { p.post(s) }, c.write}
}

// upgrade moves p to WebSocket.
func (ts *testServer) upgrade(t testing.TB, p *poller) *client {
	t.Helper()
	c := ts.dial(t, wsQuery+"&sid="+p.sid)
	c.sid = p.sid
	c.write("2probe")
	require.Equal(t, "3probe", c.read())
	c.write("5")
	s := ts.lookup(p.sid)
	eventually(t, "the upgrade", func() bool { return s.Transport() == WebSocket })
	return c
}

// invalidPacket expects that packet closes a session, on either transport, for the given reason.
func invalidPacket(packet string, reason Reason) func(*testing.T, *testServer) {
	return func(t *testing.T, ts *testServer) {
		p := ts.openPolling(t)
		require.Equal(t, 400, p.post(packet).status)
		require.Equal(t, reason, receive(t, ts.peer(t).closed, "the close"))
		requireGone(t, p)

		c := ts.openWebSocket(t)
		c.write(packet)
		code, _ := c.readClose()
		if reason == ReasonParseError {
			require.Contains(t, []int{1002, 1007}, code)
		}
		require.Equal(t, reason, receive(t, ts.peer(t).closed, "the close"))
	}
}

// invalidBody expects that a POST with body closes a session.
func invalidBody(body string) func(*testing.T, *testServer) {
	return func(t *testing.T, ts *testServer) {
		p := ts.openPolling(t)
		require.Equal(t, 400, p.post(body).status)
		require.Equal(t, ReasonParseError, receive(t, ts.peer(t).closed, "the close"))
		requireGone(t, p)
	}
}
