package chat_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// Bob sees whether Ada is there, as she wants it, and since when she is not. Eve, who shares no room with her, sees nothing.
func TestWhoIsThere(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	call(t, bob, "room.join", object{"room_id": "r"})
	presence := func(who string) chat.Presence {
		return get[chat.PresenceResult](t, a, who, "/users/ada/presence").Presence
	}
	require.Equal(t, chat.Presence{UserID: "ada", Status: chat.StatusOnline}, presence("Bob"))
	unknown := get[chat.PresenceResult](t, a, "Bob", "/users/nobody/presence").Presence
	require.Equal(t, chat.Presence{UserID: "nobody", Status: chat.StatusOffline}, unknown)
	require.Equal(t, chat.Presence{UserID: "ada", Status: chat.StatusOffline}, presence("Eve"))

	call(t, ada, "presence.set", object{"status": "busy"})
	changed := expect(t, bob, "user.presence.changed") // Ada's coming, or Bob's own
	for changed.Status != chat.StatusBusy {
		changed = expect(t, bob, "user.presence.changed")
	}
	require.Equal(t, "ada", changed.User.ID)
	require.Equal(t, chat.StatusBusy, presence("Bob").Status)
	a.send(t, "Ada", "PUT", "/me/presence", object{"status": "invisible"}, 200, nil)
	require.Equal(t, chat.StatusOffline, expect(t, bob, "user.presence.changed").Status)
	require.Equal(t, chat.StatusOffline, presence("Bob").Status)
	require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "presence.set", object{"status": "offline"}).Code)
	call(t, ada, "presence.set", object{"status": "online"})
	require.Equal(t, chat.StatusOnline, expect(t, bob, "user.presence.changed").Status)

	before := time.Now().Add(-time.Second)
	ada.Close()
	require.Equal(t, chat.StatusOffline, expect(t, bob, "user.presence.changed").Status)
	require.Eventually(t, func() bool {
		p := presence("Bob")
		return p.LastSeenAt != nil && p.LastSeenAt.After(before)
	}, 5*time.Second, aMoment)
	require.Equal(t, chat.Presence{UserID: "ada", Status: chat.StatusOffline}, presence("Eve"))
	status, err := a.chat.As(chat.User{ID: "ada", Name: "Ada"}).SetPresence(t.Context(), chat.StatusAway)
	require.NoError(t, err)
	require.Equal(t, chat.StatusOffline, status, "who is not connected is offline")
}
