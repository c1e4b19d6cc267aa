package chat

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/echochat/echochat/chat/socketio"
)

// eventTimeout bounds what one event of a client may take, hooks and filters included.
const eventTimeout = 15 * time.Second

// listen registers what the chat does in the main namespace.
func (c *Chat) listen() {
	c.server.Use(c.connect)
	c.server.OnConnection(c.connected)
	handle(c, EventRoomJoin, c.onJoin)
	handle(c, EventRoomLeave, c.onLeave)
	handle(c, EventRoomHistory, c.onHistory)
	handle(c, EventMessageSend, c.onSend)
	handle(c, EventTypingStart, c.onTypingStart)
	handle(c, EventTypingStop, c.onTypingStop)
}

// request is one event of a client.
type request struct {
	socket *socketio.Socket
	user   User
	after  func(context.Context) error // runs after the acknowledgement; may be nil
}

// subscribed reports whether the socket has joined a room, which it stays in only as long as its user is a member: the
// answer to who may type there, without a look into the database.
func (r *request) subscribed(roomID string) bool {
	return slices.Contains(r.socket.Rooms(), roomKey(roomID))
}

// handle registers a chat event: it decodes the one argument, runs h, and acknowledges what h returns.
func handle[In, Out any](c *Chat, event string, h func(context.Context, *request, In) (Out, error)) {
	c.server.Handle(event, func(ctx context.Context, s *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		u, ok := UserOf(s)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, eventTimeout)
		defer cancel()
		r := &request{socket: s, user: u}
		var in In
		err := error(nil)
		if err = args.Decode(0, &in); err == nil {
			var out Out
			if out, err = h(ctx, r, in); err == nil {
				c.ack(event, ack, out)
			}
		}
		if err != nil {
			if payload, ok := c.errorAck(ctx, s, event, err); ok {
				c.ack(event, ack, payload)
			}
		} else if r.after != nil {
			err = r.after(ctx)
		}
		if e, ok := asError(err); ok && e.panicked {
			s.CloseConnection() // the client may come back; what has panicked in the middle of something is gone
		}
	})
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
		return invalid("the argument", "must be an object with the fields of this event")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return NewError(CodeServerBusy, "The server is busy; please try again.")
	default:
		return c.internal(err)
	}
}

// connect decides whether a client may use the main namespace.
func (c *Chat) connect(ctx context.Context, s *socketio.Socket) error {
	id, ok := s.Handshake().Identity.(*identity)
	if !ok {
		return c.connectError(unsigned())
	}
	if c.draining.Load() {
		return c.connectError(NewError(CodeServerDraining, "The server is shutting down."))
	}
	u, err := c.signIn(ctx, id, s.Handshake().Auth)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, eventTimeout)
		defer cancel()
		err = c.hookConnect(ctx, u, s)
	}
	if err != nil {
		return c.connectError(err)
	}
	id.signedIn.Store(&u)
	return nil
}

// connectError is an error as a Socket.IO client sees it: the code as the message, and the error object as data.
func (c *Chat) connectError(err error) error {
	e := c.errorOf(err)
	return &socketio.ConnectError{Message: string(e.Code), Data: e}
}

// UserOf returns the user that a socket's client is signed in as: that of its connection to the main namespace, for
// sockets of other namespaces too.
func UserOf(s *socketio.Socket) (User, bool) {
	id, ok := s.Handshake().Identity.(*identity)
	if !ok {
		return User{}, false
	}
	u := id.signedIn.Load()
	if u == nil {
		return User{}, false
	}
	return *u, true
}

// connected runs for each socket that connect has let in, before its first event.
func (c *Chat) connected(ctx context.Context, s *socketio.Socket) {
	u, ok := UserOf(s)
	if !ok {
		return
	}
	s.Join(userKey(u.ID))
	c.presence.connect(u)
	s.OnDisconnecting(func(reason socketio.Reason) {
		c.typing.gone(s.ID(), u.ID, roomsOf(s))
	})
	s.OnDisconnect(func(reason socketio.Reason) {
		c.presence.disconnect(u.ID)
		c.hookDisconnect(ctx, u, s, string(reason))
	})
}
