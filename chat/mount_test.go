package chat_test

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// Under a group of an app with Echo's usual middleware, alone and all together, a stock client talks on each transport.
func TestMiddleware(t *testing.T) {
	t.Parallel()
	const patience = 2 * aMoment // of ContextTimeout
	csrf := func(c *chat.Chat) echo.MiddlewareFunc {
		return middleware.CSRFWithConfig(middleware.CSRFConfig{Skipper: c.Skipper})
	}
	plain := func(m echo.MiddlewareFunc) func(*chat.Chat) echo.MiddlewareFunc {
		return func(*chat.Chat) echo.MiddlewareFunc { return m }
	}
	each := map[string]func(*chat.Chat) echo.MiddlewareFunc{
		"Logger":         plain(middleware.LoggerWithConfig(middleware.LoggerConfig{Output: io.Discard})), //nolint:staticcheck // apps have it
		"Recover":        plain(middleware.Recover()),
		"Gzip":           plain(middleware.Gzip()),
		"CORS":           plain(middleware.CORS()),
		"CSRF":           csrf,
		"BodyLimit":      plain(middleware.BodyLimit("1M")),
		"ContextTimeout": plain(middleware.ContextTimeout(patience)),
		"Secure":         plain(middleware.Secure()),
		"RequestID":      plain(middleware.RequestID()),
		"BodyDump":       plain(middleware.BodyDump(func(echo.Context, []byte, []byte) {})),
		"Timeout, skipped": func(c *chat.Chat) echo.MiddlewareFunc {
			return middleware.TimeoutWithConfig(middleware.TimeoutConfig{Skipper: c.Skipper, Timeout: patience}) //nolint:staticcheck // apps have it
		},
	}
	all := []string{"Logger", "Recover", "Gzip", "CORS", "CSRF", "BodyLimit", "ContextTimeout", "Secure", "RequestID"}
	for name := range each {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			talkBehind(t, func(e *echo.Echo, c *chat.Chat) chat.Router { return e.Group("/app", each[name](c)) })
		})
	}
	t.Run("all on the group", func(t *testing.T) {
		t.Parallel()
		talkBehind(t, func(e *echo.Echo, c *chat.Chat) chat.Router {
			g := e.Group("/app")
			for _, name := range all {
				g.Use(each[name](c))
			}
			return g
		})
	})
	t.Run("all on the app", func(t *testing.T) {
		t.Parallel()
		talkBehind(t, func(e *echo.Echo, c *chat.Chat) chat.Router {
			for _, name := range all {
				e.Use(each[name](c))
			}
			return e.Group("/app")
		})
	})
}

// talkBehind talks over each transport, behind middleware.
func talkBehind(t *testing.T, router func(*echo.Echo, *chat.Chat) chat.Router) {
	t.Helper()
	a := serve(t, router, chat.WithTokenAuth(byName), chat.WithOpenRooms(), chat.WithTypingExpiry(4*aMoment))
	for _, transport := range chattest.Transports() {
		o := chattest.Options{Path: "/app/socket.io/", Transport: transport, Auth: object{"name": "Ada"}}
		ada := chattest.Connect(t, a.URL, o)
		o.Auth = object{"name": "Bob"}
		bob := chattest.Connect(t, a.URL, o)
		room := "room-" + string(transport)
		call(t, ada, "room.join", object{"room_id": room})
		call(t, bob, "room.join", object{"room_id": room})
		long := strings.Repeat("long enough to be compressed ", 200)
		sent := call(t, ada, "message.send", object{"room_id": room, "text": long}).Message
		require.Equal(t, sent, *expect(t, bob, "message.new").Message, transport)
		// Bob's poll waits longer for this than ContextTimeout lets a request take.
		require.NoError(t, ada.Emit("typing.start", object{"room_id": room}))
		expect(t, bob, "typing.start")
		expect(t, bob, "typing.stop")
	}
	req := request(t, "POST", a.URL+"/app/chat/api/v1/rooms/room-polling/messages")
	req.Body = io.NopCloser(strings.NewReader(`{"text":"over REST"}`))
	req.Header.Set("Authorization", "Bearer Ada")
	req.Header.Set("Content-Type", "application/json")
	status, body := do(t, req)
	require.Equal(t, 201, status, body)
	checkScript(t, a.URL+"/app/socket.io/socket.io.js")
}

