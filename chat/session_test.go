package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// tokens are those that an app has given out, such as "Ada/1", with the moments when they expire.
type tokens struct {
	mu  sync.Mutex
	end map[string]time.Time
}

func (k *tokens) give(token string, end time.Time) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.end == nil {
		k.end = make(map[string]time.Time)
	}
	k.end[token] = end
	return token
}

func (k *tokens) auth(_ context.Context, auth json.RawMessage) (chat.User, error) {
	var a struct{ Token string }
	if json.Unmarshal(auth, &a) != nil || a.Token == "" {
		return chat.User{}, chat.ErrNoCredentials
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	end, ok := k.end[a.Token]
	if !ok {
		return chat.User{}, chat.Unauthorized("No such token.")
	}
	name, _, _ := strings.Cut(a.Token, "/")
	return chat.User{ID: strings.ToLower(name), Name: name, ExpiresAt: end}, nil
}

// Who does nothing about a sign-in that expires is told, disconnected when it does, and comes back with a new one only.
func TestSessionExpires(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		var k tokens
		ends := make(chan string, 10)
		a := serve(t, onEcho, chat.WithTokenAuth(k.auth), chat.WithOpenRooms(), chat.WithHooks(chat.Hooks{
			Disconnect: func(_ context.Context, u chat.User, _ *socketio.Socket, reason string) { ends <- u.ID + ": " + reason },
		}))
		at := time.Now().Add(2 * time.Second)
		options := chattest.Options{Transport: transport, Auth: object{"token": k.give("Ada/1", at)}}
		ada := chattest.Connect(t, a.URL, options)
		bob := chattest.Connect(t, a.URL, chattest.Options{Auth: object{"token": k.give("Bob/1", time.Time{})}})
		call(t, ada, "room.join", object{"room_id": "r"})
		call(t, bob, "room.join", object{"room_id": "r"})
		require.WithinDuration(t, at, expect(t, ada, "session.expiring").ExpiresAt, 0)

		expect(t, ada, "session.expired")
		require.False(t, time.Now().Before(at))
		require.ErrorIs(t, ada.ExpectEnd(t), chattest.ErrDisconnected, "a DISCONNECT packet: io server disconnect")
		require.Equal(t, "ada: server namespace disconnect", <-ends)

		refusal := chattest.ExpectRefused(t, a.URL, options)
		require.Equal(t, "token_expired", refusal.Message)
		require.Contains(t, string(refusal.Data), `"code":"token_expired"`)
		for _, call := range []struct{ method, path string }{{"GET", "/me"}, {"POST", "/rooms/r/join"}} {
			var r reply
			status, err := a.rest(t.Context(), "Ada/1", call.method, call.path, nil, &r)
			require.NoError(t, err)
			require.Equal(t, http.StatusUnauthorized, status)
			require.Equal(t, chat.CodeTokenExpired, r.Error.Code)
		}

		options.Auth = object{"token": k.give("Ada/2", time.Now().Add(time.Hour))}
		again := chattest.Connect(t, a.URL, options)
		call(t, again, "room.join", object{"room_id": "r"})
		call(t, bob, "message.send", object{"room_id": "r", "text": "welcome back"})
		expect(t, again, "message.new")
	})
}

// Who refreshes the sign-in stays; the token must be the same user's.
func TestAuthRefresh(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		var k tokens
		var seen atomic.Value
		a := serve(t, onEcho, chat.WithTokenAuth(k.auth), chat.WithOpenRooms(), chat.WithAfter(func(_ context.Context, o *chat.Operation) {
			if in, ok := o.In.(*chat.AuthRefresh); ok {
				seen.Store(in.Token)
			}
		}))
		first := time.Now().Add(time.Minute)
		ada := chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Auth: object{"token": k.give("Ada/1", first)}})
		expect(t, ada, "session.expiring")

		for token, want := range map[string]chat.Code{
			k.give("Bob/1", time.Now().Add(time.Hour)): chat.CodeForbidden, "Ada/none": chat.CodeUnauthorized, "": chat.CodeUnauthorized,
			k.give("Ada/0", time.Now().Add(-time.Hour)): chat.CodeTokenExpired,
		} {
			require.Equal(t, want, refused(t, ada, "auth.refresh", object{"token": token}).Code, token)
		}
		second := time.Now().Add(2 * time.Second).UTC().Truncate(time.Millisecond)
		var answer struct {
			Status    string
			ExpiresAt time.Time `json:"expires_at"`
		}
		require.NoError(t, ada.ExpectAck(t, "auth.refresh", object{"token": k.give("Ada/2", second)}).Decode(0, &answer))
		require.Equal(t, second, answer.ExpiresAt)
		require.Empty(t, seen.Load(), "the token is nothing for a log")
		require.Equal(t, second, expect(t, ada, "session.expiring").ExpiresAt)

		// For good: nothing expires any more.
		call(t, ada, "auth.refresh", object{"token": k.give("Ada/3", time.Time{})})
		ctx, cancel := context.WithDeadline(t.Context(), second.Add(aMoment))
		defer cancel()
		_, err := ada.Next(ctx)
		require.ErrorIs(t, err, context.DeadlineExceeded, "neither told nor disconnected")
		require.NoError(t, ada.Barrier(t.Context()))
	})
}

