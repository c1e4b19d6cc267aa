package socketio

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
)

// Event is an incoming event on its way to the handlers.
type Event struct {
	// Name is the event's name.
	Name string
	// Args are its arguments.
	Args Args
	// Ack acknowledges it, if the client asks for that.
	Ack Ack
}

// Handler handles an event. The context is the socket's: it carries the server's values and ends when the socket
// disconnects. ack does nothing if the client does not want an acknowledgement; it may be kept and used later.
//
// Handlers for events of one socket run one after another, in the order in which the client sent the events; those of
// different sockets run at the same time. A panic is logged and ends the client's connection.
type Handler func(ctx context.Context, s *Socket, args Args, ack Ack)

// AnyHandler is called for every incoming event, before the event's own handlers.
type AnyHandler func(ctx context.Context, s *Socket, event string, args Args)

// Listener is where handlers of events are registered: a [Socket], or a [Namespace], [ParentNamespace] or [Server] for
// all sockets of it. Those of the server, which cost nothing per socket, come first.
type Listener interface {
	// Handle registers a handler for an event and returns a function that removes it again.
	Handle(event string, h Handler) (off func())
}

// handlers holds the handlers of events of a namespace or a socket.
type handlers struct {
	mu     sync.RWMutex
	events map[string][]*Handler
	any    []*AnyHandler
}

// Handle registers a handler for an event and returns a function that removes it again. Several handlers for one event
// run in the order of their registration. It panics for a nil handler and for the names that Socket.IO keeps for itself
// ([ErrReservedEvent]), which no client can send: for the end of a socket there is [Socket.OnDisconnect].
func (r *handlers) Handle(event string, h Handler) (off func()) {
	checkHandler(event, h)
	r.add(event, &h)
	return func() { r.remove(event, &h) }
}

func checkHandler(event string, h Handler) {
	if reservedEvent(event) {
		panic(fmt.Sprintf("socketio: handler of %q: clients cannot send this event", event))
	}
	if h == nil {
		panic(fmt.Sprintf("socketio: handler of %q is nil", event))
	}
}

func (r *handlers) add(event string, h *Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events == nil {
		r.events = make(map[string][]*Handler)
	}
	r.events[event] = with(r.events[event], h)
}

func (r *handlers) remove(event string, h *Handler) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.events[event] = without(r.events[event], h); len(r.events[event]) == 0 {
		delete(r.events, event)
	}
}

// OnAny registers a handler for all events and returns a function that removes it again.
func (r *handlers) OnAny(h AnyHandler) (off func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.any = with(r.any, &h)
	return func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.any = without(r.any, &h)
	}
}

// Off removes all handlers of the events named, or of all events if none is. Handlers registered with OnAny stay.
func (r *handlers) Off(events ...string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(events) == 0 {
		r.events = nil
	}
	for _, event := range events {
		delete(r.events, event)
	}
}

// Events returns the names of the events that have a handler, in alphabetical order.
func (r *handlers) Events() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return slices.Sorted(maps.Keys(r.events))
}

// of returns the handlers for an event. The slice is never changed.
func (r *handlers) of(event string) []*Handler {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.events[event]
}

// anyHandlers returns the handlers for all events. The slice is never changed.
func (r *handlers) anyHandlers() []*AnyHandler {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.any
}

// with returns a new slice: one that was returned by of may be in use.
func with[T any](list []*T, item *T) []*T { return append(slices.Clip(list), item) }

func without[T any](list []*T, item *T) []*T {
	return slices.DeleteFunc(slices.Clone(list), func(other *T) bool { return other == item })
}

// hooks is a list of functions that is added to rarely and called often.
type hooks[F any] struct {
	mu   sync.RWMutex
	list []*F
}

func (h *hooks[F]) add(f F) (off func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = with(h.list, &f)
	return func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.list = without(h.list, &f)
	}
}

// all returns the functions. The slice is never changed.
func (h *hooks[F]) all() []*F {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.list
}
