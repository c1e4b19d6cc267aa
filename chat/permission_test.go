package chat_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// codes are the answers that a letter of an expectation stands for. A permitted operation succeeds.
func codes(op chat.OperationInfo) map[byte]chat.Code {
	missing := chat.CodeRoomNotFound
	if op.OnMessage {
		missing = chat.CodeMessageNotFound
	}
	return map[byte]chat.Code{
		'k': "ok", 'u': chat.CodeUnauthorized, 'n': missing, 'a': chat.CodeNotAMember, 'f': chat.CodeForbidden,
		'm': chat.CodeMuted, 'b': chat.CodeBanned, 'i': chat.CodeInvalidArgument,
	}
}

// expectation is who may do something: a letter for each standing, in the order of
// nobody, stranger, invited, readonly, member, former, muted, banned, moderator, owner, admin, system.
type expectation struct {
	anywhere                 string // of an operation that is about no room
	public, private, channel string
	own                      string // in a private room, on a message of one's own; only where that makes a difference
	tombstone                string // in a private room, on a message that is deleted; defaults to one that is not there
	arg                      object // besides room_id, message_id
}

// expectations is the whole of it. An operation without a row fails the test.
func expectations() map[string]expectation {
	var (
		seen  = expectation{public: "ukkkkkkbkkkk", private: "unkkknknkkkk", channel: "ukkkkkkbkkkk"}
		read  = expectation{public: "uaakkakbkkkk", private: "unakknknkkkk", channel: "uaakkakbkkkk"}
		join  = expectation{public: "ukkkkkkbkkkf", private: "unkkknknkkkf", channel: "ukkkkkkbkkkf"}
		leave = expectation{public: "uaakkakbkkaf", private: "unakknknkkaf", channel: "uaakkakbkkaf"}
		speak = expectation{public: "uaafkambkkkk", private: "unafknmnkkkk", channel: "uaaffafbkkkk"}
		typed = expectation{public: "uaafkambkkkf", private: "unafknmnkkkf", channel: "uaaffafbkkkf"}
		keep  = expectation{public: "uaaffafbkkkk", private: "unaffnfnkkkk", channel: "uaaffafbkkkk"} // order in a room
		own   = expectation{public: "uaakkakbkkaf", private: "unakknknkkaf", channel: "uaakkakbkkaf"} // one's own membership
		rule  = expectation{public: "uaaffafbfkkk", private: "unaffnfnfkkk", channel: "uaaffafbfkkk"} // what the owner says
		ask   = expectation{public: "uaafkakbkkkk", private: "unaffnfnkkkk", channel: "uaaffafbkkkk"} // others to come

		onMessage = expectation{public: "unnkknknkkkk", private: "unnkknknkkkk", channel: "unnkknknkkkk", tombstone: "unnkknknkkkk"}

		admins = expectation{anywhere: "ufffffffffkk"}
	)
	with := func(e expectation, arg object) expectation { e.arg = arg; return e }
	return map[string]expectation{
		"auth.refresh":  {anywhere: "ukkkkkkkkkkf", arg: object{"token": asCaller{}}},
		"user.me":       {anywhere: "ukkkkkkkkkkf"},
		"room.list":     {anywhere: "ukkkkkkkkkkk"},
		"room.create":   {anywhere: "ukkkkkkkkkkk", arg: object{"name": "New"}},
		"room.get":      seen,
		"room.join":     join,
		"room.leave":    leave,
		"room.history":  read,
		"member.list":   read,
		"member.add":    with(keep, object{"user_id": "carol"}),
		"member.remove": with(keep, object{"user_id": "dave"}),
		"member.update": with(keep, object{"user_id": "dave", "role": "readonly"}),
		"member.invite": with(ask, object{"user_id": "carol"}),

		"room.update":   with(keep, object{"topic": "things"}),
		"room.delete":   rule,
		"room.transfer": with(rule, object{"user_id": "dave"}),
		"room.direct":   {anywhere: "ukkkkkkkkkkf", arg: object{"user_id": "carol"}},
		"room.notify":   with(own, object{"notifications": "none"}),
		"room.read":     with(own, object{"seq": 1}),
		"room.unread":   with(own, object{"seq": 1}),
		"presence.set":  {anywhere: "ukkkkkkkkkkf", arg: object{"status": "away"}},
		"presence.get":  {anywhere: "ukkkkkkkkkkk", arg: object{"user_id": "carol"}},
		"user.unread":   {anywhere: "ukkkkkkkkkkf"},

		"invitation.list":    keep,
		"invitation.revoke":  with(keep, object{"user_id": "erin"}),
		"invitation.accept":  {public: "ufkkkfkbkkff", private: "unkkknknkkff", channel: "ufkkkfkbkkff"},
		"invitation.decline": {public: "ufkffffbffff", private: "unkffnfnffff", channel: "ufkffffbffff"},
		"user.invitations":   {anywhere: "ukkkkkkkkkkf"},

		"sync":   {anywhere: "ukkkkkkkkkkf"},
		"search": {anywhere: "ukkkkkkkkkki", arg: object{"q": "hello"}}, // the system has no rooms

		"message.send": with(speak, object{"text": "hi"}),
		"typing.start": typed,
		"typing.stop":  typed,

		"member.mute":   with(keep, object{"user_id": "dave", "reason": "loud", "duration_ms": 60_000}),
		"member.unmute": with(keep, object{"user_id": "dave"}),
		"mute.list":     keep,
		"member.ban":    with(keep, object{"user_id": "dave"}),
		"member.unban":  with(keep, object{"user_id": "erin"}),
		"ban.list":      keep,
		"message.flag":  {public: "unnkknknkkkf", private: "unnkknknkkkf", channel: "unnkknknkkkf"},
		"flag.list":     keep,
		"flag.resolve":  with(keep, object{"resolution": "kept"}),
		"flag.all":      admins,
		"audit.list":    rule,
		"audit.all":     admins,
		"user.mute":     with(admins, object{"user_id": "dave"}),
		"user.unmute":   with(admins, object{"user_id": "dave"}),
		"user.mutes":    admins,
		"user.ban":      with(admins, object{"user_id": "frank"}),
		"user.unban":    with(admins, object{"user_id": "frank"}),
		"user.bans":     admins,

		"message.get":     onMessage,
		"message.replies": onMessage,
		"message.update": {
			public: "unnffnfnfkfk", private: "unnffnfnfkfk", channel: "unnffnfnfkfk", own: "unnfknmnkkkk", arg: object{"text": "new"},
		},
		"message.delete": {
			public: "unnffnfnkkkk", private: "unnffnfnkkkk", channel: "unnffnfnkkkk", own: "unnkknknkkkk", tombstone: "unnffnfnkkkk",
		},
		"message.pin":     {public: "unnffnfnkkkk", private: "unnffnfnkkkk", channel: "unnffnfnkkkk"},
		"message.unpin":   {public: "unnffnfnkkkk", private: "unnffnfnkkkk", channel: "unnffnfnkkkk"},
		"reaction.add":    {public: "unnfknmnkkkf", private: "unnfknmnkkkf", channel: "unnkknmnkkkf", arg: object{"emoji": "👍"}},
		"reaction.remove": {public: "unnkknknkkkf", private: "unnkknknkkkf", channel: "unnkknknkkkf", arg: object{"emoji": "👍"}},
		"room.pins":       read,

		"message.readers": {public: "unnkknknkkkk", private: "unnkknknkkkk", channel: "unnffnfnkkkk"},
	}
}

