package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"time"
)

// Recovery are the settings of [WithRecovery].
type Recovery struct {
	// MaxDisconnection is how long a client may be away. Defaults to 2 minutes.
	MaxDisconnection time.Duration
	// MaxBytes limits the events that are kept of one namespace. When there are more, the oldest go, and clients that have
	// missed one of them are not recovered. Each event counts for 256 more than it has. Defaults to 16 MiB.
	MaxBytes int
	// MaxClients limits the clients whose state is kept while they are away, of all namespaces together. When there are
	// more, those who left first are given up, of the namespace that another one has just left. Defaults to 10,000.
	MaxClients int
	// Principal, if set, names whom a socket belongs to. It is called when the middleware has let the socket in. A
	// client whose session belongs to somebody else gets a new one, and the middleware decides about that.
	Principal func(s *Socket) string
	// AllowRoom, if set, is asked for each room of a client that comes back whether it may be in there still. If not,
	// the client is not sent what it missed of that room either.
	AllowRoom func(ctx context.Context, s *Socket, room string) bool
	// OnExpire, if set, is called for each client that has not come back in time, up to half as late again, or that was
	// given up before. It must not block.
	OnExpire func(LostClient)
}

// LostClient is a client that was disconnected and has not come back while its state was kept.
type LostClient struct {
	// SocketID is the id of its socket.
	SocketID string
	// Rooms are the rooms it was in, its own left out.
	Rooms []string
	// Data is what was given to [Socket.SetData].
	Data any
}

// WithRecovery keeps the state of clients that lose their connection, so that they can go on when they come back in
// time: with the same id, rooms and data, and with all events that they have missed. Then [Socket.Recovered] is true,
// as is socket.recovered at the client. The state is in memory; it does not outlive the process, nor do clients that
// left by themselves or were sent away get it back. Connect middleware decides about clients that come back too. The
// client's former connection, if the server still believes in it, ends.
//
// Off by default, as in Node: it adds one more argument to every event that is sent, a string that tells the client's
// position, which clients in languages with strict handlers may mind.
//
// Events that want an acknowledgement, and volatile ones, are not sent again. A client is not recovered if it has missed
// more than half of what a connection may have waiting ([WithSendBuffer]).
func WithRecovery(r Recovery) Option {
	return func(c *config) error {
		if r.MaxDisconnection == 0 {
			r.MaxDisconnection = 2 * time.Minute
		}
		if r.MaxBytes == 0 {
			r.MaxBytes = 16 << 20
		}
		if r.MaxClients == 0 {
			r.MaxClients = 10_000
		}
		if r.MaxDisconnection < 0 || r.MaxBytes < 0 || r.MaxClients < 0 {
			return errors.New("WithRecovery: MaxDisconnection, MaxBytes or MaxClients is negative")
		}
		c.recovery = &r
		return nil
	}
}

// WithoutRecovery turns off what an earlier [WithRecovery] has turned on: for whoever builds on a Server, takes options from
// others, and decides by itself what a client that comes back may see.
func WithoutRecovery() Option {
	return func(c *config) error { c.recovery = nil; return nil }
}

// comeback is a client's wish to go on with a session.
type comeback struct {
	session *session
	offset  string
	allowed map[string]bool // the rooms that were asked for
}

// comeback returns what the client wants to go on with, or nil if there is nothing like that.
func (n *Namespace) comeback(auth json.RawMessage) *comeback {
	h := n.index.history
	if h == nil || len(auth) == 0 {
		return nil
	}
	var said struct{ PID, Offset any }
	if err := json.Unmarshal(auth, &said); err != nil {
		return nil
	}
	pid, _ := said.PID.(string)
	offset, _ := said.Offset.(string)
	n.index.mu.RLock()
	defer n.index.mu.RUnlock()
	v := h.sessions[pid]
	if v == nil || v.socket == nil && time.Now().After(v.expires) {
		return nil
	}
	if _, ok := h.from(v, offset); !ok {
		return nil
	}
	return &comeback{session: v, offset: offset, allowed: make(map[string]bool)}
}

// prepare makes a new socket look like the one that the client had, for the middleware to decide about.
func (n *Namespace) prepare(s *Socket, back *comeback) {
	n.index.mu.RLock()
	former := back.session.socket
	s.id, s.recovered, s.data = back.session.sid, true, back.session.data
	n.index.mu.RUnlock()
	if former != nil {
		s.SetData(former.Data())
	}
}

// admission is the outcome of a try to become a member of a namespace.
type admission int

