package chatmw

import (
	"maps"
	"sync"
	"time"

	"github.com/echochat/echochat/chat"
)

// maxHeld is how many keys are remembered, at about 150 bytes each.
const maxHeld = 100_000

// held remembers keys for a while. When there are too many, it forgets some: better than to grow.
type held[K comparable] struct {
	mu    sync.Mutex
	until map[K]hold
	sweep int // the number of keys at which those whose time is over are looked for
}

// hold is until when a key is remembered, and the client's id of the message that it was for, where it has one.
type hold struct {
	until    time.Time
	clientID string
}

// hold remembers a key for d, unless it is remembered already: then it returns for how much longer. A client that sends a message
// again, because the database was away, passes again; the store knows whether it has the message.
func (h *held[K]) hold(key K, d *chat.Draft, now time.Time, length time.Duration) time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	old := h.until[key]
	if left := old.until.Sub(now); left > 0 {
		if d.ClientID != "" && d.ClientID == old.clientID {
			return 0
		}
		return left
	}
	if h.until == nil {
		h.until = make(map[K]hold)
	}
	h.until[key] = hold{now.Add(length), d.ClientID}
	if len(h.until) > h.sweep {
		h.forget(now)
	}
	return 0
}

// forget runs so seldom that it costs little for each key that was added.
func (h *held[K]) forget(now time.Time) {
	maps.DeleteFunc(h.until, func(_ K, old hold) bool { return !old.until.After(now) })
	for key := range h.until {
		if len(h.until) <= maxHeld/2 {
			break
		}
		delete(h.until, key)
	}
	h.sweep = max(1024, 2*len(h.until))
}