// TestPermissions tries every operation in every way on what is there, missing and deleted, as everybody.
func TestPermissions(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	for _, name := range []string{"Carol", "Dave", "Erin", "Frank"} {
		a.know(t, name)
	}
	expected := expectations()
	cells := 0
	for _, op := range chat.Operations(a.chat) {
		row, ok := expected[op.Name]
		if !ok {
			t.Errorf("%s has no row in the table of expectations", op.Name)
			continue
		}
		delete(expected, op.Name)
		for w := range ways {
			for s := range standings {
				if w.takes(op, s) {
					cells += a.checkCells(t, op, row, w, s)
				}
			}
		}
	}
	require.Empty(t, expected, "rows for operations that are not there")
	t.Logf("%d cells", cells)
	require.GreaterOrEqual(t, cells, 600)
}

// checkCells tries one operation in one way as one person, and returns the number of things it was tried on.
func (a *app) checkCells(t *testing.T, op chat.OperationInfo, row expectation, w way, s standing) (cells int) {
	t.Helper()
	letters := codes(op)
	var socket *chattest.Socket
	if w == byEvent {
		socket = chattest.Connect(t, a.URL, chattest.Options{Transport: chattest.WebSocket, Auth: object{"name": s.user().Name}})
		defer socket.Close()
	}
	check := func(place, row string, arg object) answer {
		t.Helper()
		cells++
		got := a.try(t, w, op, s, socket, arg)
		if want := letters[row[s]]; got.code != want {
			t.Errorf("%s by %s as %s: %s: want %s, got %s", op.Name, w, s, place, want, got.text)
		}
		return got
	}
	if row.anywhere != "" {
		a.prepare(t, op, scene{}, socket)
		check("anywhere", row.anywhere, row.arg)
		return cells
	}
	gone := "u" + strings.Repeat("n", int(system))
	if op.Personal {
		gone = gone[:system] + "f"
	}
	missing := check("missing", gone, merge(op, row.arg, scene{room: "missing", message: "019822b0-0000-7000-8000-000000000000"}))

	deleted := a.stage(t, store.RoomPrivate, s, false)
	_, err := a.store.DeleteRoom(t.Context(), deleted.room)
	require.NoError(t, err)
	require.Equal(t, missing, check("deleted", gone, merge(op, row.arg, deleted)), "%s by %s as %s: deleted", op.Name, w, s)

	if op.OnMessage && row.tombstone == "" {
		row.tombstone = gone
	}
	for _, there := range []struct {
		place, letters string
		kind           store.RoomType
	}{
		{"public", row.public, store.RoomPublic},
		{"private", row.private, store.RoomPrivate},
		{"channel", row.channel, store.RoomChannel},
		{"own", row.own, store.RoomPrivate},
		{"tombstone", row.tombstone, store.RoomPrivate},
	} {
		if there.letters == "" {
			continue
		}
		sc := a.stage(t, there.kind, s, there.place == "own" && s != nobody && s != system)
		if there.place == "tombstone" {
			_, _, err := a.store.DeleteMessage(t.Context(), sc.message, store.User{})
			require.NoError(t, err)
		}
		a.prepare(t, op, sc, socket)
		got := check(there.place, there.letters, merge(op, row.arg, sc))
		if there.letters[s] == 'n' {
			require.Equal(t, missing, got, "%s by %s as %s: hidden and missing differ", op.Name, w, s)
		}
	}
	return cells
}

