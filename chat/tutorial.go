package chat

import (
	"context"
	"encoding/json"
	"errors"
	"sync"

	"github.com/google/uuid"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// tutorialRoom is the room of the tutorials' clients, which know of none.
const tutorialRoom = "general"

// How much of a room a tutorial's client is shown when it comes: in the tutorials, everything.
const (
	tutorialHistory = 1000 // messages of the room
	tutorialPrivate = 50   // private messages per user
)

// WithTutorialEvents lets clients written for Socket.IO's own tutorials and examples use the chat as they are. What they say is
// stored, in the room "general", which is created; everybody who connects becomes a member of it. Beside it the chat's own events go on
// as ever, and see the same messages.
//
//   - "Get started" and its later steps: "chat message" with a text and, if the client gives one, its own id of it goes to everyone, as
//     the text and a number for the next "serverOffset"; a client that comes is sent what it has missed, the last 1,000 messages at most.
//   - The chat example: "add user", "new message", "typing", "stop typing"; back come "login", "user joined", "user left" and the same.
//   - The private messaging guide: "private message"; back come "session", "users", "user connected" and "user disconnected".
//
// With WithGuests, the name in "add user" or in the auth payload's username is a guest's display name. Who has signed in keeps their own.
func WithTutorialEvents() Option {
	return func(c *config) error { c.tutorial = true; return nil }
}

// tutorial is what the tutorials' events keep in memory.
type tutorial struct {
	c *Chat

	mu    sync.Mutex
	added map[string]bool   // ids of the sockets that have said "add user"
	own   map[string]string // ids of the sockets whose "new message" is on its way, by the client_id it is stored under
}

// Payloads of the chat example.
type (
	tutorialLogin struct {
		NumUsers int `json:"numUsers"`
	}
	tutorialJoined struct {
		Username string `json:"username"`
		NumUsers int    `json:"numUsers"`
	}
	tutorialTyping struct {
		Username string `json:"username"`
	}
	tutorialSaid struct {
		Username string `json:"username"`
		Message  string `json:"message"`
	}
)

// listenTutorial registers the events of the tutorials, beside the chat's own.
func (c *Chat) listenTutorial() {
	t := &tutorial{c: c, added: make(map[string]bool), own: make(map[string]string)}
	c.tutorial = t
	c.server.OnConnection(t.connected)
	for event, h := range map[string]func(context.Context, *socketio.Socket, User, socketio.Args) error{
		"chat message": t.chatMessage, "add user": t.addUser, "new message": t.newMessage, "typing": t.typing,
		"stop typing": t.stopTyping, "private message": t.privateMessage,
	} {
		c.server.Handle(event, t.handler(event, h))
	}
}

// handler answers as the tutorials do: with nothing where all went well, and not at all where the client is to try again.
func (t *tutorial) handler(event string, h func(context.Context, *socketio.Socket, User, socketio.Args) error) socketio.Handler {
	return func(ctx context.Context, s *socketio.Socket, args socketio.Args, ack socketio.Ack) {
		u, ok := UserOf(s)
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, eventTimeout)
		defer cancel()
		err := h(ctx, s, u, args)
		var bad *socketio.ArgumentError
		if errors.As(err, &bad) {
			err = invalid("the argument", "is not what this event takes")
		}
		var answer []any
		if err != nil {
			e := t.c.errorOf(err)
			if e.Retryable || e.Code.transient() {
				return
			}
			answer = []any{errorAck{Status: "error", Error: e}}
		}
		if err := ack.Send(answer...); err != nil && !errors.Is(err, socketio.ErrDisconnected) {
			t.c.log.Error("chat: an event could not be acknowledged", "event", event, "err", err)
		}
	}
}

// do runs an operation of the chat for a client, within the client's limits and permissions.
func (t *tutorial) do(ctx context.Context, s *socketio.Socket, u User, name string, in any) (any, error) {
	r := &request{caller: caller{user: u, socket: s}, op: t.c.byName[name], counted: true}
	if err := t.c.limitRate(r); err != nil {
		return nil, err
	}
	out, err := t.c.perform(ctx, r, in)
	_ = t.c.settle(ctx, r) // logged; what has happened stands
	return out, err
}

// connected brings a client into the room and shows it what it has missed.
func (t *tutorial) connected(ctx context.Context, s *socketio.Socket) {
	u, ok := UserOf(s)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, eventTimeout)
	defer cancel()
	var auth struct {
		ServerOffset int64  `json:"serverOffset"`
		Username     string `json:"username"`
	}
	_ = json.Unmarshal(s.Handshake().Auth, &auth) // what is not as expected is not there
	u = t.rename(s, u, auth.Username)
	joined, err := t.join(ctx, s, u)
	if err == nil && !s.Recovered() {
		err = t.replay(ctx, s, auth.ServerOffset, joined.Room.LastSeq)
	}
	if err == nil {
		err = t.introduce(ctx, s, u, joined.Members)
	}
	if err != nil {
		t.c.log.Info("chat: a tutorial's client could not be brought into its room", "err", err)
	}
	s.OnDisconnect(func(socketio.Reason) { t.gone(s) })
}

