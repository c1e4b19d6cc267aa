package chat

import (
	"sync"
	"time"
)

// typing knows who is typing where, and takes back what was not renewed in time. It holds at most one entry per user and
// room that the user's connections are in. Its goroutine lives only while somebody types.
type typing struct {
	expiry  time.Duration
	stopped func(typist) // tells the room; called without the lock

	mu      sync.Mutex
	active  map[typingKey]typist
	timer   *time.Timer // set while active has entries
	closed  bool
	running sync.WaitGroup // expiries under way
}

type typingKey struct{ roomID, userID string }

type typist struct {
	roomID   string
	user     User
	parentID string
	until    time.Time
	socketID string // the connection that typed last
}

func newTyping(expiry time.Duration, stopped func(typist)) *typing {
	return &typing{expiry: expiry, stopped: stopped, active: make(map[typingKey]typist)}
}

// start notes that a user types until the expiry from now, and reports whether that is news.
func (t *typing) start(p typist) (news bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return false
	}
	key := typingKey{p.roomID, p.user.ID}
	before, known := t.active[key]
	p.until = time.Now().Add(t.expiry)
	t.active[key] = p
	if t.timer == nil {
		t.timer = time.AfterFunc(t.expiry, t.expire)
	}
	return !known || before.parentID != p.parentID
}

// stop ends a user's typing in a room, if there is any, and tells the room.
func (t *typing) stop(roomID, userID string) {
	t.mu.Lock()
	key := typingKey{roomID, userID}
	p, ok := t.active[key]
	delete(t.active, key)
	t.mu.Unlock()
	if ok {
		t.stopped(p)
	}
}

// gone ends the typing of a connection that has ended, in the rooms it was in.
func (t *typing) gone(socketID, userID string, roomIDs []string) {
	for _, roomID := range roomIDs {
		t.mu.Lock()
		p, ok := t.active[typingKey{roomID, userID}]
		t.mu.Unlock()
		if ok && p.socketID == socketID {
			t.stop(roomID, userID)
		}
	}
}

// expire takes back what is overdue, and comes again when the next is.
func (t *typing) expire() {
	t.mu.Lock()
	if t.closed {
		t.mu.Unlock()
		return
	}
	t.running.Add(1)
	defer t.running.Done()
	now := time.Now()
	var over []typist
	var next time.Time
	for key, p := range t.active {
		switch {
		case !p.until.After(now):
			over = append(over, p)
			delete(t.active, key)
		case next.IsZero() || p.until.Before(next):
			next = p.until
		}
	}
	if next.IsZero() {
		t.timer = nil
	} else {
		t.timer = time.AfterFunc(next.Sub(now), t.expire)
	}
	t.mu.Unlock()
	for _, p := range over {
		t.stopped(p)
	}
}

// close forgets everybody and waits for what is under way.
func (t *typing) close() {
	t.mu.Lock()
	t.closed = true
	clear(t.active)
	if t.timer != nil {
		t.timer.Stop()
	}
	t.mu.Unlock()
	t.running.Wait()
}
