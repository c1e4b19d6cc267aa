package chat

import (
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestExpiries(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said announcements
		began := time.Now()
		e := newExpiries(time.Minute,
			func(key string, at time.Time) {
				said.add("%s: %s expires at %s", time.Since(began), key, at.Sub(began))
			},
			func(key string) { said.add("%s: %s has expired", time.Since(began), key) })
		after := func(d time.Duration) time.Time { return began.Add(d) }

		e.set("ada", after(time.Hour))
		e.set("bob", after(10*time.Minute))
		e.set("carol", after(30*time.Second)) // sooner than the notice
		e.set("dave", time.Time{})
		e.set("erin", after(-time.Second))
		synctest.Wait()
		require.ElementsMatch(t, []string{"0s: carol expires at 30s", "0s: erin has expired"}, said.take())
		pass(30 * time.Second)
		synctest.Wait()
		require.Equal(t, []string{"30s: carol has expired"}, said.take())

		pass(9*time.Minute - 30*time.Second)
		synctest.Wait()
		require.Equal(t, []string{"9m0s: bob expires at 10m0s"}, said.take())
		e.set("bob", after(20*time.Minute)) // refreshed
		pass(9*time.Minute + 59*time.Second)
		require.Empty(t, said.take())
		pass(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"19m0s: bob expires at 20m0s"}, said.take())
		e.forget("bob")
		e.forget("nobody")

		pass(time.Hour)
		require.Equal(t, []string{"59m0s: ada expires at 1h0m0s", "1h0m0s: ada has expired"}, said.take())
		require.Nil(t, e.timer, "nothing can expire, nothing runs")
		require.Empty(t, e.known)

		e.set("ada", time.Now().Add(time.Hour))
		e.close()
		e.set("bob", time.Now().Add(time.Hour))
		pass(24 * time.Hour)
		require.Empty(t, said.take(), "after close")
		require.Nil(t, e.timer)
	})
}

// Many expire each in its time, whatever comes and goes between them, by one timer.
func TestExpiriesOfMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex // those that are due at two moments may overlap
		ended := make(map[int]time.Duration)
		e := newExpiries(0, func(int, time.Time) { t.Error("no notice was asked for") }, func(key int) {
			mu.Lock()
			defer mu.Unlock()
			ended[key] = time.Since(began)
		})
		const n = 1000
		for i := range n {
			e.set(i, began.Add(time.Duration(i*7919%n+1)*time.Second))
		}
		for i := 0; i < n; i += 3 {
			e.forget(i)
		}
		for i := 1; i < n; i += 3 {
			e.set(i, began.Add(time.Duration(n+i)*time.Second))
		}
		pass(3 * n * time.Second)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		for i := range n {
			at, ok := ended[i]
			switch i % 3 {
			case 0:
				require.False(t, ok)
			case 1:
				require.Equal(t, time.Duration(n+i)*time.Second, at, fmt.Sprint(i))
			default:
				require.Equal(t, time.Duration(i*7919%n+1)*time.Second, at, fmt.Sprint(i))
			}
		}
		e.close()
	})
}

// A function that takes its time keeps the end waiting, and nobody else.
func TestExpiriesClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		done := false
		e := newExpiries(0, func(string, time.Time) {}, func(key string) {
			if key == "slow" {
				pass(time.Minute)
				done = true
			}
		})
		e.set("slow", time.Now().Add(time.Second))
		pass(2 * time.Second)
		e.set("quick", time.Now().Add(time.Second))
		pass(2 * time.Second)
		e.mu.Lock()
		require.Empty(t, e.known)
		e.mu.Unlock()
		e.close()
		require.True(t, done)
	})
}
