package chatmw

import (
	"context"
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/echochat/echochat/chat"
)

// MaxLength refuses messages of more than n characters, whatever they take in bytes: a limit that reads the same in
// every language. A character is a Unicode code point, as in a database's CHAR_LENGTH; an emoji may be made of several.
// The refusal carries both numbers as details "length" and "max_length". It panics if n is below 1.
//
// [chat.WithMaxTextBytes] limits the bytes, and holds besides.
func MaxLength(n int) chat.Filter {
	if n < 1 {
		panic("chatmw: MaxLength: n must be at least 1")
	}
	return func(_ context.Context, d *chat.Draft) error {
		length := utf8.RuneCountInString(d.Text)
		if length <= n {
			return nil
		}
		refusal := chat.Reject(fmt.Sprintf("The message has %d characters, and at most %d are allowed.", length, n))
		refusal.Details = map[string]string{"length": strconv.Itoa(length), "max_length": strconv.Itoa(n)}
		return refusal
	}
}
