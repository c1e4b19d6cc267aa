package chat

import (
	"context"
	"fmt"
	"reflect"
)

// Actor does what clients can do from Go: as a user, with the user's permissions, or as the system, which may do everything.
// Its methods are the operations of the chat; their errors are an *Error each. It is safe for concurrent use.
type Actor struct {
	c      *Chat
	caller caller
	err    error // the user cannot be used
}

// As returns an Actor that does everything as u: under u's permissions, and as if u's client had asked for it.
func (c *Chat) As(u User) *Actor {
	u, err := checkUser(u)
	return &Actor{c: c, caller: caller{user: u}, err: err}
}

// System returns an Actor that may do everything, in nobody's name. Filters do not apply to what it sends.
func (c *Chat) System() *Actor { return &Actor{c: c, caller: caller{system: true}} }

// call runs the operation of that name. In and Out are the table's.
func call[Out, In any](ctx context.Context, a *Actor, name string, in In) (out Out, err error) {
	if a.err != nil {
		return out, a.err
	}
	op, ok := a.c.byName[name]
	if !ok || op.in != reflect.TypeFor[In]() || op.out != reflect.TypeFor[Out]() {
		return out, a.c.internal(fmt.Errorf("no operation %s takes %T and returns %T", name, in, out))
	}
	answer, err := a.do(ctx, op, &in)
	if err != nil {
		return out, err
	}
	return answer.(Out), nil
}

// do runs an operation. The error is an *Error.
func (a *Actor) do(ctx context.Context, op *operation, in any) (any, error) {
	r := &request{caller: a.caller, op: op}
	out, err := a.c.perform(ctx, r, in)
	_ = a.c.settle(ctx, r) // logged; what has happened stands
	if err != nil {
		return nil, a.c.errorOf(err)
	}
	return out, nil
}
