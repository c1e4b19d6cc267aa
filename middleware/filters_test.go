package chatmw_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

func say(filter chat.Filter, t *testing.T, room, user, text string) *chat.Error {
	t.Helper()
	err := filter(t.Context(), &chat.Draft{RoomID: room, Sender: chat.User{ID: user}, Text: text})
	if err == nil {
		return nil
	}
	var refusal *chat.Error
	require.ErrorAs(t, err, &refusal)
	return refusal
}

func TestSlowMode(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		filter := chatmw.SlowMode(10 * time.Second)
		require.Nil(t, say(filter, t, "r", "ada", "1"))
		<-time.After(4 * time.Second) // on the clock of the bubble
		for range 3 {
			refusal := say(filter, t, "r", "ada", "2")
			require.Equal(t, chat.CodeSlowMode, refusal.Code)
			require.Equal(t, 6*time.Second, refusal.RetryAfter, "a refusal does not make it longer")
			require.True(t, refusal.Retryable)
			require.Equal(t, "This room is slowed down. Please wait 6 s.", refusal.Message)
		}
		require.Nil(t, say(filter, t, "other", "ada", "3"), "each room has a pace of its own")
		require.Nil(t, say(filter, t, "r", "ben", "4"), "and each user")
		for range 3 {
			require.NoError(t, filter(t.Context(), &chat.Draft{RoomID: "r", Sender: chat.User{ID: "boss", Admin: true}}))
		}
		<-time.After(6 * time.Second)
		require.Nil(t, say(filter, t, "r", "ada", "5"))
	})
}

func TestDuplicates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		filter := chatmw.Duplicates(time.Minute)
		require.Nil(t, say(filter, t, "r", "ada", "Buy now!"))
		for _, same := range []string{"Buy now!", "buy NOW!", "  buy\n now! ", "b\u200buy now!", "ｂｕｙ now!"} {
			refusal := say(filter, t, "r", "ada", same)
			require.NotNil(t, refusal, same)
			require.Equal(t, chat.CodeDuplicate, refusal.Code)
			require.Equal(t, time.Minute, refusal.RetryAfter)
		}
		for i, c := range []struct{ room, user, text string }{
			{"r", "ada", "Buy now"},
			{"r", "ada", "Buynow!"},
			{"other", "ada", "Buy now!"},
			{"r", "ben", "Buy now!"},
			{"r", "ada", ""},
			{"r", "ada", ""},
			{"r", "ada", " "},
		} {
			require.Nil(t, say(filter, t, c.room, c.user, c.text), "%d", i)
		}
		require.NotNil(t, say(filter, t, "r", "ada", "Buy now!"), "with others in between")
		<-time.After(time.Minute)
		require.Nil(t, say(filter, t, "r", "ada", "Buy now!"))
	})
}

// A client whose message met a database that was away sends it again, and is not told that it has just said that.
func TestRepeatedMessagesPass(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]chat.Filter{"duplicates": chatmw.Duplicates(time.Hour), "slow mode": chatmw.SlowMode(time.Hour)} {
		send := func(d chat.Draft) error {
			d.RoomID, d.Sender = "r", chat.User{ID: "ada"}
			return filter(t.Context(), &d)
		}
		require.NoError(t, send(chat.Draft{Text: "hello", ClientID: "1"}), name)
		require.NoError(t, send(chat.Draft{Text: "hello", ClientID: "1"}), name)
		require.Error(t, send(chat.Draft{Text: "hello", ClientID: "2"}), name)
		require.Error(t, send(chat.Draft{Text: "hello"}), name)
	}
}

// However many users there are, no more than 100,000 are remembered, and who comes after a flood is limited as before.
func TestMemoryOfFiltersIsBounded(t *testing.T) {
	t.Parallel()
	filter := chatmw.SlowMode(time.Hour)
	remembered := 0
	for range 2 {
		for i := range 200_000 {
			if say(filter, t, "r", fmt.Sprint("user ", i), "") != nil {
				remembered++
			}
		}
	}
	require.LessOrEqual(t, remembered, 100_000)
	require.Positive(t, remembered)
	require.Nil(t, say(filter, t, "r", "ada", ""))
	require.NotNil(t, say(filter, t, "r", "ada", ""))
}

