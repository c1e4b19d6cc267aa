package chat

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"time"

	"gorm.io/gorm"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// spec says what an operation is. It stands in the table of operations, which the event handlers, the REST routes, their
// documentation and the tests of who may do what are made of.
type spec struct {
	name   string // such as message.send; clients emit it as an event where event is set
	event  bool
	route  string // method and path below /chat/api/v1, such as "GET /rooms/:room_id"; empty where REST has none
	status int    // of the route's answer. Defaults to 200, and to 204 where there is nothing to say
	action Action // what the caller must be allowed to do
	others Action // in its place where the message is somebody else's; defaults to action
	// creates lets the operation run, with an empty request.access, where the room is not there or hidden.
	creates bool
	// outlives lets the operation run to its end when the caller goes away: who sends and closes the page has sent.
	outlives bool
	errors   []Code // that it answers with, besides those that anything or its action may
	doc      string // what it does, in one sentence
}

// operation is an entry of the table: one thing that clients ask for over events or REST, and the app from Go.
type operation struct {
	spec
	method, path string           // of route
	in, out      reflect.Type     // structs: what is asked for and what is answered
	fields       map[string][]int // of in, by their names in JSON
	run          func(ctx context.Context, r *request, in any) (out any, err error)
}

// nothing is the answer of operations that have nothing to say.
type nothing struct{}

// define makes an entry of the table. The fields of In have the names that clients know them by: room_id and message_id are
// what the caller needs access to, and the parameters of the route's path and query are fields too.
func define[In, Out any](run func(context.Context, *request, *In) (Out, error), s spec) *operation {
	op := &operation{spec: s, in: reflect.TypeFor[In](), out: reflect.TypeFor[Out]()}
	op.method, op.path, _ = strings.Cut(s.route, " ")
	op.fields = fieldsOf(op.in)
	switch {
	case s.status != 0:
	case op.out == reflect.TypeFor[nothing]():
		op.status = http.StatusNoContent
	default:
		op.status = http.StatusOK
	}
	op.run = func(ctx context.Context, r *request, in any) (any, error) { return run(ctx, r, in.(*In)) }
	return op
}

// fieldsOf returns where the fields of a struct are, by their names in JSON.
func fieldsOf(t reflect.Type) map[string][]int {
	fields := make(map[string][]int)
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name != "" && name != "-" {
			fields[name] = f.Index
		}
	}
	return fields
}

// newIn returns a pointer to an empty In.
func (o *operation) newIn() any { return reflect.New(o.in).Interface() }

// text returns a field of in that is a string, and "" where there is no such field.
func (o *operation) text(in any, field string) string {
	at, ok := o.fields[field]
	if !ok {
		return ""
	}
	return reflect.ValueOf(in).Elem().FieldByIndex(at).String()
}

// target is what the operation is about.
func (o *operation) target(in any) target {
	return target{roomID: o.text(in, "room_id"), messageID: o.text(in, "message_id")}
}

// caller is who asks for something.
type caller struct {
	user   User             // zero for the system
	system bool             // the app itself, which may do everything
	socket *socketio.Socket // the connection that asks; nil over REST and from Go
	tx     *gorm.DB         // the app's transaction that a message is sent in; nil elsewhere
}

// request is one operation under way.
type request struct {
	caller
	op      *operation
	counted bool         // a client's, to whom the limits on the rate apply
	access  store.Access // what permit has found out; zero for operations that are about no room
	hooked  *Operation   // what the hooks get to see
	after   []func(context.Context) error
}

// then has fn run once the caller has been answered. What fn returns is an error only when a hook has panicked.
func (r *request) then(fn func(context.Context) error) { r.after = append(r.after, fn) }

// admissionAge is for how long the caller's being permitted something holds while something slow goes on, such as a hook of the app.
const admissionAge = 500 * time.Millisecond

// outliveTime bounds an operation that has left its caller behind; the store gives up earlier by itself.
const outliveTime = 10 * time.Second

// perform runs an operation: whether the caller may, the app's hooks before it, the operation itself. Its caller calls
// settle when the answer is out, whatever it is.
func (c *Chat) perform(ctx context.Context, r *request, in any) (out any, err error) {
	if r.op.outlives {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), outliveTime)
		defer cancel()
	}
	r.hooked = &Operation{Name: r.op.name, User: r.user, System: r.system, In: in}
	defer func() { r.hooked.Out, r.hooked.Err = out, err }()
	t, admitted := r.op.target(in), time.Now()
	if err := c.admit(ctx, r, t); err != nil {
		return nil, err
	}
	if err := c.limitRoom(r); err != nil {
		return nil, err
	}
	if len(c.cfg.before) > 0 {
		if err := c.hookBefore(ctx, r); err != nil {
			return nil, err
		}
		if rewritten := r.op.target(in); rewritten != t || time.Since(admitted) > admissionAge {
			t, admitted = rewritten, time.Now()
			if err := c.admit(ctx, r, t); err != nil {
				return nil, err
			}
		}
	}
	if out, err = r.op.run(ctx, r, in); err != nil {
		return nil, err
	}
	if r.op.method == http.MethodGet && time.Since(admitted) > admissionAge { // what was read may have been written since
		if err := c.admit(ctx, r, t); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// admit looks up what the operation is about and whether the caller may do it.
func (c *Chat) admit(ctx context.Context, r *request, t target) (err error) {
	if err := r.user.current(); err != nil {
		return err
	}
	r.access, err = c.permitOn(ctx, r.caller, r.op.action, r.op.others, t)
	if e, ok := asError(err); ok && r.op.creates && e.Code == CodeRoomNotFound && checkRoomID(t.roomID) == nil {
		r.hooked.Room = Room{ID: t.roomID}
		return nil
	}
	if err == nil && r.access.Room.ID != "" {
		r.hooked.Room = roomOf(r.access.Room)
	}
	return err
}

// settle does what comes after the answer. It returns an error only when a hook has panicked.
func (c *Chat) settle(ctx context.Context, r *request) (err error) {
	for _, fn := range r.after {
		if e := fn(ctx); e != nil {
			err = e
		}
	}
	if len(c.cfg.after) > 0 && r.hooked != nil {
		if e := c.hookAfter(ctx, r); e != nil {
			err = e
		}
	}
	return err
}

// String names the operation for a reader of test output and logs.
func (o *operation) String() string { return fmt.Sprintf("%s (%s)", o.name, o.route) }
