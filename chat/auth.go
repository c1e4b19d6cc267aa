package chat

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/labstack/echo/v4"

	"github.com/echochat/echochat/chat/socketio"
)

// Authenticator says who sent a request. It returns ErrNoCredentials when there is nothing to judge, an *Error
// (Unauthorized, Forbidden) or an *echo.HTTPError to refuse in its own words; every other error refuses with
// CodeUnauthorized and is logged. The request's context ends after WithAuthTimeout. The echo.Context must not be kept: Echo
// uses it again for another request.
type Authenticator func(echo.Context) (User, error)

// TokenAuthenticator says who is connecting from the "auth" payload of a Socket.IO CONNECT, as the client sent it: a JSON
// object, nil when there was none. For REST it is {"token":"…"} with the bearer token. Its errors are those of Authenticator.
type TokenAuthenticator func(ctx context.Context, auth json.RawMessage) (User, error)

// identity is who an HTTP request comes from, as far as the request itself tells.
type identity struct {
	user  User   // of WithAuth; zero when unsigned
	guest string // id of the guest whose cookie the request carries or gets with its answer
	// signedIn is who the transport session's latest connection to the main namespace is.
	signedIn atomic.Pointer[signIn]
	// keepsCookie is set once the client has shown its guest cookie. Before that it may be a program without a cookie
	// jar, to which the session id alone has to do.
	keepsCookie atomic.Bool
}

// signIn is who a connection to the main namespace is.
type signIn struct {
	user   User
	socket *socketio.Socket
}

// amend puts u in the place of what was known of the user of a socket. It returns false when the client has left the main namespace
// and signed in anew meanwhile: that must not become somebody else's.
func (id *identity) amend(s *socketio.Socket, u User) bool {
	in := id.signedIn.Load()
	return in != nil && in.socket == s && id.signedIn.CompareAndSwap(in, &signIn{u, s})
}

// userOf is who the socket's client is, which is known for as long as its connection to the main namespace lasts.
func (id *identity) userOf(s *socketio.Socket) (User, bool) {
	in := id.signedIn.Load()
	switch {
	case in == nil:
		return User{}, false
	case s.Namespace() == in.socket.Namespace():
		return in.user, s == in.socket
	default:
		return in.user, in.socket.Connected()
	}
}

// owns reports whether a later request of a transport session, with the identity other, comes from whom the session
// belongs to.
func (id *identity) owns(other *identity) bool {
	if id.user.ID != other.user.ID {
		return false
	}
	if other.guest == "" {
		return !id.keepsCookie.Load()
	}
	if id.guest != other.guest {
		return false
	}
	id.keepsCookie.Store(true)
	return true
}

type identityKey struct{}

func withIdentity(ctx context.Context, id *identity) context.Context {
	return context.WithValue(ctx, identityKey{}, id)
}

// identityOf returns what the request was found to be, never nil.
func identityOf(r *http.Request) *identity {
	if id, ok := r.Context().Value(identityKey{}).(*identity); ok {
		return id
	}
	return &identity{}
}

// identify asks WithAuth about a request, and reads its guest cookie. With welcome a stranger without one gets one. Pages that
// are let in by "*" alone are strangers, whatever cookies their requests carry.
func (c *Chat) identify(ec echo.Context, welcome bool) (*identity, error) {
	id := &identity{}
	if allow, _ := c.server.CheckOrigin(ec.Request()); allow == "*" {
		// A page of anybody's: a WebSocket of it carries the user's cookies, which no CORS header keeps it from using.
		if c.cfg.guests && welcome {
			id.guest = guestID(guestSecret())
		}
		return id, nil
	}
	if c.cfg.auth != nil {
		u, err := c.askAuth(ec)
		if err == nil && welcome { // the later requests of a connection go on until it is told that it ends
			err = u.current()
		}
		if err == nil {
			id.user = u
			return id, nil
		}
		if !errors.Is(err, ErrNoCredentials) {
			return nil, err
		}
	}
	if c.cfg.guests {
		var shown bool
		if id.guest, shown = guestOf(ec.Request()); !shown && welcome {
			id.guest = c.welcomeGuest(ec)
		}
		id.keepsCookie.Store(shown)
	}
	return id, nil
}

