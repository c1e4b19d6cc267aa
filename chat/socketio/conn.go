package socketio

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// assemblyTimeout is how long the attachments of one packet may take to arrive.
const assemblyTimeout = 30 * time.Second

// conn is the connection of one client, with its sockets in as many namespaces as it likes.
type conn struct {
	server  *Server
	session *engineio.Session

	// Used by one call of Text or Binary at a time.
	decoder  decoder
	assembly *time.Timer

	mu      sync.Mutex
	places  []nspPlace
	timeout *time.Timer // while it is in no namespace
	closed  bool
}

// nspPlace is what a connection knows of one namespace.
type nspPlace struct {
	name   string
	socket *Socket                 // nil until the namespace is known
	cancel context.CancelCauseFunc // of the socket's context
	joined bool                    // the client was let in
	left   bool                    // the server made it leave: what the client sent meanwhile is ignored
	mark   *mark                   // nil unless the socket can be recovered
}

// open reports whether the client may send to the namespace, or could not know yet that it may not any more.
func (p nspPlace) open() bool {
	return p.left || p.socket != nil && socketState(p.socket.state.Load()) != socketConnecting
}

var (
	_ engineio.Handler = (*conn)(nil)
	_ engineio.Pulse   = (*conn)(nil)
)

func newConn(server *Server, session *engineio.Session) *conn {
	c := &conn{server: server, session: session}
	c.decoder.limits = limits{attachments: server.config.maxAttachments, bytes: server.config.maxEventBytes}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaitNamespace()
	return c
}

// awaitNamespace limits the time until a connection that is in no namespace has joined one. c.mu is held.
func (c *conn) awaitNamespace() {
	if c.closed || c.timeout != nil || slices.ContainsFunc(c.places, func(p nspPlace) bool { return p.joined }) {
		return
	}
	c.timeout = time.AfterFunc(c.server.config.connectTimeout, c.connectTimeout)
}

// Text takes a text message from the client.
func (c *conn) Text(data []byte) { c.received(c.decoder.text(data)) }

// Binary takes a binary message from the client.
func (c *conn) Binary(data []byte) { c.received(c.decoder.binary(data)) }

func (c *conn) received(p *packet, err error) {
	if err != nil {
		c.server.config.logger.Debug("socketio: invalid packet", "error", err)
		c.close(ReasonParseError)
		return
	}
	if p == nil { // attachments are to come; only a member may make the server keep them
		if place, ok := c.place(c.decoder.pending.namespace); !ok || !place.open() {
			c.close(ReasonForcedServerClose)
		} else if c.assembly == nil {
			c.assembly = time.AfterFunc(assemblyTimeout, func() { c.close(ReasonParseError) })
		}
		return
	}
	if c.assembly != nil {
		c.assembly.Stop()
		c.assembly = nil
	}
	if p.kind == packetConnect {
		c.connect(p)
		return
	}
	place, ok := c.place(p.namespace)
	switch {
	case !ok || !place.open():
		c.close(ReasonForcedServerClose) // Socket.IO protocol v5: only after the server's CONNECT
	case place.left:
	case p.kind == packetEvent:
		place.socket.receive(p)
	case p.kind == packetAck:
		if w := place.socket.acks.take(p.id); w != nil {
			w(place.socket, p.args, true)
		}
	case p.kind == packetDisconnect:
		place.socket.close(ReasonClientNamespaceDisconnect, nil)
	}
}

// Closed is told that the session has ended.
func (c *conn) Closed(reason engineio.Reason) {
	if c.assembly != nil {
		c.assembly.Stop()
		c.decoder.pending = nil // with the attachments that have come
	}
	c.shut(Reason(reason))
}

// Pinged is told that the client was sent a ping. It is called with the session locked.
func (c *conn) Pinged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.places {
		if p.mark != nil {
			p.mark.pinged()
		}
	}
}

// Ponged is told that the client has answered it. It is called with the session locked.
func (c *conn) Ponged() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, p := range c.places {
		if p.mark != nil {
			p.mark.ponged()
		}
	}
}

// place returns what is known of a namespace.
func (c *conn) place(name string) (nspPlace, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.find(name); i >= 0 {
		return c.places[i], true
	}
	return nspPlace{}, false
}

func (c *conn) find(name string) int {
	return slices.IndexFunc(c.places, func(p nspPlace) bool { return p.name == name })
}

// connect begins to connect the client to a namespace.
func (c *conn) connect(p *packet) {
	ctx, cancel := context.WithCancelCause(c.server.base)
	c.mu.Lock()
	i := c.find(p.namespace)
	full := i < 0 && len(c.places) >= c.server.config.maxNamespaces && !c.makeRoom()
	switch {
	case c.closed:
	case i >= 0 && c.places[i].left:
		c.places[i] = nspPlace{name: p.namespace, cancel: cancel}
	case i < 0 && !full:
		c.places = append(c.places, nspPlace{name: p.namespace, cancel: cancel})
	default:
		c.mu.Unlock()
		cancel(nil)
		if i < 0 {
			c.refuse(p.namespace, connectError{Message: "Too many namespaces"})
		} else {
			c.close(ReasonForcedServerClose) // it is in that namespace already
		}
		return
	}
	closed := c.closed
	c.mu.Unlock()
	if closed {
		cancel(nil)
		return
	}
	c.server.tasks.start(func() { c.join(ctx, cancel, p) })
}

