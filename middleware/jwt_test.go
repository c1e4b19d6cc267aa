package chatmw_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

const secret = "0123456789abcdef0123456789abcdef"

func inAnHour() int64 { return time.Now().Add(time.Hour).Unix() }

// signed returns an auth payload with a token, as a client sends it.
func signed(t *testing.T, method jwt.SigningMethod, key any, kid string, claims jwt.MapClaims) json.RawMessage {
	t.Helper()
	token := jwt.NewWithClaims(method, claims)
	if kid != "" {
		token.Header["kid"] = kid
	}
	text, err := token.SignedString(key)
	require.NoError(t, err)
	return payload(t, text)
}

func payload(t *testing.T, token string) json.RawMessage {
	t.Helper()
	auth, err := json.Marshal(map[string]string{"token": token})
	require.NoError(t, err)
	return auth
}

func requireUnauthorized(t *testing.T, err error, message string) {
	t.Helper()
	var refusal *chat.Error
	require.ErrorAs(t, err, &refusal)
	want := chat.CodeUnauthorized
	if message == "The token has expired." {
		want = chat.CodeTokenExpired
	}
	require.Equal(t, want, refusal.Code)
	require.Equal(t, message, refusal.Message)
}

func TestJWTGood(t *testing.T) {
	t.Parallel()
	end := inAnHour()
	user, err := chatmw.JWT([]byte(secret))(t.Context(), signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{
		"sub": "42", "name": "Ada", "picture": "https://example.com/ada.png", "exp": end,
	}))
	require.NoError(t, err)
	require.Equal(t, chat.User{ID: "42", Name: "Ada", AvatarURL: "https://example.com/ada.png", ExpiresAt: time.Unix(end, 0)}, user)
}

// A sign-in ends when its token is not taken any more, unless the app says otherwise.
func TestJWTExpiresAt(t *testing.T) {
	t.Parallel()
	end, sooner := inAnHour(), time.Now().Add(time.Minute)
	cfg := chatmw.JWTConfig{Algorithm: "HS256", Key: []byte(secret), Leeway: time.Minute}
	token := signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"sub": "42", "exp": end})
	user, err := chatmw.JWTWithConfig(cfg)(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, time.Unix(end+60, 0), user.ExpiresAt)

	cfg.User = func(context.Context, jwt.MapClaims) (chat.User, error) {
		return chat.User{ID: "42", ExpiresAt: sooner}, nil
	}
	user, err = chatmw.JWTWithConfig(cfg)(t.Context(), token)
	require.NoError(t, err)
	require.Equal(t, sooner, user.ExpiresAt)
}

func TestJWTNoToken(t *testing.T) {
	t.Parallel()
	for _, auth := range []string{``, `null`, `{}`, `{"token":""}`, `{"token":7}`, `{"name":"Ada"}`, `"token"`, `[1]`} {
		_, err := chatmw.JWT([]byte(secret))(t.Context(), json.RawMessage(auth))
		require.ErrorIs(t, err, chat.ErrNoCredentials, auth)
	}
}

func TestJWTRefused(t *testing.T) {
	t.Parallel()
	const invalid = "The token is not valid."
	key := []byte(secret)
	hs := jwt.SigningMethodHS256
	claims := func(change ...any) jwt.MapClaims {
		c := jwt.MapClaims{"sub": "42", "exp": inAnHour(), "iss": "login", "aud": "chat"}
		for i := 0; i < len(change); i += 2 {
			c[change[i].(string)] = change[i+1]
			if change[i+1] == nil {
				delete(c, change[i].(string))
			}
		}
		return c
	}
	auth := chatmw.JWTWithConfig(chatmw.JWTConfig{Algorithm: "HS256", Key: key, Issuer: "login", Audience: "chat"})
	_, err := auth(t.Context(), signed(t, hs, key, "", claims()))
	require.NoError(t, err)

	good := string(signed(t, hs, key, "", claims()))
	for name, tc := range map[string]struct {
		auth    json.RawMessage
		message string
	}{
		"expired":            {signed(t, hs, key, "", claims("exp", time.Now().Add(-time.Second).Unix())), "The token has expired."},
		"never expires":      {signed(t, hs, key, "", claims("exp", nil)), invalid},
		"not yet":            {signed(t, hs, key, "", claims("nbf", inAnHour())), invalid},
		"another issuer":     {signed(t, hs, key, "", claims("iss", "evil")), invalid},
		"no issuer":          {signed(t, hs, key, "", claims("iss", nil)), invalid},
		"another audience":   {signed(t, hs, key, "", claims("aud", "shop")), invalid},
		"another key":        {signed(t, hs, []byte(strings.Repeat("x", 32)), "", claims()), invalid},
		"another algorithm":  {signed(t, jwt.SigningMethodHS512, key, "", claims()), invalid},
		"no algorithm":       {signed(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, "", claims()), invalid},
		"nobody":             {signed(t, hs, key, "", claims("sub", nil)), "The token does not say whose it is."},
		"a subject of 7":     {signed(t, hs, key, "", claims("sub", 7)), "The token does not say whose it is."},
		"cut":                {json.RawMessage(good[:len(good)-4] + `"}`), invalid},
		"no token":           {payload(t, "x"), invalid},
		"two dots":           {payload(t, ".."), invalid},
		"an array as header": {payload(t, "W10.W10.W10"), invalid},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := auth(t.Context(), tc.auth)
			requireUnauthorized(t, err, tc.message)
		})
	}
}

