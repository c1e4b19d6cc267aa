package chatmw_test

import (
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

func from(user string) *chat.Draft { return &chat.Draft{Sender: chat.User{ID: user}} }

func TestRateLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		filter := chatmw.RateLimit(3, 6*time.Second)
		for range 3 {
			require.NoError(t, filter(t.Context(), from("ada")))
		}
		for range 5 { // refusals cost nothing: the wait does not grow
			err := filter(t.Context(), from("ada"))
			var refusal *chat.Error
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, chat.CodeRateLimited, refusal.Code)
			require.True(t, refusal.Retryable)
			require.Equal(t, 2*time.Second, refusal.RetryAfter)
			require.Equal(t, "You are writing very fast. Please wait 2 s.", refusal.Message)
		}
		require.NoError(t, filter(t.Context(), from("ben")), "each user has a budget of their own")

		<-time.After(2 * time.Second) // on the clock of the bubble
		require.NoError(t, filter(t.Context(), from("ada")))
		require.Error(t, filter(t.Context(), from("ada")))

		<-time.After(6 * time.Second)
		for range 3 {
			require.NoError(t, filter(t.Context(), from("ada")), "the full budget is back")
		}
		require.Error(t, filter(t.Context(), from("ada")))
	})
}

func TestRateLimitKeepsUsersWhoWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		filter := chatmw.RateLimit(1, time.Hour)
		require.NoError(t, filter(t.Context(), from("ada")))
		for i := range 19_999 {
			require.NoError(t, filter(t.Context(), from("user "+strconv.Itoa(i))))
		}
		require.Error(t, filter(t.Context(), from("ada")), "still remembered, and now the most recent")
		require.NoError(t, filter(t.Context(), from("one more")))
		require.Error(t, filter(t.Context(), from("ada")))
		require.NoError(t, filter(t.Context(), from("user 0")), "the one silent for longest was forgotten for it")
	})
}

func TestRateLimitPanics(t *testing.T) {
	t.Parallel()
	require.Panics(t, func() { chatmw.RateLimit(0, time.Second) })
	require.Panics(t, func() { chatmw.RateLimit(1, 0) })
}

func BenchmarkRateLimit(b *testing.B) {
	filter := chatmw.RateLimit(1_000_000_000, time.Second)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		d := from("ada")
		for pb.Next() {
			if err := filter(b.Context(), d); err != nil {
				b.Error(err)
			}
		}
	})
}
