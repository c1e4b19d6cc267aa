package engineio

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// httpError is an error that chooses its status.
type httpError int

func (e httpError) Error() string   { return "sign in first" }
func (e httpError) HTTPStatus() int { return int(e) }

func TestErrorCodes(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{MaxPayload: 100})
	p := ts.openPolling(t)
	ws := ts.openWebSocket(t)
	const (
		unknownTransport = `{"code":0,"message":"Transport unknown"}`
		unknownSID       = `{"code":1,"message":"Session ID unknown"}`
		badMethod        = `{"code":2,"message":"Bad handshake method"}`
		badRequest       = `{"code":3,"message":"Bad request"}`
		badVersion       = `{"code":5,"message":"Unsupported protocol version"}`
	)
	for _, c := range []struct {
		name, method, query string
		status              int
		body, context       string
	}{
		{"no parameters", "GET", "", 400, unknownTransport, ""},
		{"no transport", "GET", "EIO=4", 400, unknownTransport, ""},
		{"empty transport", "GET", "EIO=4&transport=", 400, unknownTransport, ""},
		{"unknown transport", "GET", "EIO=4&transport=abc", 400, unknownTransport, "transport=abc"},
		{"transport of JavaScript's prototype", "GET", "EIO=4&transport=__proto__", 400, unknownTransport, "transport=__proto__"},
		{"constructor", "GET", "EIO=4&transport=constructor", 400, unknownTransport, ""},
		{"flashsocket", "GET", "EIO=4&transport=flashsocket", 400, unknownTransport, ""},
		{"webtransport", "GET", "EIO=4&transport=webtransport", 400, unknownTransport, ""},
		{"transport in upper case", "GET", "EIO=4&transport=POLLING", 400, unknownTransport, ""},
		{"transport twice, the last one counts", "GET", "EIO=4&transport=polling&transport=x", 400, unknownTransport, "transport=x"},
		{"transport of 64 kB", "GET", "EIO=4&transport=" + strings.Repeat("x", 64<<10), 400, unknownTransport, "transport=" + strings.Repeat("x", 128)},
		{"transport escaped wrongly", "GET", "EIO=4&transport=%zz", 400, unknownTransport, "transport=%zz"},
		{"transport not UTF-8", "GET", "EIO=4&transport=%ff%fe", 400, unknownTransport, ""},
		{"unknown sid", "GET", pollQuery + "&sid=abc", 400, unknownSID, "sid=abc"},
		{"unknown sid, POST", "POST", pollQuery + "&sid=abc", 400, unknownSID, ""},
		{"sid of JavaScript's prototype", "GET", pollQuery + "&sid=__proto__", 400, unknownSID, ""},
		{"sid of 64 kB", "GET", pollQuery + "&sid=" + strings.Repeat("x", 64<<10), 400, unknownSID, ""},
		{"handshake by POST", "POST", pollQuery, 400, badMethod, "method=POST"},
		{"handshake by PUT", "PUT", pollQuery, 400, badMethod, "method=PUT"},
		{"handshake by DELETE", "DELETE", pollQuery, 400, badMethod, ""},
		{"handshake by an unknown method", "BREW", pollQuery, 400, badMethod, ""},
		{"websocket without upgrade", "GET", wsQuery, 400, badRequest, "name=TRANSPORT_HANDSHAKE_ERROR"},
		{"no version", "GET", "transport=polling", 400, badVersion, "protocol="},
		{"version 3", "GET", "EIO=3&transport=polling", 400, badVersion, "protocol=3"},
		{"version abc", "GET", "EIO=abc&transport=polling", 400, badVersion, ""},
		{"version 04", "GET", "EIO=04&transport=polling", 400, badVersion, ""},
		{"no version for a session", "GET", "transport=polling&sid=" + p.sid, 400, badRequest, "name=PROTOCOL_MISMATCH"},
		{"polling for a session on websocket", "GET", pollQuery + "&sid=" + ws.sid, 400, badRequest, "name=TRANSPORT_MISMATCH"},
		{"post for a session on websocket", "POST", pollQuery + "&sid=" + ws.sid, 400, badRequest, "previousTransport=websocket"},
		{"websocket without upgrade for a session", "GET", wsQuery + "&sid=" + p.sid, 400, badRequest, "name=TRANSPORT_MISMATCH"},
		{"handshake with a query that is too long to keep", "GET", pollQuery + "&x=" + strings.Repeat("x", 20<<10), 414, badRequest, "name=URI_TOO_LONG"},
		{"PUT for a session", "PUT", p.query(), 405, badRequest, "name=METHOD"},
		{"DELETE for a session", "DELETE", p.query(), 405, badRequest, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := len(ts.errors())
			a := ts.do(t, c.method, c.query, "")
			require.Equal(t, c.status, a.status)
			require.Equal(t, c.body, a.body)
			require.Equal(t, "application/json", a.header.Get("Content-Type"))
			require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
			require.Equal(t, "no-store", a.header.Get("Cache-Control"))

			errs := ts.errors()
			require.Len(t, errs, before+1)
			e := errs[before]
			require.Equal(t, c.method, e.Method)
			require.Equal(t, c.status, e.Status)
			require.NotEmpty(t, e.RemoteAddr)
			require.Equal(t, "Go-http-client/1.1", e.Header.Get("User-Agent"))
			if key, value, ok := strings.Cut(c.context, "="); ok {
				require.Equal(t, value, e.Context[key])
			}
		})
	}
	a := ts.do(t, "HEAD", pollQuery, "")
	require.Equal(t, 400, a.status)
	a = ts.do(t, "GET", pollQuery, "a body")
	require.Equal(t, 400, a.status)
	require.Equal(t, "BODY", ts.errors()[len(ts.errors())-1].Context["name"])

	require.Equal(t, 200, p.post("4still here").status, "what was refused did not touch the session")
	ws.write("4still here")
	require.Equal(t, "still here", receive(t, ts.peer(t).texts, "the post"))
	require.Equal(t, "still here", receive(t, ts.peer(t).texts, "the message"))
}

