package chat_test

import (
	"path/filepath"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/store/storetest"
)

// stories has a script for each story, whose people use the stock client; story.mjs is what they are told with.
const stories = "testdata/stories"

// tell lets a story happen on every database, in each of the ways given: "events", where people do over their sockets what can
// be done over both, and "rest", where they call routes. Each has a chat of its own, with the options.
func tell(t *testing.T, script string, ways []string, opts func() []chat.Option) {
	t.Helper()
	requireNode(t)
	path, err := filepath.Abs(filepath.Join(stories, script))
	require.NoError(t, err)
	for _, database := range storetest.Names() {
		for _, way := range ways {
			t.Run(database+"/"+way, func(t *testing.T) {
				t.Parallel()
				a := &app{store: storetest.Open(t, database).Store(t)}
				a.serve(t, func(e *echo.Echo, _ *chat.Chat) chat.Router { return e }, opts()...)
				runNode(t, path, "--url", a.URL, "--by", way)
			})
		}
	}
}
