package socketio

import (
	"context"
	"encoding/json"
	"errors"
	"regexp"
	"slices"
)

// ParentNamespace stands for many namespaces, its children, that are made when clients ask for them: one for each
// document, tenant or game. What is registered on the parent holds for all of them, those that exist included.
type ParentNamespace struct {
	handlers
	server      *Server
	pattern     *regexp.Regexp
	allow       func(ctx context.Context, name string, auth json.RawMessage) bool
	middleware  hooks[Middleware]
	connections hooks[ConnectionHandler]
}

// Use adds a middleware for the sockets of all children, see [Namespace.Use].
func (p *ParentNamespace) Use(m Middleware) (off func()) { return p.middleware.add(m) }

// OnConnection adds a function that is called for each new socket of a child, see [Namespace.OnConnection].
// [Socket.Namespace] tells of which.
func (p *ParentNamespace) OnConnection(h ConnectionHandler) (off func()) { return p.connections.add(h) }

// Children returns the namespaces that exist now, in no order.
func (p *ParentNamespace) Children() []*Namespace {
	p.server.mu.RLock()
	defer p.server.mu.RUnlock()
	var children []*Namespace
	for _, n := range p.server.namespaces {
		if n.parent == p {
			children = append(children, n)
		}
	}
	return children
}

// Emit sends an event to the sockets of all children, see [Broadcast.Emit].
func (p *ParentNamespace) Emit(event string, args ...any) error {
	var errs []error
	for _, n := range p.Children() {
		errs = append(errs, n.Emit(event, args...))
	}
	return errors.Join(errs...)
}

// parentOf returns the parent whose pattern matches the name. The server's lock must be held.
func (s *Server) parentOf(name string) *ParentNamespace {
	for _, p := range s.parents {
		if p.pattern != nil && p.pattern.MatchString(name) {
			return p
		}
	}
	return nil
}

// acquire returns the namespace that a client asks for, or nil if there is none or the client has gone. It stays until it
// is released.
func (s *Server) acquire(ctx context.Context, c *conn, name string, auth json.RawMessage) *Namespace {
	n := s.acquireKnown(name)
	if n == nil {
		n = s.acquireChild(ctx, c, name, auth)
	}
	if n == nil {
		return nil
	}
	select {
	case <-n.ready:
		return n
	case <-ctx.Done():
		n.release()
		return nil
	}
}

// acquireChild makes the namespace if there is a parent for it.
func (s *Server) acquireChild(ctx context.Context, c *conn, name string, auth json.RawMessage) *Namespace {
	parent := s.findParent(ctx, c, name, auth)
	if parent == nil {
		return nil
	}
	s.mu.Lock()
	n, made := s.namespaces[name], false
	if n == nil {
		n, made = newNamespace(s, name, parent), true
		s.namespaces[name] = n
	}
	n.users++
	s.mu.Unlock()
	if made {
		s.announce(n)
	}
	return n
}

func (s *Server) acquireKnown(name string) *Namespace {
	s.mu.RLock()
	n := s.namespaces[name]
	s.mu.RUnlock()
	if n == nil || n.parent == nil {
		return n
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if n = s.namespaces[name]; n != nil {
		n.users++ // it may have gone and come back, but a child it is
	}
	return n
}

// findParent asks the parents, in the order in which they were made.
func (s *Server) findParent(ctx context.Context, c *conn, name string, auth json.RawMessage) *ParentNamespace {
	s.mu.RLock()
	parents := slices.Clone(s.parents)
	s.mu.RUnlock()
	for _, p := range parents {
		if p.pattern != nil && p.pattern.MatchString(name) {
			return p
		}
		if p.allow == nil {
			continue
		}
		allowed := false
		c.protect("namespace function", func() { allowed = p.allow(ctx, name, auth) })
		if allowed {
			return p
		}
	}
	return nil
}

// release lets go of a namespace that was acquired.
func (n *Namespace) release() {
	if n.parent == nil {
		return
	}
	n.server.mu.Lock()
	n.users--
	n.server.mu.Unlock()
	n.dispose()
}

// dispose removes a child that nobody is in, or may come back to.
func (n *Namespace) dispose() {
	n.server.mu.Lock()
	defer n.server.mu.Unlock()
	if n.parent == nil || n.kept || n.users > 0 {
		return
	}
	if h := n.index.history; h != nil {
		n.index.mu.Lock()
		defer n.index.mu.Unlock()
		if len(h.sessions) > 0 {
			return
		}
		h.stop()
	}
	if n.server.namespaces[n.name] == n {
		delete(n.server.namespaces, n.name)
	}
}