// prepare does what an operation needs besides the room.
func (a *app) prepare(t *testing.T, op chat.OperationInfo, sc scene, socket *chattest.Socket) {
	t.Helper()
	switch {
	case op.Name == "invitation.revoke":
		_, _, err := a.store.Invite(t.Context(), store.Invitation{RoomID: sc.room, UserID: "erin"})
		require.NoError(t, err)
	case op.Name == "member.unmute", op.Name == "user.unmute":
		a.sanction(t, "dave", store.SanctionMute, sc.room)
	case op.Name == "member.unban":
		a.sanction(t, "erin", store.SanctionBan, sc.room)
	case op.Name == "user.unban":
		a.sanction(t, "frank", store.SanctionBan, sc.room)
	case op.Fields["user_id"] != nil && sc.room != "":
		_, _, err := a.store.AddMember(t.Context(), sc.room, store.User{ID: "dave", Name: "Dave"}, store.RoleMember)
		require.NoError(t, err)
	case strings.HasPrefix(op.Name, "typing.") && socket != nil && sc.of >= readonly && sc.of != former: // one types where one listens
		socket.ExpectAck(t, "room.join", object{"room_id": sc.room})
	}
}

func (a *app) sanction(t *testing.T, userID string, kind store.SanctionKind, roomID string) {
	t.Helper()
	_, err := a.store.Sanction(t.Context(), store.Sanction{UserID: userID, Kind: kind, RoomID: roomID})
	require.NoError(t, err)
}

// merge is the argument of an operation on a scene.
func merge(op chat.OperationInfo, arg object, sc scene) object {
	out := object{}
	for name, value := range arg {
		out[name] = value
	}
	if _, ok := op.Fields["flag_id"]; ok {
		out["flag_id"] = "missing"
		if sc.flag != "" {
			out["flag_id"] = sc.flag
		}
	}
	if op.OnMessage {
		out["message_id"] = sc.message
	} else {
		out["room_id"] = sc.room
	}
	return out
}

// withAdmin is byName, and Admin is one.
func withAdmin(ctx context.Context, payload json.RawMessage) (chat.User, error) {
	u, err := byName(ctx, payload)
	u.Admin = u.ID == "admin"
	return u, err
}

// newPermissionApp serves a chat in which Admin is one.
func newPermissionApp(t *testing.T, opts ...chat.Option) *app {
	t.Helper()
	unlimited := chat.Rate{N: -1}
	limits := chat.RateLimits{Connection: unlimited, User: unlimited, Operations: map[string]chat.Rate{
		"search": unlimited, "room.create": unlimited, "room.direct": unlimited,
	}}
	return serve(t, onEcho, append([]chat.Option{
		chat.WithTokenAuth(withAdmin), chat.WithRoomsPerSocket(1000), chat.WithRateLimits(limits),
	}, opts...)...)
}

