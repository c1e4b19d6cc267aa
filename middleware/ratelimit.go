package chatmw

import (
	"container/list"
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/echochat/echochat/chat"
)

// rateLimitUsers is how many users RateLimit remembers: about 200 bytes each.
const rateLimitUsers = 20_000

// RateLimit lets each user send n messages at once and then, evenly, n per duration, on all of the user's connections,
// transports and rooms together. A message beyond that is refused with [chat.CodeRateLimited], which says how long to
// wait, and costs nothing. Each process counts for itself. It panics if n or per is not positive.
//
// It remembers the 20,000 users who wrote last, and forgets who has been silent for so long that the full budget is back.
func RateLimit(n int, per time.Duration) chat.Filter {
	if n < 1 || per <= 0 {
		panic("chatmw: RateLimit: n and per must be positive")
	}
	l := &limiters{
		limit: rate.Every(per / time.Duration(n)),
		burst: n, idle: per, max: rateLimitUsers,
		byUser: make(map[string]*list.Element),
	}
	return func(_ context.Context, d *chat.Draft) error {
		wait := l.take(d.Sender.ID, time.Now())
		if wait <= 0 {
			return nil
		}
		refusal := chat.RateLimited(wait)
		refusal.Message = fmt.Sprintf("You are writing very fast. Please wait %d s.", int(math.Ceil(wait.Seconds())))
		return refusal
	}
}

// limiters keeps one limiter per user, the most recently used at the front.
type limiters struct {
	limit rate.Limit
	burst int
	idle  time.Duration // after which a limiter is full, so as good as a new one
	max   int

	mu     sync.Mutex
	recent list.List // of *userLimiter
	byUser map[string]*list.Element
}

type userLimiter struct {
	*rate.Limiter
	user string
	last time.Time
}

// take spends one message of the user's budget, or returns how long until there is one.
func (l *limiters) take(user string, now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(user)
	u.last = now
	l.evict(now)

	r := u.ReserveN(now, 1)
	wait := r.DelayFrom(now)
	if wait > 0 {
		r.CancelAt(now) // a refused message does not push the next one further away
	}
	return wait
}

func (l *limiters) of(user string) *userLimiter {
	if e, ok := l.byUser[user]; ok {
		l.recent.MoveToFront(e)
		return e.Value.(*userLimiter)
	}
	u := &userLimiter{Limiter: rate.NewLimiter(l.limit, l.burst), user: user}
	l.byUser[user] = l.recent.PushFront(u)
	return u
}

// evict forgets from the far end: the idle, two per call so that none has to pay for many, and what is over the maximum.
func (l *limiters) evict(now time.Time) {
	for range 2 {
		e := l.recent.Back()
		u := e.Value.(*userLimiter)
		if l.recent.Len() <= l.max && now.Sub(u.last) < l.idle {
			return
		}
		l.recent.Remove(e)
		delete(l.byUser, u.user)
	}
}
