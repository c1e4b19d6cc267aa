package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// get makes a call that must succeed.
func get[T any](t testing.TB, a *app, name, path string) (out T) {
	t.Helper()
	var raw json.RawMessage
	status, err := a.rest(t.Context(), name, "GET", path, nil, &raw)
	require.NoError(t, err)
	require.Equal(t, 200, status, "%s: %s", path, raw)
	require.NoError(t, json.Unmarshal(raw, &out))
	return out
}

// post makes a call that must be answered with a status.
func (a *app) post(t testing.TB, name, path string, body any, want int, header ...string) reply {
	t.Helper()
	var raw json.RawMessage
	status, err := a.rest(t.Context(), name, "POST", path, body, &raw, header...)
	require.NoError(t, err)
	require.Equal(t, want, status, "%s: %s", path, raw)
	var r reply
	if len(raw) > 0 {
		require.NoError(t, json.Unmarshal(raw, &r))
	}
	return r
}

func TestREST(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	room := a.post(t, "Ada", "/rooms", object{"id": "r", "name": "Our room", "topic": "Tea", "metadata": object{"color": "red"}}, 201).Room
	require.Equal(t, "r", room.ID)
	require.Equal(t, "ada", room.CreatedBy)
	require.Equal(t, int64(1), room.MemberCount)
	require.JSONEq(t, `{"color":"red"}`, string(room.Metadata))
	require.Equal(t, chat.CodeConflict, a.post(t, "Bob", "/rooms", object{"id": "r"}, 409).Error.Code)

	bob := a.connect(t, "Bob", chattest.WebSocket)
	a.post(t, "Bob", "/rooms/r/messages", object{"text": "hi"}, 403)
	joined := a.post(t, "Bob", "/rooms/r/join", nil, 200).Room
	require.Equal(t, int64(2), joined.MemberCount)
	require.Equal(t, "bob", expect(t, bob, "member.added").User.ID, "his own connections hear of it")
	call(t, bob, "room.join", object{"room_id": "r"})

	sent := a.post(t, "Ada", "/rooms/r/messages", object{"text": "hi Bob", "client_id": "c1"}, 201).Message
	require.Equal(t, sent, *expect(t, bob, "message.new").Message)
	require.Equal(t, sent, a.post(t, "Ada", "/rooms/r/messages", object{"text": "hi Bob"}, 201, "Idempotency-Key", "c1").Message)
	require.Equal(t, chat.CodeInvalidArgument,
		a.post(t, "Ada", "/rooms/r/messages", object{"text": "hi Bob", "client_id": "c2"}, 400, "Idempotency-Key", "c1").Error.Code)
	require.Equal(t, chat.CodeIDConflict,
		a.post(t, "Ada", "/rooms/r/messages", object{"text": "bye Bob"}, 409, "Idempotency-Key", "c1").Error.Code)
	require.Equal(t, chat.CodeInvalidArgument,
		a.post(t, "Ada", "/rooms/r/messages", object{"text": "x", "room_id": "other"}, 400).Error.Code)
	for i := range 5 {
		call(t, bob, "message.send", object{"room_id": "r", "text": fmt.Sprint(i + 2)})
	}

	page := get[chat.Page](t, a, "Bob", "/rooms/r/messages?limit=2")
	require.Equal(t, []int64{5, 6}, seqs(page))
	require.True(t, page.HasMoreBefore)
	page = get[chat.Page](t, a, "Bob", "/rooms/r/messages?limit=2&cursor="+page.NextCursor)
	require.Equal(t, []int64{3, 4}, seqs(page))
	page = get[chat.Page](t, a, "Bob", "/rooms/r/messages?after=4")
	require.Equal(t, []int64{5, 6}, seqs(page))
	page = get[chat.Page](t, a, "Bob", "/rooms/r/messages?before="+page.Messages[0].ID+"&limit=1")
	require.Equal(t, []int64{4}, seqs(page))
	page = get[chat.Page](t, a, "Bob", "/rooms/r/messages?around=1&limit=2")
	require.Equal(t, []int64{1, 2}, seqs(page))

	members := get[chat.MemberPage](t, a, "Bob", "/rooms/r/members?limit=1")
	require.Equal(t, "ada", members.Members[0].User.ID)
	require.False(t, members.Members[0].Online)
	members = get[chat.MemberPage](t, a, "Bob", "/rooms/r/members?limit=1&cursor="+members.NextCursor)
	require.Equal(t, "bob", members.Members[0].User.ID)
	require.True(t, members.Members[0].Online)
	require.Empty(t, members.NextCursor)

	a.post(t, "Bob", "/rooms", object{"id": "bobs", "type": "private"}, 201)
	rooms := get[chat.RoomPage](t, a, "Bob", "/rooms?limit=1")
	require.Equal(t, "r", rooms.Rooms[0].ID, "the one with the latest message")
	require.Equal(t, int64(6), rooms.Rooms[0].LastSeq)
	rooms = get[chat.RoomPage](t, a, "Bob", "/rooms?cursor="+rooms.NextCursor)
	require.Equal(t, "bobs", rooms.Rooms[0].ID)
	rooms = get[chat.RoomPage](t, a, "Carol", "/rooms")
	require.Empty(t, rooms.Rooms)
	rooms = get[chat.RoomPage](t, a, "Carol", "/rooms?type=public")
	require.Len(t, rooms.Rooms, 1)
	one := get[struct{ Room chat.Room }](t, a, "Carol", "/rooms/r")
	require.Equal(t, "Tea", one.Room.Topic)

	a.post(t, "Bob", "/rooms/r/leave", nil, 204)
	require.Equal(t, "bob", expect(t, bob, "member.removed").User.ID)
	a.post(t, "Ada", "/rooms/r/messages", object{"text": "he is gone"}, 201)
	require.NoError(t, bob.Barrier(t.Context()))
	for _, e := range bob.Waiting() {
		require.NotContains(t, e.String(), "he is gone")
	}
	a.post(t, "Bob", "/rooms/r/leave", nil, 403)
}

