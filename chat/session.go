package chat

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/echochat/echochat/chat/socketio"
)

// AuthRefresh is a new token for a connection whose sign-in is about to expire.
type AuthRefresh struct {
	Token string `json:"token"` // as in the auth payload of a new connection
}

// AuthResult says for how long somebody is signed in.
type AuthResult struct {
	ExpiresAt time.Time `json:"expires_at,omitzero"` // absent where the sign-in does not expire
}

func (c *Chat) sessionOperations() []*operation {
	return []*operation{
		define(c.refreshAuth, spec{
			name: "auth.refresh", event: true, action: ActionAuthRefresh,
			doc: "Takes a new token of the same user, which the connection is signed in with from now on.",
		}),
	}
}

// refreshAuth asks WithTokenAuth about a token. Hooks that run afterwards do not get to see it.
func (c *Chat) refreshAuth(ctx context.Context, r *request, in *AuthRefresh) (AuthResult, error) {
	auth, err := json.Marshal(in)
	in.Token = ""
	if err != nil {
		return AuthResult{}, c.internal(err)
	}
	if c.cfg.tokenAuth == nil {
		return AuthResult{}, Forbidden("This chat does not use tokens.")
	}
	u, err := c.askToken(ctx, auth)
	switch {
	case errors.Is(err, ErrNoCredentials):
		return AuthResult{}, Unauthorized("There is no token.")
	case err != nil:
		return AuthResult{}, err
	case u.ID != r.user.ID:
		return AuthResult{}, Forbidden("The token is somebody else's.")
	}
	id, ok := identityAt(r.socket)
	if !ok { // from Go
		return AuthResult{u.ExpiresAt}, nil
	}
	if !id.amend(r.socket, u) {
		return AuthResult{}, Unauthorized("This connection is not signed in any more.")
	}
	c.expiries.set(r.socket, u.ExpiresAt)
	if !r.socket.Connected() { // it may have ended before that, and then nobody else takes it out
		c.expiries.forget(r.socket)
	}
	return AuthResult{u.ExpiresAt}, nil
}

// moment is t as clients can be told of it: in UTC, by the clock on the wall, and never where JSON has no such year.
func moment(t time.Time) time.Time {
	if t = t.Round(0).UTC(); t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// current says whether a sign-in has not expired.
func (u User) current() error {
	if !u.ExpiresAt.IsZero() && !time.Now().Before(u.ExpiresAt) {
		return tokenExpired()
	}
	return nil
}

func tokenExpired() *Error { return NewError(CodeTokenExpired, "Your sign-in has expired.") }

// identityAt is who a connection comes from.
func identityAt(s *socketio.Socket) (*identity, bool) {
	if s == nil {
		return nil, false
	}
	id, ok := s.Handshake().Identity.(*identity)
	return id, ok
}

// sessionExpiring tells a client to refresh its sign-in.
func (c *Chat) sessionExpiring(s *socketio.Socket, at time.Time) {
	c.emit(Event{Type: EventSessionExpiring, ExpiresAt: at}, c.server.Local().To(s.ID()))
}

// sessionExpired ends a connection, unless its client has refreshed the sign-in a moment ago.
func (c *Chat) sessionExpired(s *socketio.Socket) {
	if _, ok := UserOf(s); ok {
		return
	}
	c.emit(Event{Type: EventSessionExpired}, c.server.Local().To(s.ID()))
	s.Disconnect(true)
}
