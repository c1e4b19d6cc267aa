package socketio

import (
	"context"
	"sync/atomic"
)

// tasks counts what the server has to wait for before it is shut down. Unlike a sync.WaitGroup it lets a wait be given
// up, and more be added meanwhile.
type tasks struct {
	n    atomic.Int64
	idle atomic.Pointer[chan struct{}] // has room for one; made by the first who waits
}

// start runs f in a goroutine that is counted.
func (t *tasks) start(f func()) {
	t.add()
	go func() {
		defer t.done()
		f()
	}()
}

func (t *tasks) add() { t.n.Add(1) }

func (t *tasks) done() {
	if t.n.Add(-1) > 0 {
		return
	}
	if idle := t.idle.Load(); idle != nil {
		select {
		case *idle <- struct{}{}:
		default:
		}
	}
}

// wait returns when there is nothing left to wait for, or with ctx's error when that ends first.
func (t *tasks) wait(ctx context.Context) error {
	idle := make(chan struct{}, 1)
	t.idle.CompareAndSwap(nil, &idle)
	for t.n.Load() > 0 {
		select {
		case <-*t.idle.Load():
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	select { // for others who wait
	case *t.idle.Load() <- struct{}{}:
	default:
	}
	return nil
}