// Whoever is not signed in gets no connection to emit events on.
func TestNobodyConnects(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	conn, err := chattest.Dial(t.Context(), a.URL, chattest.Options{})
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Connect(t.Context(), "/", nil)
	require.ErrorContains(t, err, "unauthorized")
}

// hostile are ids that mean something to a database, a path or a search.
var hostile = [...]string{
	"%", "_", "%%", "r%", "'", `"`, "' OR 1=1 --", `" OR ""="`, "a\x00b", "\x00", "*", "r*", "NEAR(a b)", "a OR b", "-a", `"a"*`, "a:b",
	"..", "../r", "a/b", "a\\b", "a?b=c", "a#b", "a;b", "\u202e", "\ufeffr", "R", "r ", " r", "null", "undefined", "0", "-1", "\xff",
	strings.Repeat("a", 64), strings.Repeat("a", 65), strings.Repeat("%", 5000),
}

// TestHostileIDs tries every operation on ids that nothing has, as somebody who may do much elsewhere.
func TestHostileIDs(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	expected := expectations()
	_, err := a.store.CreateRoom(t.Context(), store.RoomDraft{ID: "r", Type: store.RoomPrivate, Creator: store.User{ID: "boss", Name: "Boss"}})
	require.NoError(t, err)
	for _, op := range chat.Operations(a.chat) {
		for w := range ways {
			if !w.takes(op, owner) || !op.OnRoom && !op.OnMessage {
				continue
			}
			socket := a.connect(t, "Owner", chattest.WebSocket)
			for _, id := range hostile {
				if !utf8.ValidString(id) && w != byREST {
					continue // JSON has no such string
				}
				got := a.try(t, w, op, owner, socket, merge(op, expected[op.Name].arg, scene{room: id, message: id}))
				plain := a.try(t, w, op, owner, socket, merge(op, expected[op.Name].arg, scene{room: "missing", message: "missing"}))
				if w == byREST && (inPath(op, "room_id") && op.OnRoom || op.OnMessage) && !strings.ContainsFunc(id, unicode.IsSpace) {
					require.Equal(t, plain, got, "%s by %s: %q", op.Name, w, id)
					continue
				}
				require.Contains(t, []chat.Code{plain.code, chat.CodeInvalidArgument}, got.code, "%s by %s: %q: %s", op.Name, w, id, got.text)
			}
			socket.Close()
		}
	}
}

func inPath(op chat.OperationInfo, name string) bool {
	return strings.Contains(op.Path+"/", "/:"+name+"/")
}

// What belongs to another room is not there in this one, whatever the caller may do here.
func TestIDsOfOtherRooms(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	expected := expectations()
	for _, op := range chat.Operations(a.chat) {
		if !op.OnMessage {
			continue
		}
		elsewhere, here := a.stage(t, store.RoomPrivate, stranger, false), a.stage(t, store.RoomPrivate, owner, false)
		for w := range ways {
			if !w.takes(op, owner) {
				continue
			}
			socket := a.connect(t, "Owner", chattest.WebSocket)
			try := func(message string) answer {
				arg := merge(op, expected[op.Name].arg, scene{message: message})
				if _, ok := op.Fields["room_id"]; ok {
					arg["room_id"] = here.room
				}
				return a.try(t, w, op, owner, socket, arg)
			}
			require.Equal(t, try("missing"), try(elsewhere.message), "%s by %s", op.Name, w)
			socket.Close()
		}
	}
}

