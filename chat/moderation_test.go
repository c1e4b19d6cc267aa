package chat_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// A support desk: Mod keeps order among guests of a public room, and Admin over all rooms.
func TestModeration(t *testing.T) {
	t.Parallel()
	t.Run("transports", func(t *testing.T) {
		t.Parallel()
		onEach(t, func(t *testing.T, transport chattest.Transport) { moderate(t, newPermissionApp(t), transport) })
	})
	onDatabases(t, func(t *testing.T, a *app) { moderate(t, a, chattest.WebSocket) })
}

func moderate(t *testing.T, a *app, transport chattest.Transport) {
	t.Helper()
	ctx := t.Context()
	_, err := a.chat.System().CreateRoom(ctx, chat.NewRoom{ID: "help", Creator: chat.User{ID: "boss", Name: "Boss"}})
	require.NoError(t, err)
	mod, eve := a.connect(t, "Mod", transport), a.connect(t, "Eve", transport)
	tab := a.connect(t, "Eve", transport)
	for _, s := range []*chattest.Socket{mod, eve, tab} {
		call(t, s, "room.join", object{"room_id": "help"})
	}
	_, err = a.chat.System().SetRole(ctx, "help", "mod", store.RoleModerator)
	require.NoError(t, err)
	rude := call(t, eve, "message.send", object{"room_id": "help", "text": "rude words"}).Message
	say := object{"room_id": "help", "text": "more of it"}

	// Somebody reports her, twice, and Mod reviews it.
	call(t, mod, "message.flag", object{"message_id": rude.ID, "reason": "rude"})
	call(t, mod, "message.flag", object{"message_id": rude.ID, "reason": "rude again"})
	flags := get[chat.FlagPage](t, a, "Mod", "/rooms/help/flags").Flags
	require.Len(t, flags, 1)
	require.Equal(t, "rude words", flags[0].Message.Text)
	require.Equal(t, "mod", flags[0].User.ID)
	require.Equal(t, chat.CodeForbidden, refused(t, eve, "flag.list", object{"room_id": "help"}).Code)

	// He mutes her for a minute: she may read, and is told how long to wait.
	a.send(t, "Mod", "PUT", "/rooms/help/mutes/eve", object{"duration_ms": 60_000, "reason": "rude"}, 200, nil)
	expect(t, eve, "member.updated") // of Mod, who has become a moderator
	muted := expect(t, eve, "member.updated")
	require.True(t, muted.Member.Muted)
	require.WithinDuration(t, time.Now().Add(time.Minute), *muted.Member.MutedUntil, 10*time.Second)
	e := refused(t, eve, "message.send", say)
	require.Equal(t, chat.CodeMuted, e.Code)
	require.InDelta(t, time.Minute, e.RetryAfter, float64(10*time.Second))
	require.True(t, call(t, eve, "room.join", object{"room_id": "help"}).Member.Muted)
	require.Len(t, get[chat.SanctionPage](t, a, "Mod", "/rooms/help/mutes").Sanctions, 1)
	a.send(t, "Mod", "DELETE", "/rooms/help/mutes/eve", nil, 204, nil)
	require.False(t, expect(t, eve, "member.updated").Member.Muted)
	call(t, eve, "message.send", say)

	// He bans her: both tabs are out at once, whatever she tries.
	call(t, mod, "member.ban", object{"room_id": "help", "user_id": "eve", "reason": "enough"})
	for _, s := range []*chattest.Socket{eve, tab} {
		banned := expect(t, s, "user.banned")
		require.Equal(t, "help", banned.RoomID)
		require.Equal(t, "enough", banned.Sanction.Reason)
		require.Equal(t, "eve", expect(t, s, "member.removed").User.ID)
	}
	seen := expect(t, mod, "user.banned")
	require.Empty(t, seen.Sanction.Reason, "the reason is hers")
	for range 2 {
		expect(t, tab, "message.new")
	}
	call(t, mod, "message.send", object{"room_id": "help", "text": "Back to work."})
	tab.ExpectNone(t, "message.new")
	for event, arg := range map[string]object{"room.join": {}, "message.send": {"text": "x"}, "room.get": {}, "room.read": {"seq": 1}} {
		arg["room_id"] = "help"
		require.Equal(t, chat.CodeBanned, refused(t, eve, event, arg).Code, event)
	}
	require.Equal(t, chat.CodeForbidden, refused(t, mod, "member.ban", object{"room_id": "help", "user_id": "boss"}).Code)
	a.send(t, "Mod", "DELETE", "/rooms/help/bans/eve", nil, 204, nil)
	expect(t, eve, "user.unbanned")
	call(t, eve, "room.join", object{"room_id": "help"})

	// Admin bans her everywhere: her connections end, and she gets no new one.
	require.Equal(t, http.StatusForbidden, a.status(t, "Mod", "PUT", "/admin/bans/eve", nil))
	a.send(t, "Admin", "PUT", "/admin/bans/eve", object{"reason": "bot"}, 200, nil)
	for _, s := range []*chattest.Socket{eve, tab} {
		banned := expect(t, s, "user.banned")
		require.Empty(t, banned.RoomID)
		s.ExpectEnd(t)
	}
	require.Equal(t, http.StatusForbidden, a.status(t, "Eve", "GET", "/me", nil))
	require.Equal(t, http.StatusForbidden, a.status(t, "Eve", "GET", "/rooms", nil))
	conn, err := chattest.Dial(ctx, a.URL, chattest.Options{Transport: transport})
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Connect(ctx, "/", map[string]string{"name": "Eve"})
	require.ErrorContains(t, err, "banned")
	a.send(t, "Admin", "DELETE", "/admin/bans/eve", nil, 204, nil)
	call(t, a.connect(t, "Eve", transport), "room.join", object{"room_id": "help"})

	// What was reported is dealt with, and all of it is written down.
	a.send(t, "Mod", "POST", "/rooms/help/flags/"+flags[0].ID+"/resolve", object{"resolution": "banned"}, 204, nil)
	require.Empty(t, get[chat.FlagPage](t, a, "Admin", "/admin/flags").Flags)
	resolved := get[chat.FlagPage](t, a, "Mod", "/rooms/help/flags?resolved=true").Flags
	require.Equal(t, "banned", resolved[0].Resolution)
	require.Equal(t, "mod", resolved[0].ResolvedBy.ID)
	var acts []string
	for _, entry := range get[chat.AuditPage](t, a, "Admin", "/admin/audit").Entries {
		who := "system"
		if entry.Actor != nil {
			who = entry.Actor.ID
		}
		acts = append([]string{who + " " + entry.Action}, acts...)
	}
	require.Equal(t, []string{
		"system member.update", "mod member.mute", "mod member.unmute", "mod member.ban", "mod member.unban",
		"admin user.ban", "admin user.unban", "mod flag.resolve",
	}, acts)
	require.Equal(t, http.StatusForbidden, a.status(t, "Mod", "GET", "/rooms/help/audit", nil), "the owner's")
}

