package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// One place sees every operation, may refuse it and rewrite what is asked for, and hears what became of it.
func TestBeforeAndAfter(t *testing.T) {
	t.Parallel()
	type seen struct {
		name, user, room string
		code             chat.Code
	}
	var mu sync.Mutex
	var log []seen
	before := func(_ context.Context, o *chat.Operation) error {
		switch in := o.In.(type) {
		case *chat.NewMessage:
			switch in.Text {
			case "refuse":
				return chat.RateLimited(0)
			case "fail":
				return errors.New("no reason for clients")
			case "to the other":
				in.RoomID = "other"
			case "panic":
				panic("boom")
			}
			in.Text = strings.ReplaceAll(in.Text, "darn", "****")
		case *chat.NewRoom:
			in.Topic = "Be kind."
		}
		return nil
	}
	after := func(_ context.Context, o *chat.Operation) {
		if o.Err == nil != (o.Out != nil) {
			t.Errorf("%s: out %v, err %v", o.Name, o.Out, o.Err)
		}
		if m, ok := o.Out.(chat.MessageResult); ok && m.Message.Text == "panic after" {
			panic("boom")
		}
		mu.Lock()
		defer mu.Unlock()
		user := o.User.ID
		if o.System {
			user = "system"
		}
		log = append(log, seen{o.Name, user, o.Room.ID, codeOf(o.Err)})
	}
	a := newApp(t, chat.WithBefore(before), chat.WithAfter(after))
	took := func() []seen {
		mu.Lock()
		defer mu.Unlock()
		out := log
		log = nil
		return out
	}
	ada := a.connect(t, "Ada", chattest.WebSocket)
	for _, id := range []string{"r", "private"} {
		kind := map[string]store.RoomType{"r": store.RoomPublic, "private": store.RoomPrivate}[id]
		room, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: id, Type: kind})
		require.NoError(t, err)
		require.Equal(t, "Be kind.", room.Topic)
	}
	require.Equal(t, []seen{{"room.create", "system", "", ""}, {"room.create", "system", "", ""}}, took())
	call(t, ada, "room.join", object{"room_id": "r"})
	require.NoError(t, ada.Barrier(t.Context()))
	require.Equal(t, []seen{{"room.join", "ada", "r", ""}}, took())

	require.Equal(t, "**** it", call(t, ada, "message.send", object{"room_id": "r", "text": "darn it"}).Message.Text)
	require.Equal(t, "****", a.post(t, "Ada", "/rooms/r/messages", object{"text": "darn"}, 201).Message.Text)
	m, err := a.chat.As(chat.User{ID: "ada", Name: "Ada"}).Send(t.Context(), chat.NewMessage{RoomID: "r", Text: "oh darn"})
	require.NoError(t, err)
	require.Equal(t, "oh ****", m.Text)
	require.Equal(t, chat.CodeRateLimited, refused(t, ada, "message.send", object{"room_id": "r", "text": "refuse"}).Code)
	require.Equal(t, chat.CodeForbidden, refused(t, ada, "message.send", object{"room_id": "r", "text": "fail"}).Code)
	require.Equal(t, chat.CodeRoomNotFound, refused(t, ada, "message.send", object{"room_id": "private", "text": "refuse"}).Code,
		"only what is permitted is shown")
	require.Equal(t, chat.CodeRoomNotFound, refused(t, ada, "message.send", object{"room_id": "r", "text": "to the other"}).Code,
		"another room is another permission")
	require.NoError(t, ada.Barrier(t.Context()))
	require.Equal(t, []seen{
		{"message.send", "ada", "r", ""},
		{"message.send", "ada", "r", ""},
		{"message.send", "ada", "r", ""},
		{"message.send", "ada", "r", chat.CodeRateLimited},
		{"message.send", "ada", "r", chat.CodeForbidden},
		{"message.send", "ada", "", chat.CodeRoomNotFound},
		{"message.send", "ada", "r", chat.CodeRoomNotFound},
	}, took())

	require.Equal(t, chat.CodeInternal, refused(t, ada, "message.send", object{"room_id": "r", "text": "panic"}).Code)
	require.Error(t, ada.ExpectEnd(t), "a panic ends the connection")
	ada = a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "message.send", object{"room_id": "r", "text": "panic after"})
	require.Error(t, ada.ExpectEnd(t))
	a.post(t, "Ada", "/rooms/r/messages", object{"text": "panic after"}, 201)
	a.post(t, "Ada", "/rooms/r/messages", object{"text": "panic"}, 500)
}

