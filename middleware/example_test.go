package chatmw_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"fmt"
	"time"

	"github.com/gorilla/sessions"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
	"github.com/echochat/echochat/store"
)

// All pieces in the place where they are used.
func Example() {
	run := func(st *store.Store, secret []byte, words []string) (*chat.Chat, error) {
		return chat.New(st,
			chat.WithTokenAuth(chatmw.JWT(secret)),
			chat.WithFilter(chatmw.RateLimit(5, 10*time.Second), chatmw.MaxLength(2000), chatmw.Words(words)),
		)
	}
	_ = run
}

func ExampleJWT() {
	secret := []byte("32 bytes or more, from your vault") // the one your login signs its tokens with
	_ = chat.WithTokenAuth(chatmw.JWT(secret))
}

func ExampleJWTWithConfig() {
	var previous, current ed25519.PublicKey = make([]byte, 32), make([]byte, 32)
	_ = chat.WithTokenAuth(chatmw.JWTWithConfig(chatmw.JWTConfig{
		Algorithm: "EdDSA",
		Keys:      map[string]crypto.PublicKey{"2025-01": previous, "2025-02": current},
		Issuer:    "https://login.example.com",
		Audience:  "chat",
	}))
}

func ExampleSession() {
	appSessions := sessions.NewCookieStore([]byte("the key your app has anyway"))
	_ = chat.WithAuth(chatmw.Session(appSessions, "app", func(_ context.Context, s *sessions.Session) (chat.User, error) {
		name, ok := s.Values["user"].(string)
		if !ok {
			return chat.User{}, chat.ErrNoCredentials
		}
		return chat.User{ID: name, Name: name}, nil
	}))
}

func ExampleMaxLength() {
	filter := chatmw.MaxLength(10)
	fmt.Println(filter(context.Background(), &chat.Draft{Text: "Much too long."}))
	// Output: chat: message_rejected: The message has 14 characters, and at most 10 are allowed.
}

func ExampleWords() {
	draft := &chat.Draft{Text: "Well, DARN it."}
	err := chatmw.Words([]string{"darn", "heck"})(context.Background(), draft)
	fmt.Println(draft.Text, err)
	// Output: Well, **** it. <nil>
}

func ExampleWordsWithConfig() {
	filter := chatmw.WordsWithConfig(chatmw.WordsConfig{List: []string{"darn"}, Reason: "Please stay polite."})
	fmt.Println(filter(context.Background(), &chat.Draft{Text: "Darn!"}))
	// Output: chat: message_rejected: Please stay polite.
}

func ExampleRateLimit() {
	filter := chatmw.RateLimit(2, time.Minute)
	for range 3 {
		fmt.Println(filter(context.Background(), &chat.Draft{Sender: chat.User{ID: "ada"}}))
	}
	// Output:
	// <nil>
	// <nil>
	// chat: rate_limited: You are writing very fast. Please wait 30 s.
}

func ExampleLinks() {
	ours := chatmw.Links(3, "example.com")
	fmt.Println(ours(context.Background(), &chat.Draft{Text: "See https://docs.example.com/start"}))
	fmt.Println(ours(context.Background(), &chat.Draft{Text: "See https://example.com@elsewhere.example"}))
	// Output:
	// <nil>
	// chat: message_rejected: Links to elsewhere.example are not allowed here.
}

func ExamplePatterns() {
	draft := &chat.Draft{Text: "My card is 4111 1111 1111 1111."}
	err := chatmw.Patterns([]string{`\b(?:\d{4} ?){3}\d{4}\b`})(context.Background(), draft)
	fmt.Println(draft.Text, err)
	// Output: My card is *******************. <nil>
}

func ExampleDuplicates() {
	filter := chatmw.Duplicates(time.Minute)
	for range 2 {
		fmt.Println(filter(context.Background(), &chat.Draft{Text: "First!"}))
	}
	// Output:
	// <nil>
	// chat: duplicate: You have just said that.
}

func ExampleSlowMode() {
	filter := chatmw.SlowMode(30 * time.Second)
	for range 2 {
		fmt.Println(filter(context.Background(), &chat.Draft{RoomID: "stage", Sender: chat.User{ID: "ada"}}))
	}
	// Output:
	// <nil>
	// chat: slow_mode: This room is slowed down. Please wait 30 s.
}
