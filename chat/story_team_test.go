package chat_test

import (
	"testing"

	"github.com/echochat/echochat/chat"
)

// A team has a private room: people are asked in, take roles, talk, read, search, and hand it over.
func TestStoryTeam(t *testing.T) {
	t.Parallel()
	tell(t, "team.mjs", []string{"events", "rest"}, func() []chat.Option { return []chat.Option{chat.WithTokenAuth(byName)} })
}