// join makes the user a member, and creates the room for the first one.
func (t *tutorial) join(ctx context.Context, s *socketio.Socket, u User) (JoinedRoom, error) {
	out, err := t.do(ctx, s, u, EventRoomJoin, &JoinRoom{RoomID: tutorialRoom})
	if errors.Is(err, &Error{Code: CodeRoomNotFound}) {
		_, err = t.c.System().CreateRoom(ctx, NewRoom{ID: tutorialRoom, Type: store.RoomPublic, Name: tutorialRoom})
		if err == nil || errors.Is(err, &Error{Code: CodeConflict}) {
			out, err = t.do(ctx, s, u, EventRoomJoin, &JoinRoom{RoomID: tutorialRoom})
		}
	}
	joined, _ := out.(JoinedRoom)
	return joined, err
}

// replay sends the messages after a position, up to the latest there was when the client joined.
func (t *tutorial) replay(ctx context.Context, s *socketio.Socket, after, upTo int64) error {
	for after = max(after, upTo-tutorialHistory, 0); after < upTo; {
		page, err := t.c.store.History(ctx, store.HistoryQuery{RoomID: tutorialRoom, After: store.AtSeq(after), Limit: maxPage, MaxBytes: pageBytes})
		if err != nil {
			return t.c.storeError("replay", err)
		}
		for _, m := range page.Messages {
			if after = m.Seq; m.DeletedAt == 0 {
				if err := s.Emit("chat message", m.Text, m.Seq); err != nil {
					return err
				}
			}
		}
		if !page.HasMoreAfter {
			return nil
		}
	}
	return nil
}

// rename gives a guest the name that the client asks for.
func (t *tutorial) rename(s *socketio.Socket, u User, name string) User {
	clean, err := cleanName(name)
	id, ok := identityAt(s)
	if err == nil && clean != "" && ok && u.Guest && clean != u.Name {
		u.Name = clean
		id.amend(s, u)
	}
	return u
}

// deliver tells the tutorials' clients of a message in their room. The chat example shows what it has sent by itself.
func (t *tutorial) deliver(m Message) {
	if m.RoomID != tutorialRoom || m.User == nil {
		return
	}
	room := t.c.server.To(roomKey(tutorialRoom))
	example := room
	if sender := t.take(m.ClientID); sender != "" {
		example = room.Except(sender)
	}
	err := errors.Join(room.Emit("chat message", m.Text, m.Seq), example.Emit("new message", tutorialSaid{m.User.Name, m.Text}))
	if err != nil {
		t.c.log.Error("chat: a message could not be sent on", "err", err)
	}
}

// take returns the socket that has sent a message with "new message", and forgets it.
func (t *tutorial) take(clientID string) (sender string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sender = t.own[clientID]
	delete(t.own, clientID)
	return sender
}

func (t *tutorial) others(s *socketio.Socket) socketio.Broadcast { return s.To(roomKey(tutorialRoom)) }

func (t *tutorial) chatMessage(ctx context.Context, s *socketio.Socket, u User, args socketio.Args) error {
	in := NewMessage{RoomID: tutorialRoom}
	err := args.Decode(0, &in.Text)
	if err == nil && args.Len() > 1 {
		err = args.Decode(1, &in.ClientID)
	}
	if err == nil {
		_, err = t.do(ctx, s, u, EventMessageSend, &in)
	}
	return err
}

func (t *tutorial) newMessage(ctx context.Context, s *socketio.Socket, u User, args socketio.Args) error {
	in := NewMessage{RoomID: tutorialRoom, ClientID: uuid.NewString()}
	if err := args.Decode(0, &in.Text); err != nil {
		return err
	}
	t.mu.Lock()
	t.own[in.ClientID] = s.ID()
	t.mu.Unlock()
	_, err := t.do(ctx, s, u, EventMessageSend, &in)
	if err != nil {
		t.take(in.ClientID)
	}
	return err
}

func (t *tutorial) addUser(ctx context.Context, s *socketio.Socket, u User, args socketio.Args) error {
	var name string
	if err := args.Decode(0, &name); err != nil {
		return err
	}
	t.mu.Lock()
	again := t.added[s.ID()]
	t.mu.Unlock()
	if again {
		return nil
	}
	u = t.rename(s, u, name)
	if _, err := t.join(ctx, s, u); err != nil { // which remembers the name
		return err
	}
	t.mu.Lock()
	if s.Connected() { // else gone has been here, or is about to come
		t.added[s.ID()] = true
	}
	n := len(t.added)
	t.mu.Unlock()
	return errors.Join(s.Emit("login", tutorialLogin{n}), t.others(s).Emit("user joined", tutorialJoined{u.Name, n}))
}

func (t *tutorial) typing(ctx context.Context, s *socketio.Socket, u User, _ socketio.Args) error {
	return t.types(ctx, s, u, EventTypingStart, "typing")
}

func (t *tutorial) stopTyping(ctx context.Context, s *socketio.Socket, u User, _ socketio.Args) error {
	return t.types(ctx, s, u, EventTypingStop, "stop typing")
}