func (ts *testServer) errors() []ConnectionError {
	ts.mu.Lock()
	defer ts.mu.Unlock()
	return ts.errs
}

// A refused upgrade gets the message as text, and always 400, as the reference implementation does it.
func TestRefusedUpgrades(t *testing.T) {
	t.Parallel()
	gate := errors.New("no")
	ts := newTestServer(t, Config{Gate: func(r *http.Request) error {
		switch r.URL.Query().Get("gate") {
		case "refuse":
			return gate
		case "unauthorized":
			return httpError(401)
		}
		return nil
	}})
	p := ts.openPolling(t)
	for _, c := range []struct {
		name, query string
		header      []string
		status      int
		body        string
	}{
		{"unknown transport", "EIO=4&transport=x", nil, 400, "Transport unknown"},
		{"transport that cannot be upgraded to", pollQuery, nil, 400, "Bad request"},
		{"unknown sid", wsQuery + "&sid=x", nil, 400, "Session ID unknown"},
		{"version", "EIO=3&transport=websocket", nil, 400, "Unsupported protocol version"},
		{"version for a session", "EIO=3&transport=websocket&sid=" + p.sid, nil, 400, "Bad request"},
		{"gate", wsQuery + "&gate=refuse", nil, 400, "Forbidden"},
		{"gate that chooses a status", wsQuery + "&gate=unauthorized", nil, 401, "sign in first"},
		{"WebSocket version 8", wsQuery, []string{"Sec-WebSocket-Version", "8"}, 400, "Bad request"},
		{"no key", wsQuery, []string{"Sec-WebSocket-Key", ""}, 400, "Bad request"},
		{"short key", wsQuery, []string{"Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2Rl"}, 400, "Bad request"},
		{"key not base64", wsQuery, []string{"Sec-WebSocket-Key", "!!!!MzQ1Njc4OWFiY2RlZg=="}, 400, "Bad request"},
	} {
		header := append([]string{
			"Connection", "keep-alive, Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==",
		}, c.header...)
		a := ts.do(t, "GET", c.query, "", header...)
		require.Equal(t, c.status, a.status, c.name)
		require.Equal(t, c.body, a.body, c.name)
		require.Equal(t, "text/plain; charset=UTF-8", a.header.Get("Content-Type"), c.name)
		require.Equal(t, "13", a.header.Get("Sec-WebSocket-Version"), "RFC 6455, section 4.4")
	}
	require.Equal(t, 1, ts.Sessions())
}