func seqs(p chat.Page) (out []int64) {
	for _, m := range p.Messages {
		out = append(out, m.Seq)
	}
	return out
}

// What a user may not know of looks like what is not there, byte for byte.
func TestRESTHidesPrivateRooms(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t)
	_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "secret", Type: store.RoomPrivate, Creator: chat.User{ID: "ada", Name: "Ada"}})
	require.NoError(t, err)
	_, err = a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "open"})
	require.NoError(t, err)
	for _, route := range []struct{ method, path string }{
		{"GET", ""}, {"GET", "/members"}, {"GET", "/messages"}, {"POST", "/join"}, {"POST", "/leave"}, {"POST", "/messages"},
	} {
		var body any
		if route.path == "/messages" && route.method == "POST" {
			body = object{"text": "x"}
		}
		answer := func(room string) string {
			var raw json.RawMessage
			status, err := a.rest(t.Context(), "Bob", route.method, "/rooms/"+room+route.path, body, &raw)
			require.NoError(t, err)
			return fmt.Sprint(status, string(raw))
		}
		missing := answer("missing")
		require.True(t, strings.HasPrefix(missing, "404"), missing)
		for _, room := range []string{"secret", "Secret", "%2e%2e", "secret%00", "a%2fb", "'%20OR%201=1", "%25", "_", strings.Repeat("a", 65)} {
			require.Equal(t, missing, answer(room), "%s %s%s", route.method, room, route.path)
		}
		if route.path != "" && route.path != "/join" {
			require.True(t, strings.HasPrefix(answer("open"), "403"), "%s %s", route.method, route.path)
		}
	}
	rooms := get[chat.RoomPage](t, a, "Bob", "/rooms?type=public")
	require.Len(t, rooms.Rooms, 1)
	var r reply
	status, err := a.rest(t.Context(), "Bob", "GET", "/rooms?type=private", nil, &r)
	require.NoError(t, err)
	require.Equal(t, 400, status)
}

