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
	user  User
	conns int
	told  bool        // what was announced last: true for online
	timer *time.Timer // runs while the last connection's grace does
	due   bool        // stands in changed
}

func newPresence(grace time.Duration, announce func(context.Context, User, Status)) *presence {
	p := &presence{grace: grace, announce: announce, users: make(map[string]*presenceEntry)}
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// online reports whether a user has a connection, or had one less than the grace period ago.
func (p *presence) online(userID string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.users[userID]
	return e != nil && (e.conns > 0 || e.timer != nil)
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
		e = &presenceEntry{}
		p.users[u.ID] = e
	}
	e.user = u
	e.conns++
	if e.timer != nil {
		e.timer.Stop()
		e.timer = nil
	}
	if !e.told {
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
		online := e.conns > 0 || e.timer != nil
		news := online != e.told
		e.told = online
		user := e.user
		if !online {
			delete(p.users, id)
		}
		p.mu.Unlock()
		switch {
		case !news:
		case online:
			p.announce(p.ctx, user, StatusOnline)
		default:
			p.announce(p.ctx, user, StatusOffline)
		}
	}
}

// close stops announcing, breaks off an announcement under way and waits for its end.
func (p *presence) close() {
	p.cancel()
	p.mu.Lock()
	p.closed = true
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