func TestGate(t *testing.T) {
	t.Parallel()
	refuse := errors.New("internal detail")
	ts := newTestServer(t, Config{Gate: func(r *http.Request) error {
		switch r.URL.Query().Get("gate") {
		case "refuse":
			return refuse
		case "unauthorized":
			return httpError(401)
		case "panic":
			panic("gate")
		}
		if status, err := strconv.Atoi(r.URL.Query().Get("gate")); err == nil {
			return httpError(status)
		}
		return nil
	}})
	a := ts.do(t, "GET", pollQuery+"&gate=refuse", "")
	require.Equal(t, 403, a.status)
	require.Equal(t, `{"code":4,"message":"Forbidden"}`, a.body, "the error's text is not for the client")
	require.ErrorIs(t, ts.errors()[0], refuse)

	a = ts.do(t, "GET", pollQuery+"&gate=unauthorized", "")
	require.Equal(t, 401, a.status)
	require.Equal(t, `{"code":4,"message":"sign in first"}`, a.body)

	for _, status := range []string{"-1", "0", "99", "100", "101", "200", "204", "304", "399", "600", "1000"} {
		a = ts.do(t, "GET", pollQuery+"&gate="+status, "")
		require.Equal(t, 403, a.status, "%s is no refusal", status)
		require.Equal(t, `{"code":4,"message":"sign in first"}`, a.body, status)
	}

	a = ts.do(t, "GET", pollQuery+"&gate=panic", "")
	require.Equal(t, 403, a.status, "a gate that panics stays shut")
	require.Zero(t, ts.Sessions())

	ts.openPolling(t)
	require.Equal(t, 1, ts.Sessions())
}

// A session answers only to whom Verify recognizes; for everybody else it does not exist.
func TestVerify(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{
		Identity: func(r *http.Request) any { return r.Header.Get("Authorization") },
		Verify: func(h *Handshake, r *http.Request) bool {
			if r.Header.Get("Authorization") == "panic" {
				panic("verify")
			}
			return h.Identity == r.Header.Get("Authorization")
		},
	})
	a := ts.do(t, "GET", pollQuery, "", "Authorization", "alice")
	p := &poller{t, ts, sidOf(t, a.body)}
	require.Equal(t, "alice", ts.peer(t).session.Handshake().Identity)
	unknown := ts.do(t, "GET", pollQuery+"&sid=doesnotexist", "", "Authorization", "mallory")
	for _, who := range []string{"mallory", "", "panic"} {
		for method, body := range map[string]string{"GET": "", "POST": "4x"} {
			a := ts.do(t, method, p.query(), body, "Authorization", who)
			require.Equal(t, unknown.status, a.status, who)
			require.Equal(t, unknown.body, a.body, who)
		}
		a := ts.do(t, "GET", wsQuery+"&sid="+p.sid, "", "Authorization", who, "Connection", "Upgrade", "Upgrade", "websocket",
			"Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==")
		require.Equal(t, "Session ID unknown", a.body, who)
	}
	require.Equal(t, 200, ts.do(t, "POST", p.query(), "4x", "Authorization", "alice").status)
}

