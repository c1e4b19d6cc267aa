package chat

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRateBudgets(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := newBudgets()
		ada := budget{budgetKey{scopeUser, "ada", ""}, Rate{3, 6 * time.Second}}
		room := budget{budgetKey{scopeRoom, "ada", ""}, Rate{5, time.Hour}}
		for range 3 {
			require.Zero(t, b.spend(time.Now(), ada))
		}
		for range 5 { // refusals cost nothing, not from the other budget either
			require.Equal(t, 2*time.Second, b.spend(time.Now(), room, ada))
		}
		<-time.After(2 * time.Second) // on the clock of the bubble
		require.Zero(t, b.spend(time.Now(), ada, room))
		require.Equal(t, 2*time.Second, b.spend(time.Now(), ada))
		<-time.After(6 * time.Second)
		for range 3 {
			require.Zero(t, b.spend(time.Now(), ada), "the full budget is back")
		}
		require.NotZero(t, b.spend(time.Now(), ada))
		for range 4 {
			require.Zero(t, b.spend(time.Now(), room))
		}
		require.NotZero(t, b.spend(time.Now(), room))
		for range 10_000 {
			require.Zero(t, b.spend(time.Now(), budget{ada.key, Rate{N: -1}}), "no limit")
		}
	})
}

func TestRateBudgetsAreForgotten(t *testing.T) {
	t.Parallel()
	b := newBudgets()
	at := time.Now()
	spend := func(i int) time.Duration {
		return b.spend(at, budget{budgetKey{scopeUser, fmt.Sprint("user ", i), ""}, Rate{1, time.Minute}})
	}
	for i := range maxBudgets + 5000 {
		require.Zero(t, spend(i))
		require.LessOrEqual(t, len(b.full), maxBudgets+1)
	}
	at = at.Add(time.Hour)
	for i := range maxBudgets / 2 {
		spend(i)
	}
	require.LessOrEqual(t, len(b.full), maxBudgets+1)
	b.forget(at.Add(time.Hour))
	require.Empty(t, b.full)
}