// Without open rooms, ids are the app's to give out.
func TestRESTRoomIDs(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t, chat.WithGuests())
	require.Equal(t, chat.CodeForbidden, a.post(t, "Ada", "/rooms", object{"id": "order-123"}, 403).Error.Code)
	require.Equal(t, chat.CodeForbidden, a.post(t, "", "/rooms", object{}, 403).Error.Code, "guests create none")
	room := a.post(t, "Ada", "/rooms", object{"name": "Ours", "type": "private"}, 201).Room
	require.NotEmpty(t, room.ID)
	for name, body := range map[string]object{
		"type": {"type": "secret"}, "name": {"name": strings.Repeat("x", 257)}, "metadata": {"metadata": "x"}, "topic": {"topic": "a\nb"},
	} {
		require.Equal(t, chat.CodeInvalidArgument, a.post(t, "Ada", "/rooms", body, 400).Error.Code, name)
	}
}

func TestRESTRefuses(t *testing.T) {
	t.Parallel()
	a := serve(t, onEcho, chat.WithAuth(bySession), chat.WithTokenAuth(byName), chat.WithOpenRooms(),
		chat.WithOrigins("https://shop.example"), chat.WithMaxPayload(4096), chat.WithMaxTextBytes(1000))
	a.post(t, "Ada", "/rooms/r/join", nil, 200)
	send := func(body string, header ...string) (int, chat.Error) {
		req, err := http.NewRequestWithContext(t.Context(), "POST", a.URL+"/chat/api/v1/rooms/r/messages", strings.NewReader(body))
		require.NoError(t, err)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Cookie", "session=Ada")
		for i := 0; i < len(header); i += 2 {
			req.Header.Set(header[i], header[i+1])
		}
		status, answer := do(t, req)
		var r struct{ Error chat.Error }
		require.NoError(t, json.Unmarshal([]byte(answer), &r), answer)
		if status >= 400 {
			require.Equal(t, status, r.Error.Status)
		}
		return status, r.Error
	}
	const hi = `{"text":"hi"}`
	for name, test := range map[string]struct {
		body   string
		header []string
		want   int
		code   chat.Code
	}{
		"plain":                        {hi, nil, 201, ""},
		"charset":                      {hi, []string{"Content-Type", "application/json; charset=utf-8"}, 201, ""},
		"same origin":                  {hi, []string{"Origin", a.URL}, 201, ""},
		"listed origin":                {hi, []string{"Origin", "https://shop.example"}, 201, ""},
		"foreign origin":               {hi, []string{"Origin", "https://evil.example"}, 403, chat.CodeForbidden},
		"null origin":                  {hi, []string{"Origin", "null"}, 403, chat.CodeForbidden},
		"another site":                 {hi, []string{"Sec-Fetch-Site", "cross-site"}, 403, chat.CodeForbidden},
		"a form":                       {`text=hi`, []string{"Content-Type", "application/x-www-form-urlencoded"}, 415, chat.CodeInvalidArgument},
		"JSON in a form's clothes":     {hi, []string{"Content-Type", "text/plain"}, 415, chat.CodeInvalidArgument},
		"no type":                      {hi, []string{"Content-Type", ""}, 415, chat.CodeInvalidArgument},
		"not JSON":                     {`{"text":`, nil, 400, chat.CodeInvalidArgument},
		"two values":                   {hi + hi, nil, 400, chat.CodeInvalidArgument},
		"an array":                     {`[]`, nil, 400, chat.CodeInvalidArgument},
		"deep":                         {strings.Repeat(`[`, 4000), nil, 400, chat.CodeInvalidArgument},
		"too long a text":              {`{"text":"` + strings.Repeat("a", 1001) + `"}`, nil, 413, chat.CodeMessageTooLarge},
		"too large a body":             {`{"text":"` + strings.Repeat("a", 5000) + `"}`, nil, 413, chat.CodeMessageTooLarge},
		"a method in disguise":         {hi, []string{"X-HTTP-Method-Override", "GET"}, 201, ""},
		"an id that cannot be a key":   {hi, []string{"Idempotency-Key", strings.Repeat("k", 129)}, 400, chat.CodeInvalidArgument},
		"a refused token, good cookie": {hi, []string{"Authorization", "Bearer mallory"}, 401, chat.CodeUnauthorized},
	} {
		status, e := send(test.body, test.header...)
		require.Equal(t, test.want, status, "%s: %v", name, e.Message)
		require.Equal(t, test.code, e.Code, name)
	}

	// Reading is for the same origins.
	for origin, want := range map[string]string{"https://shop.example": "https://shop.example", "https://evil.example": "", a.URL: ""} {
		req, err := http.NewRequestWithContext(t.Context(), "OPTIONS", a.URL+"/chat/api/v1/rooms/r/messages", nil)
		require.NoError(t, err)
		req.Header.Set("Origin", origin)
		res, err := http.DefaultClient.Do(req)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, want, res.Header.Get("Access-Control-Allow-Origin"), origin)
		require.Contains(t, res.Header.Values("Vary"), "Origin")
		if want != "" {
			require.Equal(t, "true", res.Header.Get("Access-Control-Allow-Credentials"))
			require.Contains(t, res.Header.Get("Access-Control-Allow-Headers"), "Idempotency-Key")
		}
	}
	for _, path := range []string{"/nothing", "/rooms/r/nothing", "/rooms/r/messages/x"} {
		var r reply
		status, err := a.rest(t.Context(), "Ada", "GET", path, nil, &r)
		require.NoError(t, err)
		require.Equal(t, 404, status, path)
		require.NotNil(t, r.Error, path)
	}
	for _, query := range []string{"limit=201", "limit=x", "before=-1", "before=1&after=1", "cursor=after:-1", "before=a%00"} {
		var r reply
		status, err := a.rest(t.Context(), "Ada", "GET", "/rooms/r/messages?"+query, nil, &r)
		require.NoError(t, err)
		require.Equal(t, 400, status, query)
		require.Equal(t, chat.CodeInvalidArgument, r.Error.Code, query)
	}
}