func (t *tutorial) types(ctx context.Context, s *socketio.Socket, u User, operation, event string) error {
	if _, err := t.do(ctx, s, u, operation, &Typing{RoomID: tutorialRoom}); err != nil {
		return err
	}
	return t.others(s).Emit(event, tutorialTyping{u.Name})
}

// gone tells the others that a connection has ended, and whether it was the user's last one.
func (t *tutorial) gone(s *socketio.Socket) {
	t.mu.Lock()
	added := t.added[s.ID()]
	delete(t.added, s.ID())
	n := len(t.added)
	t.mu.Unlock()
	id, ok := identityAt(s)
	if !ok {
		return
	}
	u, ok := id.userOf(s)
	if !ok {
		return
	}
	var err error
	if added {
		err = t.others(s).Emit("user left", tutorialJoined{u.Name, n})
	}
	if len(t.c.server.In(userKey(u.ID)).Except(s.ID()).Sockets()) == 0 {
		err = errors.Join(err, t.others(s).Emit("user disconnected", u.ID))
	}
	if err != nil {
		t.c.log.Error("chat: nobody could be told who has gone", "err", err)
	}
}

// Payloads of the private messaging guide.
type (
	tutorialSession struct {
		SessionID string `json:"sessionID"`
		UserID    string `json:"userID"`
	}
	tutorialUser struct {
		UserID    string            `json:"userID"`
		Username  string            `json:"username"`
		Connected bool              `json:"connected"`
		Messages  []tutorialMessage `json:"messages"`
	}
	tutorialMessage struct {
		Content string `json:"content"`
		From    string `json:"from,omitempty"`
		To      string `json:"to"`
	}
)

// introduce tells a client who it is and who is there, with what they have said to one another, and the others who has come. The session
// is that of the app, or the guest's cookie, so the id of one is only there to be kept by the client.
func (t *tutorial) introduce(ctx context.Context, s *socketio.Socket, u User, members []Member) error {
	direct, err := t.directRooms(ctx, u)
	if err != nil {
		return err
	}
	users := make([]tutorialUser, 0, len(members))
	for _, m := range members {
		other := tutorialUser{UserID: m.User.ID, Username: m.User.Name, Connected: t.c.Online(m.User.ID), Messages: []tutorialMessage{}}
		if room := store.DirectID(u.ID, m.User.ID); direct[room] {
			page, err := t.c.store.History(ctx, store.HistoryQuery{RoomID: room, Limit: tutorialPrivate, MaxBytes: pageBytes})
			if err != nil {
				return t.c.storeError("introduce", err)
			}
			for _, said := range page.Messages {
				to := m.User.ID
				if said.SenderID == to {
					to = u.ID
				}
				if said.DeletedAt == 0 {
					other.Messages = append(other.Messages, tutorialMessage{said.Text, said.SenderID, to})
				}
			}
		}
		users = append(users, other)
	}
	err = errors.Join(s.Emit("session", tutorialSession{uuid.NewString(), u.ID}), s.Emit("users", users))
	if len(t.c.server.In(userKey(u.ID)).Except(s.ID()).Sockets()) == 0 {
		come := tutorialUser{UserID: u.ID, Username: u.Name, Connected: true, Messages: []tutorialMessage{}}
		err = errors.Join(err, t.others(s).Emit("user connected", come))
	}
	return err
}

// directRooms returns the ids of the user's rooms with another one.
func (t *tutorial) directRooms(ctx context.Context, u User) (map[string]bool, error) {
	page, err := t.c.store.Rooms(ctx, store.RoomQuery{MemberID: u.ID, Type: store.RoomDirect, Limit: maxPage})
	if err != nil {
		return nil, t.c.storeError("introduce", err)
	}
	rooms := make(map[string]bool, len(page.Rooms))
	for _, r := range page.Rooms {
		rooms[r.ID] = true
	}
	return rooms, nil
}

func (t *tutorial) privateMessage(ctx context.Context, s *socketio.Socket, u User, args socketio.Args) error {
	var in tutorialMessage
	if err := args.Decode(0, &in); err != nil {
		return err
	}
	if in.To == "" {
		return invalid("to", "is missing")
	}
	n := &NewMessage{RoomID: store.DirectID(u.ID, in.To), Text: in.Content}
	out, err := t.do(ctx, s, u, EventMessageSend, n)
	if errors.Is(err, &Error{Code: CodeRoomNotFound}) || errors.Is(err, &Error{Code: CodeNotAMember}) { // their first one
		if _, err = t.do(ctx, s, u, "room.direct", &UserRef{UserID: in.To}); err == nil {
			out, err = t.do(ctx, s, u, EventMessageSend, n)
		}
	}
	if err != nil {
		return err
	}
	said := out.(MessageResult).Message
	readers := s.To(userKey(u.ID))
	if _, err := t.c.store.Member(ctx, said.RoomID, in.To); err == nil { // who has left hears no more of it
		readers = readers.To(userKey(in.To))
	}
	return readers.Emit("private message", tutorialMessage{said.Text, u.ID, in.To})
}