// The table of operations says of each entry what others are made of it.
func TestOperationTable(t *testing.T) {
	t.Parallel()
	a := newApp(t)
	names, routes := map[string]bool{}, map[string]bool{}
	for _, op := range chat.Operations(a.chat) {
		require.False(t, names[op.Name], "%s is there twice", op.Name)
		names[op.Name] = true
		require.Regexp(t, `^[a-z]+(\.[a-z_]+)*$`, op.Name)
		require.Regexp(t, `^[A-Z].*\.$`, op.Doc, "%s is described in a sentence", op.Name)
		require.True(t, op.Known, "%s: the action %s has no row in the table of permissions", op.Name, op.Action)
		require.Equal(t, "struct", op.In.Kind().String(), op.Name)
		require.Equal(t, "struct", op.Out.Kind().String(), op.Name)
		if op.OnRoom {
			require.Contains(t, op.Fields, "room_id", op.Name)
		}
		if op.OnMessage {
			require.Contains(t, op.Fields, "message_id", op.Name)
		}
		for i := range op.Out.NumField() {
			name, _, _ := strings.Cut(op.Out.Field(i).Tag.Get("json"), ",")
			require.NotEqual(t, "status", name, "%s: acknowledgements have one of their own", op.Name)
		}
		if op.Path == "" {
			require.Empty(t, op.Method, op.Name)
			continue
		}
		require.Contains(t, []string{"GET", "POST", "PUT", "PATCH", "DELETE"}, op.Method, op.Name)
		route := op.Method + " " + op.Path
		require.False(t, routes[route], "%s is there twice", route)
		routes[route] = true
		for part := range strings.SplitSeq(op.Path, "/") {
			if name, ok := strings.CutPrefix(part, ":"); ok {
				require.Contains(t, op.Fields, name, "%s: the parameter %s is no field", op.Name, name)
			}
		}
	}
}

// The authorizer narrows and widens, and reveals nothing.
func TestAuthorizer(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t, chat.WithAuthorizer(func(_ context.Context, r chat.AuthRequest) (bool, error) {
		switch r.Room.Name {
		case "read only":
			return r.Allowed && r.Action != chat.ActionMessageSend, nil
		case "library":
			return r.Allowed || r.Action == chat.ActionRoomRead || r.Action == chat.ActionHistoryRead, nil
		case "hidden":
			return false, nil
		case "broken":
			return true, errors.New("the directory is down")
		case "panicking":
			panic("boom")
		case "free for all":
			return true, nil
		}
		if r.Room.ID == "" && r.Action == chat.ActionRoomCreate {
			return r.User.ID == "ada", nil
		}
		return r.Allowed, nil
	}))
	ctx, ada, bob := t.Context(), chat.User{ID: "ada", Name: "Ada"}, chat.User{ID: "bob", Name: "Bob"}
	rooms := map[string]string{}
	for _, name := range []string{"read only", "library", "hidden", "broken", "panicking", "free for all"} {
		room, err := a.chat.System().CreateRoom(ctx, chat.NewRoom{Type: store.RoomPrivate, Name: name, Creator: ada})
		require.NoError(t, err)
		rooms[name] = room.ID
	}
	as := func(u chat.User) (get, history, send func(string) chat.Code) {
		return func(name string) chat.Code { _, err := a.chat.As(u).Room(ctx, rooms[name]); return codeOf(err) },
			func(name string) chat.Code {
				_, err := a.chat.As(u).History(ctx, chat.HistoryQuery{RoomID: rooms[name]})
				return codeOf(err)
			},
			func(name string) chat.Code {
				_, err := a.chat.As(u).Send(ctx, chat.NewMessage{RoomID: rooms[name], Text: "hi"})
				return codeOf(err)
			}
	}
	get, history, send := as(ada)
	require.Equal(t, chat.CodeForbidden, send("read only"))
	require.Empty(t, history("read only"))
	for _, name := range []string{"hidden", "broken", "panicking"} {
		require.Equal(t, chat.CodeRoomNotFound, get(name), name)
		require.Equal(t, chat.CodeRoomNotFound, send(name), name)
	}
	get, history, send = as(bob)
	require.Empty(t, get("library"))
	require.Empty(t, history("library"))
	require.Equal(t, chat.CodeNotAMember, send("library"))
	require.Equal(t, chat.CodeRoomNotFound, get("read only"))
	require.Empty(t, send("free for all"), "who was let in need not be a member")

	// A mute and a ban hold all the same.
	_, err := a.store.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionMute, RoomID: rooms["free for all"]})
	require.NoError(t, err)
	require.Equal(t, chat.CodeMuted, send("free for all"))
	_, err = a.store.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan, RoomID: rooms["free for all"]})
	require.NoError(t, err)
	require.Equal(t, chat.CodeBanned, send("free for all"))

	_, err = a.chat.As(ada).CreateRoom(ctx, chat.NewRoom{Name: "hers"})
	require.NoError(t, err)
	_, err = a.chat.As(bob).CreateRoom(ctx, chat.NewRoom{Name: "his"})
	require.Equal(t, chat.CodeForbidden, codeOf(err))
	_, err = a.chat.System().Room(ctx, rooms["hidden"])
	require.NoError(t, err, "the system is not asked about")
}

// codeOf is the code of an error, "" for none.
func codeOf(err error) chat.Code {
	var e *chat.Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}
