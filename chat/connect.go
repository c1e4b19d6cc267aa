package chat

import (
	"context"

	"github.com/echochat/echochat/chat/socketio"
)

// connect decides whether a client may use the main namespace.
func (c *Chat) connect(ctx context.Context, s *socketio.Socket) error {
	id, ok := identityAt(s)
	if !ok {
		return c.connectError(unsigned())
	}
	if c.draining.Load() {
		return c.refuse(s, NewError(CodeServerDraining, "The server is shutting down."))
	}
	u, err := c.signIn(ctx, id, s.Handshake().Auth)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, eventTimeout)
		defer cancel()
		if err = c.checkBan(ctx, u); err == nil {
			err = c.hookConnect(ctx, u, s)
		}
		if err == nil {
			err = c.remember(ctx, u)
		}
	}
	if err != nil {
		return c.refuse(s, err)
	}
	id.signedIn.Store(&signIn{u, s})
	return nil
}

// refuse answers a client that is not let in. Where that is for the moment, the connection ends instead: the stock client comes back
// by itself then, while connect_error is the end of the matter to it.
func (c *Chat) refuse(s *socketio.Socket, err error) error {
	if e, ok := asError(err); ok && e.Code.transient() {
		s.CloseConnection()
	}
	return c.connectError(err)
}

// remember makes a user somebody whom others can invite and talk to. Guests are nobody's to find, and too many to keep.
func (c *Chat) remember(ctx context.Context, u User) error {
	if u.Guest {
		return nil
	}
	if err := c.store.PutUser(ctx, u.row()); err != nil {
		return c.storeError("remember user", err)
	}
	return nil
}

// connectError is an error as a Socket.IO client sees it: the code as the message, and the error object as data.
func (c *Chat) connectError(err error) error {
	e := c.errorOf(err)
	return &socketio.ConnectError{Message: string(e.Code), Data: e}
}

// UserOf returns the user that a socket's client is signed in as: that of its connection to the main namespace, for
// sockets of other namespaces too, as long as that lasts. It is nobody once the sign-in has expired.
func UserOf(s *socketio.Socket) (User, bool) {
	id, ok := identityAt(s)
	if !ok {
		return User{}, false
	}
	u, ok := id.userOf(s)
	if !ok || u.current() != nil {
		return User{}, false
	}
	return u, true
}

// connected runs for each socket that connect has let in, before its first event.
func (c *Chat) connected(ctx context.Context, s *socketio.Socket) {
	u, ok := UserOf(s)
	if !ok { // expired since a moment ago
		s.Disconnect(true)
		return
	}
	c.expiries.set(s, u.ExpiresAt)
	s.Join(userKey(u.ID))
	c.presence.connect(u)
	s.OnDisconnecting(func(reason socketio.Reason) {
		c.typing.gone(s.ID(), u.ID, roomsOf(s))
	})
	s.OnDisconnect(func(reason socketio.Reason) {
		c.expiries.forget(s)
		c.presence.disconnect(u.ID)
		c.hookDisconnect(ctx, u, s, string(reason))
	})
	if c.bannedMeanwhile(ctx, u) {
		s.Disconnect(true)
	}
}

// bannedMeanwhile reports whether a user who has just been let in was banned at the same moment: the ban has taken the connections
// away that it found, and this one was perhaps not yet among them. Who cannot be asked about is taken at their word; each operation
// asks again.
func (c *Chat) bannedMeanwhile(ctx context.Context, u User) bool {
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	e, ok := asError(c.checkBan(ctx, u))
	return ok && e.Code == CodeBanned
}
