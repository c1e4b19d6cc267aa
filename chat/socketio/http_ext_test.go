package socketio_test

import (
	"compress/gzip"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// fetch makes a request with the headers given in pairs, and returns the answer with its body.
func fetch(t *testing.T, method, url string, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx(t), method, url, nil)
	require.NoError(t, err)
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	transport := &http.Transport{DisableCompression: true}
	t.Cleanup(transport.CloseIdleConnections)
	resp, err := transport.RoundTrip(r)
	require.NoError(t, err)
	defer resp.Body.Close() //nolint:errcheck // it was read
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return resp, string(body)
}

func TestClientScript(t *testing.T) {
	t.Parallel()
	_, url := serve(t)
	url += "/socket.io/"
	for _, name := range []string{"socket.io.js", "socket.io.min.js", "socket.io.esm.min.js"} {
		resp, body := fetch(t, "GET", url+name)
		require.Equal(t, 200, resp.StatusCode, name)
		require.Equal(t, "text/javascript; charset=utf-8", resp.Header.Get("Content-Type"))
		require.Equal(t, "nosniff", resp.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "Accept-Encoding", resp.Header.Get("Vary"))
		require.Empty(t, resp.Header.Get("Content-Encoding"))
		etag := resp.Header.Get("ETag")
		require.Regexp(t, `^"[^"]+"$`, etag)

		zipped, data := fetch(t, "GET", url+name, "Accept-Encoding", "br, gzip;q=0.8")
		require.Equal(t, "gzip", zipped.Header.Get("Content-Encoding"))
		require.NotEqual(t, etag, zipped.Header.Get("ETag"))
		reader, err := gzip.NewReader(strings.NewReader(data))
		require.NoError(t, err)
		plain, err := io.ReadAll(reader)
		require.NoError(t, err)
		require.Equal(t, body, string(plain))

		head, data := fetch(t, "HEAD", url+name)
		require.Equal(t, 200, head.StatusCode)
		require.Equal(t, resp.ContentLength, head.ContentLength)
		require.Empty(t, data)
		for _, match := range []string{etag, "W/" + etag, `"other", ` + etag, "*"} {
			resp, data = fetch(t, "GET", url+name, "If-None-Match", match)
			require.Equal(t, 304, resp.StatusCode, match)
			require.Empty(t, data)
		}
		resp, _ = fetch(t, "GET", url+name, "If-None-Match", `"other"`)
		require.Equal(t, 200, resp.StatusCode)
		resp, _ = fetch(t, "GET", url+name, "Accept-Encoding", "gzip;q=0")
		require.Empty(t, resp.Header.Get("Content-Encoding"))
		resp, _ = fetch(t, "POST", url+name)
		require.Equal(t, 405, resp.StatusCode)
		require.Equal(t, "GET, HEAD", resp.Header.Get("Allow"))
	}
	resp, body := fetch(t, "GET", url+"other.js")
	require.Equal(t, 400, resp.StatusCode)
	require.JSONEq(t, `{"code":0,"message":"Transport unknown"}`, body)
}

func TestClientFiles(t *testing.T) {
	t.Parallel()
	_, err := socketio.New(socketio.WithClientFiles(fstest.MapFS{"index.html": {}}))
	require.ErrorContains(t, err, "WithClientFiles")
	_, url := serve(t, socketio.WithClientFiles(fstest.MapFS{
		"socket.io.min.js":     {Data: []byte("official")},
		"socket.io.min.js.map": {Data: []byte("{}")},
		"secret.txt":           {Data: []byte("secret")},
	}))
	resp, body := fetch(t, "GET", url+"/socket.io/socket.io.min.js")
	require.Equal(t, "official", body)
	require.Equal(t, "text/javascript; charset=utf-8", resp.Header.Get("Content-Type"))
	require.NotEmpty(t, resp.Header.Get("ETag"))
	resp, _ = fetch(t, "GET", url+"/socket.io/socket.io.min.js.map")
	require.Equal(t, "application/json; charset=utf-8", resp.Header.Get("Content-Type"))
	for _, name := range []string{"socket.io.js", "secret.txt", "..%2fsecret.txt"} {
		resp, _ = fetch(t, "GET", url+"/socket.io/"+name)
		require.Equal(t, 400, resp.StatusCode, name)
	}
}

func TestWithoutClient(t *testing.T) {
	t.Parallel()
	_, url := serve(t, socketio.WithoutClient())
	resp, _ := fetch(t, "GET", url+"/socket.io/socket.io.js")
	require.Equal(t, 400, resp.StatusCode)
}