// checkScript fetches the client script, compressed and not.
func checkScript(t *testing.T, url string) {
	t.Helper()
	for _, encoding := range []string{"gzip", "identity"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
		require.NoError(t, err)
		req.Header.Set("Accept-Encoding", encoding)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		defer func() { _ = res.Body.Close() }()
		require.Equal(t, 200, res.StatusCode)
		var body io.Reader = res.Body
		if res.Header.Get("Content-Encoding") == "gzip" {
			body, err = gzip.NewReader(res.Body)
			require.NoError(t, err)
		}
		text, err := io.ReadAll(body)
		require.NoError(t, err)
		require.Contains(t, string(text), "io", encoding)
		require.Contains(t, string(text), "function", encoding)
		require.Contains(t, res.Header.Get("Content-Type"), "javascript")
	}
}

// Where a middleware makes it impossible, the first handshake says so in words.
func TestTimeoutMiddleware(t *testing.T) {
	t.Parallel()
	for _, transport := range []chattest.Transport{chattest.Polling, chattest.WebSocket} {
		var logged syncBuffer
		a := serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router {
			e.Use(middleware.TimeoutWithConfig(middleware.TimeoutConfig{Timeout: time.Minute})) //nolint:staticcheck // apps have it
			return e
		}, chat.WithGuests(), chat.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
		for range 2 {
			_, err := chattest.Dial(t.Context(), a.URL, chattest.Options{Transport: transport})
			var refusal *chattest.HTTPError
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, 500, refusal.Status)
			require.Contains(t, refusal.Message, "middleware.Timeout")
			require.Contains(t, refusal.Message, "Skipper")
		}
		require.Equal(t, 1, logged.count("middleware.Timeout"), "said once")
	}
}

// A stock client outside of a browser cannot send a CSRF token: without the Skipper, polling is told what to do about it.
func TestCSRFWithoutSkipper(t *testing.T) {
	t.Parallel()
	var logged syncBuffer
	a := serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router {
		e.Use(middleware.CSRF())
		return e
	}, chat.WithGuests(), chat.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	for range 2 {
		res, err := http.Get(a.URL + "/socket.io/?EIO=4&transport=polling")
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusInternalServerError, res.StatusCode)
		require.Contains(t, string(body), "CSRFConfig.Skipper")
	}
	require.Equal(t, 1, logged.count("CSRFConfig.Skipper"), "said once")
	chattest.Connect(t, a.URL, chattest.Options{Transport: chattest.WebSocket})

	// A browser of today passes by Sec-Fetch-Site.
	o := chattest.Options{Transport: chattest.Polling, Header: http.Header{"Sec-Fetch-Site": {"same-origin"}}}
	chattest.Connect(t, a.URL, o)
}

func TestSkipper(t *testing.T) {
	t.Parallel()
	var skipped atomic.Bool
	a := serve(t, func(e *echo.Echo, c *chat.Chat) chat.Router {
		e.Pre(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(ec echo.Context) error {
				require.False(t, c.Skipper(ec), "before routing")
				return next(ec)
			}
		})
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(ec echo.Context) error {
				skipped.Store(c.Skipper(ec))
				return next(ec)
			}
		})
		ok := func(ec echo.Context) error { return ec.NoContent(http.StatusNoContent) }
		e.Any("/pay", ok)
		e.Any("/pay/*", ok)
		e.Any("/:any/socket.io/", ok)
		return e.Group("/app")
	}, chat.WithGuests())
	for path, want := range map[string]bool{
		"/app/socket.io": true, "/app/socket.io/": true, "/app/socket.io/socket.io.js": true,
		"/app/chat/api/v1/rooms": true, "/app/chat/api/v1/rooms/x/messages": true, "/app/chat/api/v1/nothing": true,
		"/pay": false, "/pay/app/socket.io/": false, "/pay?x=/app/socket.io/": false, "/pay/%2e%2e/app/socket.io/": false,
		"/other/socket.io/": false, "/app": false, "/nothing": false, "/": false,
	} {
		do(t, request(t, "GET", a.URL+path))
		require.Equal(t, want, skipped.Load(), path)
	}
}

