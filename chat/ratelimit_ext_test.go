package chat_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// One user over a WebSocket, five polls and REST with forged X-Forwarded-For gets no more than the limit, and nobody else notices.
func TestRateLimitOverAllTransports(t *testing.T) {
	t.Parallel()
	const n, per, takes = 60, 3 * time.Second, 4 * time.Second
	a := newApp(t, chat.WithRateLimits(chat.RateLimits{User: chat.Rate{N: n, Per: per}}))
	bob := a.connect(t, "Bob", chattest.WebSocket)
	call(t, bob, "room.join", object{"room_id": "r"})
	_, _, err := a.store.AddMember(t.Context(), "r", store.User{ID: "eve", Name: "Eve"}, "")
	require.NoError(t, err)

	eve := []*chattest.Socket{a.connect(t, "Eve", chattest.WebSocket)}
	for range 5 {
		eve = append(eve, a.connect(t, "Eve", chattest.Polling))
	}
	start := time.Now()
	ctx, cancel := context.WithDeadline(t.Context(), start.Add(takes))
	defer cancel()
	var accepted, refusals, id atomic.Int64
	message := func() object {
		return object{"room_id": "r", "text": "spam", "client_id": fmt.Sprint(id.Add(1))}
	}
	count := func(e *chat.Error) {
		if e == nil {
			accepted.Add(1)
			return
		}
		refusals.Add(1)
		if e.Code != chat.CodeRateLimited || e.RetryAfter <= 0 || e.RetryAfter > per || !e.Retryable {
			t.Errorf("refused with %+v", e)
		}
	}
	var wg sync.WaitGroup
	for _, s := range eve {
		wg.Go(func() {
			for ctx.Err() == nil {
				count(ask(t, s, "message.send", message()).Error)
			}
		})
	}
	for range 2 {
		wg.Go(func() {
			for ctx.Err() == nil {
				var out struct{ Error *chat.Error }
				forged := fmt.Sprintf("10.0.%d.%d", id.Load()%256, id.Load()/256%256)
				status, err := a.rest(t.Context(), "Eve", "POST", "/rooms/r/messages", message(), &out, "X-Forwarded-For", forged, "X-Real-IP", forged)
				if err != nil || status != http.StatusCreated && status != http.StatusTooManyRequests {
					t.Errorf("status %d, %v", status, err)
				}
				count(out.Error)
			}
		})
	}
	wg.Wait()
	limit := n + float64(n)*time.Since(start).Seconds()/per.Seconds()
	t.Logf("%d accepted of at most %.0f, %d refused", accepted.Load(), limit, refusals.Load())
	require.LessOrEqual(t, float64(accepted.Load()), 1.01*limit)
	require.Greater(t, float64(accepted.Load()), limit/2, "and what the limit allows goes through")
	require.Positive(t, refusals.Load())
	call(t, bob, "message.send", object{"room_id": "r", "text": "I have noticed nothing"})
}

func TestRateLimits(t *testing.T) {
	t.Parallel()
	one := chat.Rate{N: 1, Per: time.Hour}
	none := chat.Rate{N: -1}
	for name, c := range map[string]struct {
		limits     chat.RateLimits
		connection bool // each connection has a budget of its own
		room       bool // all users of a room have one budget
	}{
		"operation":  {limits: chat.RateLimits{Operations: map[string]chat.Rate{"message.send": one}}},
		"user":       {limits: chat.RateLimits{User: chat.Rate{N: 2, Per: time.Hour}}}, // room.join is one
		"connection": {limits: chat.RateLimits{Connection: chat.Rate{N: 2, Per: time.Hour}, User: none}, connection: true},
		"room":       {limits: chat.RateLimits{Room: one}, room: true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := newApp(t, chat.WithRateLimits(c.limits))
			send := object{"room_id": "r", "text": "hi"}
			code := func(s *chattest.Socket) chat.Code {
				if e := ask(t, s, "message.send", send).Error; e != nil {
					require.Greater(t, e.RetryAfter, time.Minute)
					return e.Code
				}
				return "ok"
			}
			if name != "user" {
				_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "r"})
				require.NoError(t, err)
			}
			ada := a.connect(t, "Ada", chattest.WebSocket)
			call(t, ada, "room.join", object{"room_id": "r"})
			require.Equal(t, chat.Code("ok"), code(ada))
			require.Equal(t, chat.CodeRateLimited, code(ada))

			again := a.connect(t, "Ada", chattest.Polling)
			want := chat.CodeRateLimited
			if c.connection {
				want = "ok"
			}
			require.Equal(t, want, code(again))

			_, _, err := a.store.AddMember(t.Context(), "r", store.User{ID: "bob", Name: "Bob"}, "")
			require.NoError(t, err)
			want = "ok"
			if c.room {
				want = chat.CodeRateLimited
			}
			require.Equal(t, want, code(a.connect(t, "Bob", chattest.WebSocket)))

			_, err = a.chat.As(chat.User{ID: "ada", Name: "Ada"}).Send(t.Context(), chat.NewMessage{RoomID: "r", Text: "from Go"})
			require.NoError(t, err, "the app's own calls do not count")
		})
	}
}