// teapot is an error that chooses its status.
type teapot struct{}

func (teapot) Error() string   { return "I am a teapot" }
func (teapot) HTTPStatus() int { return 418 }

func TestGateAndConnectionErrors(t *testing.T) {
	t.Parallel()
	var gate error
	srv, url := serve(t, socketio.WithGate(func(r *http.Request) error {
		require.Equal(t, "/socket.io/", r.URL.Path)
		return gate
	}))
	refused := make(chan socketio.ConnectionError, 10)
	off := srv.OnConnectionError(func(e socketio.ConnectionError) { refused <- e })
	for _, test := range []struct {
		name    string
		gate    error
		query   string
		code    int
		message string
		status  int
	}{
		{"unknown transport", nil, "EIO=4&transport=smoke", 0, "Transport unknown", 400},
		{"unknown session", nil, "EIO=4&transport=polling&sid=none", 1, "Session ID unknown", 400},
		{"old protocol", nil, "EIO=3&transport=polling", 5, "Unsupported protocol version", 400},
		{"the gate", errors.New("internal detail"), "EIO=4&transport=polling", 4, "Forbidden", 403},
		{"the gate with a status", teapot{}, "EIO=4&transport=polling", 4, "I am a teapot", 418},
	} {
		gate = test.gate
		resp, body := fetch(t, "GET", url+"/socket.io/?"+test.query, "User-Agent", "test")
		require.Equal(t, test.status, resp.StatusCode, test.name)
		require.Contains(t, body, test.message, test.name)
		e := receive(t, refused)
		require.Equal(t, test.code, e.Code, test.name)
		require.Equal(t, test.message, e.Message, test.name)
		require.Equal(t, test.status, e.Status, test.name)
		require.Equal(t, test.gate, e.Err, test.name)
		require.Equal(t, "GET", e.Method)
		require.Equal(t, "test", e.Header.Get("User-Agent"))
		require.Contains(t, e.URL, test.query)
		require.NotEmpty(t, e.Address)
	}
	off()
	fetch(t, "GET", url+"/socket.io/?EIO=3&transport=polling")
	require.Empty(t, refused)
}

func TestVerify(t *testing.T) {
	t.Parallel()
	_, url := serve(t,
		socketio.WithIdentity(func(r *http.Request) any { return r.Header.Get("X-User") }),
		socketio.WithVerify(func(h *socketio.Handshake, r *http.Request) bool {
			return h.Identity == r.Header.Get("X-User")
		}))
	o := chattest.Options{Transport: chattest.Polling, Header: http.Header{"X-User": {"ann"}}}
	conn := chattest.Open(t, url, o)
	resp, body := fetch(t, "GET", conn.URL(chattest.Polling), "X-User", "eve")
	require.Equal(t, 400, resp.StatusCode)
	require.JSONEq(t, `{"code":1,"message":"Session ID unknown"}`, body)
	_, err := conn.Connect(ctx(t), "/", nil)
	require.NoError(t, err)
}

func TestHTTPMiddleware(t *testing.T) {
	t.Parallel()
	mark := func(name string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Add("X-Through", name)
				if r.Header.Get("X-Stop") == name {
					w.WriteHeader(http.StatusTeapot)
					return
				}
				next.ServeHTTP(w, r)
			})
		}
	}
	_, url := serve(t, socketio.WithMiddleware(mark("first"), mark("second")), socketio.WithMiddleware(mark("third")))
	for path, status := range map[string]int{
		"/socket.io/socket.io.js":             200,
		"/socket.io/?EIO=4&transport=polling": 200,
		"/socket.io/?EIO=5":                   400,
	} {
		resp, _ := fetch(t, "GET", url+path)
		require.Equal(t, status, resp.StatusCode)
		require.Equal(t, []string{"first", "second", "third"}, resp.Header.Values("X-Through"))
		resp, _ = fetch(t, "GET", url+path, "X-Stop", "second")
		require.Equal(t, http.StatusTeapot, resp.StatusCode)
		require.Equal(t, []string{"first", "second"}, resp.Header.Values("X-Through"))
	}
	o := chattest.Options{Header: http.Header{"X-Stop": {"third"}}}
	_, err := chattest.Dial(ctx(t), url, o)
	require.Error(t, err)
	for _, transport := range chattest.Transports() {
		chattest.Connect(t, url, chattest.Options{Transport: transport})
	}
}

