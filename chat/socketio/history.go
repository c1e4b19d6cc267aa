package socketio

import (
	"cmp"
	"container/list"
	"math"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// history is what a namespace keeps so that clients can recover: the events of the last minutes, and who was where. It
// is guarded by the lock of the namespace's index, which is held while an event takes its position and its place in
// the buffer of each receiver: so positions arrive in order at every client.
//
// A client is sent the position with each event, as one more argument, and says the last one when it comes back. A
// position is no event that must still be there: it may be that of a volatile event, or long past for a client that was
// sent little.
type history struct {
	epoch    string // tells positions of this history from those of another
	position uint64 // of the last event
	floor    uint64 // of the last event that was dropped
	entries  []entry
	bytes    int
	sessions map[string]*session // by private id
	away     list.List           // of *session: those whose clients are away, who left first in front
	crowd    *crowd

	keep     time.Duration // how long events are kept
	patience time.Duration // how long a client may be away
	limit    int           // bytes of events

	settled atomic.Uint64 // the position up to which all events are in their receivers' buffers
	sweeper *time.Timer   // nil while there is nothing to forget
	stopped bool
}

// entry is an event that was sent.
type entry struct {
	position uint64
	at       time.Time
	message  *engineio.Message
	target   target
}

// cost is what an entry takes of the memory, about.
func (e entry) cost() int { return e.message.Size() + packetOverhead }

// crowd counts the clients of all namespaces of a server that are away.
type crowd struct {
	n    atomic.Int64
	most int64
}

// session is what is needed to recover the state of one client.
type session struct {
	pid, sid  string
	principal string
	start     uint64        // the position when it connected for the first time
	complete  uint64        // stays that ended before this are forgotten
	stays     []stay        // in rooms, its own left out
	socket    *Socket       // nil while it is away
	data      any           // while it is away
	expires   time.Time     // while it is away
	place     *list.Element // among those who are away; nil while it is not

	holder    atomic.Pointer[Socket] // the same as socket
	confirmed atomic.Uint64          // all up to this position has arrived
}

// stay is the time that a client was in a room: from after one position to another.
type stay struct {
	room     string
	from, to uint64
}

const (
	epochLength    = 6
	positionLength = 13 // of a uint64 in base 36
	// untilNow is the end of a stay that goes on.
	untilNow = math.MaxUint64
	// maxStays bounds the stays that are kept of one client.
	maxStays = 1024
	// noOffset has the form of all offsets: it holds the place of one until the position is known.
	noOffset = "0000000000000000000"
)

func newHistory(r Recovery, heartbeat time.Duration, crowd *crowd) *history {
	return &history{
		epoch:    randomID(epochLength)[:epochLength],
		sessions: make(map[string]*session),
		crowd:    crowd,
		keep:     r.MaxDisconnection + heartbeat,
		patience: r.MaxDisconnection,
		limit:    r.MaxBytes,
	}
}

// offset returns the text of a position. All have the same length.
func (h *history) offset(position uint64) string {
	digits := strconv.FormatUint(position, 36)
	return h.epoch + noOffset[:positionLength-len(digits)] + digits
}

// parse returns the position of an offset. It is false for what is none of this history: the stock client keeps its last
// offset when it gets a new session, perhaps of a server that was restarted.
func (h *history) parse(offset string) (uint64, bool) {
	if len(offset) != len(noOffset) || offset[:epochLength] != h.epoch {
		return 0, false
	}
	position, err := strconv.ParseUint(offset[epochLength:], 36, 64)
	if err != nil {
		position = math.MaxUint64 // which is none that was given out
	}
	return position, true
}

// record gives an event its position and keeps it, unless it may be lost. The event was encoded with noOffset at its end.
func (h *history) record(out *draft, t target, volatile bool) *engineio.Message {
	if !volatile {
		h.position++
	}
	end := len(out.text) - len(`"]`)
	copy(out.text[end-len(noOffset):end], h.offset(h.position))
	m := out.message()
	if !volatile {
		now := time.Now()
		e := entry{h.position, now, m, t}
		h.entries = append(h.entries, e)
		h.bytes += e.cost()
		h.trim(now)
	}
	return m
}

// trim drops what is too old or too much.
func (h *history) trim(now time.Time) {
	n := 0
	for n < len(h.entries) && (h.bytes > h.limit || now.Sub(h.entries[n].at) > h.keep) {
		h.floor = h.entries[n].position
		h.bytes -= h.entries[n].cost()
		h.entries[n] = entry{}
		n++
	}
	h.entries = h.entries[n:]
}

// open starts a session for a socket that connects.
func (h *history) open(s *Socket, principal string) {
	s.session = &session{pid: randomID(18), sid: s.id, principal: principal, start: h.position}
	s.session.give(s)
	h.sessions[s.session.pid] = s.session
}

// leave notes that a session's client has gone. It returns the sessions that are given up, when too many are away.
func (h *history) leave(s *Socket, reason Reason) (lost []*session) {
	v := s.session
	if v == nil || v.socket != s {
		return nil // another socket has taken over
	}
	v.holder.Store(nil)
	if !reason.Recoverable() {
		delete(h.sessions, v.pid)
		return nil
	}
	v.socket, v.data, v.expires = nil, s.Data(), time.Now().Add(h.patience)
	v.place = h.away.PushBack(v)
	for n := h.crowd.n.Add(1); n > h.crowd.most && h.away.Len() > 0; n = h.crowd.n.Load() {
		lost = append(lost, h.dropFirst())
	}
	return lost
}

// drop forgets a session whose client is away.
func (h *history) drop(v *session) {
	delete(h.sessions, v.pid)
	h.returned(v)
}

func (h *history) dropFirst() *session {
	v := h.away.Front().Value.(*session)
	h.drop(v)
	return v
}

// returned notes that a session's client is not away any more.
func (h *history) returned(v *session) {
	if v.place != nil {
		h.away.Remove(v.place)
		v.place = nil
		h.crowd.n.Add(-1)
	}
}

// absent returns the sessions of a target whose clients are away.
func (h *history) absent(t target) []*session {
	var away []*session
	for e := h.away.Front(); e != nil; e = e.Next() {
		if v := e.Value.(*session); v.concerned(h.position+1, t, v.wasIn, nil) {
			away = append(away, v)
		}
	}
	return away
}

// expired removes and returns the sessions whose clients have been away for too long.
func (h *history) expired(now time.Time) []*session {
	var gone []*session
	for h.away.Len() > 0 && now.After(h.away.Front().Value.(*session).expires) {
		gone = append(gone, h.dropFirst())
	}
	h.trim(now)
	return gone
}

// from returns the position after which a client has to be sent everything that it may see. It is false if that is not
// known any more.
func (h *history) from(v *session, offset string) (uint64, bool) {
	from := max(v.start, v.confirmed.Load())
	if position, ok := h.parse(offset); ok {
		if position > h.position {
			return 0, false
		}
		from = max(from, position)
	}
	return from, from >= h.floor && from >= v.complete
}

// missed returns what a client has to be sent, without what came through rooms in which it is not allowed any more. It
// is false if that is more than the limits, which are those of what a connection can hold.
func (h *history) missed(v *session, from uint64, banned func(room string) bool, maxBytes, maxPackets int,
) ([]*engineio.Message, bool) {
	first, _ := slices.BinarySearchFunc(h.entries, from+1, func(e entry, p uint64) int {
		return cmp.Compare(e.position, p)
	})
	var messages []*engineio.Message
	bytes, wasIn := 0, v.diary()
	for _, e := range h.entries[first:] {
		if !v.concerned(e.position, e.target, wasIn, banned) {
			continue
		}
		messages = append(messages, e.message)
		if bytes += e.message.Size(); bytes > maxBytes || len(messages) > maxPackets {
			return nil, false
		}
	}
	return messages, true
}

// give makes the socket the one that the client has.
func (v *session) give(s *Socket) {
	v.socket, v.data = s, nil
	v.holder.Store(s)
}

// mark follows what has reached a client that says nothing: a ping goes behind all that was sent before, so its answer
// tells that all of that has arrived. Otherwise the position of a client to which little is sent would be too old at
// some time, though it has missed nothing.
type mark struct {
	history  *history
	session  *session
	socket   *Socket
	position uint64 // when the last ping was sent
}

func newMark(s *Socket) *mark {
	return &mark{history: s.nsp.index.history, session: s.session, socket: s}
}

// pinged takes no lock that is held while something is sent.
func (m *mark) pinged() { m.position = m.history.settled.Load() }

func (m *mark) ponged() {
	if m.session.holder.Load() == m.socket { // else what was sent meanwhile went to another connection
		m.session.confirmed.Store(max(m.position, m.session.confirmed.Load()))
	}
}

// concerned reports whether an event at a position was for the client, which was in the rooms that wasIn says, and still is
// if some rooms are banned.
func (v *session) concerned(position uint64, t target, wasIn func(string, uint64) bool, banned func(string) bool) bool {
	for _, room := range t.except {
		if wasIn(room, position) {
			return false
		}
	}
	if !t.narrowed {
		return true
	}
	for _, room := range t.rooms {
		if wasIn(room, position) && (banned == nil || !banned(room)) {
			return true
		}
	}
	return false
}

// wasIn reports whether the client was in a room at the time of an event.
func (v *session) wasIn(room string, position uint64) bool {
	return room == v.sid || slices.ContainsFunc(v.stays, func(s stay) bool {
		return s.room == room && s.from < position && position <= s.to
	})
}

// diary returns a wasIn for many questions, the cost of which does not grow with the stays.
func (v *session) diary() (wasIn func(room string, position uint64) bool) {
	stays := make(map[string][]stay)
	for _, s := range v.stays { // one after another, and those in one room do not overlap
		stays[s.room] = append(stays[s.room], s)
	}
	return func(room string, position uint64) bool {
		in := stays[room]
		i, _ := slices.BinarySearchFunc(in, position, func(s stay, p uint64) int { return cmp.Compare(s.to, p) })
		return room == v.sid || i < len(in) && in[i].from < position
	}
}

// enter notes that the client is in a room from now on.
func (v *session) enter(room string, position, floor uint64) {
	if slices.ContainsFunc(v.stays, func(s stay) bool { return s.room == room && s.to == untilNow }) {
		return
	}
	if len(v.stays) >= maxStays {
		v.forget(floor)
	}
	v.stays = append(v.stays, stay{room, position, untilNow})
}

// exit notes that the client is not in a room any more.
func (v *session) exit(room string, position uint64) {
	for i := range v.stays {
		if v.stays[i].room == room && v.stays[i].to == untilNow {
			v.stays[i].to = position
		}
	}
}

// forget drops the stays that cannot matter any more; if those are too few, the oldest that have ended.
func (v *session) forget(floor uint64) {
	v.stays = slices.DeleteFunc(v.stays, func(s stay) bool { return s.to <= max(floor, v.confirmed.Load()) })
	ended := 0
	for i := 0; i < len(v.stays) && len(v.stays)-ended >= maxStays/2; i++ {
		if v.stays[i].to != untilNow {
			v.complete = max(v.complete, v.stays[i].to)
			ended++
		}
	}
	if ended > 0 {
		v.stays = slices.DeleteFunc(v.stays, func(s stay) bool { return s.to <= v.complete })
	}
}

// banish makes the client forget a room in which it is not allowed any more: also what was sent there before.
func (v *session) banish(room string) {
	v.stays = slices.DeleteFunc(v.stays, func(s stay) bool { return s.room == room })
}

// rooms returns the rooms that the client is in.
func (v *session) rooms() []string {
	var rooms []string
	for _, s := range v.stays {
		if s.to == untilNow {
			rooms = append(rooms, s.room)
		}
	}
	return rooms
}
