package chatmw

import (
	"maps"
	"sync"
	"time"
)

// maxHeld is how many keys are remembered, at about 100 bytes each.
const maxHeld = 100_000

// held remembers keys for a while. When there are too many, it forgets some: better than to grow.
type held[K comparable] struct {
	mu    sync.Mutex
	until map[K]time.Time
	sweep int // the number of keys at which those whose time is over are looked for
}

// hold remembers a key for d, unless it is remembered already: then it returns for how much longer.
func (h *held[K]) hold(key K, now time.Time, d time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	if left := h.until[key].Sub(now); left > 0 {
		return left
	}
	if h.until == nil {
		h.until = make(map[K]time.Time)
	}
	h.until[key] = now.Add(d)
	if len(h.until) > h.sweep {
		h.forget(now)
	}
	return 0
}

// forget runs so seldom that it costs little for each key that was added.
func (h *held[K]) forget(now time.Time) {
	maps.DeleteFunc(h.until, func(_ K, until time.Time) bool { return !until.After(now) })
	for key := range h.until {
		if len(h.until) <= maxHeld/2 {
			break
		}
		delete(h.until, key)
	}
	h.sweep = max(1024, 2*len(h.until))
}