// Each method of an Actor is an operation of the table, and its errors are an *Error.
func TestActor(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for who, actor := range map[string]*chat.Actor{
		"user": a.chat.As(chat.User{ID: "ada"}), "system": a.chat.System(), "nobody": a.chat.As(chat.User{}),
	} {
		v := reflect.ValueOf(actor)
		for i := range v.NumMethod() {
			name, method := v.Type().Method(i).Name, v.Method(i)
			args := []reflect.Value{reflect.ValueOf(t.Context())}
			for j := 1; j < method.Type().NumIn() && !method.Type().IsVariadic(); j++ {
				args = append(args, reflect.Zero(method.Type().In(j)))
			}
			results := method.Call(args)
			err, _ := results[len(results)-1].Interface().(error)
			var e *chat.Error
			require.True(t, err == nil || errors.As(err, &e), "%s by %s: %v", name, who, err)
			require.NotEqual(t, chat.CodeInternal, codeOf(err), "%s by %s: %v", name, who, err)
			require.True(t, who != "nobody" || codeOf(err) == chat.CodeInvalidArgument, "%s by nobody: %v", name, err)
		}
	}
}

// What a call says in its path, query, body and header becomes one argument, and what is wrong is named.
func TestBinding(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	a.post(t, "Ada", "/rooms/r/join", nil, 200)
	a.post(t, "Ada", "/rooms/r/join", object{"after": 0, "limit": 3}, 200)
	a.post(t, "Ada", "/rooms/r/messages", object{"text": "x", "room_id": "r", "client_id": "c"}, 201, "Idempotency-Key", "c")
	for name, test := range map[string]struct {
		method, path string
		body         any
		field        string
		header       []string
	}{
		"path and body":    {"POST", "/rooms/r/messages", object{"text": "x", "room_id": "s"}, "room_id", nil},
		"header and body":  {"POST", "/rooms/r/messages", object{"text": "x", "client_id": "c"}, "Idempotency-Key", []string{"Idempotency-Key", "d"}},
		"a number as text": {"POST", "/rooms/r/messages", object{"text": 1}, "text", nil},
		"a text as number": {"POST", "/rooms/r/join", object{"limit": "1"}, "limit", nil},
		"a fraction":       {"POST", "/rooms/r/join", object{"after": 1.5}, "after", nil},
		"deep inside":      {"POST", "/rooms/r/messages", object{"text": "x", "attachments": []object{{"url": 5}}}, "attachments.url", nil},
		"an array":         {"POST", "/rooms/r/messages", []int{1}, "body", nil},
		"a wrong position": {"POST", "/rooms/r/messages", object{"metadata": "x", "text": "x"}, "metadata", nil},
		"twice":            {"GET", "/rooms/r/messages?limit=1&limit=1", nil, "limit", nil},
		"no number":        {"GET", "/rooms/r/members?limit=ten", nil, "limit", nil},
		"too much":         {"GET", "/rooms/r/members?limit=99999999999999999999", nil, "limit", nil},
		"no position":      {"GET", "/rooms/r/messages?around=%00", nil, "around", nil},
		"negative":         {"GET", "/rooms/r/messages?before=-1", nil, "before", nil},
	} {
		var r reply
		status, err := a.rest(t.Context(), "Ada", test.method, test.path, test.body, &r, test.header...)
		require.NoError(t, err, name)
		require.Equal(t, 400, status, name)
		require.Equal(t, chat.CodeInvalidArgument, r.Error.Code, name)
		require.Equal(t, test.field, r.Error.Details["field"], "%s: %s", name, r.Error.Message)
	}
	page := get[chat.Page](t, a, "Ada", "/rooms/r/messages?after=0&utm_source=x&limit=")
	require.Len(t, page.Messages, 1, "what is no field is somebody else's")

	ada := a.connect(t, "Ada", chattest.WebSocket)
	e := refused(t, ada, "message.send", object{"room_id": "r", "text": object{}})
	require.Equal(t, "text", e.Details["field"], "the same over events")
}

// Browsers of listed origins may use every method that there is.
func TestPreflight(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithOrigins("https://shop.example"))
	req, err := http.NewRequestWithContext(t.Context(), "OPTIONS", a.URL+"/chat/api/v1/rooms/r", nil)
	require.NoError(t, err)
	req.Header.Set("Origin", "https://shop.example")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	allowed := res.Header.Get("Access-Control-Allow-Methods")
	for _, op := range chat.Operations(a.chat) {
		require.Contains(t, allowed, op.Method)
	}
}

// An acknowledgement is the result with a status in front, as it stands.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "r"})
	sent := ada.ExpectAck(t, "message.send", object{"room_id": "r", "text": "<b> & \u2028"}).Raw(0)
	require.True(t, strings.HasPrefix(string(sent), `{"status":"ok","message":{"id":"`), sent)
	require.Contains(t, string(sent), `"text":"<b> & \u2028"`)
	require.Equal(t, `{"status":"ok"}`, string(ada.ExpectAck(t, "room.leave", object{"room_id": "r"}).Raw(0)))
}

