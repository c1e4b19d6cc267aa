package chat

import (
	"context"
	"errors"
	"fmt"

	"github.com/echochat/echochat/chat/socketio"
)

// Hooks let the app take part in what happens. A field that is nil is skipped. A hook that returns an error refuses: an
// *Error reaches the user as it is, anything else is logged and becomes CodeForbidden. A hook runs on the goroutine of
// the connection it is about, which waits for it, with a context that ends after 15 seconds; a panic in one ends that
// connection and nothing else. The client reconnects.
type Hooks struct {
	// Connect runs when a user has signed in, before the connection's first event.
	Connect func(ctx context.Context, u User, s *socketio.Socket) error
	// Disconnect runs once for each connection that came about. (A client may be gone before that, although Connect has
	// let it in.) The reason is one of package socketio's.
	Disconnect func(ctx context.Context, u User, s *socketio.Socket, reason string)
	// Join runs before a user becomes a member of a room, by whatever way.
	Join func(ctx context.Context, u User, r Room) error
	// Leave runs after a user has stopped being a member of a room, by whatever way but the end of the room itself.
	Leave func(ctx context.Context, u User, r Room)
	// Message runs after a message was stored and its sender told, once per message, on the node that took it.
	Message func(ctx context.Context, m Message)
}

// guard runs code of the app, with which a request ends or not, and turns what it returns into an *Error: its own as it
// is, any other into one with the code otherwise, and a panic into CodeInternal that ends the connection.
func (c *Chat) guard(what string, otherwise Code, run func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = c.panicked(what, p)
		}
	}()
	if err = run(); err == nil {
		return nil
	}
	own, ok := asError(err)
	switch {
	case ok:
		return own
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		c.log.Warn("chat: code of the app did not answer in time", "in", what)
		return NewError(CodeServerBusy, "The server is busy; please try again.")
	case otherwise == CodeInternal:
		return c.internal(fmt.Errorf("%s: %w", what, err))
	default:
		c.log.Info("chat: refused", "by", what, "err", err)
		return NewError(otherwise, "This is not allowed.")
	}
}

func (c *Chat) hookConnect(ctx context.Context, u User, s *socketio.Socket) error {
	for _, h := range c.cfg.hooks {
		if h.Connect == nil {
			continue
		}
		if err := c.guard("Connect hook", CodeForbidden, func() error { return h.Connect(ctx, u, s) }); err != nil {
			return err
		}
	}
	return nil
}

func (c *Chat) hookDisconnect(ctx context.Context, u User, s *socketio.Socket, reason string) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for _, h := range c.cfg.hooks {
		if h.Disconnect != nil {
			_ = c.guard("Disconnect hook", CodeInternal, func() error { h.Disconnect(ctx, u, s, reason); return nil })
		}
	}
}

func (c *Chat) hookJoin(ctx context.Context, u User, r Room) error {
	for _, h := range c.cfg.hooks {
		if h.Join == nil {
			continue
		}
		if err := c.guard("Join hook", CodeForbidden, func() error { return h.Join(ctx, u, r) }); err != nil {
			return err
		}
	}
	return nil
}

// hookLeave returns an error when a hook has panicked.
func (c *Chat) hookLeave(ctx context.Context, u User, r Room) (err error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for _, h := range c.cfg.hooks {
		if h.Leave != nil {
			err = errors.Join(err, c.guard("Leave hook", CodeInternal, func() error { h.Leave(ctx, u, r); return nil }))
		}
	}
	return err
}

// hookMessage returns an error when a hook has panicked.
func (c *Chat) hookMessage(ctx context.Context, m Message) (err error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for _, h := range c.cfg.hooks {
		if h.Message != nil {
			err = errors.Join(err, c.guard("Message hook", CodeInternal, func() error { h.Message(ctx, m); return nil }))
		}
	}
	return err
}

// afterwards is the context of a hook that is told what has happened already: whoever caused it may be gone.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), eventTimeout)
}
