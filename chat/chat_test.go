package chat_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// app is an Echo app with a chat in it.
type app struct {
	*chattest.Server
	chat  *chat.Chat
	store *store.Store
	path  string // of the database
}

// byName signs everybody in whose auth payload, or bearer token, is a name.
func byName(_ context.Context, auth json.RawMessage) (chat.User, error) {
	var a struct{ Name, Token string }
	if len(auth) == 0 || json.Unmarshal(auth, &a) != nil || a.Name+a.Token == "" {
		return chat.User{}, chat.ErrNoCredentials
	}
	name := a.Name + a.Token
	if name == "mallory" {
		return chat.User{}, chat.Unauthorized("Not you.")
	}
	return chat.User{ID: strings.ToLower(name), Name: name}, nil
}

// newApp serves a chat for the length of a test, which signs in by name and whose rooms are open.
func newApp(t testing.TB, opts ...chat.Option) *app {
	t.Helper()
	return newClosedApp(t, append([]chat.Option{chat.WithOpenRooms()}, opts...)...)
}

// newClosedApp is newApp without open rooms.
func newClosedApp(t testing.TB, opts ...chat.Option) *app {
	t.Helper()
	return serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router { return e },
		append([]chat.Option{chat.WithTokenAuth(byName)}, opts...)...)
}

// serve serves a chat on what router makes of an Echo app.
func serve(t testing.TB, router func(*echo.Echo, *chat.Chat) chat.Router, opts ...chat.Option) *app {
	t.Helper()
	a := &app{path: filepath.Join(t.TempDir(), "chat.db")}
	quiet := slog.New(slog.DiscardHandler)
	var err error
	a.store, err = store.Open(a.path, store.WithLogger(quiet))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.store.Close()) })
	return a.serve(t, router, opts...)
}

// everywhere runs a story on each database, as parallel subtests. The rooms are open.
func everywhere(t *testing.T, story func(t *testing.T, a *app, d storetest.Database), opts ...chat.Option) {
	t.Helper()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		a := &app{store: d.Store(t)}
		opts := append([]chat.Option{chat.WithTokenAuth(byName), chat.WithOpenRooms()}, opts...)
		story(t, a.serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router { return e }, opts...), d)
	})
}

// serve serves a chat on the app's store.
func (a *app) serve(t testing.TB, router func(*echo.Echo, *chat.Chat) chat.Router, opts ...chat.Option) *app {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	var err error
	a.chat, err = chat.New(a.store, append([]chat.Option{chat.WithLogger(quiet), chat.WithPresenceGrace(0)}, opts...)...)
	require.NoError(t, err)
	e := echo.New()
	e.Logger.SetOutput(io.Discard)
	require.NoError(t, a.chat.Mount(router(e, a.chat)))
	a.Server = chattest.Serve(t, stoppable{agreement(t).watch(t, e), a.chat})
	return a
}

// stoppable is a handler that chattest.Serve shuts down.
type stoppable struct {
	http.Handler
	c *chat.Chat
}

func (s stoppable) Shutdown(ctx context.Context) error { return s.c.Shutdown(ctx) }

// connect signs in by name.
func (a *app) connect(t testing.TB, name string, transport chattest.Transport) *chattest.Socket {
	t.Helper()
	return chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Auth: map[string]string{"name": name}})
}

// reply is every acknowledgement.
type reply struct {
	Status  string        `json:"status"`
	Error   *chat.Error   `json:"error"`
	Room    chat.Room     `json:"room"`
	Member  chat.Member   `json:"member"`
	Members []chat.Member `json:"members"`
	Message chat.Message  `json:"message"`
	Resync  bool          `json:"resync"`
	chat.Page
}

// aMoment is how long tests let things take that users would wait seconds for.
const aMoment = 50 * time.Millisecond

// object is an event's argument.
type object map[string]any

// call sends an event that must succeed.
func call(t testing.TB, s *chattest.Socket, event string, arg any) reply {
	t.Helper()
	r := ask(t, s, event, arg)
	require.Equal(t, "ok", r.Status, "%s: %v", event, r.Error)
	return r
}

// refused sends an event that must fail, and returns why it did.
func refused(t testing.TB, s *chattest.Socket, event string, arg any) *chat.Error {
	t.Helper()
	r := ask(t, s, event, arg)
	require.Equal(t, "error", r.Status, "%s succeeded", event)
	require.NotNil(t, r.Error)
	return r.Error
}

func ask(t testing.TB, s *chattest.Socket, event string, arg any) reply {
	t.Helper()
	args := s.ExpectAck(t, event, arg)
	require.Equal(t, 1, args.Len(), "one acknowledgement object")
	agreement(t).ack(t, event, args.Raw(0))
	var r reply
	require.NoError(t, args.Decode(0, &r), "%s: %s", event, args)
	return r
}

// expect returns the next event of that name.
func expect(t testing.TB, s *chattest.Socket, name string) chat.Event {
	t.Helper()
	var e chat.Event
	event := s.Expect(t, name)
	agreement(t).event(t, name, event.Raw(0))
	require.NoError(t, event.Decode(0, &e))
	require.Equal(t, name, e.Type)
	require.False(t, e.CreatedAt.IsZero())
	return e
}

// rest makes a call as the user whose bearer token is a name, or as nobody with "". Header holds names and values.
func (a *app) rest(ctx context.Context, name, method, path string, body, out any, header ...string) (status int, err error) {
	var payload io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return 0, err
		}
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, a.URL+"/chat/api/v1"+path, payload)
	if err != nil {
		return 0, err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if name != "" {
		req.Header.Set("Authorization", "Bearer "+name)
	}
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	if err == nil && out != nil && len(data) > 0 {
		err = json.Unmarshal(data, out)
	}
	return res.StatusCode, err
}

// do sends a request and returns the answer.
func do(t testing.TB, req *http.Request) (status int, body string) {
	t.Helper()
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	data, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(data)
}
