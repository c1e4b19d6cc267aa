package chat

import "context"

// Operation is something that somebody asks for: over an event, over REST, or from Go. The functions of WithBefore and
// WithAfter get to see it.
type Operation struct {
	Name   string // such as message.send
	User   User   // who asks; zero for the system
	System bool   // the app itself asks, through Chat.System
	Room   Room   // the room it is about, if it is about one; where the room is yet to be created, only the ID is set

	// In points to what is asked for, as the caller has said it: to the argument of the Actor's method, such as the *NewMessage of
	// message.send, or to a RoomRef, MemberRef or the like where the method takes ids.
	In any
	// Out is the operation's answer, such as a MessageResult, and Err why it has failed. Both are nil before it, one of them
	// is afterwards.
	Out any
	Err error
}

// Before sees an operation that is permitted, before it runs. It may change what In points to, which is then checked as if
// the client had said it; with another room or message, so is the permission. An error refuses the operation: an
// *Error reaches the caller as it is, anything else is logged and becomes CodeForbidden.
type Before func(ctx context.Context, o *Operation) error

// After sees each operation when its caller has been answered, also one that has failed or was not permitted.
type After func(ctx context.Context, o *Operation)

func (c *Chat) hookBefore(ctx context.Context, r *request) error {
	for _, before := range c.cfg.before {
		if err := c.guard("WithBefore", CodeForbidden, func() error { return before(ctx, r.hooked) }); err != nil {
			return err
		}
	}
	return nil
}

// hookAfter returns an error when a hook has panicked.
func (c *Chat) hookAfter(ctx context.Context, r *request) (err error) {
	ctx, cancel := afterwards(ctx)
	defer cancel()
	for _, after := range c.cfg.after {
		if e := c.guard("WithAfter", CodeInternal, func() error { after(ctx, r.hooked); return nil }); e != nil {
			err = e
		}
	}
	return err
}