// makeRoom forgets a namespace that the client was sent away from. c.mu is held.
func (c *conn) makeRoom() bool {
	i := slices.IndexFunc(c.places, func(p nspPlace) bool { return p.left })
	if i < 0 {
		return false
	}
	c.places = slices.Delete(c.places, i, i+1)
	return true
}

// join connects the client to a namespace, and handles the events of its first time there.
func (c *conn) join(ctx context.Context, cancel context.CancelCauseFunc, p *packet) {
	nsp := c.server.acquire(ctx, c, p.namespace, p.payload)
	if nsp == nil {
		cancel(nil)
		c.forget(p.namespace)
		c.refuse(p.namespace, connectError{Message: "Invalid namespace"})
		return
	}
	s, err := c.enter(ctx, cancel, nsp, p.payload)
	if s == nil {
		cancel(nil)
		c.forget(p.namespace)
		nsp.release()
		if err != nil {
			c.refuse(p.namespace, refusal(err))
		}
		return
	}
	c.joined(s)
	s.connected()
	s.work()
}

// enter makes a socket and a member of the namespace of it. It returns nil if the connection has gone meanwhile, or a
// middleware's error. When a client cannot go on where it was after all, it comes in as a new one, and the middleware is
// asked about that.
func (c *conn) enter(ctx context.Context, cancel context.CancelCauseFunc, nsp *Namespace, auth []byte) (*Socket, error) {
	for back := nsp.comeback(auth); ; back = nil {
		s := newSocket(ctx, cancel, nsp, c, auth)
		if back != nil {
			nsp.prepare(s, back)
		}
		if !c.attach(s) {
			return nil, nil
		}
		result, err := nsp.welcome(s, back)
		if err == nil && result == notRecovered {
			continue
		}
		if err != nil || result != admitted {
			s.state.Store(int32(socketClosed))
			return nil, err
		}
		return s, nil
	}
}

// attach notes the socket that is about to connect. It returns false if the connection has gone meanwhile.
func (c *conn) attach(s *Socket) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := c.find(s.nsp.name)
	if c.closed || i < 0 {
		return false
	}
	c.places[i].socket = s
	return true
}

// forget frees the place of a namespace that was not joined.
func (c *conn) forget(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if i := c.find(name); i >= 0 {
		c.places = slices.Delete(c.places, i, i+1)
	}
}

// remove frees the place of a socket that has left. When the server made it leave, the client may have sent something
// before it knew.
func (c *conn) remove(s *Socket, reason Reason) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.places, func(p nspPlace) bool { return p.socket == s })
	switch {
	case i < 0:
	case reason == ReasonServerNamespaceDisconnect:
		c.places[i] = nspPlace{name: s.nsp.name, left: true}
	default:
		c.places = slices.Delete(c.places, i, i+1)
	}
	c.awaitNamespace()
}

// joined notes that the connection is in a namespace.
func (c *conn) joined(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	i := slices.IndexFunc(c.places, func(p nspPlace) bool { return p.socket == s })
	if i < 0 {
		return // it has left already
	}
	c.places[i].joined = true
	if s.session != nil {
		c.places[i].mark = newMark(s)
	}
	if c.timeout != nil {
		c.timeout.Stop()
		c.timeout = nil
	}
}

func (c *conn) connectTimeout() {
	c.mu.Lock()
	expired := c.timeout != nil
	c.mu.Unlock()
	if expired {
		c.close(ReasonForcedServerClose)
	}
}

// refuse sends a CONNECT_ERROR.
func (c *conn) refuse(namespace string, payload connectError) {
	out, err := c.server.encoders.object(packetConnectError, namespace, payload)
	if err != nil {
		c.server.config.logger.Error("socketio: data of a connect error", "namespace", namespace, "error", err)
		payload.Data = nil
		if out, err = c.server.encoders.object(packetConnectError, namespace, payload); err != nil {
			return // cannot be: it is one string
		}
	}
	c.session.Send(out.message())
}

// disconnect disconnects all sockets, telling the client, and closes the connection.
func (c *conn) disconnect() {
	for _, s := range c.sockets() {
		s.kick()
	}
	c.close(ReasonForcedServerClose)
}

// close closes the connection; the sockets learn that this is why.
func (c *conn) close(reason Reason) {
	c.shut(reason)
	c.session.Close(engineio.ReasonForcedClose)
}

// shut ends the lives of all sockets.
func (c *conn) shut(reason Reason) {
	c.mu.Lock()
	c.closed = true
	places := slices.Clone(c.places)
	if c.timeout != nil {
		c.timeout.Stop()
		c.timeout = nil
	}
	c.mu.Unlock()
	for _, p := range places {
		switch {
		case p.socket != nil:
			p.socket.close(reason, nil)
		case p.cancel != nil:
			p.cancel(ErrDisconnected)
		}
	}
}

func (c *conn) sockets() []*Socket {
	c.mu.Lock()
	defer c.mu.Unlock()
	var sockets []*Socket
	for _, p := range c.places {
		if p.socket != nil {
			sockets = append(sockets, p.socket)
		}
	}
	return sockets
}

// protect calls user code. A panic in it, or the end of its goroutine, is logged and closes the client's connection,
// and nothing else.
func (c *conn) protect(what string, f func()) {
	returned := false
	defer func() {
		if !returned {
			c.close(ReasonForcedServerClose)
		}
	}()
	returned = c.server.guard(what, f)
}
