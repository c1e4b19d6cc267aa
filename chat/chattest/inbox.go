package chattest

import (
	"context"
	"slices"
	"sync"
)

// inbox is an unbounded queue whose readers pick what they wait for. It is
// unbounded on purpose: how much a client has not read is decided on the wire
// (see Conn.StopReading), not by a second limit here.
type inbox[T any] struct {
	mu      sync.Mutex
	items   []T
	changed chan struct{} // closed and replaced at each change
	err     error         // set once no more will come
}

func newInbox[T any]() *inbox[T] {
	return &inbox[T]{changed: make(chan struct{})}
}

func (q *inbox[T]) put(item T) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.items = append(q.items, item)
		q.signal()
	}
}

// close lets readers finish what is there and then get err.
func (q *inbox[T]) close(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
		q.signal()
	}
}

func (q *inbox[T]) signal() {
	close(q.changed)
	q.changed = make(chan struct{})
}

// take removes and returns the first item that matches, waiting for it if need
// be. Items that do not match stay in place.
func (q *inbox[T]) take(ctx context.Context, match func(T) bool) (T, error) {
	for {
		q.mu.Lock()
		if i := slices.IndexFunc(q.items, match); i >= 0 {
			item := q.items[i]
			if i == 0 {
				q.items = q.items[1:] // the usual case must not move the rest
			} else {
				q.items = slices.Delete(q.items, i, i+1)
			}
			q.mu.Unlock()
			return item, nil
		}
		changed, err := q.changed, q.err
		q.mu.Unlock()

		var none T
		if err != nil {
			return none, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return none, ctx.Err()
		}
	}
}

// list returns what is waiting.
func (q *inbox[T]) list() []T {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.Clone(q.items)
}
