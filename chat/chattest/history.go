package chattest

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"sync"
)

// History is what clients saw while things were broken around them: what they
// sent and what became of it, and what they received. [History.Check] then
// compares it with what the server stored, the way Jepsen does. All methods are
// safe for concurrent use.
type History struct {
	mu    sync.Mutex
	sends []*Sent
	tails []*Tail
}

// Entry is one message as it was stored or received. Bodies are compared by
// [Hash].
type Entry struct {
	Room     string
	Seq      int64
	Sender   string
	ClientID string
	Hash     uint64
}

// Hash returns a fingerprint of a message's body.
func Hash(body []byte) uint64 {
	h := fnv.New64a()
	_, _ = h.Write(body) // never fails, says hash.Hash
	return h.Sum64()
}

// Sent is a message that a client has tried to send. Its outcome is unknown
// until OK or Fail is called: it may have been stored, or not.
type Sent struct {
	history *History
	entry   Entry // Seq is 0 until OK
	conn    string
	failed  bool
}

// Send records a try before it is made. Messages of one sender to one room over
// one connection, which any name may tell apart, must keep their order.
func (h *History) Send(conn string, e Entry) *Sent {
	e.Seq = 0
	s := &Sent{history: h, entry: e, conn: conn}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.sends = append(h.sends, s)
	return s
}

// OK records that the server acknowledged the message at a position.
func (s *Sent) OK(seq int64) {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.entry.Seq = seq
}

// Fail records that the server refused the message for good.
func (s *Sent) Fail() {
	s.history.mu.Lock()
	defer s.history.mu.Unlock()
	s.failed = true
}

// Tail is what one reader received from one room.
type Tail struct {
	history *History
	reader  string
	room    string
	parts   [][]Entry // one more after each Resync
	left    bool
}

// Tail begins the record of a reader that follows a room from here to the end.
func (h *History) Tail(reader, room string) *Tail {
	t := &Tail{history: h, reader: reader, room: room, parts: make([][]Entry, 1)}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tails = append(h.tails, t)
	return t
}

// Receive records a message in the order in which the reader got it.
func (t *Tail) Receive(e Entry) {
	t.history.mu.Lock()
	defer t.history.mu.Unlock()
	last := len(t.parts) - 1
	t.parts[last] = append(t.parts[last], e)
}

// Resync records that the server told the reader to start anew: what comes next
// need not follow what came before.
func (t *Tail) Resync() {
	t.history.mu.Lock()
	defer t.history.mu.Unlock()
	t.parts = append(t.parts, nil)
}

// Leave records that the reader went away and is not to have the latest
// messages.
func (t *Tail) Leave() {
	t.history.mu.Lock()
	defer t.history.mu.Unlock()
	t.left = true
}

// Check compares the history with everything that is stored, in any order, and
// returns what is wrong:
//
//   - an acknowledged message that is not stored once, at its position, as it was sent
//   - a message of unknown outcome that is stored twice, a refused one that is stored,
//     and a stored one that nobody sent
//   - positions of a room that are not 1, 2, 3 …
//   - messages of one sender on one connection that are not in the order of sending
//   - a reader that missed a message, got one twice, out of order or altered, or,
//     unless it left, not the latest
func (h *History) Check(stored []Entry) []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	c := checker{rooms: map[string][]Entry{}, found: map[key][]Entry{}}
	for _, e := range stored {
		c.rooms[e.Room] = append(c.rooms[e.Room], e)
		k := key{e.Room, e.Sender, e.ClientID}
		c.found[k] = append(c.found[k], e)
	}
	c.checkPositions()
	c.checkSends(h.sends)
	for _, t := range h.tails {
		c.checkTail(t)
	}
	return c.wrong
}

type key struct{ room, sender, clientID string }

type checker struct {
	rooms map[string][]Entry // by position
	found map[key][]Entry
	wrong []string
}

func (c *checker) report(format string, args ...any) {
	c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
}

func (c *checker) checkPositions() {
	for _, room := range slices.Sorted(maps.Keys(c.rooms)) {
		entries := c.rooms[room]
		slices.SortStableFunc(entries, func(a, b Entry) int { return int(a.Seq - b.Seq) })
		for i, e := range entries {
			if e.Seq != int64(i+1) {
				c.report("room %s: stored position %d where %d was due", room, e.Seq, i+1)
				break // everything after it is shifted too
			}
		}
	}
}

func (c *checker) checkSends(sends []*Sent) {
	type line struct{ room, sender, conn string }
	last := map[line]Entry{}
	known := map[key]bool{}
	for _, s := range sends {
		e := s.entry
		k := key{e.Room, e.Sender, e.ClientID}
		known[k] = true
		found := c.found[k]
		switch {
		case s.failed && len(found) > 0:
			c.report("room %s: %s of %s was refused and is stored", e.Room, e.ClientID, e.Sender)
		case len(found) > 1:
			c.report("room %s: %s of %s is stored %d times", e.Room, e.ClientID, e.Sender, len(found))
		case e.Seq > 0 && len(found) == 0:
			c.report("room %s: %s of %s was acknowledged at %d and is not stored", e.Room, e.ClientID, e.Sender, e.Seq)
		}
		if len(found) == 0 {
			continue
		}
		got := found[0]
		if e.Seq > 0 && got.Seq != e.Seq {
			c.report("room %s: %s of %s was acknowledged at %d and is stored at %d", e.Room, e.ClientID, e.Sender, e.Seq, got.Seq)
		}
		if got.Hash != e.Hash {
			c.report("room %s: %s of %s is stored with another body", e.Room, e.ClientID, e.Sender)
		}
		l := line{e.Room, e.Sender, s.conn}
		if before, ok := last[l]; ok && before.Seq >= got.Seq && before.ClientID != got.ClientID {
			c.report("room %s: %s sent %s before %s, stored at %d and %d",
				e.Room, e.Sender, before.ClientID, e.ClientID, before.Seq, got.Seq)
		}
		last[l] = got
	}
	for k := range c.found {
		if !known[k] {
			c.report("room %s: %s of %s is stored and nobody sent it", k.room, k.clientID, k.sender)
		}
	}
}

func (c *checker) checkTail(t *Tail) {
	entries := c.rooms[t.room]
	for p, part := range t.parts {
		for i, e := range part {
			switch due := part[0].Seq + int64(i); {
			case e.Seq != due:
				c.report("reader %s of room %s: got %d where %d was due", t.reader, t.room, e.Seq, due)
				return // everything after it is shifted too
			case e.Seq < 1 || e.Seq > int64(len(entries)):
				c.report("reader %s of room %s: got %d, which is not stored", t.reader, t.room, e.Seq)
				return
			case e != entries[e.Seq-1]:
				c.report("reader %s of room %s: message %d is not the stored one", t.reader, t.room, e.Seq)
			}
		}
		if p == len(t.parts)-1 && !t.left {
			last := int64(0)
			if len(part) > 0 {
				last = part[len(part)-1].Seq
			}
			if last != int64(len(entries)) {
				c.report("reader %s of room %s: ends at %d of %d", t.reader, t.room, last, len(entries))
			}
		}
	}
}
