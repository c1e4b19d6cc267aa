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

// joinMembers is how many members the answer to room.join lists; member.list has the rest.
const joinMembers = 200

// JoinRoom asks for a room: for a membership, where the caller has none, and for what is said there.
type JoinRoom struct {
	RoomID string `json:"room_id"`
	After  *int64 `json:"after,omitempty"` // seq of the last message that the client has, 0 for none; defaults to the latest page
	Epoch  string `json:"epoch,omitempty"` // the room's, as the client knows it
	Limit  int    `json:"limit,omitempty"` // messages; defaults to 50, at most 200
}

// JoinedRoom is the answer of room.join. Resync tells a client that After or Epoch belong to another database: what it has
// kept is to be thrown away, and Messages is the latest page.
type JoinedRoom struct {
	Room    Room     `json:"room"`
	Member  *Member  `json:"member,omitempty"` // the caller's own membership
	Members []Member `json:"members"`          // the first 200
	Page
	Resync bool `json:"resync,omitempty"`
}

func (c *Chat) joinOperations() []*operation {
	return []*operation{
		define(c.joinRoom, spec{
			name: EventRoomJoin, event: true, route: "POST /rooms/:room_id/join", action: ActionRoomJoin, creates: true,
			doc: "Makes the caller a member of a room and lets the connection hear it; returns the room and the messages that were missed.",
		}),
		define(c.leaveRoom, spec{
			name: EventRoomLeave, event: true, route: "POST /rooms/:room_id/leave", action: ActionRoomLeave,
			doc: "Ends the caller's membership in a room, on all connections.",
		}),
	}
}

// Join makes the user a member of a room, if that may be, and returns the room with the latest messages.
func (a *Actor) Join(ctx context.Context, j JoinRoom) (JoinedRoom, error) {
	return call[JoinedRoom](ctx, a, EventRoomJoin, j)
}

// Leave ends the user's membership in a room.
func (a *Actor) Leave(ctx context.Context, roomID string) error {
	_, err := call[nothing](ctx, a, EventRoomLeave, RoomRef{roomID})
	return err
}

func (c *Chat) joinRoom(ctx context.Context, r *request, in *JoinRoom) (JoinedRoom, error) {
	if err := checkLimit(in.Limit); err != nil {
		return JoinedRoom{}, err
	}
	if in.After != nil && *in.After < 0 {
		return JoinedRoom{}, invalid("after", "is negative")
	}
	if err := c.roomLeft(r.socket, in.RoomID); err != nil {
		return JoinedRoom{}, err
	}
	if err := c.enter(ctx, r, in.RoomID); err != nil {
		return JoinedRoom{}, err
	}
	a, err := c.subscribe(ctx, r, in.RoomID)
	if err != nil {
		return JoinedRoom{}, err
	}
	room := roomOf(a.Room)
	q := store.HistoryQuery{RoomID: in.RoomID, Limit: in.Limit, MaxBytes: pageBytes}
	resync := in.Epoch != "" && in.Epoch != room.Epoch || in.After != nil && *in.After > room.LastSeq
	if in.After != nil && !resync {
		q.After = store.AtSeq(*in.After)
	}
	page, err := c.page(ctx, r, q)
	if err != nil {
		return JoinedRoom{}, err
	}
	members := MemberPage{Members: []Member{}}
	if may, err := c.allowed(ctx, r.user, ActionMemberList, a); err != nil {
		return JoinedRoom{}, err
	} else if may {
		if members, err = c.memberPage(ctx, store.MemberQuery{RoomID: in.RoomID, Limit: joinMembers}); err != nil {
			return JoinedRoom{}, err
		}
	}
	return JoinedRoom{Room: room, Member: c.ownMember(r.user, a), Members: members.Members, Page: page, Resync: resync}, nil
}

// roomLeft says whether a connection may be in one room more.
func (c *Chat) roomLeft(s *socketio.Socket, roomID string) error {
	if s == nil {
		return nil
	}
	ids := roomsOf(s)
	if len(ids) >= c.cfg.roomsPerSocket && !slices.Contains(ids, roomID) {
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

// enter makes the caller a member of the room; of a member it remembers a name that has changed.
func (c *Chat) enter(ctx context.Context, r *request, roomID string) error {
	if r.access.Room.ID == "" {
		if !c.cfg.openRooms || strings.HasPrefix(roomID, directPrefix) {
			return roomNotFound()
		}
		if err := c.mayCreate(ctx, r); err != nil {
			return err
		}
		_, err := c.newRoom(ctx, NewRoom{ID: roomID, Type: store.RoomPublic, Name: roomID, Creator: r.user})
		if !errors.Is(err, &Error{Code: CodeConflict}) {
			return err
		}
		// Somebody was faster, or it is hidden.
		if r.access, err = c.permit(ctx, r.caller, ActionRoomJoin, target{roomID: roomID}); err != nil {
			return err
		}
	}
	switch {
	case r.access.Member != nil:
	case r.access.Invited != nil:
		_, err := c.accept(ctx, r, roomID)
		return err
	default:
		_, added, err := c.addMember(ctx, roomOf(r.access.Room), r.user, store.RoleMember)
		if err == nil && added {
			c.notice(r, r.access.Room, noticeOf{Kind: NoticeMemberJoined, User: r.actor()})
		}
		return err
	}
	if err := c.store.PutUser(ctx, r.user.row()); err != nil {
		return c.storeError("remember user", err)
	}
	return nil
}

// mayCreate asks what room.create does, of somebody who creates a room by joining it.
func (c *Chat) mayCreate(ctx context.Context, r *request) error {
	if _, err := c.permit(ctx, r.caller, ActionRoomCreate, target{}); err != nil {
		return err
	}
	rate, limited := c.cfg.rates.Operations["room.create"]
	if !r.counted || !limited {
		return nil
	}
	return c.spend(budget{budgetKey{scopeOperation, r.user.ID, "room.create"}, rate})
}

// subscribe lets the connection of a member hear what is said in a room. Whatever is committed from now on is either
// delivered or in the page that is read afterwards, or both. Membership is read once more after the subscription: a removal
// deletes the row first and takes the sockets out then, so one of the two sees the other.
func (c *Chat) subscribe(ctx context.Context, r *request, roomID string) (store.Access, error) {
	if r.socket != nil {
		r.socket.Join(roomKey(roomID))
	}
	a, err := c.permit(ctx, r.caller, ActionHistoryRead, target{roomID: roomID})
	if err != nil {
		if r.socket != nil {
			r.socket.Leave(roomKey(roomID))
		}
		return store.Access{}, err
	}
	return a, nil
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

func (c *Chat) leaveRoom(ctx context.Context, r *request, _ *RoomRef) (nothing, error) {
	room := roomOf(r.access.Room)
	if err := c.removeMember(ctx, room, r.user); err != nil {
		return nothing{}, err
	}
	c.notice(r, r.access.Room, noticeOf{Kind: NoticeMemberLeft, User: r.actor()})
	r.then(func(ctx context.Context) error { return c.hookLeave(ctx, r.user, room) })
	return nothing{}, nil
}
