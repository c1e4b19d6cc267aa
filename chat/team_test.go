package chat_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// answered is what the operations of this page return, over events and REST alike.
type answered struct {
	Room       chat.Room       `json:"room"`
	Member     chat.Member     `json:"member"`
	Invitation chat.Invitation `json:"invitation"`
}

// onDatabases tells a story on each database, in an app whose rooms are closed. Signing in is by name, and Admin is one.
func onDatabases(t *testing.T, story func(t *testing.T, a *app)) {
	t.Helper()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		a := &app{store: d.Store(t)}
		story(t, a.serve(t, onEcho, chat.WithTokenAuth(withAdmin)))
	})
}

// know makes the chat know somebody who has never connected.
func (a *app) know(t testing.TB, name string) {
	t.Helper()
	require.NoError(t, a.store.PutUser(t.Context(), store.User{ID: strings.ToLower(name), Name: name}))
}

// send makes a call that must be answered with a status, and decodes the answer.
func (a *app) send(t testing.TB, name, method, path string, body, want any, out any) {
	t.Helper()
	var raw json.RawMessage
	status, err := a.rest(t.Context(), name, method, path, body, &raw)
	require.NoError(t, err)
	require.Equal(t, want, status, "%s %s: %s", method, path, raw)
	if out != nil {
		require.NoError(t, json.Unmarshal(raw, out))
	}
}

func (a *app) status(t testing.TB, name, method, path string, body any) int {
	t.Helper()
	status, err := a.rest(t.Context(), name, method, path, body, nil)
	require.NoError(t, err)
	return status
}

// body is the answer to a call, whatever it is.
func (a *app) body(t testing.TB, name, method, path string) string {
	t.Helper()
	var raw json.RawMessage
	status, err := a.rest(t.Context(), name, method, path, nil, &raw)
	require.NoError(t, err)
	return fmt.Sprint(status, string(raw))
}

