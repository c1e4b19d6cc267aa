package chat

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// A guest's cookie holds a secret, and the user id, which everybody in a room gets to see, is a hash of it.
const (
	guestCookie      = "echochat_guest"
	guestSecretBytes = 16
	guestCookieAge   = 365 * 24 * time.Hour
	guestIDPrefix    = "guest_"
)

// guestOf returns the id of the guest whose cookie r carries.
func guestOf(r *http.Request) (id string, ok bool) {
	cookie, err := r.Cookie(guestCookie)
	if err != nil {
		return "", false
	}
	secret, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil || len(secret) != guestSecretBytes {
		return "", false
	}
	return guestID(secret), true
}

func guestSecret() []byte {
	secret := make([]byte, guestSecretBytes)
	_, _ = rand.Read(secret) // never fails, see crypto/rand
	return secret
}

func guestID(secret []byte) string {
	sum := sha256.Sum256(secret)
	return guestIDPrefix + strings.ToLower(base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(sum[:10]))
}

// welcomeGuest makes a guest of whoever sent a request, by a cookie in its answer.
func (c *Chat) welcomeGuest(ec echo.Context) (id string) {
	secret := guestSecret()
	ec.SetCookie(&http.Cookie{ //nolint:gosec // Secure where there is TLS; plain HTTP on a home network should work too
		Name: guestCookie, Value: base64.RawURLEncoding.EncodeToString(secret), Path: "/",
		MaxAge: int(guestCookieAge / time.Second), HttpOnly: true, SameSite: http.SameSiteLaxMode,
		Secure: ec.Request().TLS != nil || c.cfg.tlsProxy && ec.Scheme() == "https",
	})
	return guestID(secret)
}

// guestUser is the guest id under the name that the CONNECT payload asks for. Without one it is the name they had before,
// or one made of the id.
func (c *Chat) guestUser(ctx context.Context, id string, auth json.RawMessage) (User, error) {
	u := User{ID: id, Guest: true}
	if !none(auth) {
		var payload struct {
			Name string `json:"name"`
		}
		if err := json.Unmarshal(auth, &payload); err != nil {
			return User{}, invalid("auth", "must be an object such as {name: \"Ada\"}")
		}
		u.Name = payload.Name
	}
	if u.Name == "" {
		known, err := c.store.Users(ctx, id)
		if err != nil {
			return User{}, c.storeError("read guest", err)
		}
		u.Name = known[id].Name
	}
	if u.Name == "" {
		u.Name = "Guest " + strings.TrimPrefix(id, guestIDPrefix)[:4]
	}
	name, err := cleanName(u.Name)
	if err != nil {
		return User{}, err
	}
	u.Name = name
	return u, nil
}
