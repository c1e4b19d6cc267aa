package chat_test

import (
	"context"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

// A support desk helps visitors who have no account, and keeps order among them.
func TestStorySupport(t *testing.T) {
	t.Parallel()
	tell(t, "support.mjs", []string{"events", "rest"}, func() []chat.Option {
		return []chat.Option{chat.WithGuests(), chat.WithTokenAuth(agents()), chat.WithFilter(
			chatmw.WordsWithConfig(chatmw.WordsConfig{List: []string{"darn"}, Reason: "Please stay polite."}),
			chatmw.RateLimit(5, time.Minute),
		)}
	})
}

// Its agents' sign-ins expire while they work.
func TestStoryShift(t *testing.T) {
	t.Parallel()
	tell(t, "shift.mjs", []string{"events"}, func() []chat.Option { return []chat.Option{chat.WithTokenAuth(agents())} })
}

// agents sign in with tokens of the app's own login.
func agents() chat.TokenAuthenticator {
	return chatmw.JWTWithConfig(chatmw.JWTConfig{
		Algorithm: "HS256", Key: []byte("the secret of the support desk, 32 bytes"),
		User: func(_ context.Context, claims jwt.MapClaims) (chat.User, error) {
			name, _ := claims["name"].(string)
			id, err := claims.GetSubject()
			return chat.User{ID: id, Name: name, Admin: claims["admin"] == true}, err
		},
	})
}
