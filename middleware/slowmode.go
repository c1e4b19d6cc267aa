package chatmw

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/echochat/echochat/chat"
)

// SlowMode lets each user send one message per duration to a room. A message before that is refused with [chat.CodeSlowMode], which
// says how long to wait, and does not make the wait longer. Admins are exempt, and so are new
// versions of a message, and a message that its client sends again under the same client_id. Each process counts for itself, and remembers the
// 100,000 latest users of a room at most. It panics if every is not positive.
//
// For some rooms only, call it in a filter of your own that looks at the draft's Room.
func SlowMode(every time.Duration) chat.Filter {
	if every <= 0 {
		panic("chatmw: SlowMode: the duration must be positive")
	}
	type key struct{ room, user string }
	var sent held[key]
	return func(_ context.Context, d *chat.Draft) error {
		if d.Sender.Admin || d.MessageID != "" {
			return nil
		}
		wait := sent.hold(key{d.RoomID, d.Sender.ID}, d, time.Now(), every)
		if wait <= 0 {
			return nil
		}
		refusal := chat.NewError(chat.CodeSlowMode,
			fmt.Sprintf("This room is slowed down. Please wait %d s.", int(math.Ceil(wait.Seconds()))))
		refusal.Retryable, refusal.RetryAfter = true, wait
		return refusal
	}
}
