package chatmw

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"

	"github.com/echochat/echochat/chat"
)

// SessionUser reads who is signed in from an app's session. It returns [chat.ErrNoCredentials] when nobody is.
type SessionUser func(ctx context.Context, s *sessions.Session) (chat.User, error)

// Session signs in whoever the app itself has signed in with a session of that name in store, for [chat.WithAuth]. The
// session is read and never written. A cookie that is missing, forged, out of date or of an old key counts as nobody;
// a store that fails is told to the client as an outage, which does not look like a sign-out. It panics if an argument is missing.
//
// Whatever else keeps an app's sessions, WithAuth takes a function on echo.Context directly.
func Session(store sessions.Store, name string, user SessionUser) chat.Authenticator {
	if store == nil || name == "" || user == nil {
		panic("chatmw: Session: the store, the session's name and the function that reads the user are needed")
	}
	return func(ec echo.Context) (chat.User, error) {
		r := ec.Request()
		s, err := store.Get(r, name)
		var cookie interface{ IsDecode() bool } // securecookie's word for what a client has sent
		switch {
		case errors.As(err, &cookie) && cookie.IsDecode():
			return chat.User{}, chat.ErrNoCredentials
		case err != nil:
			return chat.User{}, echo.NewHTTPError(http.StatusServiceUnavailable).SetInternal(fmt.Errorf("chatmw: read session: %w", err))
		case s.IsNew:
			return chat.User{}, chat.ErrNoCredentials
		}
		return user(r.Context(), s)
	}
}
