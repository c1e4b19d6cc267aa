package chat_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// standing is what somebody is in a room. The order is that of the letters in the expectations.
type standing int

const (
	nobody standing = iota
	stranger
	invited
	readonly
	member
	former
	muted
	banned
	moderator
	owner
	admin
	system
	standings
)

// user is somebody of that standing; "boss" owns the rooms of all but the owner.
func (s standing) user() chat.User {
	name := [...]string{
		"", "Stranger", "Invited", "Readonly", "Member", "Former", "Muted", "Banned", "Moderator", "Owner", "Admin", "",
	}[s]
	return chat.User{ID: strings.ToLower(name), Name: name, Admin: s == admin}
}

func (s standing) String() string {
	switch s {
	case nobody:
		return "nobody"
	case system:
		return "system"
	default:
		return s.user().ID
	}
}

// scene is what an operation is tried on.
type scene struct {
	room, message string
	flag          string // somebody's report of the message
	of            standing
}

// stage makes a room of a type in which somebody has a standing, with a message of the owner's, or with own of their own.
func (a *app) stage(t testing.TB, kind store.RoomType, s standing, own bool) scene {
	t.Helper()
	ctx := t.Context()
	boss := store.User{ID: "boss", Name: "Boss"}
	subject := s.user()
	row := store.User{ID: subject.ID, Name: subject.Name}
	if s == owner {
		boss = row
	}
	room, err := a.store.CreateRoom(ctx, store.RoomDraft{Type: kind, Name: "A room", Creator: boss})
	require.NoError(t, err)
	join := func(role store.Role) {
		_, _, err := a.store.AddMember(ctx, room.ID, row, role)
		require.NoError(t, err)
	}
	switch s {
	case invited:
		_, _, err := a.store.Invite(ctx, store.Invitation{RoomID: room.ID, UserID: row.ID, InvitedBy: "boss"})
		require.NoError(t, err)
	case readonly:
		join(store.RoleReadOnly)
	case member, former, muted, banned:
		join(store.RoleMember)
	case moderator:
		join(store.RoleModerator)
	}
	sender := boss
	if own {
		sender = row
	}
	m, _, err := a.store.Append(ctx, store.Draft{RoomID: room.ID, Sender: sender, Text: "hello", Outsider: true})
	require.NoError(t, err)
	flag, _, err := a.store.Flag(ctx, m.ID, "erin", "rude")
	require.NoError(t, err)
	switch s {
	case former:
		require.NoError(t, a.store.RemoveMember(ctx, room.ID, row.ID))
	case muted, banned:
		kind := map[standing]store.SanctionKind{muted: store.SanctionMute, banned: store.SanctionBan}[s]
		_, err := a.store.Sanction(ctx, store.Sanction{UserID: row.ID, Kind: kind, RoomID: room.ID})
		require.NoError(t, err)
	}
	return scene{room: room.ID, message: m.ID, flag: flag.ID, of: s}
}

// way is one of the ways in which an operation is asked for.
type way int

const (
	byEvent way = iota
	byREST
	byGo
	ways
)

func (w way) String() string { return [...]string{"event", "REST", "Go"}[w] }

// takes reports whether an operation can be asked for in that way, by somebody.
func (w way) takes(op chat.OperationInfo, s standing) bool {
	switch w {
	case byEvent:
		return op.Event && s != nobody && s != system // nobody is refused when connecting
	case byREST:
		return op.Path != "" && s != system
	default:
		return s != nobody
	}
}

// answer is what came of an operation: all of it, and the code of its error.
type answer struct {
	text string
	code chat.Code // "ok" for none
}

// asCaller stands for the name of who asks, in the argument of an operation.
type asCaller struct{}

// try asks for an operation. Sockets are those of the users, by standing.
func (a *app) try(t testing.TB, w way, op chat.OperationInfo, s standing, socket *chattest.Socket, arg object) answer {
	t.Helper()
	for name, value := range arg {
		if _, own := value.(asCaller); own {
			arg = object{name: s.user().Name}
		}
	}
	switch w {
	case byEvent:
		return a.tryEvent(t, op, socket, arg)
	case byREST:
		return a.tryREST(t, op, s, arg)
	default:
		return a.tryGo(t, op, s, arg)
	}
}

func (a *app) tryEvent(t testing.TB, op chat.OperationInfo, socket *chattest.Socket, arg object) answer {
	t.Helper()
	args := socket.ExpectAck(t, op.Name, arg)
	agreement(t).ack(t, op.Name, args.Raw(0))
	var r reply
	require.NoError(t, args.Decode(0, &r))
	if r.Error != nil {
		return answer{args.String(), r.Error.Code}
	}
	require.Equal(t, "ok", r.Status)
	return answer{args.String(), "ok"}
}

func (a *app) tryREST(t testing.TB, op chat.OperationInfo, s standing, arg object) answer {
	t.Helper()
	body, query := object{}, url.Values{}
	path := op.Path
	for name, value := range arg {
		parameter := "/:" + name
		switch {
		case strings.Contains(path+"/", parameter+"/"):
			path = strings.Replace(path+"/", parameter+"/", "/"+url.PathEscape(fmt.Sprint(value))+"/", 1)
			path = strings.TrimSuffix(path, "/")
		case op.Method == http.MethodGet || op.Method == http.MethodDelete:
			query.Set(name, fmt.Sprint(value))
		default:
			body[name] = value
		}
	}
	var payload io.Reader
	if len(body) > 0 {
		data, err := json.Marshal(body)
		require.NoError(t, err)
		payload = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(t.Context(), op.Method, a.URL+"/chat/api/v1"+path+"?"+query.Encode(), payload)
	require.NoError(t, err)
	if payload != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if s != nobody {
		req.Header.Set("Authorization", "Bearer "+s.user().Name)
	}
	status, text := do(t, req)
	var r reply
	if status >= 400 {
		require.NoError(t, json.Unmarshal([]byte(text), &r), text)
		require.Equal(t, status, r.Error.Status)
		return answer{fmt.Sprint(status, text), r.Error.Code}
	}
	require.Equal(t, op.Status, status, "%s %s", op.Method, path)
	return answer{fmt.Sprint(status, text), "ok"}
}

func (a *app) tryGo(t testing.TB, op chat.OperationInfo, s standing, arg object) answer {
	t.Helper()
	actor := a.chat.System()
	if s != system {
		actor = a.chat.As(s.user())
	}
	data, err := json.Marshal(arg)
	require.NoError(t, err)
	out, err := chat.Perform(t.Context(), actor, op.Name, data)
	if err == nil {
		return answer{string(out), "ok"}
	}
	var e *chat.Error
	require.ErrorAs(t, err, &e, op.Name)
	data, err = json.Marshal(e)
	require.NoError(t, err)
	return answer{string(data), e.Code}
}
