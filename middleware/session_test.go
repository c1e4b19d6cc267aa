package chatmw_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

func userOf(_ context.Context, s *sessions.Session) (chat.User, error) {
	name, ok := s.Values["user"].(string)
	if !ok {
		return chat.User{}, chat.ErrNoCredentials
	}
	return chat.User{ID: name}, nil
}

// cookieOf returns the cookie of a session in which values were saved.
func cookieOf(t *testing.T, store sessions.Store, name string, values map[any]any) string {
	t.Helper()
	r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
	s, err := store.New(r, name)
	require.NoError(t, err)
	s.Values = values
	require.NoError(t, s.Save(r, w))
	return w.Header().Get("Set-Cookie")
}

func TestSession(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore([]byte(secret))
	forged := sessions.NewCookieStore([]byte("another key of another app, quite"))
	auth := chatmw.Session(store, "app", userOf)
	for _, tc := range []struct{ name, cookie, user string }{
		{"signed in", cookieOf(t, store, "app", map[any]any{"user": "ada"}), "ada"},
		{"no cookie", "", ""},
		{"not signed in", cookieOf(t, store, "app", map[any]any{"cart": 3}), ""},
		{"another session", cookieOf(t, store, "other", map[any]any{"user": "ada"}), ""},
		{"forged", cookieOf(t, forged, "app", map[any]any{"user": "ada"}), ""},
		{"rubbish", "app=%%%", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
			r.Header.Set("Cookie", tc.cookie)
			user, err := auth(echo.New().NewContext(r, w))
			if tc.user == "" {
				require.ErrorIs(t, err, chat.ErrNoCredentials)
			} else {
				require.NoError(t, err)
			}
			require.Equal(t, tc.user, user.ID)
			require.Empty(t, w.Header(), "the session is read only")
		})
	}
}

// Who has no session is not asked about: a function that forgets to look must not let strangers in.
func TestSessionNewIsNobody(t *testing.T) {
	t.Parallel()
	auth := chatmw.Session(sessions.NewCookieStore([]byte(secret)), "app", func(context.Context, *sessions.Session) (chat.User, error) {
		return chat.User{ID: "whoever"}, nil
	})
	_, err := auth(echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()))
	require.ErrorIs(t, err, chat.ErrNoCredentials)
}

// brokenStore stands for a session database that is away.
type brokenStore struct{ sessions.Store }

func (brokenStore) Get(*http.Request, string) (*sessions.Session, error) {
	return nil, errors.New("connection refused")
}

func TestSessionStoreAway(t *testing.T) {
	t.Parallel()
	auth := chatmw.Session(brokenStore{}, "app", userOf)
	_, err := auth(echo.New().NewContext(httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()))
	var outage *echo.HTTPError
	require.ErrorAs(t, err, &outage)
	require.Equal(t, http.StatusServiceUnavailable, outage.Code)
	require.ErrorContains(t, outage.Internal, "chatmw: read session: connection refused")
	require.NotErrorIs(t, err, chat.ErrNoCredentials)
}

func TestSessionPanics(t *testing.T) {
	t.Parallel()
	store := sessions.NewCookieStore([]byte(secret))
	require.Panics(t, func() { chatmw.Session(nil, "app", userOf) })
	require.Panics(t, func() { chatmw.Session(store, "", userOf) })
	require.Panics(t, func() { chatmw.Session(store, "app", nil) })
}