func TestHandshake(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{
		Origins:      []string{"*"},
		PingInterval: 7 * time.Second, PingTimeout: 3500 * time.Millisecond, MaxPayload: 12345,
		Cookie: &http.Cookie{MaxAge: 60},
	})
	a := ts.do(t, "GET", pollQuery+"&x=1&x=2&t=abc", "", "X-Test", "value", "Origin", "https://example.com")
	require.Equal(t, 200, a.status)
	require.Equal(t, "text/plain; charset=UTF-8", a.header.Get("Content-Type"))
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.Equal(t, "no-store", a.header.Get("Cache-Control"))
	sid := sidOf(t, a.body)
	require.Equal(t, `0{"sid":"`+sid+`","upgrades":["websocket"],"pingInterval":7000,"pingTimeout":3500,"maxPayload":12345}`, a.body)
	require.Len(t, sid, 24)
	require.Equal(t, "io="+sid+"; Path=/; Max-Age=60; HttpOnly; SameSite=Lax", a.header.Get("Set-Cookie"))

	s := ts.peer(t).session
	require.Equal(t, sid, s.ID())
	require.Equal(t, Polling, s.Transport())
	h := s.Handshake()
	require.Equal(t, "/engine.io/?"+pollQuery+"&x=1&x=2&t=abc", h.URL)
	require.Equal(t, []string{"1", "2"}, h.Query()["x"])
	require.Equal(t, "value", h.Header().Get("X-Test"))
	require.Equal(t, "https://example.com", h.Header().Get("Origin"))
	require.True(t, h.XDomain)
	require.False(t, h.Secure)
	require.Contains(t, h.RemoteAddr, "127.0.0.1:")
	require.WithinDuration(t, time.Now(), h.Time, time.Minute)
	h.Header().Set("X-Test", "changed")
	require.Equal(t, "value", h.Header().Get("X-Test"), "each call returns a copy")

	c := ts.dial(t, wsQuery)
	open := c.read()
	require.Contains(t, open, `"upgrades":[]`)
	require.Equal(t, WebSocket, ts.peer(t).session.Transport())

	plain := newTestServer(t, Config{DisableUpgrades: true})
	require.Contains(t, plain.do(t, "GET", pollQuery, "").body, `"upgrades":[]`)
	require.Empty(t, plain.do(t, "GET", pollQuery, "").header.Get("Set-Cookie"))
	only := newTestServer(t, Config{Transports: []Transport{Polling}})
	require.Contains(t, only.do(t, "GET", pollQuery, "").body, `"upgrades":[]`)
	require.Equal(t, `{"code":0,"message":"Transport unknown"}`, only.do(t, "GET", wsQuery, "").body)
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	h := http.Header{"A": {"1", "2"}, "Z": {"last"}}
	h["Huge"] = []string{strings.Repeat("x", maxHeaderBytes)}
	for i := range 1000 {
		h.Add("Many", strings.Repeat("y", i))
	}
	packed := packHeader(h, maxHeaderBytes)
	require.LessOrEqual(t, len(packed), maxHeaderBytes)
	got := (&Handshake{headers: packed}).Header()
	require.Equal(t, []string{"1", "2"}, got["A"])
	require.NotContains(t, got, "Huge")
}

func TestIDsAreLongAndDifferent(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for range 10000 {
		id := newID()
		require.Len(t, id, 24, "144 bits")
		require.False(t, seen[id])
		seen[id] = true
	}
}

func TestSessionsAreLimited(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{MaxSessions: 2})
	ts.openPolling(t)
	c := ts.openWebSocket(t)
	require.Equal(t, 503, ts.do(t, "GET", pollQuery, "").status)
	_ = c.Close()
	eventually(t, "a free place", func() bool { return ts.Sessions() == 1 })
	ts.openPolling(t)
}

func TestConfigIsValidated(t *testing.T) {
	t.Parallel()
	_, err := New(Config{})
	require.ErrorContains(t, err, "OnSession")
	valid := func(*Session) Handler { return nil }
	for field, cfg := range map[string]Config{
		"PingInterval":     {PingInterval: -1},
		"PingTimeout":      {PingTimeout: -1},
		"UpgradeTimeout":   {UpgradeTimeout: -1},
		"ReadTimeout":      {ReadTimeout: -1},
		"SendTimeout":      {SendTimeout: -1},
		"MaxPayload":       {MaxPayload: -1},
		"MaxBufferBytes":   {MaxBufferBytes: -1},
		"MaxBufferPackets": {MaxBufferPackets: -1},
		"MaxInboundBytes":  {MaxInboundBytes: -1},
		"MaxSessions":      {MaxSessions: -1},
		"Transports":       {Transports: []Transport{"carrier pigeon"}},
	} {
		cfg.OnSession = valid
		_, err := New(cfg)
		require.ErrorContains(t, err, "Config."+field)
	}
}

// As the reference implementation, the server speaks whatever protocol the client names first.
func TestSubprotocols(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	for asked, want := range map[string]string{
		"":                           "",
		"chat.v1":                    "chat.v1",
		"chat.v2, chat.v1":           "chat.v2",
		" a ,b":                      "a",
		",b":                         "",
		"not a token":                "",
		"quoted\"":                   "",
		strings.Repeat("x", 64<<10):  "",
		strings.Repeat("x,", 32<<10): "x",
	} {
		header := http.Header{}
		if asked != "" {
			header["Sec-Websocket-Protocol"] = []string{asked}
		}
		conn, res, err := websocket.DefaultDialer.Dial(ts.wsURL(wsQuery), header)
		require.NoError(t, err)
		_ = res.Body.Close()
		require.Equal(t, want, res.Header.Get("Sec-WebSocket-Protocol"), "%.20q", asked)
		_ = conn.Close()
	}
}