func TestRESTRetryAfter(t *testing.T) {
	t.Parallel()
	var fail error
	a := newApp(t, chat.WithFilter(func(context.Context, *chat.Draft) error { return fail }))
	a.post(t, "Ada", "/rooms/r/join", nil, 200)
	fail = chat.RateLimited(1500e6)
	req, err := http.NewRequestWithContext(t.Context(), "POST", a.URL+"/chat/api/v1/rooms/r/messages", strings.NewReader(`{"text":"x"}`))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer Ada")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	require.Equal(t, 429, res.StatusCode)
	require.Equal(t, "2", res.Header.Get("Retry-After"), "seconds, rounded up")

	fail = errors.New("database password is hunter2")
	e := a.post(t, "Ada", "/rooms/r/messages", object{"text": "x"}, 500).Error
	require.Equal(t, chat.CodeInternal, e.Code)
	require.NotContains(t, e.Message, "hunter2")
	require.NotEmpty(t, e.RequestID)
}

// Behind a proxy that ends TLS, the pages of the same host are of the same origin, if the operator says so.
func TestTLSProxy(t *testing.T) {
	t.Parallel()
	var logged syncBuffer
	direct := newApp(t, chat.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))))
	proxied := newApp(t, chat.WithTLSProxy())
	for _, test := range []struct {
		a    *app
		page string // scheme of the page's origin
		want int
	}{{direct, "http", 200}, {direct, "https", 403}, {proxied, "https", 200}, {proxied, "http", 403}} {
		origin := test.page + strings.TrimPrefix(test.a.URL, "http")
		header := []string{"Origin", origin, "X-Forwarded-Proto", "https"}
		status, err := test.a.rest(t.Context(), "Ada", "GET", "/me", nil, nil, header...)
		require.NoError(t, err)
		require.Equal(t, test.want, status, "REST: %s %v", test.page, test.a == proxied)
		conn, err := chattest.Dial(t.Context(), test.a.URL,
			chattest.Options{Transport: chattest.Polling, Header: http.Header{"Origin": {origin}, "X-Forwarded-Proto": {"https"}}})
		require.Equal(t, test.want == 200, err == nil, "transport: %s %v", test.page, err)
		if err == nil {
			conn.Close()
		}
	}
	require.Equal(t, 1, logged.count("WithTLSProxy"), "the operator is told, once")
}
