package chat_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// onEach runs a test on each transport.
func onEach(t *testing.T, test func(*testing.T, chattest.Transport)) {
	t.Helper()
	for _, transport := range chattest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			test(t, transport)
		})
	}
}

func TestTalk(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t)
		ada := a.connect(t, "Ada", transport)
		joined := call(t, ada, "room.join", object{"room_id": "general"})
		require.Equal(t, "general", joined.Room.ID)
		require.NotEmpty(t, joined.Room.Epoch)
		require.Equal(t, store.RoomPublic, joined.Room.Type)
		require.Empty(t, joined.Messages)
		require.Len(t, joined.Members, 1)
		require.Equal(t, store.RoleOwner, joined.Members[0].Role, "whoever opens a room owns it")

		bob := a.connect(t, "Bob", transport)
		joined = call(t, bob, "room.join", object{"room_id": "general"})
		require.Equal(t, []string{"ada", "bob"}, []string{joined.Members[0].User.ID, joined.Members[1].User.ID})
		require.True(t, joined.Members[0].Online)
		require.Equal(t, "ada", expect(t, ada, "member.added").User.ID, "one hears of oneself too")
		added := expect(t, ada, "member.added")
		require.Equal(t, "general", added.RoomID)
		require.Equal(t, "bob", added.User.ID)
		require.Equal(t, store.RoleMember, added.Member.Role)

		sent := call(t, bob, "message.send", object{
			"room_id": "general", "text": "hi <b>you</b> \U0001f44b", "client_id": "c1", "metadata": object{"mood": "fine"},
			"attachments": []object{{"type": "image", "url": "https://img.example/1.png", "width": 3}},
		})
		require.Equal(t, int64(1), sent.Message.Seq)
		require.Equal(t, "c1", sent.Message.ClientID)
		for _, s := range []*chattest.Socket{ada, bob} {
			e := expect(t, s, "message.new")
			require.Equal(t, sent.Message, *e.Message, "the ack and the event show the same message")
			require.Equal(t, int64(1), e.Seq)
			require.Equal(t, "Bob", e.User.Name)
			require.JSONEq(t, `{"mood":"fine"}`, string(e.Message.Metadata))
			require.Equal(t, 3, e.Message.Attachments[0].Width)
		}
		answer := call(t, ada, "message.send", object{"room_id": "general", "text": "hi Bob", "parent_id": sent.Message.ID, "metadata": nil})
		require.Equal(t, store.MessageReply, answer.Message.Type)
		require.Empty(t, answer.Message.ClientID)
		require.Nil(t, answer.Message.Metadata, "null is none")

		again := call(t, a.connect(t, "Bob", transport), "room.join", object{"room_id": "general"})
		sent.Message.ReplyCount++
		require.Equal(t, []chat.Message{sent.Message, answer.Message}, again.Messages)
		require.Len(t, again.Members, 2, "a second tab is no second member")
	})
}

