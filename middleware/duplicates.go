package chatmw

import (
	"context"
	"hash/maphash"
	"strings"
	"time"

	"github.com/echochat/echochat/chat"
)

// Duplicates refuses a message whose text its sender has sent to the room within the window, with [chat.CodeDuplicate], which says when
// the text may be sent again. Capitals, width, invisible characters and how much space there is between words make no
// difference. Messages without a text pass, and so do new versions of a message, and a message that its client sends again under the same
// client_id, which is stored once. Each process remembers for itself, the 100,000 latest texts at most. It panics if window is not positive.
func Duplicates(window time.Duration) chat.Filter {
	if window <= 0 {
		panic("chatmw: Duplicates: the window must be positive")
	}
	type key struct {
		room, user string
		text       uint64
	}
	var sent held[key]
	seed := maphash.MakeSeed()
	return func(_ context.Context, d *chat.Draft) error {
		text := strings.Join(strings.Fields(string(fold(d.Text).runes)), " ")
		if text == "" || d.MessageID != "" {
			return nil
		}
		wait := sent.hold(key{d.RoomID, d.Sender.ID, maphash.String(seed, text)}, d, time.Now(), window)
		if wait <= 0 {
			return nil
		}
		refusal := chat.NewError(chat.CodeDuplicate, "You have just said that.")
		refusal.RetryAfter = wait
		return refusal
	}
}
