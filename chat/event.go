package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/echochat/echochat/chat/socketio"
)

// eventTimeout bounds what one event of a client may take, hooks and filters included.
const eventTimeout = 15 * time.Second

// listen registers what the chat does in the main namespace.
func (c *Chat) listen() {
	c.server.Use(c.connect)
	c.server.OnConnection(c.connected)
	for _, op := range c.operations {
		if op.event {
			c.server.Handle(op.name, c.handler(op))
		}
	}
	if c.cfg.tutorial {
		c.listenTutorial()
	}
}

// handler makes an operation an event: its one argument is decoded, what the operation returns is acknowledged, and what it
// has left for afterwards follows.
func (c *Chat) handler(op *operation) socketio.Handler {
	return func(ctx context.Context, s *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		u, ok := UserOf(s)
		if !ok {
			payload, _ := c.errorAck(ctx, s, op.name, tokenExpired())
			c.ack(op.name, ack, payload)
			return
		}
		ctx, cancel := context.WithTimeout(ctx, eventTimeout)
		defer cancel()
		r := &request{caller: caller{user: u, socket: s}, op: op, counted: true}
		in := op.newIn()
		var payload any
		err := c.limitRate(r)
		if err == nil {
			err = args.Decode(0, in)
		}
		if err == nil {
			var out any
			if out, err = c.perform(ctx, r, in); err == nil {
				payload, err = okAck(out)
			}
		}
		answer := true
		if err != nil {
			payload, answer = c.errorAck(ctx, s, op.name, err)
		}
		if answer {
			c.ack(op.name, ack, payload)
		}
		if hookErr := c.settle(ctx, r); panicked(err) || panicked(hookErr) {
			s.CloseConnection() // the client may come back; what has panicked in the middle of something is gone
		}
	}
}

// panicked reports whether code of the app has panicked.
func panicked(err error) bool {
	e, ok := asError(err)
	return ok && e.panicked
}

// okAck is the acknowledgement of success: {"status":"ok"}, followed by the fields of what the operation returns.
func okAck(out any) (json.RawMessage, error) {
	var buf bytes.Buffer
	buf.WriteString(`{"status":"ok",`)
	start := buf.Len()
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false) // as in the events
	if err := encoder.Encode(out); err != nil {
		return nil, err
	}
	ack := buf.Bytes()
	if ack[start+1] == '}' { // nothing
		return json.RawMessage(`{"status":"ok"}`), nil
	}
	copy(ack[1:], ack[:start]) // over the object's own brace
	return ack[1 : len(ack)-1], nil
}

func (c *Chat) ack(event string, ack socketio.Ack, payload any) {
	if err := ack.Send(payload); err != nil && !errors.Is(err, socketio.ErrDisconnected) {
		c.log.Error("chat: an event could not be acknowledged", "event", event, "err", err)
	}
}

// errorAck is what an event's acknowledgement says about an error, the app's own typed handlers included. A transient error
// is not acknowledged: the stock client's retries would take any acknowledgement for the end of the matter.
func (c *Chat) errorAck(_ context.Context, _ *socketio.Socket, _ string, err error) (payload any, ok bool) {
	e := c.errorOf(err)
	return errorAck{Status: "error", Error: e}, !e.Code.transient()
}

// errorOf is an error in the words of the client contract.
func (c *Chat) errorOf(err error) *Error {
	var bad *socketio.ArgumentError
	own, ok := asError(err)
	switch {
	case ok:
		return own
	case errors.As(err, &bad):
		return malformed("the argument", err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return NewError(CodeServerBusy, "The server is busy; please try again.")
	default:
		return c.internal(err)
	}
}

// malformed says what is wrong with JSON that an operation's fields cannot be read from.
func malformed(what string, err error) *Error {
	var field *json.UnmarshalTypeError
	if errors.As(err, &field) && field.Field != "" {
		return invalid(field.Field, "is of the wrong JSON type")
	}
	return invalid(what, "must be a JSON object with the fields of this operation")
}
