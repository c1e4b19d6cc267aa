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
	_ engineio.Handler  = (*conn)(nil)
	_ engineio.Pulse    = (*conn)(nil)
	_ engineio.Upgrader = (*conn)(nil)
)

func newConn(server *Server, session *engineio.Session) *conn {
	c := &conn{server: server, session: session}
	c.decoder.limits = limits{attachments: server.config.maxAttachments, bytes: server.config.maxEventBytes}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.awaitNamespace()
	return c
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

// Upgraded is told that the client has moved to WebSocket.
func (c *conn) Upgraded() {
	for _, s := range c.sockets() {
		own := s.own.Load()
		if own == nil {
			continue
		}
		for _, f := range own.upgraded.all() {
			c.server.tasks.start(func() { c.protect("upgrade hook", *f) })
		}
	}
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
