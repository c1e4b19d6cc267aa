package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/cookiejar"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// bySession is an app's own login: the cookie "session" holds the user's name.
func bySession(ec echo.Context) (chat.User, error) {
	cookie, err := ec.Cookie("session")
	if err != nil {
		return chat.User{}, chat.ErrNoCredentials
	}
	switch cookie.Value {
	case "mallory":
		return chat.User{}, chat.Unauthorized("Not you.")
	case "forbidden":
		return chat.User{}, echo.ErrForbidden
	case "broken":
		return chat.User{}, errors.New("session store: decryption failed")
	case "down":
		return chat.User{}, echo.ErrServiceUnavailable
	case "nameless":
		return chat.User{}, nil
	case "panic":
		panic("session of nobody")
	case "slow":
		<-ec.Request().Context().Done()
		return chat.User{}, ec.Request().Context().Err()
	}
	return chat.User{ID: strings.ToLower(cookie.Value), Name: cookie.Value}, nil
}

func onEcho(e *echo.Echo, _ *chat.Chat) chat.Router { return e }

func session(name string) http.Header { return http.Header{"Cookie": {"session=" + name}} }

func TestWithAuth(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := serve(t, onEcho, chat.WithAuth(bySession), chat.WithOpenRooms(), chat.WithAuthTimeout(aMoment))
		ada := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Header: session("Ada")})
		r := call(t, ada, "room.join", object{"room_id": "r"})
		require.Equal(t, "Ada", r.Members[0].User.Name)

		unsigned := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport})
		require.Equal(t, "unauthorized", unsigned.Message)
		var object chat.Error
		require.NoError(t, json.Unmarshal(unsigned.Data, &object))
		require.Equal(t, chat.CodeUnauthorized, object.Code)
		require.Equal(t, http.StatusUnauthorized, object.Status)

		// What the authenticator refuses does not get as far as CONNECT.
		for name, want := range map[string]struct {
			status int
			code   chat.Code
		}{
			"mallory": {401, chat.CodeUnauthorized}, "broken": {401, chat.CodeUnauthorized},
			"forbidden": {403, chat.CodeForbidden}, "down": {503, chat.CodeServerBusy}, "slow": {503, chat.CodeServerBusy},
			"nameless": {400, chat.CodeInvalidArgument}, "panic": {500, chat.CodeInternal},
		} {
			_, err := chattest.Dial(t.Context(), a.URL, chattest.Options{Transport: transport, Header: session(name)})
			var refusal *chattest.HTTPError
			require.ErrorAs(t, err, &refusal, name)
			require.Equal(t, want.status, refusal.Status, name)
			var body struct{ Error chat.Error }
			require.NoError(t, json.Unmarshal([]byte(refusal.Message), &body), refusal.Message)
			require.Equal(t, want.code, body.Error.Code, name)
			require.NotContains(t, refusal.Message, "decryption", "what went wrong inside stays inside")

			var reply reply
			status, err := a.rest(t.Context(), "", "GET", "/rooms", nil, &reply, "Cookie", "session="+name)
			require.NoError(t, err)
			require.Equal(t, want.status, status, name)
			require.Equal(t, want.code, reply.Error.Code, name)
		}
	})
}

func TestWithTokenAuth(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t)
		for name, auth := range map[string]any{
			"refused": object{"name": "mallory"}, "nothing": nil, "empty": object{}, "wrong shape": object{"name": object{}},
		} {
			refusal := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport, Auth: auth})
			require.Equal(t, "unauthorized", refusal.Message, name)
			require.Contains(t, string(refusal.Data), `"code":"unauthorized"`, name)
		}
		status, err := a.rest(t.Context(), "", "GET", "/me", nil, nil)
		require.NoError(t, err)
		require.Equal(t, 401, status)
		var me struct{ User chat.User }
		status, err = a.rest(t.Context(), "Ada", "GET", "/me", nil, &me)
		require.NoError(t, err)
		require.Equal(t, 200, status)
		require.Equal(t, chat.User{ID: "ada", Name: "Ada"}, me.User)
	})
}

// What a client says on purpose outweighs the cookie its browser sends by itself; without a token the cookie counts.
func TestTokenBeforeSession(t *testing.T) {
	t.Parallel()
	a := serve(t, onEcho, chat.WithAuth(bySession), chat.WithTokenAuth(byName), chat.WithGuests(), chat.WithOpenRooms())
	who := func(o chattest.Options) string {
		s := chattest.Connect(t, a.URL, o)
		m := call(t, s, "room.join", object{"room_id": "r"})
		_ = m
		return call(t, s, "message.send", object{"room_id": "r", "text": "who am I?"}).Message.User.ID
	}
	require.Equal(t, "bob", who(chattest.Options{Header: session("Ada"), Auth: object{"name": "Bob"}}))
	require.Equal(t, "ada", who(chattest.Options{Header: session("Ada")}))
	require.Regexp(t, `^guest_[a-z2-7]{16}$`, who(chattest.Options{}))
	require.Equal(t, "unauthorized",
		chattest.ExpectRefused(t, a.URL, chattest.Options{Header: session("Ada"), Auth: object{"name": "mallory"}}).Message,
		"a token that is refused does not fall back on the cookie")
}