// Whoever corrects a message has not said it twice, nor one more.
func TestNewVersionsPass(t *testing.T) {
	t.Parallel()
	for name, filter := range map[string]chat.Filter{"slow mode": chatmw.SlowMode(time.Hour), "duplicates": chatmw.Duplicates(time.Hour)} {
		require.Nil(t, say(filter, t, "r", "ada", "helo"), name)
		for range 2 {
			edit := &chat.Draft{RoomID: "r", Sender: chat.User{ID: "ada"}, Text: "helo", MessageID: "m"}
			require.NoError(t, filter(t.Context(), edit), name)
		}
		require.NotNil(t, say(filter, t, "r", "ada", "helo"), name)
	}
}

func TestLinks(t *testing.T) {
	t.Parallel()
	none, one, listed := chatmw.Links(0), chatmw.Links(1), chatmw.Links(9, "example.com", "ÜBER.example")
	for _, c := range []struct {
		text              string
		none, one, listed bool // passes
	}{
		{"no link at all", true, true, true},
		{"", true, true, true},
		{"see e.g. main.go, v1.2/3 and/or 10:30", true, true, true},
		{"example.com", true, true, true}, // a name alone leads nowhere
		{"https://example.com/a?b#c", false, true, true},
		{"http://www.example.com.", false, true, true},
		{"(https://example.com)", false, true, true},
		{"https://example.com:8080", false, true, true},
		{"www.example.com", false, true, true},
		{"über.example/x", false, true, true},
		{"https://evil.example", false, true, false},
		{"https://notexample.com", false, true, false},
		{"https://example.com.evil.example", false, true, false},
		{"https://example.com@evil.example", false, true, false},
		{"https://example.com\\@evil.example", false, true, true}, // a browser ends the host at the backslash
		{"https:\\\\evil.example", false, true, false},
		{"HTTPS://EVIL.example", false, true, false},
		{"ht\u200btps://evil.example", false, true, false},
		{"ｈｔｔｐ://evil.example", false, true, false},
		{"bit.ly/x", false, true, false},
		{"ftp://example.com", false, true, true},
		{"javascript://evil.example/%0aalert(1)", false, true, false},
		{"https://example.com https://example.com/2", false, false, true},
	} {
		require.Equal(t, c.none, say(none, t, "", "", c.text) == nil, "none: %q", c.text)
		require.Equal(t, c.one, say(one, t, "", "", c.text) == nil, "one: %q", c.text)
		require.Equal(t, c.listed, say(listed, t, "", "", c.text) == nil, "listed: %q", c.text)
	}
	require.Equal(t, "The message has 2 links, and at most 1 are allowed.", say(one, t, "", "", "www.a.com www.b.com").Message)
}

func TestPatterns(t *testing.T) {
	t.Parallel()
	mask := chatmw.Patterns([]string{`\b\d{4} ?\d{4} ?\d{4} ?\d{4}\b`, `(?i)secret`, `x*`})
	d := &chat.Draft{Text: "SECRET: 1234 5678 9012 3456, ünd mehr"}
	require.NoError(t, mask(t.Context(), d))
	require.Equal(t, "******: *******************, ünd mehr", d.Text)

	refuse := chatmw.PatternsWithConfig(chatmw.PatternsConfig{List: []string{`^!`}, Reason: "No commands here."})
	require.Equal(t, "No commands here.", say(refuse, t, "", "", "!kick").Message)
	require.Nil(t, say(refuse, t, "", "", "hey!"))
	long := strings.Repeat("a", 1<<16) + "!"
	require.Nil(t, say(chatmw.PatternsWithConfig(chatmw.PatternsConfig{List: []string{`(a+)+$`}, Reason: "x"}), t, "", "", long), "in linear time")
}

func TestFiltersPanic(t *testing.T) {
	t.Parallel()
	for name, wrong := range map[string]func(){
		"slow mode":        func() { chatmw.SlowMode(0) },
		"duplicates":       func() { chatmw.Duplicates(0) },
		"links":            func() { chatmw.Links(-1) },
		"links to nowhere": func() { chatmw.Links(1, "") },
		"links to a page":  func() { chatmw.Links(1, "https://example.com") },
		"no patterns":      func() { chatmw.Patterns(nil) },
		"a wrong pattern":  func() { chatmw.Patterns([]string{"("}) },
	} {
		require.Panics(t, wrong, name)
	}
}
