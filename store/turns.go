package store

import (
	"context"
	"fmt"
	"hash/maphash"
)

// serverTurns bounds the connections that changes of messages take at once.
const serverTurns = 8

// turns lets those who change the same message go one after the other, without holding a connection while they wait. Some
// messages share a turn; on SQLite, which has one writer at a time, all do, so that messages to be appended wait for one change at most.
type turns struct {
	seed  maphash.Seed
	taken []chan struct{}
}

func newTurns(n int) *turns {
	t := &turns{seed: maphash.MakeSeed(), taken: make([]chan struct{}, n)}
	for i := range t.taken {
		t.taken[i] = make(chan struct{}, 1)
	}
	return t
}

// take waits for key's turn, no longer than for a database that is away.
func (t *turns) take(ctx context.Context, key string) (release func(), err error) {
	ctx, cancel := context.WithTimeout(ctx, operationTime)
	defer cancel()
	turn := t.taken[maphash.String(t.seed, key)%uint64(len(t.taken))]
	select {
	case turn <- struct{}{}:
		return func() { <-turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("others are changing the message: %w", ctx.Err())
	}
}