func TestCookie(t *testing.T) {
	t.Parallel()
	_, url := serve(t, socketio.WithCookie(http.Cookie{Name: "sticky", Path: "/socket.io"}))
	resp, body := fetch(t, "GET", url+"/socket.io/?EIO=4&transport=polling")
	cookies := resp.Cookies()
	require.Len(t, cookies, 1)
	require.Equal(t, "sticky", cookies[0].Name)
	require.Contains(t, body, cookies[0].Value)
	require.True(t, cookies[0].HttpOnly)
}

func TestTransports(t *testing.T) {
	t.Parallel()
	_, url := serve(t, socketio.WithTransports("websocket"))
	_, err := chattest.Dial(ctx(t), url, chattest.Options{Transport: chattest.Polling})
	require.Error(t, err)
	chattest.Connect(t, url, websocket())
}

func TestWithoutUpgrades(t *testing.T) {
	t.Parallel()
	_, url := serve(t, socketio.WithoutUpgrades())
	conn := chattest.Open(t, url, chattest.Options{Transport: chattest.Polling})
	require.Empty(t, conn.Handshake().Upgrades)
}

func TestMaxConnections(t *testing.T) {
	t.Parallel()
	srv, url := serve(t, socketio.WithMaxConnections(2))
	refused := make(chan socketio.ConnectionError, 10)
	srv.OnConnectionError(func(e socketio.ConnectionError) { refused <- e })
	first := chattest.Open(t, url, websocket())
	chattest.Open(t, url, chattest.Options{Transport: chattest.Polling})
	for _, transport := range []chattest.Transport{chattest.Polling, chattest.WebSocket} {
		_, err := chattest.Dial(ctx(t), url, chattest.Options{Transport: transport})
		require.Error(t, err)
		require.Equal(t, http.StatusServiceUnavailable, receive(t, refused).Status)
	}
	require.Equal(t, 2, srv.Connections())
	first.Close()
	require.Eventually(t, func() bool { return srv.Connections() == 1 }, patience, time.Millisecond)
	chattest.Open(t, url, websocket())
}

func TestOrigins(t *testing.T) {
	t.Parallel()
	_, url := serve(t, socketio.WithOrigins("https://allowed.example"))
	for origin, status := range map[string]int{
		"https://allowed.example": 200, "http://allowed.example": 403, "https://other.example": 403, url: 200,
	} {
		resp, _ := fetch(t, "GET", url+"/socket.io/?EIO=4&transport=polling", "Origin", origin)
		require.Equal(t, status, resp.StatusCode, origin)
	}
}

func TestHandshakeSettings(t *testing.T) {
	t.Parallel()
	_, url := serve(t, socketio.WithPingInterval(3*time.Second), socketio.WithPingTimeout(2*time.Second),
		socketio.WithUpgradeTimeout(time.Second), socketio.WithMaxPayload(5000), socketio.WithMaxAttachments(2),
		socketio.WithMaxEventBytes(6000))
	h := chattest.Open(t, url, chattest.Options{Transport: chattest.Polling}).Handshake()
	require.Equal(t, []any{3000, 2000, 5000, []string{"websocket"}},
		[]any{h.PingInterval, h.PingTimeout, h.MaxPayload, h.Upgrades})
}

func TestOptionErrors(t *testing.T) {
	t.Parallel()
	for name, opt := range map[string]socketio.Option{
		"WithPingInterval":   socketio.WithPingInterval(0),
		"WithPingTimeout":    socketio.WithPingTimeout(-1),
		"WithUpgradeTimeout": socketio.WithUpgradeTimeout(0),
		"WithConnectTimeout": socketio.WithConnectTimeout(0),
		"WithMaxPayload":     socketio.WithMaxPayload(0),
		"WithMaxAttachments": socketio.WithMaxAttachments(0),
		"WithMaxEventBytes":  socketio.WithMaxEventBytes(-1),
		"WithMaxQueuedBytes": socketio.WithMaxQueuedBytes(0),
		"WithMaxAcks":        socketio.WithMaxAcks(0),
		"WithMaxNamespaces":  socketio.WithMaxNamespaces(0),
		"WithMaxConnections": socketio.WithMaxConnections(0),
		"WithSendBuffer":     socketio.WithSendBuffer(1, 0),
		"WithTransports":     socketio.WithTransports("smoke"),
		"WithErrorAck":       socketio.WithErrorAck(nil),
		"WithLogger":         socketio.WithLogger(nil),
		"WithRecovery":       socketio.WithRecovery(socketio.Recovery{MaxBytes: -1}),
	} {
		_, err := socketio.New(opt)
		require.ErrorContains(t, err, name)
	}
	_, err := socketio.New(socketio.WithTransports())
	require.ErrorContains(t, err, "WithTransports")
}
