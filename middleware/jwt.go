package chatmw

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echochat/echochat/chat"
)

const minSecretBytes = 32 // RFC 7518, section 3.2: a key of at least the size of the hash output

// JWTConfig says which tokens are good. Algorithm and one of Key and Keys are needed.
type JWTConfig struct {
	// Algorithm is the only one accepted, such as "HS256", "RS256", "ES256" or "EdDSA", whatever a token's header claims.
	Algorithm string
	// Key verifies the signature: a secret as []byte of at least 32 bytes for HS*, else an *rsa.PublicKey,
	// *ecdsa.PublicKey or ed25519.PublicKey.
	Key crypto.PublicKey
	// Keys are used instead of Key to change keys without a break, by the "kid" of a token's header. The kid is looked
	// up here and nowhere else; one that is missing or unknown is refused.
	Keys map[string]crypto.PublicKey
	// Issuer and Audience, where set, must be in the token ("iss", "aud"). Set them where one key signs for several apps.
	Issuer, Audience string
	// Leeway allows for clocks that differ. Defaults to none.
	Leeway time.Duration
	// User makes a user of a good token's claims. Defaults to "sub" as the id, "name" and "picture". The sign-in ends when
	// the token does ("exp", with the leeway), unless User sets ExpiresAt.
	User func(ctx context.Context, claims jwt.MapClaims) (chat.User, error)
}

// JWT signs in by a JSON Web Token signed with HS256 and a secret of at least 32 bytes, for [chat.WithTokenAuth]: in the
// client's auth payload as {"token":"…"}, for REST as the bearer token. The token must expire ("exp") and name its user
// ("sub"); connections end when it expires, unless the client sends a new one by auth.refresh. It panics if the secret is too short.
func JWT(secret []byte) chat.TokenAuthenticator {
	return JWTWithConfig(JWTConfig{Algorithm: "HS256", Key: secret})
}

// JWTWithConfig is JWT with other algorithms, keys and claims. It panics if they do not fit together.
func JWTWithConfig(cfg JWTConfig) chat.TokenAuthenticator {
	keyFor, err := cfg.keyFunc()
	if err != nil {
		panic("chatmw: JWT: " + err.Error())
	}
	opts := []jwt.ParserOption{jwt.WithValidMethods([]string{cfg.Algorithm}), jwt.WithExpirationRequired(), jwt.WithLeeway(cfg.Leeway)}
	if cfg.Issuer != "" {
		opts = append(opts, jwt.WithIssuer(cfg.Issuer))
	}
	if cfg.Audience != "" {
		opts = append(opts, jwt.WithAudience(cfg.Audience))
	}
	parser := jwt.NewParser(opts...)
	user := cfg.User
	if user == nil {
		user = userOfClaims
	}
	return func(ctx context.Context, auth json.RawMessage) (chat.User, error) {
		token := tokenOf(auth)
		if token == "" {
			return chat.User{}, chat.ErrNoCredentials
		}
		claims := jwt.MapClaims{}
		switch _, err := parser.ParseWithClaims(token, claims, keyFor); {
		case errors.Is(err, jwt.ErrTokenExpired):
			return chat.User{}, chat.NewError(chat.CodeTokenExpired, "The token has expired.")
		case err != nil: // which part was wrong helps nobody but a forger
			return chat.User{}, chat.Unauthorized("The token is not valid.")
		}
		u, err := user(ctx, claims)
		if end, _ := claims.GetExpirationTime(); err == nil && end != nil && u.ExpiresAt.IsZero() {
			u.ExpiresAt = end.Add(cfg.Leeway)
		}
		return u, err
	}
}

// tokenOf reads {"token":"…"}; anything else a client may send is no token.
func tokenOf(auth json.RawMessage) string {
	var payload struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(auth, &payload) != nil {
		return ""
	}
	return payload.Token
}

func userOfClaims(_ context.Context, claims jwt.MapClaims) (chat.User, error) {
	id, err := claims.GetSubject()
	if err != nil || id == "" {
		return chat.User{}, chat.Unauthorized("The token does not say whose it is.")
	}
	name, _ := claims["name"].(string)
	picture, _ := claims["picture"].(string)
	return chat.User{ID: id, Name: name, AvatarURL: picture}, nil
}

// keyFunc checks the keys once, so that none can be used with an algorithm of another kind.
func (cfg JWTConfig) keyFunc() (jwt.Keyfunc, error) {
	if (cfg.Key == nil) == (len(cfg.Keys) == 0) {
		return nil, errors.New("set either Key or Keys")
	}
	if cfg.Key != nil {
		return func(*jwt.Token) (any, error) { return cfg.Key, nil }, checkKey(cfg.Algorithm, cfg.Key)
	}
	keys := make(map[string]crypto.PublicKey, len(cfg.Keys))
	for kid, key := range cfg.Keys {
		if err := checkKey(cfg.Algorithm, key); err != nil {
			return nil, fmt.Errorf("key %q: %w", kid, err)
		}
		keys[kid] = key
	}
	return func(t *jwt.Token) (any, error) {
		kid, _ := t.Header["kid"].(string)
		key, ok := keys[kid]
		if !ok {
			return nil, errors.New("unknown kid")
		}
		return key, nil
	}, nil
}

func checkKey(algorithm string, key crypto.PublicKey) error {
	fits := false
	switch method := jwt.GetSigningMethod(algorithm).(type) {
	case *jwt.SigningMethodHMAC:
		secret, ok := key.([]byte)
		if ok && len(secret) < minSecretBytes {
			return fmt.Errorf("the secret has %d bytes, and at least %d are needed", len(secret), minSecretBytes)
		}
		fits = ok
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		_, fits = key.(*rsa.PublicKey)
	case *jwt.SigningMethodECDSA:
		k, ok := key.(*ecdsa.PublicKey)
		fits = ok && k.Curve.Params().BitSize == method.CurveBits
	case *jwt.SigningMethodEd25519:
		_, fits = key.(ed25519.PublicKey)
	default:
		return fmt.Errorf("%q is not an algorithm that signs", algorithm)
	}
	if !fits {
		return fmt.Errorf("a %T cannot be used with %s", key, algorithm)
	}
	return nil
}
