package chat

import (
	"context"
	"maps"
	"sync"
	"time"
)

// presence counts the connections of each user. A user is online from the first one until the grace period after the
// last, so a reload shows nothing. Changes are announced by one goroutine, which lives only while there are any to
// announce: however many users come or go at once, the database is asked about one at a time.
type presence struct {
	grace    time.Duration
	announce func(context.Context, User, Status) // may block; called by one goroutine at a time, without the lock
	seen     func(userIDs ...string)             // told now and then who is there, and who was until a moment ago; does not block
	ticker   *time.Timer                         // of seen
	ctx      context.Context                     // of announcements; ends at close
	cancel   context.CancelFunc

	mu      sync.Mutex
	users   map[string]*presenceEntry // those with a connection, in grace, or with something to announce
	changed []string                  // ids to look at, oldest first
	closed  bool
	working bool
	running sync.WaitGroup // the goroutine, and timers that have fired
}

type presenceEntry struct {
	user   User
	conns  int
	chosen Status      // what the user wants to be shown as; empty: online
	told   Status      // what was announced last
	timer  *time.Timer // runs while the last connection's grace does
	due    bool        // stands in changed
}

// seenInterval is how often the time is noted at which connected users were last seen; it bounds what a crash can falsify.
const seenInterval = 5 * time.Minute

func newPresence(grace time.Duration, announce func(context.Context, User, Status), seen func(userIDs ...string)) *presence {
	p := &presence{grace: grace, announce: announce, seen: seen, users: make(map[string]*presenceEntry)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	p.ticker = time.AfterFunc(seenInterval, p.tick)
	return p
}

// there reports whether the user has a connection, or had one less than the grace period ago.
func (e *presenceEntry) there() bool { return e.conns > 0 || e.timer != nil }

// shown is the user's status as others see it.
func (e *presenceEntry) shown() Status {
	switch {
	case !e.there(), e.chosen == StatusInvisible:
		return StatusOffline
	case e.chosen == "":
		return StatusOnline
	default:
		return e.chosen
	}
}

// status is a user's status as others see it.
func (p *presence) status(userID string) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.users[userID]; e != nil {
		return e.shown()
	}
	return StatusOffline
}

// online reports whether others see a user as connected.
func (p *presence) online(userID string) bool { return p.status(userID) != StatusOffline }

// set says what a user wants to be shown as, for as long as they are connected. Who is not stays offline.
func (p *presence) set(userID string, s Status) Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.users[userID]
	if e == nil || !e.there() {
		return StatusOffline
	}
	e.chosen = s
	if e.shown() != e.told {
		p.look(userID)
	}
	return s
}

// tick notes who is there.
func (p *presence) tick() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	p.noteAll()
	p.ticker.Reset(seenInterval)
}

// noteAll notes that everybody is there whom others see. The lock is held.
func (p *presence) noteAll() {
	var ids []string
	for id, e := range p.users {
		if e.shown() != StatusOffline {
			ids = append(ids, id)
		}
	}
	p.seen(ids...)
}

// connect counts a connection more.
func (p *presence) connect(u User) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return
	}
	e := p.users[u.ID]
	if e == nil {
		e = &presenceEntry{told: StatusOffline}
		p.users[u.ID] = e
	}
	e.user = u
	e.conns++
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if e.shown() != e.told {
		p.look(u.ID)
	}
}

// disconnect counts a connection less. It is called once for each connect.
func (p *presence) disconnect(userID string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.users[userID]
	if e == nil || p.closed {
		return
	}
	if e.conns--; e.conns > 0 {
		return
	}
	var timer *time.Timer
	timer = time.AfterFunc(p.grace, func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if e.timer == timer { // else a connection came, and perhaps went, in the meantime
			e.timer = nil
			p.look(userID)
		}
	})
	e.timer = timer
}

// look queues a user whose state may differ from what was announced. The lock is held.
func (p *presence) look(userID string) {
	e := p.users[userID]
	if p.closed || e == nil || e.due {
		return
	}
	e.due = true
	p.changed = append(p.changed, userID)
	if !p.working {
		p.working = true
		p.running.Add(1)
		go p.work()
	}
}

// work announces until nothing is left to announce.
func (p *presence) work() {
	defer p.running.Done()
	for {
		p.mu.Lock()
		if len(p.changed) == 0 || p.closed {
			p.working, p.changed = false, nil
			p.mu.Unlock()
			return
		}
		id := p.changed[0]
		p.changed = p.changed[1:]
		e := p.users[id] // only this goroutine and close delete
		e.due = false
		user, status := e.user, e.shown()
		news := status != e.told
		e.told = status
		if !e.there() {
			delete(p.users, id)
		}
		if news && status == StatusOffline {
			p.seen(id)
		}
		p.mu.Unlock()
		if news {
			p.announce(p.ctx, user, status)
		}
	}
}

// close stops announcing, breaks off an announcement under way and waits for its end.
func (p *presence) close() {
	p.cancel()
	p.mu.Lock()
	p.closed = true
	p.ticker.Stop()
	p.noteAll()
	for e := range maps.Values(p.users) {
		if e.timer != nil {
			e.timer.Stop()
			e.timer = nil
		}
	}
	clear(p.users)
	p.mu.Unlock()
	p.running.Wait()
}