func TestRoomJoin(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	room := call(t, ada, "room.join", object{"room_id": "general"}).Room
	for i := range 10 {
		call(t, ada, "message.send", object{"room_id": "general", "text": fmt.Sprint(i + 1)})
	}
	texts := func(r reply) (out []string) {
		for _, m := range r.Messages {
			out = append(out, m.Text)
		}
		return out
	}
	r := call(t, ada, "room.join", object{"room_id": "general", "limit": 3})
	require.Equal(t, []string{"8", "9", "10"}, texts(r), "the latest page")
	require.True(t, r.HasMoreBefore)
	require.Equal(t, "before:8", r.NextCursor)
	r = call(t, ada, "room.join", object{"room_id": "general", "after": 7, "epoch": room.Epoch})
	require.Equal(t, []string{"8", "9", "10"}, texts(r), "what was missed")
	require.False(t, r.Resync)
	r = call(t, ada, "room.join", object{"room_id": "general", "after": 10})
	require.Empty(t, r.Messages)
	require.NotNil(t, r.Messages, "an empty list, not null")
	require.False(t, r.Resync)
	r = call(t, ada, "room.join", object{"room_id": "general", "after": 0, "limit": 4})
	require.Equal(t, []string{"1", "2", "3", "4"}, texts(r), "from the first")
	require.True(t, r.HasMoreAfter)
	require.Equal(t, "after:4", r.NextCursor)

	r = call(t, ada, "room.history", object{"room_id": "general", "cursor": r.NextCursor, "limit": 4})
	require.Equal(t, []string{"5", "6", "7", "8"}, texts(r))
	r = call(t, ada, "room.history", object{"room_id": "general", "before": r.Messages[0].ID, "limit": 2})
	require.Equal(t, []string{"3", "4"}, texts(r), "a position may be a message id")
	r = call(t, ada, "room.history", object{"room_id": "general", "around": 5, "limit": 3})
	require.Contains(t, texts(r), "5")

	for name, arg := range map[string]object{
		"a seq that this database has not reached": {"room_id": "general", "after": 11},
		"another epoch": {"room_id": "general", "after": 3, "epoch": "gone"},
	} {
		r = call(t, ada, "room.join", arg)
		require.True(t, r.Resync, name)
		require.Len(t, r.Messages, 10, name)
	}
	for name, arg := range map[string]any{
		"no argument": nil, "a string": "general", "a number as id": object{"room_id": 1}, "no id": object{},
		"upper case": object{"room_id": "General"}, "a path": object{"room_id": "../x"}, "too long": object{"room_id": strings.Repeat("a", 65)},
		"NUL": object{"room_id": "a\x00"}, "negative": object{"room_id": "general", "after": -1},
		"limit": object{"room_id": "general", "limit": 1000}, "after as text": object{"room_id": "general", "after": "x"},
	} {
		require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "room.join", arg).Code, name)
	}
}

// A page of long messages ends early: as one packet it is not to be larger than what may wait for a connection.
func TestPageOfLongMessages(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	const n = 8
	for range n {
		call(t, ada, "message.send", object{"room_id": "r", "text": strings.Repeat("\x01", 60<<10)})
	}
	size := func(event string, arg object) (r reply) {
		args := ada.ExpectAck(t, event, arg)
		require.NoError(t, args.Decode(0, &r))
		require.Less(t, len(args.String()), 1<<20, event)
		return r
	}
	latest := size("room.join", object{"room_id": "r", "limit": 200})
	require.True(t, latest.HasMoreBefore)
	require.Equal(t, int64(n), latest.Messages[len(latest.Messages)-1].Seq)
	size("room.history", object{"room_id": "r", "around": 4, "limit": 200})
	var seen int64
	for more := true; more; {
		page := size("room.join", object{"room_id": "r", "after": seen, "limit": 200})
		for _, m := range page.Messages {
			seen++
			require.Equal(t, seen, m.Seq)
		}
		more = page.HasMoreAfter
	}
	require.Equal(t, int64(n), seen)
}

func TestUnknownRoom(t *testing.T) {
	t.Parallel()
	st := func(c *chat.Chat) {
		_, err := c.System().CreateRoom(t.Context(), chat.NewRoom{ID: "open", Name: "Open"})
		require.NoError(t, err)
		_, err = c.System().CreateRoom(t.Context(), chat.NewRoom{ID: "secret", Type: store.RoomPrivate, Creator: chat.User{ID: "boss"}})
		require.NoError(t, err)
	}
	a := newClosedApp(t)
	st(a.chat)
	ada := a.connect(t, "Ada", chattest.WebSocket)

	missing, private := object{"room_id": "missing"}, object{"room_id": "secret"}
	for _, event := range []string{"room.join", "room.leave", "room.history", "message.send"} {
		for _, arg := range []object{missing, private} {
			arg["text"] = "x"
			require.Equal(t, chat.CodeRoomNotFound, refused(t, ada, event, arg).Code, event)
		}
		require.Equal(t, ada.ExpectAck(t, event, missing).String(), ada.ExpectAck(t, event, private).String(),
			"a private room looks like none")
	}
	for _, event := range []string{"room.leave", "room.history", "message.send", "typing.start"} {
		require.Equal(t, chat.CodeNotAMember, refused(t, ada, event, object{"room_id": "open", "text": "x"}).Code, event)
	}
	call(t, ada, "room.join", object{"room_id": "open"})
	call(t, ada, "message.send", object{"room_id": "open", "text": "x"})

	// Open rooms do not open private ones.
	b := newApp(t)
	st(b.chat)
	bob := b.connect(t, "Bob", chattest.WebSocket)
	require.Equal(t, chat.CodeRoomNotFound, refused(t, bob, "room.join", private).Code)
	call(t, bob, "room.join", missing)

	expect(t, bob, "member.added")
	_, err := b.chat.System().AddMember(t.Context(), "secret", chat.User{ID: "bob", Name: "Bob"})
	require.NoError(t, err)
	require.Equal(t, "secret", expect(t, bob, "member.added").RoomID, "who was added hears it without having joined")
	call(t, bob, "room.join", private)
}

