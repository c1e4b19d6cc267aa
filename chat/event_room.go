package chat

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// joinMembers is how many members the answer to room.join lists; REST has the rest.
const joinMembers = 200

func (c *Chat) onJoin(ctx context.Context, r *request, a joinArgs) (joinAck, error) {
	if err := errors.Join(checkRoomID(a.RoomID), checkLimit(a.Limit)); err != nil {
		return joinAck{}, err
	}
	if a.After != nil && *a.After < 0 {
		return joinAck{}, invalid("after", "is negative")
	}
	if err := c.roomLeft(r.socket, a.RoomID); err != nil {
		return joinAck{}, err
	}
	if err := c.enter(ctx, r.user, a.RoomID); err != nil {
		return joinAck{}, err
	}
	room, err := c.subscribe(ctx, r.socket, r.user, a.RoomID)
	if err != nil {
		return joinAck{}, err
	}
	q := store.HistoryQuery{RoomID: a.RoomID, Limit: a.Limit, MaxBytes: pageBytes}
	resync := a.Epoch != "" && a.Epoch != room.Epoch || a.After != nil && *a.After > room.LastSeq
	if a.After != nil && !resync {
		q.After = store.AtSeq(*a.After)
	}
	page, err := c.page(ctx, q)
	if err != nil {
		return joinAck{}, err
	}
	members, err := c.Members(ctx, a.RoomID, "", joinMembers)
	if err != nil {
		return joinAck{}, err
	}
	return joinAck{Room: room, Members: members.Members, Page: page, Resync: resync}, nil
}

// roomLeft says whether a socket may be in one room more.
func (c *Chat) roomLeft(s *socketio.Socket, roomID string) error {
	ids := roomsOf(s)
	for _, id := range ids {
		if id == roomID {
			return nil
		}
	}
	if len(ids) >= c.cfg.roomsPerSocket {
		return invalid("room_id", fmt.Sprintf("is one too many: this connection is in %d rooms, leave one first", len(ids)))
	}
	return nil
}

// roomsOf returns the ids of the chat rooms that a socket is in.
func roomsOf(s *socketio.Socket) []string {
	var ids []string
	for _, key := range s.Rooms() {
		if id, ok := strings.CutPrefix(key, roomPrefix); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// enter makes u a member of a room that anybody may join; for a member it remembers a name that has changed.
func (c *Chat) enter(ctx context.Context, u User, roomID string) error {
	room, m, err := c.roomFor(ctx, u, roomID)
	if err != nil && c.cfg.openRooms && errors.Is(err, &Error{Code: CodeRoomNotFound}) {
		_, err = c.createRoom(ctx, NewRoom{ID: roomID, Type: store.RoomPublic, Name: roomID, Creator: u})
		if !errors.Is(err, &Error{Code: CodeConflict}) {
			return err
		}
		room, m, err = c.roomFor(ctx, u, roomID) // somebody was faster, or it is a private room
	}
	switch {
	case err != nil:
		return err
	case m == nil:
		_, err = c.addMember(ctx, room, u)
		return err
	case m.User.Name != u.Name || m.User.AvatarURL != u.AvatarURL:
		if err := c.store.PutUser(ctx, u.row()); err != nil {
			return c.storeError("remember user", err)
		}
	}
	return nil
}

// subscribe lets a socket of a member hear what is said in a room. Whatever is committed from now on is either delivered
// or in the page that is read afterwards, or both. Membership is read once more after the subscription: a removal
// deletes the row first and takes the sockets out then, so one of the two sees the other.
func (c *Chat) subscribe(ctx context.Context, s *socketio.Socket, u User, roomID string) (Room, error) {
	s.Join(roomKey(roomID))
	room, _, err := c.memberRoom(ctx, u, roomID)
	if err != nil {
		s.Leave(roomKey(roomID))
	}
	return room, err
}

// unsubscribe takes all sockets of a user out of a room, and returns those of this node that were in it.
func (c *Chat) unsubscribe(roomID, userID string) (left []*socketio.Socket) {
	users := c.server.In(userKey(userID))
	for _, s := range users.Sockets() {
		if slices.Contains(s.Rooms(), roomKey(roomID)) {
			left = append(left, s)
		}
	}
	users.SocketsLeave(roomKey(roomID))
	return left
}

func (c *Chat) onLeave(ctx context.Context, r *request, a roomArgs) (emptyAck, error) {
	if err := checkRoomID(a.RoomID); err != nil {
		return emptyAck{}, err
	}
	room, err := c.leave(ctx, r.user, a.RoomID)
	if err != nil {
		return emptyAck{}, err
	}
	r.after = func(ctx context.Context) error { return c.hookLeave(ctx, r.user, room) }
	return emptyAck{}, nil
}

// leave ends u's own membership, and leaves the Leave hook to the caller.
func (c *Chat) leave(ctx context.Context, u User, roomID string) (Room, error) {
	room, _, err := c.memberRoom(ctx, u, roomID)
	if err != nil {
		return Room{}, err
	}
	return room, c.removeMember(ctx, room, u)
}

func (c *Chat) onHistory(ctx context.Context, r *request, a historyArgs) (historyAck, error) {
	page, err := c.history(ctx, r.user, a)
	return historyAck{Page: page}, err
}