// A session belongs to whom its handshake came from: to others it looks as if it did not exist.
func TestSessionBelongsToItsUser(t *testing.T) {
	t.Parallel()
	a := serve(t, onEcho, chat.WithAuth(bySession), chat.WithGuests())
	for name, foreign := range map[string]http.Header{
		"another user": session("Bob"), "nobody": {}, "a guest": {"Cookie": {"echochat_guest=AAAAAAAAAAAAAAAAAAAAAA"}},
	} {
		conn := chattest.Open(t, a.URL, chattest.Options{Transport: chattest.Polling, Header: session("Ada")})
		_, err := conn.Connect(t.Context(), "/", nil)
		require.NoError(t, err)
		for _, method := range []string{"GET", "POST"} {
			unknown, unknownBody := a.poll(t, method, "AAAAAAAAAAAAAAAAAAAA", foreign)
			status, body := a.poll(t, method, conn.Handshake().SID, foreign)
			require.Equal(t, http.StatusBadRequest, status, name)
			require.Equal(t, unknown, status, name)
			require.Equal(t, unknownBody, body, name)
		}
	}
}

// poll sends one request of the polling transport.
func (a *app) poll(t testing.TB, method, sid string, header http.Header) (status int, body string) {
	t.Helper()
	var payload *strings.Reader
	if payload = strings.NewReader(""); method == "POST" {
		payload = strings.NewReader(`42["x"]`)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, a.URL+"/socket.io/?EIO=4&transport=polling&sid="+sid, payload)
	require.NoError(t, err)
	for k, v := range header {
		req.Header[k] = v
	}
	return do(t, req)
}

func TestGuests(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := serve(t, onEcho, chat.WithGuests(), chat.WithOpenRooms())

		// Without a cookie jar, as the stock client has it in Node: the guest lasts as long as the connection.
		s := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Auth: object{"name": " Ada "}})
		first := call(t, s, "room.join", object{"room_id": "r"}).Members[0].User
		require.Equal(t, "Ada", first.Name)
		call(t, s, "message.send", object{"room_id": "r", "text": "still me"})

		// With one, as in a browser: the same guest each time, under the name of last time.
		jar, err := cookiejar.New(nil)
		require.NoError(t, err)
		o := chattest.Options{Transport: transport, Jar: jar, Auth: object{"name": "Grace"}}
		s = chattest.Connect(t, a.URL, o)
		call(t, s, "room.join", object{"room_id": "r"})
		before := call(t, s, "message.send", object{"room_id": "r", "text": "me"}).Message.User
		s.Close()
		o.Auth = nil
		s = chattest.Connect(t, a.URL, o)
		require.Equal(t, before, call(t, s, "message.send", object{"room_id": "r", "text": "me again"}).Message.User)
		require.NotEqual(t, first.ID, before.ID)

		refusal := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport, Auth: object{"name": "Ada\u202e"}})
		require.Equal(t, "invalid_argument", refusal.Message)
	})
}

// Once a client has shown that it keeps its guest cookie, a stolen session id is of no use without it.
func TestGuestSessionIsBound(t *testing.T) {
	t.Parallel()
	a := serve(t, onEcho, chat.WithGuests())
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	conn := chattest.Open(t, a.URL, chattest.Options{Transport: chattest.Polling, Jar: jar})
	s, err := conn.Connect(t.Context(), "/", nil)
	require.NoError(t, err)
	require.NoError(t, s.Barrier(t.Context())) // polls with the cookie
	status, _ := a.poll(t, "POST", conn.Handshake().SID, nil)
	require.Equal(t, http.StatusBadRequest, status)
	status, _ = a.poll(t, "POST", conn.Handshake().SID, http.Header{"Cookie": {"echochat_guest=AAAAAAAAAAAAAAAAAAAAAA"}})
	require.Equal(t, http.StatusBadRequest, status)
	require.NoError(t, s.Barrier(t.Context()), "the owner goes on")
}

func TestGuestCookie(t *testing.T) {
	t.Parallel()
	a := serve(t, onEcho, chat.WithGuests())
	var cookie *http.Cookie
	for _, path := range []string{"/chat/api/v1/me", "/socket.io/?EIO=4&transport=polling"} {
		res, err := http.Get(a.URL + path)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Len(t, res.Cookies(), 1, path)
		cookie = res.Cookies()[0]
		if sid := regexp.MustCompile(`"sid":"([^"]+)`).FindSubmatch(body); sid != nil {
			res, err = http.Post(a.URL+path+"&sid="+string(sid[1]), "text/plain", strings.NewReader("1"))
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Empty(t, res.Cookies(), "one cookie, at the handshake")
		}
	}
	require.True(t, cookie.HttpOnly)
	require.Equal(t, http.SameSiteLaxMode, cookie.SameSite)
	require.Equal(t, "/", cookie.Path)
	require.GreaterOrEqual(t, len(cookie.Value), 22, "128 bits")

	var me struct{ User chat.User }
	_, err := a.rest(t.Context(), "", "GET", "/me", nil, &me, "Cookie", "echochat_guest="+cookie.Value)
	require.NoError(t, err)
	require.NotContains(t, me.User.ID, cookie.Value, "what everybody sees is not the secret")
	for _, forged := range []string{me.User.ID, "", "x", strings.Repeat("A", 21), strings.Repeat("A", 4096)} {
		var other struct{ User chat.User }
		_, err = a.rest(t.Context(), "", "GET", "/me", nil, &other, "Cookie", "echochat_guest="+forged)
		require.NoError(t, err)
		require.NotEqual(t, me.User.ID, other.User.ID)
	}
}

