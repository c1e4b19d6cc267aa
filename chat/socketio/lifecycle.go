package socketio

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/chat/internal/engineio"
)

func newSocket(ctx context.Context, cancel context.CancelCauseFunc, nsp *Namespace, c *conn, auth []byte) *Socket {
	s := &Socket{
		id:        randomID(15),
		nsp:       nsp,
		conn:      c,
		handshake: newHandshake(c.session.Handshake(), auth),
		ctx:       ctx,
		cancel:    cancel,
	}
	s.inbox.working = true // the goroutine that connects it handles its first events too
	return s
}

// welcome asks the middleware about a socket and makes it a member of the namespace. It returns a middleware's error.
func (n *Namespace) welcome(s *Socket, back *comeback) (result admission, err error) {
	result = disconnected
	s.protect("connect middleware", func() {
		if err = n.authorize(s); err != nil {
			return
		}
		if back == nil {
			result = n.admit(s)
		} else {
			result = n.resume(s, back)
		}
	})
	return result, err
}

// authorize asks the middleware whether the socket may connect.
func (n *Namespace) authorize(s *Socket) error {
	lists := [][]*Middleware{nil, n.middleware.all()}
	if n.parent != nil {
		lists[0] = n.parent.middleware.all()
	}
	for _, list := range lists {
		for _, m := range list {
			if err := (*m)(s.ctx, s); err != nil {
				return err
			}
		}
	}
	return nil
}

// admit makes the socket a member of the namespace. The client is told under the lock, so that nothing that is sent
// to the namespace overtakes it.
func (n *Namespace) admit(s *Socket) admission {
	principal := principalOf(n.server.config.recovery, s)
	result := disconnected
	n.change(func(x *index) {
		if !s.state.CompareAndSwap(int32(socketConnecting), int32(socketConnected)) {
			return
		}
		if x.history != nil {
			x.history.open(s, principal)
		}
		s.conn.session.Send(n.greeting(s))
		x.add(s)
		result = admitted
	})
	return result
}

// greeting returns the CONNECT packet for a socket.
func (n *Namespace) greeting(s *Socket) *engineio.Message {
	reply := connectReply{SID: s.id}
	if s.session != nil {
		reply.PID = s.session.pid
	}
	out, err := n.server.encoders.object(packetConnect, n.name, reply)
	if err != nil {
		panic(err) // cannot be: it is two strings
	}
	return out.message()
}

// connectReply is the payload of the server's CONNECT packet.
type connectReply struct {
	SID string `json:"sid"`
	PID string `json:"pid,omitempty"`
}

// connectError is the payload of a CONNECT_ERROR packet.
type connectError struct {
	Message string `json:"message"`
	Data    any    `json:"data,omitempty"`
}

// refusal returns what the client is told of a middleware's error.
func refusal(err error) connectError {
	var with *ConnectError
	if errors.As(err, &with) {
		return connectError{Message: with.Message, Data: with.Data}
	}
	return connectError{Message: err.Error()}
}

// connected calls the functions for a new connection.
func (s *Socket) connected() {
	lists := [][]*ConnectionHandler{nil, s.nsp.connections.all()}
	if s.nsp.parent != nil {
		lists[0] = s.nsp.parent.connections.all()
	}
	s.protect("connection handler", func() {
		for _, list := range lists {
			for _, h := range list {
				(*h)(s.ctx, s)
			}
		}
	})
}

// kick disconnects the socket from its namespace and tells the client.
func (s *Socket) kick() {
	s.close(ReasonServerNamespaceDisconnect, s.nsp.farewell())
}

func (n *Namespace) farewell() *engineio.Message {
	return n.server.encoders.header(packetDisconnect, n.name).message()
}

// close ends the socket's life. Nothing reaches it any more, in either direction, when it returns; the functions for the
// end are called when the handlers of what came before are through. With last not nil the client is sent that.
func (s *Socket) close(reason Reason, last *engineio.Message) {
	switch socketState(s.state.Swap(int32(socketClosed))) {
	case socketClosed:
		return
	case socketConnecting:
		s.cancel(ErrDisconnected)
		return
	}
	if last != nil {
		s.conn.session.Send(last)
	}
	s.nsp.expel(s, reason)
	s.acks.close(s)
	s.conn.remove(s, reason)
	s.nsp.release()
	if reason.byServer() {
		s.cancel(ErrDisconnected)
	}
	tasks := &s.nsp.server.tasks
	tasks.add()
	end := func() { s.end(reason) }
	if s.inbox.close(reason.byServer(), end) {
		go end()
		return
	}
	time.AfterFunc(disconnectGrace, end)
}

// expel takes the socket out of the namespace.
func (n *Namespace) expel(s *Socket, reason Reason) {
	var lost []*session
	n.change(func(x *index) {
		x.remove(s)
		if x.history != nil {
			lost = x.history.leave(s, reason)
			x.history.startSweeper(n)
		}
	})
	n.tellLost(lost)
}

// end calls the functions for the socket's end, once.
func (s *Socket) end(reason Reason) {
	s.mu.Lock()
	if s.reason != "" {
		s.mu.Unlock()
		return
	}
	s.reason = reason
	s.mu.Unlock()
	defer s.nsp.server.tasks.done()
	s.inbox.drop()
	s.cancel(ErrDisconnected)
	own := s.own.Load()
	if own != nil {
		s.callAll("disconnecting handler", own.disconnecting.all(), reason)
	}
	s.nsp.index.mu.Lock()
	s.member.names = nil
	s.nsp.index.mu.Unlock()
	if own != nil {
		s.callAll("disconnect handler", own.disconnect.all(), reason)
	}
}

func (s *Socket) callAll(what string, list []*func(Reason), reason Reason) {
	for _, f := range list {
		s.protect(what, func() { (*f)(reason) })
	}
}

// onEnd registers a function for the socket's end. When that was before, as in a slow connection handler, the function
// is called at once: whoever counts connections must not wait for it in vain.
func (s *Socket) onEnd(list *hooks[func(Reason)], f func(Reason)) (off func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.reason == "" {
		return list.add(f)
	}
	reason := s.reason
	s.nsp.server.tasks.start(func() { s.protect("disconnect handler", func() { f(reason) }) })
	return func() {}
}
