package engineio

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOrigins(t *testing.T) {
	t.Parallel()
	const (
		refused = "refused"
		same    = "" // allowed, and no CORS headers
	)
	list := []string{"https://app.example.com", "http://localhost:3000", "https://other.example:8443", "capacitor://localhost", "http://[::1]:5173"}
	for _, c := range []struct {
		name, host, origin string
		tls                bool
		list               []string
		trust              bool
		header             string // "Name: value"
		want               string
	}{
		{name: "same", host: "example.com", origin: "http://example.com", want: same},
		{name: "same with port", host: "example.com:8080", origin: "http://example.com:8080", want: same},
		{name: "same, default port in Host", host: "example.com:80", origin: "http://example.com", want: same},
		{name: "same, default port in Origin", host: "example.com", origin: "http://example.com:80", want: same},
		{name: "same over TLS", host: "example.com", origin: "https://example.com", tls: true, want: same},
		{name: "same over TLS, default port in Host", host: "example.com:443", origin: "https://example.com", tls: true, want: same},
		{name: "same, Host in upper case", host: "EXAMPLE.com", origin: "http://example.com", want: same},
		{name: "same, IPv4", host: "127.0.0.1:8080", origin: "http://127.0.0.1:8080", want: same},
		{name: "same, IPv6", host: "[::1]:8080", origin: "http://[::1]:8080", want: same},
		{name: "same, punycode", host: "xn--bcher-kva.example", origin: "http://xn--bcher-kva.example", want: same},
		{name: "same, underscore", host: "my_app:8080", origin: "http://my_app:8080", want: same},

		{name: "no origin", host: "example.com", want: same},
		{name: "no origin, none", host: "example.com", header: "Sec-Fetch-Site: none", want: same},
		{name: "no origin, same-origin", host: "example.com", header: "Sec-Fetch-Site: same-origin", want: same},
		{name: "no origin, cross-site", host: "example.com", header: "Sec-Fetch-Site: cross-site", want: refused},
		{name: "no origin, same-site", host: "example.com", header: "Sec-Fetch-Site: same-site", want: refused},
		{name: "no origin, cross-site, with a list", host: "example.com", list: list, header: "Sec-Fetch-Site: cross-site", want: refused},

		{name: "other host", host: "example.com", origin: "http://evil.com", want: refused},
		{name: "other scheme, plain server", host: "example.com", origin: "https://example.com", want: refused},
		{name: "other scheme, TLS server", host: "example.com", origin: "http://example.com", tls: true, want: refused},
		{name: "other port", host: "example.com:8080", origin: "http://example.com:9090", want: refused},
		{name: "missing port", host: "example.com:8080", origin: "http://example.com", want: refused},
		{name: "subdomain", host: "example.com", origin: "http://a.example.com", want: refused},
		{name: "parent domain", host: "a.example.com", origin: "http://example.com", want: refused},
		{name: "suffix", host: "example.com", origin: "http://evil-example.com", want: refused},
		{name: "prefix", host: "example.com", origin: "http://example.com.evil.com", want: refused},
		{name: "null", host: "example.com", origin: "null", want: refused},
		{name: "null with a list", host: "example.com", list: list, origin: "null", want: refused},
		{name: "user information", host: "example.com", origin: "http://example.com@evil.com", want: refused},
		{name: "user information before the host", host: "example.com", origin: "http://evil.com@example.com", want: refused},
		{name: "upper case host", host: "example.com", origin: "http://EXAMPLE.com", want: refused},
		{name: "upper case scheme", host: "example.com", origin: "HTTP://example.com", want: refused},
		{name: "trailing dot", host: "example.com", origin: "http://example.com.", want: refused},
		{name: "trailing dot on both", host: "example.com.", origin: "http://example.com.", want: refused},
		{name: "trailing slash", host: "example.com", origin: "http://example.com/", want: refused},
		{name: "path", host: "example.com", origin: "http://example.com/x", want: refused},
		{name: "query", host: "example.com", origin: "http://example.com?x", want: refused},
		{name: "fragment", host: "example.com", origin: "http://example.com#x", want: refused},
		{name: "backslash", host: "example.com", origin: `http://example.com\@evil.com`, want: refused},
		{name: "no scheme", host: "example.com", origin: "example.com", want: refused},
		{name: "scheme only", host: "example.com", origin: "http://", want: refused},
		{name: "no host", host: "example.com", origin: "http://:80", want: refused},
		{name: "empty port", host: "example.com", origin: "http://example.com:", want: refused},
		{name: "port zero", host: "example.com", origin: "http://example.com:0", want: refused},
		{name: "port with zero in front", host: "example.com", origin: "http://example.com:080", want: refused},
		{name: "port not a number", host: "example.com", origin: "http://example.com:80a", want: refused},
		{name: "two origins in one", host: "example.com", origin: "http://example.com http://evil.com", want: refused},
		{name: "space in front", host: "example.com", origin: "http:// example.com", want: refused},
		{name: "letters that look alike", host: "example.com", origin: "http://exаmple.com", want: refused},
		{name: "IPv6 not closed", host: "[::1]", origin: "http://[::1", want: refused},
		{name: "IPv6 with a tail", host: "[::1]", origin: "http://[::1]evil.com", want: refused},
		{name: "file", host: "example.com", origin: "file://", want: refused},

		{name: "listed", host: "api.example.com", list: list, origin: "https://app.example.com", want: "https://app.example.com"},
		{name: "listed with port", host: "example.com", list: list, origin: "http://localhost:3000", want: "http://localhost:3000"},
		{name: "listed, default port", host: "example.com", list: list, origin: "https://app.example.com:443", want: "https://app.example.com:443"},
		{name: "listed, app scheme", host: "example.com", list: list, origin: "capacitor://localhost", want: "capacitor://localhost"},
		{name: "listed, IPv6", host: "example.com", list: list, origin: "http://[::1]:5173", want: "http://[::1]:5173"},
		{name: "same, besides a list", host: "example.com", list: list, origin: "http://example.com", want: same},
		{name: "not listed", host: "example.com", list: list, origin: "https://evil.com", want: refused},
		{name: "listed, other scheme", host: "example.com", list: list, origin: "http://app.example.com", want: refused},
		{name: "listed, other port", host: "example.com", list: list, origin: "https://other.example", want: refused},
		{name: "listed, suffix", host: "example.com", list: list, origin: "https://app.example.com.evil.com", want: refused},
		{name: "listed, prefix", host: "example.com", list: list, origin: "https://xapp.example.com", want: refused},
		{name: "listed, dot as a letter", host: "example.com", list: list, origin: "https://appxexample.com", want: refused},

		{name: "any", host: "example.com", list: []string{"*"}, origin: "https://evil.com", want: "*"},
		{name: "any, same", host: "example.com", list: []string{"*"}, origin: "http://example.com", want: same},
		{name: "any, null", host: "example.com", list: []string{"*"}, origin: "null", want: "*"},
		{name: "any, no origin", host: "example.com", list: []string{"*"}, header: "Sec-Fetch-Site: cross-site", want: same},

		{name: "proxy, not trusted", host: "example.com", origin: "https://example.com", header: "X-Forwarded-Proto: https", want: refused},
		{name: "proxy, trusted", host: "example.com", origin: "https://example.com", trust: true, header: "X-Forwarded-Proto: https", want: same},
		{name: "proxy, trusted, upper case", host: "example.com", origin: "https://example.com", trust: true, header: "X-Forwarded-Proto: HTTPS", want: same},
		{name: "proxy, trusted, several", host: "example.com", origin: "https://example.com", trust: true, header: "X-Forwarded-Proto: http, https", want: same},
		{name: "proxy, trusted, forged in front", host: "example.com", origin: "https://example.com", trust: true, header: "X-Forwarded-Proto: https, http", want: refused},
		{name: "proxy, trusted, no header", host: "example.com", origin: "http://example.com", trust: true, want: same},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			rules, err := newOriginRules(c.list, c.trust)
			require.NoError(t, err)
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Host = c.host
			if c.tls {
				r.TLS = &tls.ConnectionState{}
			}
			if c.origin != "" {
				r.Header.Set("Origin", c.origin)
			}
			if name, value, ok := strings.Cut(c.header, ": "); ok {
				r.Header.Set(name, value)
			}
			v := rules.check(r)
			if c.want == refused {
				require.Equal(t, verdict{}, v)
			} else {
				require.Equal(t, verdict{allowed: true, cross: c.want}, v)
			}
		})
	}
}

