package chat_test

import (
	"context"
	"encoding/json"
	"path/filepath"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// Each option that cannot work makes New say which one it is.
func TestOptionErrors(t *testing.T) {
	t.Parallel()
	st, err := store.Open(filepath.Join(t.TempDir(), "chat.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })

	for name, opts := range map[string][]chat.Option{
		"WithGuests":         {}, // nobody could sign in
		"WithAuth":           {chat.WithAuth(nil)},
		"WithTokenAuth":      {chat.WithTokenAuth(nil)},
		"WithFilter":         {chat.WithFilter(nil)},
		"WithPath":           {chat.WithPath("/")},
		"WithOrigins":        {chat.WithOrigins("shop.example")},
		"WithLogger":         {chat.WithLogger(nil)},
		"WithAuthTimeout":    {chat.WithAuthTimeout(0)},
		"WithRateLimits":     {chat.WithRateLimits(chat.RateLimits{User: chat.Rate{N: 5}})},
		"WithMaxTextBytes":   {chat.WithMaxTextBytes(0)},
		"WithMaxPayload":     {chat.WithMaxPayload(10)},
		"WithRoomsPerSocket": {chat.WithRoomsPerSocket(0)},
		"WithTypingExpiry":   {chat.WithTypingExpiry(0)},
		"WithPresenceGrace":  {chat.WithPresenceGrace(-time.Second)},
		"WithTransport":      {chat.WithTransport(socketio.WithPingInterval(-1))},
		"Option is nil":      {nil},
	} {
		if name != "WithGuests" {
			opts = append(opts, chat.WithGuests())
		}
		_, err := chat.New(st, opts...)
		require.ErrorContains(t, err, name)
	}
	for _, path := range []string{"", "/", "/a b", "/:id", "/a/*", "/a//b", "/a?b", "/%41", "/a\n"} {
		_, err := chat.New(st, chat.WithGuests(), chat.WithPath(path))
		require.ErrorContains(t, err, "WithPath", "%q", path)
	}
	_, err = chat.New(st, chat.WithGuests(), chat.WithMaxPayload(2048), chat.WithMaxTextBytes(4096))
	require.ErrorContains(t, err, "WithMaxTextBytes")
	_, err = chat.New(nil, chat.WithGuests())
	require.Error(t, err)
}

// Each way to sign in suffices by itself.
func TestNobodyCouldSignIn(t *testing.T) {
	t.Parallel()
	st, err := store.Open(filepath.Join(t.TempDir(), "chat.db"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, st.Close()) })
	for _, opt := range []chat.Option{
		chat.WithGuests(),
		chat.WithAuth(func(echo.Context) (chat.User, error) { return chat.User{}, chat.ErrNoCredentials }),
		chat.WithTokenAuth(func(context.Context, json.RawMessage) (chat.User, error) { return chat.User{}, chat.ErrNoCredentials }),
	} {
		c, err := chat.New(st, opt)
		require.NoError(t, err)
		require.NoError(t, c.Shutdown(t.Context()))
	}
	_, err = chat.New(st)
	for _, want := range []string{"WithAuth", "WithTokenAuth", "WithGuests()"} {
		require.ErrorContains(t, err, want, "says what to add")
	}
}