// A team makes a room of its own, brings people in, shows one out, and closes it.
func TestTeam(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, a *app) {
		ada, bob, cleo := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket), a.connect(t, "Cleo", chattest.Polling)
		// Ada opens a private room. Her phone hears of it, and nobody else finds it.
		phone := a.connect(t, "Ada", chattest.WebSocket)
		var made answered
		a.send(t, "Ada", "POST", "/rooms", object{"type": "private", "name": "Launch", "topic": "October"}, 201, &made)
		room := made.Room.ID
		require.Equal(t, "Launch", expect(t, phone, "room.created").Room.Name)
		require.Equal(t, chat.CodeRoomNotFound, refused(t, bob, "room.get", object{"room_id": room}).Code)
		call(t, ada, "room.join", object{"room_id": room})

		// She invites Bob, who sees what it is called, and nothing of what is said there.
		call(t, ada, "member.invite", object{"room_id": room, "user_id": "bob"})
		invited := expect(t, bob, "notification.invited")
		require.Equal(t, "Launch", invited.Room.Name)
		require.Equal(t, "ada", invited.User.ID)
		require.Equal(t, "bob", invited.Invitation.User.ID)
		require.Equal(t, "Launch", get[answered](t, a, "Bob", "/rooms/"+room).Room.Name)
		require.Equal(t, chat.CodeNotAMember, refused(t, bob, "room.history", object{"room_id": room}).Code)
		mine := get[chat.InvitationPage](t, a, "Bob", "/me/invitations")
		require.Equal(t, "Launch", mine.Invitations[0].Room.Name)
		require.Equal(t, "Ada", mine.Invitations[0].InvitedBy.Name)

		// Bob accepts by joining; Cleo was invited by mistake, and the invitation is taken back.
		joined := call(t, bob, "room.join", object{"room_id": room})
		require.Len(t, joined.Members, 2)
		require.Equal(t, "ada", expect(t, ada, "member.added").User.ID)
		require.Equal(t, "bob", expect(t, ada, "member.added").User.ID)
		notice := expect(t, ada, "message.new").Message
		require.Equal(t, store.MessageSystem, notice.Type)
		require.Equal(t, "Bob has joined.", notice.Text)
		require.JSONEq(t, `{"notice":"member.joined","user":{"id":"bob","name":"Bob"}}`, string(notice.Metadata))
		require.Empty(t, get[chat.InvitationPage](t, a, "Bob", "/me/invitations").Invitations)
		a.send(t, "Ada", "PUT", "/rooms/"+room+"/invitations/cleo", nil, 200, nil)
		require.Len(t, get[chat.InvitationPage](t, a, "Ada", "/rooms/"+room+"/invitations").Invitations, 1)
		a.send(t, "Ada", "DELETE", "/rooms/"+room+"/invitations/cleo", nil, 204, nil)
		require.Equal(t, "cleo", expect(t, cleo, "invitation.removed").User.ID)
		require.Equal(t, chat.CodeRoomNotFound, refused(t, cleo, "invitation.accept", object{"room_id": room}).Code)

		// Bob becomes a moderator, and names the room anew. Its type stays the owner's matter.
		call(t, ada, "member.update", object{"room_id": room, "user_id": "bob", "role": "moderator"})
		require.Equal(t, store.RoleModerator, expect(t, bob, "member.updated").Member.Role)
		var changed answered
		a.send(t, "Bob", "PATCH", "/rooms/"+room, object{"name": "Landing", "metadata": object{"color": "red"}}, 200, &changed)
		require.Equal(t, "October", changed.Room.Topic, "what is not mentioned stays")
		updated := expect(t, ada, "room.updated")
		require.Equal(t, "bob", updated.User.ID)
		require.Equal(t, "Landing", updated.Room.Name)
		require.Equal(t, `Bob has named the room "Landing".`, expect(t, ada, "message.new").Message.Text)
		require.Equal(t, chat.CodeForbidden, refused(t, bob, "room.update", object{"room_id": room, "type": "public"}).Code)
		call(t, bob, "room.update", object{"room_id": room, "metadata": nil})

		// He adds Cleo, who hears of it although she was not asked, and Ada hands the room over to her.
		call(t, bob, "member.add", object{"room_id": room, "user_id": "cleo"})
		require.Equal(t, "bob", expect(t, cleo, "notification.added_to_room").User.ID)
		require.Equal(t, chat.CodeForbidden, refused(t, bob, "member.remove", object{"room_id": room, "user_id": "ada"}).Code, "not the owner")
		a.send(t, "Ada", "PUT", "/rooms/"+room+"/owner", object{"user_id": "cleo"}, 200, &changed)
		require.Equal(t, store.RoleOwner, changed.Member.Role)
		require.Equal(t, chat.CodeForbidden, refused(t, ada, "room.delete", object{"room_id": room}).Code, "she is a moderator now")

		// Cleo shows Bob out: he hears nothing more, and finds no room any more.
		call(t, cleo, "room.join", object{"room_id": room})
		call(t, cleo, "member.remove", object{"room_id": room, "user_id": "bob"})
		require.Equal(t, "bob", expect(t, bob, "member.removed").User.ID)
		for range 3 { // what was said while he was there
			expect(t, bob, "message.new")
		}
		call(t, cleo, "message.send", object{"room_id": room, "text": "among ourselves"})
		bob.ExpectNone(t, "message.new")
		require.Equal(t, chat.CodeRoomNotFound, refused(t, bob, "room.join", object{"room_id": room}).Code)

		// She deletes the room, and it is as if it had never been.
		call(t, cleo, "room.delete", object{"room_id": room})
		require.Equal(t, "cleo", expect(t, ada, "room.deleted").User.ID)
		missing := a.body(t, "Ada", "GET", "/rooms/missing")
		require.Equal(t, missing, a.body(t, "Ada", "GET", "/rooms/"+room))
		require.Empty(t, get[chat.RoomPage](t, a, "Ada", "/rooms").Rooms)

		page, err := a.store.AuditLog(t.Context(), store.AuditQuery{RoomID: room})
		require.NoError(t, err)
		var acts []string
		for _, e := range page.Entries {
			acts = append([]string{e.ActorID + " " + e.Action + " " + e.UserID}, acts...)
		}
		require.Equal(t, []string{
			"ada member.invite bob", "ada member.invite cleo", "ada invitation.revoke cleo", "ada member.update bob", "bob room.update ",
			"bob room.update ", "bob member.add cleo", "ada room.transfer cleo", "cleo member.remove bob", "cleo room.delete ",
		}, acts)
	})
}

