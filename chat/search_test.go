package chat_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// texts are the messages that were found, and marked what their excerpts highlight, as a browser would cut it out.
func texts(p chat.SearchPage) (texts, marked []string) {
	for _, r := range p.Results {
		texts = append(texts, r.Message.Text)
		units := utf16.Encode([]rune(r.Excerpt.Text))
		for _, h := range r.Excerpt.Highlights {
			marked = append(marked, string(utf16.Decode(units[h.Start:h.End])))
		}
	}
	return texts, marked
}

// searched is what an event of a search is acknowledged with.
func searched(t testing.TB, s *chattest.Socket, arg object) (page chat.SearchPage) {
	t.Helper()
	args := s.ExpectAck(t, "search", arg)
	agreement(t).ack(t, "search", args.Raw(0))
	require.NoError(t, args.Decode(0, &page))
	return page
}

// A support desk looks for what was said, over events, REST and from Go alike, and each finds only what they may read.
func TestSearch(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t)
	ctx := t.Context()
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.Polling)
	a.know(t, "Bob")
	start := time.Now().Add(-time.Minute)
	for _, room := range []string{"desk", "bugs"} {
		_, err := a.chat.System().CreateRoom(ctx, chat.NewRoom{ID: room, Type: "private", Creator: chat.User{ID: "ada", Name: "Ada"}})
		require.NoError(t, err)
	}
	call(t, ada, "member.add", object{"room_id": "desk", "user_id": "bob"})
	say := func(room, text string) {
		t.Helper()
		call(t, ada, "message.send", object{"room_id": room, "text": text})
	}
	say("desk", "The printer 🖨️ in room 7 is on fire")
	say("desk", "PRINTER fixed")
	say("bugs", "printer driver: 100% CPU")

	search := func(name string, arg object) (viaREST chat.SearchPage) {
		t.Helper()
		query := url.Values{}
		for k, v := range arg {
			query.Set(k, v.(string))
		}
		return get[chat.SearchPage](t, a, name, "/search?"+query.Encode())
	}
	found, marked := texts(search("Ada", object{"q": "printer"}))
	require.Equal(t, []string{"printer driver: 100% CPU", "PRINTER fixed", "The printer 🖨️ in room 7 is on fire"}, found)
	require.Equal(t, []string{"printer", "PRINTER", "printer"}, marked)
	_, marked = texts(search("Ada", object{"q": "fire 7"}))
	require.Equal(t, []string{"7", "fire"}, marked, "counted as JavaScript does, behind an emoji too")
	found, _ = texts(search("Bob", object{"q": "printer"}))
	require.Equal(t, []string{"PRINTER fixed", "The printer 🖨️ in room 7 is on fire"}, found, "only his rooms")
	found, _ = texts(search("Ada", object{"q": "printer", "room_id": "bugs"}))
	require.Equal(t, []string{"printer driver: 100% CPU"}, found)
	found, _ = texts(search("Ada", object{"q": "printer", "from": "bob"}))
	require.Empty(t, found)
	found, _ = texts(search("Ada", object{"from": "ada", "since": start.Format(time.RFC3339), "until": time.Now().Add(time.Hour).Format(time.RFC3339)}))
	require.Len(t, found, 3)
	found, _ = texts(search("Ada", object{"from": "ada", "until": start.Format(time.RFC3339)}))
	require.Empty(t, found)
	for _, q := range []string{"%", "_", "100%25", "print%", "print*", "printer OR fixed", "'", `"`, "\x00", "' OR 1=1 --", "@ada"} {
		found, _ = texts(search("Bob", object{"q": q}))
		require.Empty(t, found, q)
	}

	first := searched(t, ada, object{"q": "printer", "limit": 2})
	found, _ = texts(first)
	require.Equal(t, []string{"printer driver: 100% CPU", "PRINTER fixed"}, found)
	second := searched(t, ada, object{"q": "printer", "limit": 2, "cursor": first.NextCursor})
	found, _ = texts(second)
	require.Equal(t, []string{"The printer 🖨️ in room 7 is on fire"}, found)
	require.Empty(t, second.NextCursor)

	for _, c := range []struct {
		arg  object
		code chat.Code
	}{
		{object{"q": "printer", "room_id": "bugs"}, chat.CodeRoomNotFound},
		{object{"q": "printer", "room_id": "missing"}, chat.CodeRoomNotFound},
		{object{"q": "printer", "room_id": "%"}, chat.CodeInvalidArgument},
		{object{}, chat.CodeInvalidArgument},
		{object{"q": strings.Repeat("x", 1025)}, chat.CodeInvalidArgument},
		{object{"q": "a b c d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5 6 7 8 9"}, chat.CodeInvalidArgument},
		{object{"q": "x", "cursor": "' OR 1=1 --"}, chat.CodeInvalidArgument},
		{object{"q": "x", "limit": 201}, chat.CodeInvalidArgument},
		{object{"q": "x", "since": "yesterday"}, chat.CodeInvalidArgument},
	} {
		require.Equal(t, c.code, refused(t, bob, "search", c.arg).Code, "%v", c.arg)
	}

	page, err := a.chat.As(chat.User{ID: "bob", Name: "Bob"}).Search(ctx, chat.SearchQuery{Text: "fixed"})
	require.NoError(t, err)
	require.Len(t, page.Results, 1)
	page, err = a.chat.System().Search(ctx, chat.SearchQuery{Text: "printer", RoomID: "bugs"})
	require.NoError(t, err)
	require.Len(t, page.Results, 1)
	call(t, ada, "member.remove", object{"room_id": "desk", "user_id": "bob"})
	found, _ = texts(search("Bob", object{"q": "printer"}))
	require.Empty(t, found, "what he could read once")
}

// Who is banned from a room, or kept from reading there by the app, finds nothing there, member or not.
func TestSearchAsksWhoMayRead(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t, chat.WithAuthorizer(func(_ context.Context, r chat.AuthRequest) (bool, error) {
		return r.Allowed && !(r.Room.ID == "closed" && r.Action == chat.ActionHistoryRead), nil
	}))
	ctx := t.Context()
	ada := chat.User{ID: "ada", Name: "Ada"}
	for _, room := range []string{"open", "closed", "banned"} {
		_, err := a.chat.System().CreateRoom(ctx, chat.NewRoom{ID: room, Type: "public", Creator: ada})
		require.NoError(t, err)
		_, err = a.chat.System().Send(ctx, chat.NewMessage{RoomID: room, Text: "hello from " + room})
		require.NoError(t, err)
	}
	page, err := a.chat.As(ada).Search(ctx, chat.SearchQuery{Text: "hello"})
	require.NoError(t, err)
	found, _ := texts(page)
	require.ElementsMatch(t, []string{"hello from open", "hello from banned"}, found)
	_, err = a.store.Sanction(ctx, store.Sanction{UserID: "ada", Kind: store.SanctionBan, RoomID: "banned"})
	require.NoError(t, err)
	page, err = a.chat.As(ada).Search(ctx, chat.SearchQuery{Text: "hello"})
	require.NoError(t, err)
	found, _ = texts(page)
	require.Equal(t, []string{"hello from open"}, found)
	for _, room := range []string{"closed", "banned"} {
		_, err = a.chat.As(ada).Search(ctx, chat.SearchQuery{Text: "hello", RoomID: room})
		require.Error(t, err, room)
	}
}