// An admin may do everywhere what an owner may, without being a member.
func TestAdmin(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	room, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{Type: store.RoomPrivate, Creator: chat.User{ID: "ada"}})
	require.NoError(t, err)
	admin := chat.User{ID: "admin", Name: "Admin", Admin: true}
	_, err = a.chat.As(admin).Send(t.Context(), chat.NewMessage{RoomID: room.ID, Text: "Order, please."})
	require.NoError(t, err)
	require.NoError(t, a.chat.As(admin).RemoveMember(t.Context(), room.ID, "ada"))
	members, err := a.chat.As(admin).Members(t.Context(), chat.MemberQuery{RoomID: room.ID})
	require.NoError(t, err)
	require.Empty(t, members.Members)
}

// Where users choose ids, one that they cannot have tells nothing about why.
func TestTakenIDs(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	for _, id := range []string{"secret", "gone", "public"} {
		kind := store.RoomPrivate
		if id == "public" {
			kind = store.RoomPublic
		}
		_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: id, Type: kind, Creator: chat.User{ID: "boss"}})
		require.NoError(t, err)
	}
	_, err := a.store.DeleteRoom(t.Context(), "gone")
	require.NoError(t, err)
	direct, _, err := a.store.DirectRoom(t.Context(), store.User{ID: "x", Name: "X"}, store.User{ID: "y", Name: "Y"})
	require.NoError(t, err)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	create := func(id string) string {
		var raw json.RawMessage
		status, err := a.rest(t.Context(), "Ada", "POST", "/rooms", object{"id": id}, &raw)
		require.NoError(t, err)
		return fmt.Sprint(status, string(raw))
	}
	join := func(id string) string { return ada.ExpectAck(t, "room.join", object{"room_id": id}).String() }
	for _, id := range []string{"secret", direct.ID, store.DirectID("p", "q")} {
		require.Equal(t, create("gone"), create(id), id)
		require.Equal(t, join("gone"), join(id), id)
	}
	require.Contains(t, create("gone"), "403")
	require.Contains(t, join("gone"), "room_not_found")
	require.Contains(t, create("public"), "conflict", "which one can see")
}

// A Join hook knows the room by its id, also by one that was generated.
func TestJoinHookSeesTheID(t *testing.T) {
	t.Parallel()
	var seen chat.Room
	a := newClosedApp(t, chat.WithHooks(chat.Hooks{
		Join: func(_ context.Context, _ chat.User, r chat.Room) error { seen = r; return nil },
	}))
	room, err := a.chat.As(chat.User{ID: "ada"}).CreateRoom(t.Context(), chat.NewRoom{Name: "Ours", Topic: "Tea"})
	require.NoError(t, err)
	require.NotEmpty(t, seen.ID)
	require.Equal(t, room.ID, seen.ID)
	require.Equal(t, "Tea", seen.Topic)
}

// The metadata of a room is limited to what the store takes, and the refusal says so.
func TestRoomMetadataLimit(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	sized := func(n int) json.RawMessage {
		return json.RawMessage(`{"x":"` + strings.Repeat("x", n-len(`{"x":""}`)) + `"}`)
	}
	system := a.chat.System()
	_, err := system.CreateRoom(t.Context(), chat.NewRoom{ID: "r", Metadata: sized(16 << 10)})
	require.NoError(t, err)
	_, err = system.CreateRoom(t.Context(), chat.NewRoom{ID: "s", Metadata: sized(16<<10 + 1)})
	require.ErrorContains(t, err, "metadata is larger than 16 KiB")
}

// Who joins a room again between the end of the membership and that of the subscription does not stay there deaf: the
// connection ends, and the client comes back.
func TestRejoinDuringRemoval(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		a := newApp(t)
		ada, bob := a.connect(t, "Ada", transport), a.connect(t, "Bob", transport)
		for _, s := range []*chattest.Socket{ada, bob} {
			call(t, s, "room.join", object{"room_id": "r"})
		}
		require.NoError(t, a.store.RemoveMember(t.Context(), "r", "ada"))
		call(t, ada, "room.join", object{"room_id": "r"})
		chat.Evict(a.chat, t.Context(), "r", chat.User{ID: "ada", Name: "Ada"})
		require.NotErrorIs(t, ada.ExpectEnd(t), chattest.ErrDisconnected, "which stock clients take for the last word")
		require.NoError(t, bob.Barrier(t.Context()))

		require.NoError(t, a.store.RemoveMember(t.Context(), "r", "bob"))
		chat.Evict(a.chat, t.Context(), "r", chat.User{ID: "bob", Name: "Bob"})
		require.NoError(t, bob.Barrier(t.Context()), "who has not is told, and stays connected")
	})
}