const (
	admitted     admission = iota
	notRecovered           // the state is not there any more, or belongs to somebody else
	disconnected           // the connection has gone
)

// resume makes the socket a member of the namespace in place of the one that its client had. Only when all is well
// is anything changed, so that a try that failed can be repeated.
func (n *Namespace) resume(s *Socket, back *comeback) admission {
	r := n.server.config.recovery
	if principalOf(r, s) != back.session.principal {
		return notRecovered
	}
	for {
		for _, room := range n.roomsToAsk(back) {
			back.allowed[room] = r.AllowRoom == nil || r.AllowRoom(s.ctx, s, room)
		}
		var result admission
		var former *Socket
		var again bool
		n.change(func(x *index) { result, former, again = n.takeOver(x, s, back) })
		if again {
			continue
		}
		if former != nil { // the server had not noticed yet
			former.conn.close(ReasonTransportClose)
		}
		return result
	}
}

// roomsToAsk returns the rooms of the session that were not asked for yet.
func (n *Namespace) roomsToAsk(back *comeback) []string {
	n.index.mu.RLock()
	defer n.index.mu.RUnlock()
	var rooms []string
	for _, room := range back.session.rooms() {
		if _, asked := back.allowed[room]; !asked {
			rooms = append(rooms, room)
		}
	}
	return rooms
}

// takeOver does what resume promises, in one step. With again true there are more rooms to ask for.
func (n *Namespace) takeOver(x *index, s *Socket, back *comeback) (result admission, former *Socket, again bool) {
	h, v := x.history, back.session
	var allowed []string
	for _, room := range v.rooms() {
		may, asked := back.allowed[room]
		if !asked {
			return 0, nil, true
		}
		if may {
			allowed = append(allowed, room)
		}
	}
	from, ok := h.from(v, back.offset)
	if !ok || h.sessions[v.pid] != v {
		return notRecovered, nil, false
	}
	banned := func(room string) bool { may, asked := back.allowed[room]; return asked && !may }
	missed, ok := h.missed(v, from, banned, n.server.config.maxBufferBytes/2, n.server.config.maxBufferPackets/2)
	if !ok {
		return notRecovered, nil, false
	}
	if !s.state.CompareAndSwap(int32(socketConnecting), int32(socketConnected)) {
		return disconnected, nil, false
	}
	if former = v.socket; former != nil {
		x.remove(former)
	}
	for room := range back.allowed {
		if banned(room) {
			v.banish(room)
		}
	}
	s.session = v
	h.returned(v)
	v.give(s)
	s.member.names = append(s.member.names, allowed...)
	// First the CONNECT: what came before it the client would keep through another cut, and get twice.
	s.conn.session.Send(n.greeting(s))
	for _, m := range missed {
		s.conn.session.Send(m)
	}
	x.add(s)
	return admitted, former, false
}

// principalOf returns whom the socket belongs to, if anybody wants to know.
func principalOf(r *Recovery, s *Socket) string {
	if r == nil || r.Principal == nil {
		return ""
	}
	return r.Principal(s)
}

// sweep forgets the clients that have been away for too long, and comes back if there are others.
func (n *Namespace) sweep() {
	h := n.index.history
	n.index.mu.Lock()
	gone := h.expired(time.Now())
	h.sweeper = nil
	h.startSweeper(n)
	n.index.mu.Unlock()
	n.tellLost(gone)
	n.dispose()
}

// tellLost tells of clients that cannot come back any more.
func (n *Namespace) tellLost(lost []*session) {
	if len(lost) == 0 || n.server.config.recovery.OnExpire == nil {
		return
	}
	f := n.server.config.recovery.OnExpire
	for _, v := range lost {
		n.server.guard("recovery hook", func() { f(LostClient{SocketID: v.sid, Rooms: v.rooms(), Data: v.data}) })
	}
}

// startSweeper sees to it that what is kept does not stay for ever. The index's lock must be held.
func (h *history) startSweeper(n *Namespace) {
	if h.sweeper == nil && !h.stopped && len(h.entries)+h.away.Len() > 0 {
		h.sweeper = time.AfterFunc(h.patience/2, n.sweep)
	}
}

// forgetAll ends the recovery of a namespace whose server is shut down.
func (n *Namespace) forgetAll() {
	if n.index.history == nil {
		return
	}
	n.index.mu.Lock()
	defer n.index.mu.Unlock()
	n.index.history.stop()
}

// stop ends the sweeping.
func (h *history) stop() {
	h.stopped = true
	if h.sweeper != nil {
		h.sweeper.Stop()
	}
}
