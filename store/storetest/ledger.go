package storetest

import (
	"fmt"
	"sync"

	"github.com/echochat/echochat/store"
)

// Ledger remembers what senders were told and what was delivered, and holds it against the database. The zero Ledger is empty; it is
// safe for concurrent use.
//
// Of every draft that was Sent, its sender may come to know that it is stored (Acked) or that it is not (Failed); of the rest
// nothing is known, and it may be stored once or not at all.
type Ledger struct {
	mu        sync.Mutex
	sent      map[key]store.Draft
	acked     map[key]store.Message
	failed    map[key]bool
	order     []key // as sent
	delivered []store.Message
}

type key struct{ room, sender, client string }

// Sent records that a draft is about to be sent, or sent again. Its sender must have an answer to it before sending the next one to
// the same room: their order is checked, too.
func (l *Ledger) Sent(d store.Draft) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.sent == nil {
		l.sent, l.acked, l.failed = make(map[key]store.Draft), make(map[key]store.Message), make(map[key]bool)
	}
	k := key{d.RoomID, d.Sender.ID, d.ClientID}
	if _, again := l.sent[k]; again {
		return
	}
	l.sent[k] = d
	l.order = append(l.order, k)
}

// Acked records that Append has returned m.
func (l *Ledger) Acked(m store.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked[key{m.RoomID, m.SenderID, m.ClientID}] = m
}

// Failed records that Append has refused d for good.
func (l *Ledger) Failed(d store.Draft) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.failed[key{d.RoomID, d.Sender.ID, d.ClientID}] = true
}

// Delivered records what a reader has got, in its order, from the first message on.
func (l *Ledger) Delivered(messages []store.Message) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.delivered = append(l.delivered, messages...)
}

// Check returns what is wrong with the messages of one room as they are in the database, ascending by Seq: a message that was
// acked and is not there, or there with another place, id or text; one that is there twice, or was refused or never sent;
// a gap in the numbers; a time that steps back; messages of one sender in another order than sent; and a delivery that repeats,
// reorders, leaves out or changes something.
func (l *Ledger) Check(room []store.Message) (violations []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	report := func(format string, args ...any) {
		if len(violations) < 20 { // one lost message makes a long list
			violations = append(violations, fmt.Sprintf(format, args...))
		}
	}

	stored := make(map[key]store.Message)
	for i, m := range room {
		k := key{m.RoomID, m.SenderID, m.ClientID}
		d, sent := l.sent[k]
		if m.Seq != int64(i+1) {
			report("place %d has seq %d", i+1, m.Seq)
		}
		if i > 0 && m.CreatedAt < room[i-1].CreatedAt {
			report("seq %d is older than the one before", m.Seq)
		}
		if first, twice := stored[k]; twice {
			report("%v is stored as seq %d and %d", k, first.Seq, m.Seq)
		}
		if !sent {
			report("seq %d was never sent: %v", m.Seq, k)
		} else if m.Text != d.Text {
			report("seq %d has another text than was sent", m.Seq)
		}
		if l.failed[k] {
			report("seq %d was refused: %v", m.Seq, k)
		}
		stored[k] = m
	}
	for k, want := range l.acked {
		got, ok := stored[k]
		switch {
		case !ok && len(room) > 0 && k.room != room[0].RoomID: // another room's
		case !ok:
			report("%v was acked as seq %d and is lost", k, want.Seq)
		case got.Seq != want.Seq || got.ID != want.ID || got.Text != want.Text || got.CreatedAt != want.CreatedAt:
			report("%v was acked as seq %d, id %s and is stored as seq %d, id %s", k, want.Seq, want.ID, got.Seq, got.ID)
		}
	}
	last := make(map[string]int64)
	for _, k := range l.order {
		if m, ok := stored[k]; ok {
			if m.Seq < last[k.sender] {
				report("%v was sent after seq %d and is stored as seq %d", k, last[k.sender], m.Seq)
			}
			last[k.sender] = m.Seq
		}
	}
	next := int64(1)
	for _, m := range l.delivered {
		if len(room) == 0 || m.RoomID != room[0].RoomID {
			continue
		}
		if m.Seq != next {
			report("delivered seq %d in the place of %d", m.Seq, next)
		}
		if got := stored[key{m.RoomID, m.SenderID, m.ClientID}]; got.ID != m.ID || got.Text != m.Text || got.Seq != m.Seq {
			report("delivered seq %d differs from what is stored", m.Seq)
		}
		next = m.Seq + 1
	}
	if len(l.delivered) > 0 && next != int64(len(room)+1) {
		report("delivered up to seq %d of %d", next-1, len(room))
	}
	return violations
}