func TestMessageSendRefused(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithMaxTextBytes(100))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	call(t, ada, "room.join", object{"room_id": "other"})
	elsewhere := call(t, ada, "message.send", object{"room_id": "other", "text": "x"}).Message
	for name, test := range map[string]struct {
		arg  object
		want chat.Code
	}{
		"too long":             {object{"text": strings.Repeat("ä", 51)}, chat.CodeMessageTooLarge},
		"empty":                {object{"text": ""}, chat.CodeInvalidArgument},
		"blank":                {object{"text": " \n\t"}, chat.CodeInvalidArgument},
		"NUL":                  {object{"text": "a\x00b"}, chat.CodeInvalidArgument},
		"number":               {object{"text": 5}, chat.CodeInvalidArgument},
		"object":               {object{"text": object{"$ne": ""}}, chat.CodeInvalidArgument},
		"client_id too long":   {object{"text": "x", "client_id": strings.Repeat("c", 129)}, chat.CodeInvalidArgument},
		"client_id control":    {object{"text": "x", "client_id": "a\n"}, chat.CodeInvalidArgument},
		"parent elsewhere":     {object{"text": "x", "parent_id": elsewhere.ID}, chat.CodeMessageNotFound},
		"parent unknown":       {object{"text": "x", "parent_id": "' OR 1=1 --"}, chat.CodeMessageNotFound},
		"metadata not object":  {object{"text": "x", "metadata": []int{1}}, chat.CodeInvalidArgument},
		"metadata too large":   {object{"text": "x", "metadata": object{"x": strings.Repeat("x", 40_000)}}, chat.CodeInvalidArgument},
		"link that runs":       {object{"text": "x", "attachments": []object{{"url": "javascript:alert(1)"}}}, chat.CodeInvalidArgument},
		"link without scheme":  {object{"text": "x", "attachments": []object{{"url": "//evil.example"}}}, chat.CodeInvalidArgument},
		"too many attachments": {object{"text": "x", "attachments": make([]object, 11)}, chat.CodeInvalidArgument},
	} {
		test.arg["room_id"] = "r"
		require.Equal(t, test.want, refused(t, ada, "message.send", test.arg).Code, name)
	}
	ok := call(t, ada, "message.send", object{"room_id": "r", "text": strings.Repeat("ä", 50)})
	require.Equal(t, int64(1), ok.Message.Seq, "nothing of what was refused is stored")
	require.Equal(t, int64(1), expect(t, ada, "message.new").Seq, "other's")
	require.Equal(t, ok.Message.ID, expect(t, ada, "message.new").Message.ID)
}