// askAuth calls the app's authenticator with a deadline, and gives the request its own context back afterwards.
func (c *Chat) askAuth(ec echo.Context) (u User, err error) {
	r := ec.Request()
	ctx, cancel := context.WithTimeout(r.Context(), c.cfg.authTimeout)
	defer cancel()
	ec.SetRequest(r.WithContext(ctx))
	defer func() { ec.SetRequest(r) }()
	return c.judge("WithAuth", func() (User, error) { return c.cfg.auth(ec) })
}

// askToken calls the app's token authenticator with a deadline.
func (c *Chat) askToken(ctx context.Context, auth json.RawMessage) (User, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.authTimeout)
	defer cancel()
	u, err := c.judge("WithTokenAuth", func() (User, error) { return c.cfg.tokenAuth(ctx, auth) })
	if err == nil {
		err = u.current()
	}
	return u, err
}

// judge runs an authenticator and turns what it says into a checked user, ErrNoCredentials or an *Error. Nobody is let in
// but by a nil error.
func (c *Chat) judge(option string, ask func() (User, error)) (u User, err error) {
	defer func() {
		if p := recover(); p != nil {
			u, err = User{}, c.panicked(option, p)
		}
	}()
	u, err = ask()
	if err != nil {
		return User{}, c.refusal(option, err)
	}
	u, err = checkUser(u)
	if err == nil && c.cfg.guests && strings.HasPrefix(u.ID, guestIDPrefix) {
		err = invalid("user.id", "begins with "+guestIDPrefix+", as those of guests do")
	}
	if err != nil {
		c.log.Error("chat: the authenticator returned a user that cannot be used", "option", option, "err", err)
		return User{}, err
	}
	u.Guest, u.ExpiresAt = false, moment(u.ExpiresAt)
	return u, nil
}

// refusal is what an authenticator's error means to the client.
func (c *Chat) refusal(option string, err error) error {
	var he *echo.HTTPError
	own, ok := asError(err)
	switch {
	case errors.Is(err, ErrNoCredentials):
		return ErrNoCredentials
	case ok:
		return own
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		c.log.Warn("chat: an authenticator did not answer in time", "option", option)
		return NewError(CodeServerBusy, "Signing in takes too long; please try again.")
	case errors.As(err, &he) && he.Code == http.StatusForbidden:
		return Forbidden("You may not use this chat.")
	case errors.As(err, &he) && he.Code >= http.StatusInternalServerError:
		c.log.Error("chat: an authenticator failed", "option", option, "err", err)
		return NewError(CodeServerBusy, "Signing in does not work at the moment; please try again.")
	default:
		c.log.Info("chat: sign-in refused", "option", option, "err", err)
		return unsigned()
	}
}

func unsigned() *Error { return Unauthorized("Please sign in.") }

// signIn decides who a Socket.IO connection is, from its CONNECT payload and what the transport's handshake told.
func (c *Chat) signIn(ctx context.Context, id *identity, auth json.RawMessage) (User, error) {
	if c.cfg.tokenAuth != nil {
		u, err := c.askToken(ctx, auth)
		if !errors.Is(err, ErrNoCredentials) {
			return u, err
		}
	}
	if id.user.ID != "" {
		return id.user, id.user.current()
	}
	if id.guest != "" {
		return c.guestUser(ctx, id.guest, auth)
	}
	return User{}, unsigned()
}

// signInREST decides who a REST call comes from.
func (c *Chat) signInREST(ec echo.Context) (u User, err error) {
	ctx := ec.Request().Context()
	if c.cfg.tokenAuth != nil {
		token, ok := bearer(ec.Request())
		if ok {
			auth, err := json.Marshal(map[string]string{"token": token})
			if err != nil {
				return User{}, unsigned()
			}
			if u, err := c.askToken(ctx, auth); !errors.Is(err, ErrNoCredentials) {
				return u, err
			}
		}
	}
	id, err := c.identify(ec, true)
	switch {
	case err != nil:
		return User{}, err
	case id.user.ID != "":
		return id.user, nil
	case id.guest != "":
		return c.guestUser(ctx, id.guest, nil)
	default:
		return User{}, unsigned()
	}
}

// bearer returns the token of the Authorization header (RFC 6750, section 2.1).
func bearer(r *http.Request) (string, bool) {
	scheme, token, ok := strings.Cut(r.Header.Get("Authorization"), " ")
	token = strings.TrimSpace(token)
	return token, ok && token != "" && strings.EqualFold(scheme, "Bearer")
}
