package chat

import (
	"container/heap"
	"sync"
	"time"
)

// expiries says of each of its keys, which are connections, when its time is nearly over, and when it is. One timer serves
// them all: it is set to what is due first, and there is none while nothing can expire.
type expiries[K comparable] struct {
	notice   time.Duration
	expiring func(K, time.Time) // the key expires then; both are called without the lock, by one goroutine for all that is due
	expired  func(K)

	mu      sync.Mutex
	known   map[K]*expiry[K]
	queue   expiryQueue[K]
	timer   *time.Timer
	next    time.Time // when the timer fires; zero while it does not
	closed  bool
	running sync.WaitGroup // calls under way
}

// expiry is when a key expires.
type expiry[K comparable] struct {
	key   K
	at    time.Time
	due   time.Time // the notice; once that was given, at
	place int       // in the queue
}

func newExpiries[K comparable](notice time.Duration, expiring func(K, time.Time), expired func(K)) *expiries[K] {
	return &expiries[K]{notice: notice, expiring: expiring, expired: expired, known: make(map[K]*expiry[K])}
}

// set says when a key expires, in place of what was said before. The zero time is never.
func (e *expiries[K]) set(key K, at time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(key)
	if at.IsZero() || e.closed {
		e.arm()
		return
	}
	x := &expiry[K]{key: key, at: at, due: at.Add(-e.notice)}
	e.known[key] = x
	heap.Push(&e.queue, x)
	e.arm()
}

// forget takes a key out.
func (e *expiries[K]) forget(key K) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.drop(key)
	e.arm()
}

// drop is forget under the lock.
func (e *expiries[K]) drop(key K) {
	if x, ok := e.known[key]; ok {
		delete(e.known, key)
		heap.Remove(&e.queue, x.place)
	}
}

// arm sets the timer to what is due first. The lock is held.
func (e *expiries[K]) arm() {
	switch {
	case len(e.queue) == 0 || e.closed:
		if e.timer != nil {
			e.timer.Stop()
			e.timer, e.next = nil, time.Time{}
		}
	case e.timer == nil:
		e.next = e.queue[0].due
		e.timer = time.AfterFunc(time.Until(e.next), e.work)
	case !e.queue[0].due.Equal(e.next):
		e.next = e.queue[0].due
		e.timer.Reset(time.Until(e.next))
	}
}

// work calls the functions for what is due.
func (e *expiries[K]) work() {
	e.mu.Lock()
	if e.closed {
		e.mu.Unlock()
		return
	}
	e.running.Add(1)
	defer e.running.Done()
	var soon, over []*expiry[K]
	for now := time.Now(); len(e.queue) > 0 && !e.queue[0].due.After(now); {
		x := e.queue[0]
		if x.at.After(now) {
			soon = append(soon, x)
			x.due = x.at
			heap.Fix(&e.queue, 0)
			continue
		}
		over = append(over, x)
		e.drop(x.key)
	}
	e.next = time.Time{} // the timer has fired
	e.arm()
	e.mu.Unlock()
	for _, x := range over {
		e.expired(x.key)
	}
	for _, x := range soon {
		e.expiring(x.key, x.at)
	}
}

// close forgets everything and waits for what is under way.
func (e *expiries[K]) close() {
	e.mu.Lock()
	e.closed = true
	clear(e.known)
	e.queue = nil
	e.arm()
	e.mu.Unlock()
	e.running.Wait()
}

// expiryQueue is a heap, what is due first at its top.
type expiryQueue[K comparable] []*expiry[K]

var _ heap.Interface = (*expiryQueue[string])(nil)

func (q expiryQueue[K]) Len() int           { return len(q) }
func (q expiryQueue[K]) Less(i, j int) bool { return q[i].due.Before(q[j].due) }

// Swap implements heap.Interface.
func (q expiryQueue[K]) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].place, q[j].place = i, j
}

// Push implements heap.Interface.
func (q *expiryQueue[K]) Push(x any) {
	entry := x.(*expiry[K])
	entry.place = len(*q)
	*q = append(*q, entry)
}

// Pop implements heap.Interface.
func (q *expiryQueue[K]) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return x
}