// Two people talk in a room of their own, which is the same whoever opens it.
func TestDirectRoom(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, a *app) {
		ada := a.connect(t, "Ada", chattest.WebSocket)
		require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "room.direct", object{"user_id": "bob"}).Code, "nobody knows Bob yet")
		bob := a.connect(t, "Bob", chattest.WebSocket) // and now the chat does
		var opened, again answered
		a.send(t, "Ada", "POST", "/rooms/direct", object{"user_id": "bob"}, 200, &opened)
		require.Equal(t, store.RoomDirect, opened.Room.Type)
		require.Equal(t, opened.Room.ID, expect(t, bob, "notification.added_to_room").Room.ID)
		a.send(t, "Bob", "POST", "/rooms/direct", object{"user_id": "ada"}, 200, &again)
		require.Equal(t, opened.Room, again.Room)
		room := opened.Room.ID
		for _, s := range []*chattest.Socket{ada, bob} {
			call(t, s, "room.join", object{"room_id": room})
		}
		call(t, ada, "message.send", object{"room_id": room, "text": "hi"})
		require.Equal(t, "hi", expect(t, bob, "message.new").Message.Text)

		// It is theirs alone.
		a.know(t, "Cleo")
		require.Equal(t, missingRoom(a, t, "Cleo"), a.body(t, "Cleo", "GET", "/rooms/"+room))
		for event, arg := range map[string]object{
			"member.add": {"user_id": "cleo"}, "member.invite": {"user_id": "cleo"}, "member.remove": {"user_id": "ada"},
			"room.update": {"name": "Ours"}, "room.delete": {}, "room.transfer": {"user_id": "ada"},
		} {
			arg["room_id"] = room
			require.Equal(t, chat.CodeForbidden, refused(t, bob, event, arg).Code, event)
		}

		// Bob leaves, and is back as soon as one of them opens it again.
		call(t, bob, "room.leave", object{"room_id": room})
		require.Empty(t, get[chat.RoomPage](t, a, "Bob", "/rooms").Rooms)
		call(t, ada, "room.direct", object{"user_id": "bob"})
		require.Equal(t, room, expect(t, bob, "notification.added_to_room").Room.ID)
		require.Len(t, get[chat.RoomPage](t, a, "Bob", "/rooms").Rooms, 1)
		require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "room.direct", object{"user_id": "ada"}).Code)
		_, err := a.chat.As(chat.User{ID: "dave", Name: "Dave"}).Direct(t.Context(), chat.User{ID: "erin", Name: "Erin"})
		require.NoError(t, err, "from Go, whom the app names is known")
	})
}

func missingRoom(a *app, t *testing.T, name string) string {
	return a.body(t, name, "GET", "/rooms/missing")
}

// What everybody sees as the list of their rooms.
func TestRoomList(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, a *app) {
		ctx, system := t.Context(), a.chat.System()
		bob := a.connect(t, "Bob", chattest.WebSocket)
		for _, id := range []string{"quiet", "busy", "news"} {
			kind := store.RoomPublic
			if id == "news" {
				kind = store.RoomChannel
			}
			_, err := system.CreateRoom(ctx, chat.NewRoom{ID: id, Type: kind, Creator: chat.User{ID: "ada", Name: "Ada"}})
			require.NoError(t, err)
		}
		for _, id := range []string{"quiet", "busy"} {
			call(t, bob, "room.join", object{"room_id": id})
		}
		for _, text := range []string{"one", "two", "three"} {
			_, err := a.chat.As(chat.User{ID: "ada", Name: "Ada"}).Send(ctx, chat.NewMessage{RoomID: "busy", Text: text})
			require.NoError(t, err)
		}
		list := get[chat.RoomPage](t, a, "Bob", "/rooms").Rooms
		require.Len(t, list, 2)
		require.Equal(t, "busy", list[0].ID)
		require.Equal(t, "three", list[0].LastMessage.Text)
		require.Equal(t, "Ada", list[0].LastMessage.User.Name)
		require.EqualValues(t, 3, list[0].UnreadCount)
		require.Equal(t, store.RoleMember, list[0].Role)
		require.Equal(t, store.NotifyAll, list[0].Notifications)
		require.Nil(t, list[1].LastMessage)
		require.Equal(t, chat.Unread{Rooms: 1, Messages: 3}, get[chat.Unread](t, a, "Bob", "/me/unread"))

		a.send(t, "Bob", "PUT", "/rooms/busy/notifications", object{"notifications": "none"}, 200, nil)
		require.Equal(t, store.NotifyNone, expect(t, bob, "member.updated").Member.Notifications)
		require.Zero(t, get[chat.Unread](t, a, "Bob", "/me/unread"))
		require.Equal(t, http.StatusBadRequest, a.status(t, "Bob", "PUT", "/rooms/busy/notifications", object{"notifications": "loud"}))
		require.Equal(t, store.NotifyNone, get[answered](t, a, "Bob", "/rooms/busy").Member.Notifications)

		news := get[chat.RoomPage](t, a, "Bob", "/rooms?type=channel").Rooms
		require.Len(t, news, 1)
		require.Equal(t, "news", news[0].ID)
		all, err := system.Rooms(ctx, chat.RoomQuery{})
		require.NoError(t, err)
		require.Len(t, all.Rooms, 3)
		for _, path := range []string{"/rooms?cursor=x", "/rooms?type=public&cursor=A", "/rooms?type=private", "/rooms?limit=201"} {
			require.Equal(t, http.StatusBadRequest, a.status(t, "Bob", "GET", path, nil), path)
		}
		require.WithinDuration(t, time.Now(), list[0].CreatedAt, time.Minute)
	})
}
