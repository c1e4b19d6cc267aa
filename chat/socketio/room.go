package socketio

import "sync"

// index knows the sockets of a namespace and the rooms they are in, so that a send costs its receivers and not the
// connections. A socket's own id is a room of its own too, which needs no entry.
type index struct {
	mu      sync.RWMutex
	sockets map[string]*Socket
	all     []*Socket // the same, quick to walk; a socket knows its place
	rooms   map[string]*room
	history *history // nil unless clients can recover

	watched bool // somebody wants to know of changes
	changes []RoomEvent
}

// RoomEvent is a change of the rooms of a namespace.
type RoomEvent struct {
	// Kind says what has happened.
	Kind RoomEventKind
	// Room is the room's name. The rooms that sockets have under their own ids are left out.
	Room string
	// SocketID is who joined or left it.
	SocketID string
}

// RoomEventKind is a kind of [RoomEvent].
type RoomEventKind int

// The kinds of room events, in the order in which they come when a socket joins a room that nobody was in, and leaves it.
const (
	RoomCreated RoomEventKind = iota
	RoomJoined
	RoomLeft
	RoomDeleted
)

// changed notes a change for those who want to know.
func (x *index) changed(kind RoomEventKind, r *room, s *Socket) {
	if x.watched {
		x.changes = append(x.changes, RoomEvent{kind, r.name, s.id})
	}
}

// change changes the index, and then tells of it, without the lock.
func (n *Namespace) change(f func(x *index)) {
	x := &n.index
	x.mu.Lock()
	defer func() {
		changes := x.changes
		x.changes = nil
		x.mu.Unlock()
		for _, e := range changes {
			for _, h := range n.roomEvents.all() {
				n.server.guard("room event hook", func() { (*h)(e) })
			}
		}
	}()
	f(x)
}

// room is the list of its members.
type room struct {
	name    string
	members []*Socket
}

// membership is a socket's part of the index, guarded by the index's lock.
type membership struct {
	state membershipState
	at    int           // place in index.all
	rooms map[*room]int // place in the room's members
	names []string      // the rooms to join when it is added, and those it was in when it was removed
}

type membershipState int

const (
	notYetMember membershipState = iota
	isMember
	wasMember
)

// target says which sockets are meant: all, or those in any of the rooms, without those in any of the rooms to except.
type target struct {
	narrowed      bool // not all, but those in the rooms
	rooms, except []string
	local         bool // of this process alone
}

// add makes the socket a member of the namespace and of the rooms that it joined so far.
func (x *index) add(s *Socket) {
	if x.sockets == nil {
		x.sockets, x.rooms = make(map[string]*Socket), make(map[string]*room)
	}
	x.sockets[s.id] = s
	s.member.state, s.member.at = isMember, len(x.all)
	x.all = append(x.all, s)
	for _, name := range s.member.names {
		x.join(s, name)
	}
	s.member.names = nil
}

// remove takes the socket out of everything. The names of its rooms stay with it.
func (x *index) remove(s *Socket) {
	if s.member.state != isMember {
		s.member.state = wasMember
		return
	}
	s.member.names = s.roomNames()
	for r := range s.member.rooms {
		x.leaveRoom(s, r)
	}
	last := x.all[len(x.all)-1]
	x.all[s.member.at], last.member.at = last, s.member.at
	x.all[len(x.all)-1] = nil
	x.all = x.all[:len(x.all)-1]
	delete(x.sockets, s.id)
	s.member.state, s.member.rooms = wasMember, nil
}

// join adds the socket to a room.
func (x *index) join(s *Socket, name string) {
	switch {
	case name == s.id || s.member.state == wasMember:
		return
	case s.member.state == notYetMember:
		s.member.names = append(s.member.names, name)
		return
	}
	r := x.rooms[name]
	if r == nil {
		r = &room{name: name}
		x.rooms[name] = r
		x.changed(RoomCreated, r, s)
	}
	if _, in := s.member.rooms[r]; in {
		return
	}
	if s.member.rooms == nil {
		s.member.rooms = make(map[*room]int)
	}
	s.member.rooms[r] = len(r.members)
	r.members = append(r.members, s)
	x.changed(RoomJoined, r, s)
	if s.session != nil {
		s.session.enter(name, x.history.position, x.history.floor)
	}
}

// leave removes the socket from a room.
func (x *index) leave(s *Socket, name string) {
	if s.member.state == notYetMember {
		kept := s.member.names[:0]
		for _, joined := range s.member.names {
			if joined != name {
				kept = append(kept, joined)
			}
		}
		s.member.names = kept
	} else if r := x.rooms[name]; r != nil {
		x.leaveRoom(s, r)
		if s.session != nil {
			s.session.exit(name, x.history.position)
		}
	}
}

// leaveRoom puts the last member in the place of the one that leaves.
func (x *index) leaveRoom(s *Socket, r *room) {
	at, in := s.member.rooms[r]
	if !in {
		return
	}
	end := len(r.members) - 1
	last := r.members[end]
	r.members[at], last.member.rooms[r] = last, at
	r.members[end] = nil
	r.members = r.members[:end]
	delete(s.member.rooms, r)
	x.changed(RoomLeft, r, s)
	if end == 0 {
		delete(x.rooms, r.name)
		x.changed(RoomDeleted, r, s)
	}
}

// roomNames returns the names of the rooms that the socket is in, its own first.
func (s *Socket) roomNames() []string {
	names := append(make([]string, 0, 1+len(s.member.rooms)+len(s.member.names)), s.id)
	for r := range s.member.rooms {
		names = append(names, r.name)
	}
	if s.member.state == notYetMember {
		names = append(names, s.member.names...)
	}
	return names
}

// each calls f for every socket of the target, once. It allocates nothing per socket; f must not call user code, nor
// anything that needs the index's lock.
func (x *index) each(t target, f func(*Socket)) {
	var roomBuf, exceptBuf [4]place
	except := x.places(t.except, exceptBuf[:0])
	if !t.narrowed {
		for _, s := range x.all {
			if !s.inAny(except) {
				f(s)
			}
		}
		return
	}
	rooms := x.places(t.rooms, roomBuf[:0])
	for i, p := range rooms {
		if s := p.socket; s != nil && !s.inAny(rooms[:i]) && !s.inAny(except) {
			f(s)
		}
		if p.room == nil {
			continue
		}
		for _, s := range p.room.members {
			if s != p.socket && !s.inAny(rooms[:i]) && !s.inAny(except) {
				f(s)
			}
		}
	}
}

// place is what a room's name stands for: a room, the socket whose id it is, or both.
type place struct {
	room   *room
	socket *Socket
}

func (x *index) places(names []string, buf []place) []place {
	for _, name := range names {
		if p := (place{x.rooms[name], x.sockets[name]}); p != (place{}) {
			buf = append(buf, p)
		}
	}
	return buf
}

// inAny reports whether the socket is in any of the places.
func (s *Socket) inAny(places []place) bool {
	for _, p := range places {
		if p.socket == s {
			return true
		}
		if p.room != nil {
			if _, in := s.member.rooms[p.room]; in {
				return true
			}
		}
	}
	return false
}
