package chat

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// announcements collects what a presence or a typing announces.
type announcements struct {
	mu   sync.Mutex
	list []string
}

func (a *announcements) add(format string, args ...any) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.list = append(a.list, fmt.Sprintf(format, args...))
}

// take returns what was announced since the last time.
func (a *announcements) take() []string {
	a.mu.Lock()
	defer a.mu.Unlock()
	list := a.list
	a.list = nil
	return list
}

func unseen(...string) {}

// pass lets time pass in a synctest bubble, where it costs none.
func pass(d time.Duration) { <-time.After(d) }

func TestPresence(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said announcements
		p := newPresence(5*time.Second, func(_ context.Context, u User, s Status) { said.add("%s %s", u.ID, s) }, unseen)
		ada := User{ID: "ada"}

		p.connect(ada)
		synctest.Wait()
		require.Equal(t, []string{"ada online"}, said.take())

		p.connect(ada) // a second tab
		p.disconnect("ada")
		pass(time.Hour)
		require.Empty(t, said.take())
		require.True(t, p.online("ada"))

		p.disconnect("ada") // a reload of the only tab
		pass(4 * time.Second)
		require.True(t, p.online("ada"))
		p.connect(ada)
		pass(time.Hour)
		require.Empty(t, said.take())

		p.disconnect("ada") // a reload, and then the tab closes: the grace begins anew
		pass(4 * time.Second)
		p.connect(ada)
		p.disconnect("ada")
		pass(4 * time.Second)
		require.Empty(t, said.take())
		pass(time.Second)
		synctest.Wait()
		require.Equal(t, []string{"ada offline"}, said.take())
		require.False(t, p.online("ada"))
		require.Empty(t, p.users)

		p.connect(ada)
		synctest.Wait()
		require.Equal(t, []string{"ada online"}, said.take())
		p.disconnect("ada")
		p.close()
		pass(time.Hour)
		require.Empty(t, said.take(), "after close")
	})
}

// A change while one is being announced is announced after it, and what has changed back is not announced at all.
func TestPresenceInOrder(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said announcements
		var slow time.Duration
		p := newPresence(0, func(_ context.Context, u User, s Status) {
			said.add("%s %s", u.ID, s)
			pass(slow)
		}, unseen)
		slow = time.Second
		p.connect(User{ID: "ada"})
		synctest.Wait()
		p.disconnect("ada")
		p.connect(User{ID: "bob"})
		synctest.Wait()
		p.connect(User{ID: "ada"}) // back before anybody was told
		pass(time.Hour)
		require.Equal(t, []string{"ada online", "bob online"}, said.take())
		p.disconnect("ada")
		pass(time.Hour)
		require.Equal(t, []string{"ada offline"}, said.take())
		p.disconnect("bob")
		p.close()
	})
}

// What somebody wants to be shown as holds for as long as they are there, and nobody sees who is invisible.
func TestPresenceAsWished(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said, seen announcements
		p := newPresence(time.Second, func(_ context.Context, u User, s Status) { said.add("%s %s", u.ID, s) }, func(ids ...string) {
			slices.Sort(ids)
			if len(ids) > 0 {
				seen.add("%s", strings.Join(ids, " "))
			}
		})
		require.Equal(t, StatusOffline, p.set("ada", StatusAway), "who is not there")
		p.connect(User{ID: "ada"})
		p.connect(User{ID: "bob"})
		synctest.Wait()
		require.Equal(t, []string{"ada online", "bob online"}, said.take())

		require.Equal(t, StatusAway, p.set("ada", StatusAway))
		p.connect(User{ID: "ada"}) // another tab changes nothing
		synctest.Wait()
		require.Equal(t, []string{"ada away"}, said.take())
		require.True(t, p.online("ada"))
		p.set("ada", StatusAway)
		synctest.Wait()
		require.Empty(t, said.take())
		pass(seenInterval)
		synctest.Wait()
		require.Equal(t, []string{"ada bob"}, seen.take(), "now and then")

		require.Equal(t, StatusInvisible, p.set("ada", StatusInvisible))
		synctest.Wait()
		require.Equal(t, []string{"ada offline"}, said.take())
		require.Equal(t, []string{"ada"}, seen.take())
		require.False(t, p.online("ada"))
		require.Equal(t, StatusOffline, p.status("ada"))
		pass(seenInterval)
		synctest.Wait()
		require.Equal(t, []string{"bob"}, seen.take(), "nobody notes who is invisible")

		p.disconnect("ada")
		p.disconnect("ada")
		pass(time.Hour)
		synctest.Wait() // a tick falls on the same moment
		require.Empty(t, said.take(), "nobody saw her leave")
		seen.take()
		p.connect(User{ID: "ada"})
		synctest.Wait()
		require.Equal(t, []string{"ada online"}, said.take(), "and she is back as usual")
		p.close()
		require.Equal(t, []string{"ada bob"}, seen.take())
	})
}

// A database that does not answer an announcement does not keep the chat from ending.
func TestPresenceCloses(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPresence(0, func(ctx context.Context, _ User, _ Status) { <-ctx.Done() }, unseen)
		p.connect(User{ID: "ada"})
		synctest.Wait()
		p.close()
	})
}

func TestPresenceOfMany(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said announcements
		var working sync.Mutex
		p := newPresence(time.Second, func(_ context.Context, u User, s Status) {
			require.True(t, working.TryLock(), "one at a time")
			defer working.Unlock()
			said.add("%s %s", u.ID, s)
		}, unseen)
		for i := range 1000 {
			u := User{ID: fmt.Sprint(i % 100)}
			p.connect(u)
			defer p.disconnect(u.ID)
		}
		synctest.Wait()
		require.Len(t, said.take(), 100)
		p.close()
	})
}

func TestTyping(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var said announcements
		y := newTyping(6*time.Second, func(p typist) { said.add("%s stopped in %s", p.user.ID, p.roomID) })
		ada := typist{roomID: "r", user: User{ID: "ada"}, socketID: "s1"}
		bob := typist{roomID: "r", user: User{ID: "bob"}, socketID: "s2"}

		require.True(t, y.start(ada))
		require.False(t, y.start(ada), "no news")
		pass(4 * time.Second)
		require.True(t, y.start(bob))
		require.False(t, y.start(ada), "renewed")
		pass(5 * time.Second)
		require.Empty(t, said.take())
		pass(time.Second)
		synctest.Wait()
		require.ElementsMatch(t, []string{"bob stopped in r", "ada stopped in r"}, said.take())
		require.Nil(t, y.timer, "nobody types, nothing runs")

		y.start(ada)
		y.stop("r", "ada")
		y.stop("r", "ada")
		require.Equal(t, []string{"ada stopped in r"}, said.take())

		y.start(ada)
		y.gone("s2", "ada", []string{"r"}) // another tab closes
		require.Empty(t, said.take())
		y.gone("s1", "ada", []string{"q", "r"})
		require.Equal(t, []string{"ada stopped in r"}, said.take())

		y.start(bob)
		y.close()
		require.False(t, y.start(bob))
		pass(time.Hour)
		require.Empty(t, said.take(), "after close")
	})
}
