package chat_test

import (
	"testing"

	"github.com/echochat/echochat/chat"
)

// Five hundred people follow a live event in a channel: each hears all of it, and next to nothing of the others.
func TestStoryLive(t *testing.T) {
	t.Parallel()
	tell(t, "live.mjs", []string{"events"}, func() []chat.Option { return []chat.Option{chat.WithTokenAuth(byName)} })
}