// The same client_id, sent at once over two connections and REST, is one message, and everybody gets the same answer.
func TestSameClientID(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	first, second := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Ada", chattest.Polling)
	call(t, first, "room.join", object{"room_id": "r"})
	call(t, second, "room.join", object{"room_id": "r"})

	const n = 10
	var group sync.WaitGroup
	got := make(chan chat.Message, n)
	failed := make(chan error, n)
	for i := range n {
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			if i%3 == 2 {
				var body reply
				status, err := a.rest(ctx, "Ada", "POST", "/rooms/r/messages", object{"text": "once"}, &body, "Idempotency-Key", "same")
				if err != nil || status != 201 {
					failed <- fmt.Errorf("REST: %d %w", status, err)
				}
				got <- body.Message
				return
			}
			args, err := []*chattest.Socket{first, second}[i%3].EmitWithAck(ctx, "message.send",
				object{"room_id": "r", "text": "once", "client_id": "same"})
			var r reply
			if err = errors.Join(err, args.Decode(0, &r)); err != nil || r.Status != "ok" {
				failed <- fmt.Errorf("event: %s %w", args, err)
			}
			got <- r.Message
		})
	}
	group.Wait()
	close(got)
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	want := <-got
	require.Equal(t, int64(1), want.Seq)
	for m := range got {
		require.Equal(t, want, m)
	}
	require.Equal(t, want.ID, expect(t, first, "message.new").Message.ID)
	first.ExpectNone(t, "message.new")
	page, err := a.chat.System().History(t.Context(), chat.HistoryQuery{RoomID: "r"})
	require.NoError(t, err)
	require.Equal(t, []chat.Message{want}, page.Messages)

	require.Equal(t, chat.CodeIDConflict,
		refused(t, first, "message.send", object{"room_id": "r", "text": "another", "client_id": "same"}).Code)
	// Somebody else's client_id is another one.
	bob := a.connect(t, "Bob", chattest.WebSocket)
	call(t, bob, "room.join", object{"room_id": "r"})
	require.Equal(t, int64(2), call(t, bob, "message.send", object{"room_id": "r", "text": "once", "client_id": "same"}).Message.Seq)
}

func TestLeaveAndRemove(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t)
		ada, tab := a.connect(t, "Ada", transport), a.connect(t, "Ada", transport)
		bob := a.connect(t, "Bob", transport)
		for _, s := range []*chattest.Socket{bob, ada, tab} {
			call(t, s, "room.join", object{"room_id": "r"})
		}
		call(t, ada, "room.leave", object{"room_id": "r"})
		for _, s := range []*chattest.Socket{ada, tab, bob} {
			e := expect(t, s, "member.removed")
			require.Equal(t, "ada", e.User.ID)
			require.Equal(t, "r", e.RoomID)
		}
		call(t, bob, "message.send", object{"room_id": "r", "text": "are they gone?"})
		expect(t, bob, "message.new")
		ada.ExpectNone(t, "message.new")
		tab.ExpectNone(t, "message.new")
		require.Equal(t, chat.CodeNotAMember, refused(t, tab, "message.send", object{"room_id": "r", "text": "x"}).Code)
		require.Equal(t, chat.CodeNotAMember, refused(t, tab, "typing.start", object{"room_id": "r"}).Code)
		require.Equal(t, chat.CodeNotAMember, refused(t, tab, "room.leave", object{"room_id": "r"}).Code)

		call(t, tab, "room.join", object{"room_id": "r"})
		require.NoError(t, a.chat.System().RemoveMember(t.Context(), "r", "ada"))
		require.Equal(t, "ada", expect(t, tab, "member.removed").User.ID)
		_, err := a.chat.System().Send(t.Context(), chat.NewMessage{RoomID: "r", Text: "Ada was removed."})
		require.NoError(t, err)
		require.Equal(t, store.MessageSystem, expect(t, bob, "message.new").Message.Type)
		tab.ExpectNone(t, "message.new")
		require.ErrorIs(t, a.chat.System().RemoveMember(t.Context(), "r", "ada"), chat.NewError(chat.CodeNotAMember, ""))
	})
}

// The transport's own recovery would put a client back into rooms it was removed from while it was away.
func TestNoRecoveryAfterRemoval(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithTransport(socketio.WithRecovery(socketio.Recovery{})))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	require.Empty(t, ada.PID(), "nothing to come back with")
}

// Joins and removals at the same time: whoever has no membership in the end hears nothing.
func TestJoinAgainstRemove(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithNotices())
	_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "r", Type: store.RoomPrivate, Creator: chat.User{ID: "boss"}})
	require.NoError(t, err)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	for range 30 {
		_, err := a.chat.System().AddMember(t.Context(), "r", chat.User{ID: "ada", Name: "Ada"})
		require.NoError(t, err)
		var group sync.WaitGroup
		group.Go(func() { _, _ = ada.EmitWithAck(t.Context(), "room.join", object{"room_id": "r"}) })
		group.Go(func() { _ = a.chat.System().RemoveMember(t.Context(), "r", "ada") })
		group.Wait()
		_, err = a.chat.System().Send(t.Context(), chat.NewMessage{RoomID: "r", Text: "secret"})
		require.NoError(t, err)
		ada.ExpectNone(t, "message.new")
	}
}

func TestTypingEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t, chat.WithTypingExpiry(aMoment))
		ada, tab, bob := a.connect(t, "Ada", transport), a.connect(t, "Ada", transport), a.connect(t, "Bob", transport)
		for _, s := range []*chattest.Socket{ada, tab, bob} {
			call(t, s, "room.join", object{"room_id": "r"})
		}
		require.NoError(t, ada.Emit("typing.start", object{"room_id": "r", "parent_id": "m1"})) // nobody waits for an ack
		e := expect(t, bob, "typing.start")
		require.Equal(t, "ada", e.User.ID)
		require.Equal(t, "m1", e.ParentID)
		require.Equal(t, "ada", expect(t, bob, "typing.stop").User.ID, "it expires by itself")
		tab.ExpectNone(t, "typing.start", "typing.stop")
	})
	a := newApp(t, chat.WithTypingExpiry(time.Hour))
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	call(t, bob, "room.join", object{"room_id": "r"})
	for name, stop := range map[string]func(){
		"typing.stop":  func() { call(t, ada, "typing.stop", object{"room_id": "r"}) },
		"message.send": func() { call(t, ada, "message.send", object{"room_id": "r", "text": "done"}) },
		"disconnect":   func() { ada.Close() },
	} {
		if name == "disconnect" {
			continue // last
		}
		call(t, ada, "typing.start", object{"room_id": "r"})
		expect(t, bob, "typing.start")
		stop()
		expect(t, bob, "typing.stop")
	}
	call(t, ada, "typing.start", object{"room_id": "r"})
	expect(t, bob, "typing.start")
	ada.Close()
	expect(t, bob, "typing.stop")
}

func TestPresenceEvents(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t, chat.WithPresenceGrace(20*aMoment))
		bob := a.connect(t, "Bob", transport)
		call(t, bob, "room.join", object{"room_id": "r"})
		_, err := a.chat.System().AddMember(t.Context(), "r", chat.User{ID: "ada", Name: "Ada"})
		require.NoError(t, err)
		expect(t, bob, "member.added") // Bob's own
		require.False(t, expect(t, bob, "member.added").Member.Online)
		ada := a.connect(t, "Ada", transport)
		e := expect(t, bob, "user.presence.changed")
		if e.User.ID == "bob" { // was announced after he had joined
			e = expect(t, bob, "user.presence.changed")
		}
		require.Equal(t, "ada", e.User.ID)
		require.Equal(t, chat.StatusOnline, e.Status)
		call(t, ada, "room.join", object{"room_id": "r"})

		tab := a.connect(t, "Ada", transport)
		tab.Close()
		ada.Close() // a reload
		ada = a.connect(t, "Ada", transport)
		call(t, ada, "room.join", object{"room_id": "r"})
		bob.ExpectNone(t, "user.presence.changed", "member.added")
		require.True(t, a.chat.Online("ada"))

		ada.Close()
		e = expect(t, bob, "user.presence.changed")
		require.Equal(t, "ada", e.User.ID)
		require.Equal(t, chat.StatusOffline, e.Status)
		require.False(t, a.chat.Online("ada"))
		require.False(t, call(t, bob, "room.join", object{"room_id": "r"}).Members[0].Online)

		a.connect(t, "Ada", transport)
		require.Equal(t, chat.StatusOnline, expect(t, bob, "user.presence.changed").Status)
	})
}

func TestRoomsPerSocket(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithRoomsPerSocket(3))
	ada := a.connect(t, "Ada", chattest.WebSocket)
	for i := range 3 {
		call(t, ada, "room.join", object{"room_id": fmt.Sprint(i)})
	}
	require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "room.join", object{"room_id": "3"}).Code)
	_, err := a.chat.System().Room(t.Context(), "3")
	require.ErrorIs(t, err, chat.NewError(chat.CodeRoomNotFound, ""), "nothing was created")
	call(t, ada, "room.join", object{"room_id": "2"})
	call(t, ada, "room.leave", object{"room_id": "0"})
	call(t, ada, "room.join", object{"room_id": "3"})
}