func request(t testing.TB, method, url string) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	require.NoError(t, err)
	return req
}

// After the connection was taken over, nobody writes an answer: not the error handler for what a middleware returns
// afterwards, and not the middleware.
func TestNothingIsWrittenAfterHijack(t *testing.T) {
	t.Parallel()
	committed := make(chan bool, 1)
	a := serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router {
		e.Use(func(next echo.HandlerFunc) echo.HandlerFunc {
			return func(ec echo.Context) error { return errors.Join(next(ec), errors.New("too late")) }
		})
		e.HTTPErrorHandler = func(err error, ec echo.Context) {
			if ec.IsWebSocket() {
				committed <- ec.Response().Committed
			}
			e.DefaultHTTPErrorHandler(err, ec)
		}
		return e
	}, chat.WithGuests())
	s := chattest.Connect(t, a.URL, chattest.Options{Transport: chattest.WebSocket})
	require.True(t, <-committed)
	require.NoError(t, s.Barrier(t.Context()))
}

// The route takes every method and both forms of the path, and answers in the protocol's own words.
func TestTransportRoute(t *testing.T) {
	t.Parallel()
	a := serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router { return e.Group("/app") },
		chat.WithGuests(), chat.WithPath("live/chat/"))
	for _, path := range []string{"/app/live/chat", "/app/live/chat/"} {
		for _, method := range []string{"GET", "POST", "PUT", "PATCH", "DELETE", "PROPFIND", "REPORT"} {
			status, body := do(t, request(t, method, a.URL+path+"?EIO=4&transport=carrier-pigeon"))
			require.Equal(t, 400, status, "%s %s", method, path)
			var e struct{ Code *int }
			require.NoError(t, json.Unmarshal([]byte(body), &e), body)
			require.NotNil(t, e.Code, "%s %s: %s", method, path, body)
		}
	}
	chattest.Connect(t, a.URL, chattest.Options{Path: "/app/live/chat"})
	status, _ := do(t, request(t, "GET", a.URL+"/app/socket.io/"))
	require.Equal(t, 404, status)
}

func TestMountErrors(t *testing.T) {
	t.Parallel()
	st, err := store.Open(filepath.Join(t.TempDir(), "chat.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	c, err := chat.New(st, chat.WithGuests())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Shutdown(context.Background())) })
	require.Error(t, c.Mount(nil))
	require.NoError(t, c.Mount(echo.New()))
	require.ErrorContains(t, c.Mount(echo.New()), "mounted already")
}

// An app's own events run beside the chat's on the same connection, for the user that the chat has signed in.
func TestOwnEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t)
		a.chat.OnConnection(func(_ context.Context, u chat.User, s *socketio.Socket) { _ = s.Emit("hello", u.Name) })
		socketio.On(a.chat.Server(), "double", func(_ context.Context, s *socketio.Socket, n int) (int, error) {
			if u, ok := chat.UserOf(s); !ok || u.ID != "ada" || n < 0 {
				return 0, chat.Forbidden("No.")
			}
			return 2 * n, nil
		})
		ada := a.connect(t, "Ada", transport)
		require.JSONEq(t, `"Ada"`, string(ada.Expect(t, "hello").Raw(0)))
		call(t, ada, "room.join", object{"room_id": "r"})
		require.Equal(t, "[42]", ada.ExpectAck(t, "double", 21).String())
		require.Contains(t, ada.ExpectAck(t, "double", "x").String(), `"code":"invalid_argument"`)
		require.Contains(t, ada.ExpectAck(t, "double", -1).String(), `"code":"forbidden"`)
		require.NoError(t, a.chat.Server().To("room:r").Emit("news", "tea is ready"))
		require.JSONEq(t, `"tea is ready"`, string(ada.Expect(t, "news").Raw(0)))
	})
}
