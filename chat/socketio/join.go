package socketio

import (
	"context"
	"slices"
	"time"
)

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

// awaitNamespace limits the time until a connection that is in no namespace has joined one. c.mu is held.
func (c *conn) awaitNamespace() {
	if c.closed || c.timeout != nil || slices.ContainsFunc(c.places, func(p nspPlace) bool { return p.joined }) {
		return
	}
	c.timeout = time.AfterFunc(c.server.config.connectTimeout, c.connectTimeout)
}
