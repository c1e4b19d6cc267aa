package chat_test

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/socketio"
	chatmw "github.com/echochat/echochat/middleware"
)

// TestInterop lets the stock clients and the client of this module use a chat: alone, and in a group of an app that has
// Echo's own middleware in front.
func TestInterop(t *testing.T) {
	t.Parallel()
	requireNode(t)
	for name, app := range map[string]struct {
		router func(*echo.Echo, *chat.Chat) chat.Router
		path   string
	}{
		"alone":      {func(e *echo.Echo, _ *chat.Chat) chat.Router { return e }, "/socket.io"},
		"middleware": {behindMiddleware, "/app/socket.io"},
	} {
		for _, client := range []string{"stock", "stock-4.0", "own"} {
			for _, transport := range []string{"default", "polling", "websocket"} {
				t.Run(name+"/"+client+"/"+transport, func(t *testing.T) {
					t.Parallel()
					a := serve(t, app.router, chat.WithTokenAuth(byNameUntil), chat.WithOpenRooms(),
						chat.WithFilter(chatmw.WordsWithConfig(chatmw.WordsConfig{List: []string{"forbidden"}, Reason: "It has forbidden words."})))
					a.ownEvents()
					runNode(t, "run.mjs", "--suite", "chat", "--client", client, "--transport", transport,
						"--url", a.URL, "--path", app.path, "--own", a.URL+app.path+"/socket.io.esm.min.js")
				})
			}
		}
	}
}

// byNameUntil is byName for a client that says when its sign-in expires.
func byNameUntil(ctx context.Context, auth json.RawMessage) (chat.User, error) {
	u, err := byName(ctx, auth)
	var a struct{ Until int64 }
	if err == nil && json.Unmarshal(auth, &a) == nil && a.Until > 0 {
		u.ExpiresAt = time.UnixMilli(a.Until)
	}
	return u, err
}

// behindMiddleware is a group of an app that uses what Echo has.
func behindMiddleware(e *echo.Echo, c *chat.Chat) chat.Router {
	e.Use(
		middleware.LoggerWithConfig(middleware.LoggerConfig{Output: io.Discard}), //nolint:staticcheck // apps have it
		middleware.Recover(),
		middleware.Gzip(),
		middleware.CORS(),
		middleware.CSRFWithConfig(middleware.CSRFConfig{Skipper: c.Skipper}),
		middleware.BodyLimit("2M"),
		middleware.ContextTimeout(2*time.Second), // shorter than a poll waits
	)
	return e.Group("/app")
}

// ownEvents are those of an app beside the chat's.
func (a *app) ownEvents() {
	srv := a.chat.Server()
	srv.Handle("echo", func(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		_ = ack.Send(values(args)...)
	})
	srv.Handle("ask", func(ctx context.Context, s *socketio.Socket, args socketio.Args, _ socketio.Ack) {
		if answers, err := s.EmitWithAck(ctx, "question", values(args)...); err == nil {
			_ = s.Emit("answer", values(answers)...)
		}
	})
	socketio.On(srv, "join", func(_ context.Context, s *socketio.Socket, room string) (struct{}, error) {
		s.Join(room)
		return struct{}{}, nil
	})
	type toRoom struct {
		socketio.Positional
		Room, Text string
	}
	socketio.On(srv, "to", func(_ context.Context, s *socketio.Socket, m toRoom) (struct{}, error) {
		return struct{}{}, s.To(m.Room).Emit("said", m.Text)
	})
	socketio.On(srv, "broadcast", func(_ context.Context, s *socketio.Socket, text string) (struct{}, error) {
		return struct{}{}, s.Broadcast().Emit("said", text)
	})
}

// values returns arguments as they can be sent again.
func values(args socketio.Args) []any {
	list := make([]any, args.Len())
	for i := range list {
		_ = args.Decode(i, &list[i])
	}
	return list
}

// interopFolder has the behaviours of the clients, and they themselves once they are installed.
const interopFolder = "socketio/testdata/interop"

// runNode runs a script of the folder; its output tells which behaviours hold.
func runNode(t *testing.T, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Dir = interopFolder
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// requireNode skips the test where Node or the clients are missing, or fails it where all has to be there.
func requireNode(t *testing.T) {
	t.Helper()
	_, noNode := exec.LookPath("node")
	_, noClients := os.Stat(filepath.Join(interopFolder, "node_modules"))
	if noNode == nil && noClients == nil {
		return
	}
	const what = "install Node and run `npm ci --prefix chat/" + interopFolder + "` to test with the stock clients"
	if os.Getenv("ECHOCHAT_REQUIRE_SERVICES") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