// The public key must not do as a secret: the oldest attack on token libraries.
func TestJWTPublicKeyAsSecret(t *testing.T) {
	t.Parallel()
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	public, err := x509.MarshalPKIXPublicKey(&private.PublicKey)
	require.NoError(t, err)
	auth := chatmw.JWTWithConfig(chatmw.JWTConfig{Algorithm: "RS256", Key: &private.PublicKey})
	claims := jwt.MapClaims{"sub": "42", "exp": inAnHour()}

	_, err = auth(t.Context(), signed(t, jwt.SigningMethodRS256, private, "", claims))
	require.NoError(t, err)
	_, err = auth(t.Context(), signed(t, jwt.SigningMethodHS256, public, "", claims))
	requireUnauthorized(t, err, "The token is not valid.")
}

func TestJWTKeyRotation(t *testing.T) {
	t.Parallel()
	oldPublic, oldPrivate, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	newPublic, newPrivate, err := ed25519.GenerateKey(rand.Reader)
	require.NoError(t, err)
	auth := chatmw.JWTWithConfig(chatmw.JWTConfig{
		Algorithm: "EdDSA", Keys: map[string]crypto.PublicKey{"2024": oldPublic, "2025": newPublic},
	})
	claims := jwt.MapClaims{"sub": "42", "exp": inAnHour()}
	for _, tc := range []struct {
		kid string
		key ed25519.PrivateKey
		ok  bool
	}{
		{"2024", oldPrivate, true},
		{"2025", newPrivate, true},
		{"2025", oldPrivate, false},
		{"", newPrivate, false},
		{"../../etc/passwd", newPrivate, false},
	} {
		_, err := auth(t.Context(), signed(t, jwt.SigningMethodEdDSA, tc.key, tc.kid, claims))
		if tc.ok {
			require.NoError(t, err, tc.kid)
		} else {
			requireUnauthorized(t, err, "The token is not valid.")
		}
	}
}

func TestJWTOwnUser(t *testing.T) {
	t.Parallel()
	auth := chatmw.JWTWithConfig(chatmw.JWTConfig{
		Algorithm: "HS256", Key: []byte(secret),
		User: func(_ context.Context, claims jwt.MapClaims) (chat.User, error) {
			email, _ := claims["email"].(string)
			return chat.User{ID: email}, nil
		},
	})
	user, err := auth(t.Context(), signed(t, jwt.SigningMethodHS256, []byte(secret), "", jwt.MapClaims{"email": "a@example.com", "exp": inAnHour()}))
	require.NoError(t, err)
	require.Equal(t, "a@example.com", user.ID)
}

func TestJWTPanics(t *testing.T) {
	t.Parallel()
	ec, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	require.NoError(t, err)
	for want, cfg := range map[string]chatmw.JWTConfig{
		"chatmw: JWT: set either Key or Keys":                                      {Algorithm: "HS256"},
		"chatmw: JWT: the secret has 5 bytes, and at least 32 are needed":          {Algorithm: "HS256", Key: []byte("short")},
		`chatmw: JWT: "none" is not an algorithm that signs`:                       {Algorithm: "none", Key: []byte(secret)},
		`chatmw: JWT: "" is not an algorithm that signs`:                           {Key: []byte(secret)},
		"chatmw: JWT: a []uint8 cannot be used with RS256":                         {Algorithm: "RS256", Key: []byte(secret)},
		"chatmw: JWT: a *ecdsa.PublicKey cannot be used with HS256":                {Algorithm: "HS256", Key: &ec.PublicKey},
		"chatmw: JWT: a *ecdsa.PublicKey cannot be used with ES256":                {Algorithm: "ES256", Key: &ec.PublicKey},
		`chatmw: JWT: key "b": the secret has 0 bytes, and at least 32 are needed`: {Algorithm: "HS256", Keys: map[string]crypto.PublicKey{"b": []byte{}}},
		`chatmw: JWT: key "b": a *ecdsa.PrivateKey cannot be used with ES384`:      {Algorithm: "ES384", Keys: map[string]crypto.PublicKey{"b": ec}},
	} {
		require.PanicsWithValue(t, want, func() { chatmw.JWTWithConfig(cfg) })
	}
}
