package chatmw_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

func TestMaxLength(t *testing.T) {
	t.Parallel()
	filter := chatmw.MaxLength(5)
	for _, tc := range []struct {
		text string
		ok   bool
	}{{"", true}, {"12345", true}, {"123456", false}, {"안녕하세요", true}, {"안녕하세요!", false}, {"👋👋👋👋👋", true}} {
		err := filter(t.Context(), &chat.Draft{Text: tc.text})
		if tc.ok {
			require.NoError(t, err, tc.text)
			continue
		}
		var refusal *chat.Error
		require.ErrorAs(t, err, &refusal, tc.text)
		require.Equal(t, chat.CodeMessageRejected, refusal.Code)
		require.Equal(t, map[string]string{"length": "6", "max_length": "5"}, refusal.Details)
		require.Equal(t, "The message has 6 characters, and at most 5 are allowed.", refusal.Message)
	}
	require.Panics(t, func() { chatmw.MaxLength(0) })
}