func TestSeveralOriginHeadersAreRefused(t *testing.T) {
	t.Parallel()
	r := httptest.NewRequest(http.MethodGet, "http://example.com/", nil)
	r.Header["Origin"] = []string{"http://example.com", "http://evil.com"}
	require.False(t, originRules{}.check(r).allowed)
}

func TestOriginListIsValidated(t *testing.T) {
	t.Parallel()
	for _, bad := range []string{"", "example.com", "https://example.com/", "https://Example.com", "https://*.example.com", "null", "https://a.b c"} {
		_, err := New(Config{Origins: []string{bad}, OnSession: func(*Session) Handler { return nil }})
		require.ErrorContains(t, err, "Config.Origins", "%q", bad)
	}
	_, err := New(Config{Origins: []string{"*", "https://example.com"}, OnSession: func(*Session) Handler { return nil }})
	require.ErrorContains(t, err, "only entry")
}

// The rules hold on every transport and for each request of a session, and the headers are those that CORS asks for.
func TestOriginsOnTheWire(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{Origins: []string{"https://app.example.com"}})
	p := ts.openPolling(t)
	upgrade := []string{
		"Connection", "Upgrade", "Upgrade", "websocket", "Sec-WebSocket-Version", "13", "Sec-WebSocket-Key", "MDEyMzQ1Njc4OWFiY2RlZg==",
	}
	for _, c := range []struct {
		name, method, query string
		header              []string
		status              int
		body                string
	}{
		{"polling handshake", "GET", pollQuery, nil, 403, `{"code":4,"message":"Forbidden"}`},
		{"poll", "GET", p.query(), nil, 403, `{"code":4,"message":"Forbidden"}`},
		{"post", "POST", p.query(), nil, 403, `{"code":4,"message":"Forbidden"}`},
		{"preflight", "OPTIONS", pollQuery, []string{"Access-Control-Request-Method", "POST"}, 403, `{"code":4,"message":"Forbidden"}`},
		{"WebSocket handshake", "GET", wsQuery, upgrade, 400, "Forbidden"},
		{"upgrade", "GET", wsQuery + "&sid=" + p.sid, upgrade, 400, "Forbidden"},
	} {
		a := ts.do(t, c.method, c.query, "", append(c.header, "Origin", "https://evil.com")...)
		require.Equal(t, c.status, a.status, c.name)
		require.Equal(t, c.body, a.body, c.name)
		require.Empty(t, a.header.Get("Access-Control-Allow-Origin"), c.name)
	}

	a := ts.do(t, "POST", p.query(), "4hi", "Origin", "https://app.example.com")
	require.Equal(t, 200, a.status, "the refused requests did not touch the session")
	require.Equal(t, "https://app.example.com", a.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", a.header.Get("Access-Control-Allow-Credentials"))
	require.Equal(t, "Origin", a.header.Get("Vary"))

	a = ts.do(t, "OPTIONS", p.query(), "", "Origin", "https://app.example.com",
		"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "content-type,x-token")
	require.Equal(t, 204, a.status)
	require.Equal(t, "https://app.example.com", a.header.Get("Access-Control-Allow-Origin"))
	require.Equal(t, "true", a.header.Get("Access-Control-Allow-Credentials"))
	require.Equal(t, "GET, POST", a.header.Get("Access-Control-Allow-Methods"))
	require.Equal(t, "content-type,x-token", a.header.Get("Access-Control-Allow-Headers"))

	open := newTestServer(t, Config{Origins: []string{"*"}})
	a = open.do(t, "GET", pollQuery, "", "Origin", "https://anybody.example")
	require.Equal(t, "*", a.header.Get("Access-Control-Allow-Origin"))
	require.Empty(t, a.header.Get("Access-Control-Allow-Credentials"), "any origin, so no cookies")
}

// A preflight with a body that does not come is not waited for.
func TestPreflightWithABody(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{})
	c := ts.rawDial(t)
	c.send("OPTIONS /?" + pollQuery + " HTTP/1.1\r\nHost: test\r\nContent-Length: 10\r\n\r\n")
	got, err := io.ReadAll(c.r)
	require.NoError(t, err)
	require.Contains(t, string(got), " 204 ")
}