// "*" lets every page in, but not with the cookies that a browser adds by itself, to a WebSocket too.
func TestAnyOriginHasNoCredentials(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := serve(t, onEcho, chat.WithOrigins("*"), chat.WithAuth(bySession), chat.WithTokenAuth(byName), chat.WithOpenRooms())
		foreign := session("Ada")
		foreign.Set("Origin", "https://evil.example")
		refusal := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport, Header: foreign})
		require.Equal(t, "unauthorized", refusal.Message)
		bob := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Header: foreign, Auth: object{"name": "Bob"}})
		require.Equal(t, "Bob", call(t, bob, "room.join", object{"room_id": "r"}).Members[0].User.Name)
		own := session("Ada")
		own.Set("Origin", a.URL)
		ada := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Header: own})
		require.Len(t, call(t, ada, "room.join", object{"room_id": "r"}).Members, 2)

		status, err := a.rest(t.Context(), "", "POST", "/rooms/r/leave", nil, nil, "Cookie", "session=Ada", "Origin", "null")
		require.NoError(t, err)
		require.Equal(t, http.StatusUnauthorized, status)
	})
}

// A guest on a page of any origin is one for as long as the connection lives, and nobody's cookie makes them another.
func TestGuestsOfAnyOrigin(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := serve(t, onEcho, chat.WithOrigins("*"), chat.WithGuests(), chat.WithOpenRooms())
		const cookie = "echochat_guest=AAAAAAAAAAAAAAAAAAAAAA"
		var known struct{ User chat.User }
		_, err := a.rest(t.Context(), "", "GET", "/me", nil, &known, "Cookie", cookie)
		require.NoError(t, err)
		guest := chattest.Connect(t, a.URL, chattest.Options{
			Transport: transport, Header: http.Header{"Cookie": {cookie}, "Origin": {"https://evil.example"}},
		})
		r := call(t, guest, "room.join", object{"room_id": "r"})
		require.NotEqual(t, known.User.ID, r.Members[0].User.ID)
		require.NoError(t, guest.Barrier(t.Context()))
	})
}

// A token authenticator that panics, or does not come back in time, refuses its own connection and no other.
func TestTokenAuthContained(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	a := serve(t, onEcho, chat.WithAuthTimeout(aMoment), chat.WithTokenAuth(
		func(ctx context.Context, auth json.RawMessage) (chat.User, error) {
			asked.Add(1)
			switch {
			case strings.Contains(string(auth), "panic"):
				panic("no such key")
			case strings.Contains(string(auth), "slow"):
				<-ctx.Done()
				return chat.User{ID: "late"}, ctx.Err()
			}
			return byName(ctx, auth)
		}))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	require.Equal(t, "internal", chattest.ExpectRefused(t, a.URL, chattest.Options{Auth: object{"name": "panic"}}).Message)
	_, err := chattest.Open(t, a.URL, chattest.Options{}).Connect(t.Context(), "/", object{"name": "slow"})
	var refusal *chattest.ConnectError
	require.Error(t, err)
	require.NotErrorAs(t, err, &refusal, "the connection ends, so that a stock client comes back by itself")
	require.Equal(t, int32(3), asked.Load())
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	require.NoError(t, ada.Barrier(ctx))
}

// Pages of other origins are refused before anybody is asked who they are; those of listed ones may read why.
func TestAuthAndOrigins(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	a := serve(t, onEcho, chat.WithOrigins("https://shop.example"), chat.WithAuth(func(echo.Context) (chat.User, error) {
		asked.Add(1)
		return chat.User{}, chat.Unauthorized("No.")
	}))
	for _, path := range []string{"/socket.io/?EIO=4&transport=polling", "/chat/api/v1/me"} {
		for origin, want := range map[string]int{"https://evil.example": 403, "https://shop.example": 401} {
			asked.Store(0)
			req := request(t, "GET", a.URL+path)
			req.Header.Set("Origin", origin)
			res, err := http.DefaultClient.Do(req)
			require.NoError(t, err)
			require.NoError(t, res.Body.Close())
			require.Equal(t, want, res.StatusCode, "%s %s", path, origin)
			require.Equal(t, want == 401, asked.Load() == 1)
			require.Equal(t, want == 401, res.Header.Get("Access-Control-Allow-Origin") == origin)
		}
	}
}