func TestSanctionArguments(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "r", Creator: chat.User{ID: "boss", Name: "Boss"}})
	require.NoError(t, err)
	a.know(t, "Eve")
	boss := a.connect(t, "Admin", chattest.WebSocket)
	for name, arg := range map[string]object{
		"nobody": {}, "oneself": {"user_id": "admin"}, "unknown": {"user_id": "nobody"}, "a NUL": {"user_id": "a\x00"}, "negative": {"user_id": "eve", "duration_ms": -1},
		"for ever and a day": {"user_id": "eve", "duration_ms": int64(1) << 62}, "a long reason": {"user_id": "eve", "reason": string(make([]byte, 1025))},
	} {
		arg["room_id"] = "r"
		require.Equal(t, chat.CodeInvalidArgument, refused(t, boss, "member.ban", arg).Code, name)
	}
	for _, event := range []string{"member.unban", "member.unmute"} {
		require.Equal(t, chat.CodeInvalidArgument, refused(t, boss, event, object{"room_id": "r", "user_id": "eve"}).Code, event)
	}
	call(t, boss, "member.ban", object{"room_id": "r", "user_id": "eve", "duration_ms": 1})
	require.Eventually(t, func() bool { return a.status(t, "Eve", "POST", "/rooms/r/join", nil) == 200 }, 5*time.Second, aMoment, "it ends by itself")
}