// The app's own sessions expire in the same way; a client with a token of the same user may go on.
func TestCookieSessionExpires(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		at := time.Now().Add(2 * time.Second)
		a := serve(t, onEcho, chat.WithOpenRooms(), chat.WithAuth(func(ec echo.Context) (chat.User, error) {
			u, err := bySession(ec)
			u.ExpiresAt = at
			return u, err
		}))
		options := chattest.Options{Transport: transport, Header: session("Ada")}
		ada := chattest.Connect(t, a.URL, options)
		require.Equal(t, chat.CodeForbidden, refused(t, ada, "auth.refresh", object{"token": "x"}).Code, "there are no tokens here")
		expect(t, ada, "session.expiring")
		expect(t, ada, "session.expired")
		require.ErrorIs(t, ada.ExpectEnd(t), chattest.ErrDisconnected)

		var refusal *chattest.HTTPError
		_, err := chattest.Dial(t.Context(), a.URL, options)
		require.ErrorAs(t, err, &refusal)
		require.Equal(t, http.StatusUnauthorized, refusal.Status)
		require.Contains(t, refusal.Message, "token_expired")
	})
}

// A client that leaves the chat's namespace and comes back on the same connection has no longer than before.
func TestExpiryOfASecondConnect(t *testing.T) {
	t.Parallel()
	at := time.Now().Add(time.Second)
	a := serve(t, onEcho, chat.WithExpiryNotice(0), chat.WithAuth(func(ec echo.Context) (chat.User, error) {
		u, err := bySession(ec)
		u.ExpiresAt = at
		return u, err
	}))
	conn := chattest.Open(t, a.URL, chattest.Options{Transport: chattest.WebSocket, Header: session("Ada")})
	s, err := conn.Connect(t.Context(), "/", nil)
	require.NoError(t, err)
	require.NoError(t, s.Disconnect())
	<-time.After(time.Until(at))
	_, err = conn.Connect(t.Context(), "/", nil)
	require.ErrorContains(t, err, "token_expired")
}

// TestProofExpiry lets sign-ins expire in the midst of traffic: nobody hears anything that was said a second after.
func TestProofExpiry(t *testing.T) {
	t.Parallel()
	n := 24
	if os.Getenv("ECHOCHAT_PROOF") != "" {
		n = 300
	}
	var k tokens
	a := serve(t, onEcho, chat.WithTokenAuth(k.auth), chat.WithOpenRooms(), chat.WithExpiryNotice(0))
	system := a.chat.System()
	_, err := system.CreateRoom(t.Context(), chat.NewRoom{ID: "r"})
	require.NoError(t, err)
	type listener struct {
		*chattest.Socket
		end time.Time
	}
	listeners := make([]listener, n)
	began := time.Now().Add(2*time.Second + time.Duration(n)*20*time.Millisecond)
	for i := range listeners {
		end := began.Add(time.Duration(i) * 3 * time.Second / time.Duration(n))
		token := k.give(fmt.Sprintf("U%d/1", i), end)
		transport := chattest.Transports()[i%len(chattest.Transports())]
		listeners[i] = listener{chattest.Connect(t, a.URL, chattest.Options{Transport: transport, Auth: object{"token": token}}), end}
		call(t, listeners[i].Socket, "room.join", object{"room_id": "r", "limit": 1})
	}
	ctx, stop := context.WithCancel(t.Context())
	var talking sync.WaitGroup
	talking.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			_, _ = system.Send(ctx, chat.NewMessage{RoomID: "r", Text: "and on it goes"})
		}
	})
	heard := 0
	for i, l := range listeners {
		require.ErrorIs(t, l.ExpectEnd(t), chattest.ErrDisconnected)
		for _, e := range l.Waiting() {
			var said chat.Event
			require.NoError(t, e.Decode(0, &said))
			if said.Type == chat.EventMessageNew {
				heard++
				require.Less(t, said.CreatedAt.Sub(l.end), time.Second, "listener %d", i)
			}
		}
	}
	stop()
	talking.Wait()
	require.Greater(t, heard, n)
	t.Logf("%d connections expired among %d messages heard", n, heard)
}
