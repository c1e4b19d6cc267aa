package chat

import (
	"maps"
	"sync"
	"time"
)

// Rate is how often something may happen: N times at once, and from then on N times in Per, evenly. A negative N is no limit.
type Rate struct {
	N   int
	Per time.Duration
}

// RateLimits bounds what clients may ask for, over all their connections, transports and REST together; calls from Go are the app's own
// and not counted. A request beyond a limit is refused with CodeRateLimited, which says how long to wait, and costs nothing. Each process
// counts for itself. A Rate that is zero keeps its default.
//
// No address is looked at. Whoever has thrown their cookie away is another guest, with limits of their own: with WithGuests, limit new
// connections by address in front of the chat.
type RateLimits struct {
	Connection Rate // Events of one connection. Defaults to 600 in 10 seconds.
	User       Rate // Events and REST calls of one user. Defaults to 1,200 in 10 seconds.
	Room       Rate // What all users together say in a room: messages, and that they type. Defaults to 6,000 in 10 seconds.

	// Operations limits single operations of one user besides, by the names that are also those of the events; those of uploads are
	// upload.create and upload.read. Defaults to 120 in a minute for "search", "room.create", "room.direct", "presence.set" and
	// "upload.create". New refuses a name that no operation has.
	Operations map[string]Rate
}

func defaultRateLimits() RateLimits {
	rare := Rate{120, time.Minute}
	return RateLimits{
		Connection: Rate{600, 10 * time.Second}, User: Rate{1200, 10 * time.Second}, Room: Rate{6000, 10 * time.Second},
		Operations: map[string]Rate{EventSearch: rare, "room.create": rare, "room.direct": rare, EventPresenceSet: rare, uploadCreate: rare},
	}
}

// WithRateLimits changes the limits on how often clients may ask for something, see RateLimits.
func WithRateLimits(l RateLimits) Option {
	return func(c *config) error {
		for _, of := range []struct {
			to   *Rate
			rate Rate
		}{{&c.rates.Connection, l.Connection}, {&c.rates.User, l.User}, {&c.rates.Room, l.Room}} {
			if of.rate != (Rate{}) {
				*of.to = of.rate
			}
		}
		maps.Copy(c.rates.Operations, l.Operations)
		rates := append([]Rate{c.rates.Connection, c.rates.User, c.rates.Room}, valuesOf(c.rates.Operations)...)
		for _, r := range rates {
			if r.N == 0 || r.N > 0 && r.Per < time.Duration(r.N) {
				return optionError("WithRateLimits", "N must not be 0, and Per must be at least a nanosecond for each")
			}
		}
		return nil
	}
}

func valuesOf(m map[string]Rate) (rates []Rate) {
	for _, r := range m {
		rates = append(rates, r)
	}
	return rates
}

// limitRate counts a client's request, unless it is one too many.
func (c *Chat) limitRate(r *request) error {
	budgets := make([]budget, 0, 3)
	budgets = append(budgets, budget{budgetKey{scopeUser, r.user.ID, ""}, c.cfg.rates.User})
	if r.socket != nil {
		budgets = append(budgets, budget{budgetKey{scopeConnection, r.socket.ID(), ""}, c.cfg.rates.Connection})
	}
	if rate, ok := c.cfg.rates.Operations[r.op.name]; ok {
		budgets = append(budgets, budget{budgetKey{scopeOperation, r.user.ID, r.op.name}, rate})
	}
	return c.spend(budgets...)
}

// limitRoom counts what a client, who may say something in a room, says there.
func (c *Chat) limitRoom(r *request) error {
	if !r.counted || !c.rules[r.op.action].speaks || r.access.Room.ID == "" {
		return nil
	}
	return c.spend(budget{budgetKey{scopeRoom, r.access.Room.ID, ""}, c.cfg.rates.Room})
}

func (c *Chat) spend(budgets ...budget) error {
	if wait := c.budgets.spend(time.Now(), budgets...); wait > 0 {
		return RateLimited((wait + time.Millisecond - 1).Truncate(time.Millisecond))
	}
	return nil
}

// budgetKey is whose budget it is.
type budgetKey struct {
	scope     budgetScope
	id        string
	operation string
}

type budgetScope uint8

const (
	scopeConnection budgetScope = iota + 1
	scopeUser
	scopeRoom
	scopeOperation
)

type budget struct {
	key  budgetKey
	rate Rate
}

// maxBudgets is how many budgets are remembered, at about 150 bytes each.
const maxBudgets = 200_000

// budgets remembers of each budget when it will be full again; one that is full is not remembered, so that only those who were at
// work a moment ago take memory.
type budgets struct {
	mu    sync.Mutex
	full  map[budgetKey]time.Time
	sweep int // the number of budgets at which those that are full are looked for
}

func newBudgets() budgets { return budgets{full: make(map[budgetKey]time.Time)} }

// spend takes one from each of the budgets, or from none and returns how long to wait until it can.
func (b *budgets) spend(now time.Time, of ...budget) (wait time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, o := range of {
		if o.rate.N > 0 {
			wait = max(wait, b.after(now, o).Sub(now)-o.rate.Per)
		}
	}
	if wait > 0 {
		return wait
	}
	for _, o := range of {
		if o.rate.N > 0 {
			b.full[o.key] = b.after(now, o)
		}
	}
	if len(b.full) > b.sweep {
		b.forget(now)
	}
	return 0
}

// after is when a budget will be full again after one is taken from it.
func (b *budgets) after(now time.Time, o budget) time.Time {
	full := b.full[o.key]
	if full.Before(now) {
		full = now
	}
	return full.Add(o.rate.Per / time.Duration(o.rate.N))
}

// forget drops the budgets that are full, and any that are too many. It runs so seldom that it costs little for each that was added.
func (b *budgets) forget(now time.Time) {
	maps.DeleteFunc(b.full, func(_ budgetKey, full time.Time) bool { return !full.After(now) })
	for key := range b.full {
		if len(b.full) <= maxBudgets/2 {
			break
		}
		delete(b.full, key)
	}
	b.sweep = max(1024, 2*len(b.full))
}
