package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Member is a user in a room.
type Member struct {
	User     User       `json:"user"`
	Role     store.Role `json:"role"`
	JoinedAt time.Time  `json:"joined_at"`
	Online   bool       `json:"online"` // whether the user has a connection, in this room or not
}

func (c *Chat) memberOf(m store.Member) Member {
	return Member{
		User: userOf(m.User, m.UserID), Role: m.Role, JoinedAt: m.JoinedAt.Time(), Online: c.presence.online(m.UserID),
	}
}

// MemberPage is a page of members, ascending by user id.
type MemberPage struct {
	Members    []Member `json:"members"`
	NextCursor string   `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

// Members returns a page of a room's members: at most limit (0 stands for 50, 200 is the most), after the page whose
// NextCursor is given, or the first one with "".
func (c *Chat) Members(ctx context.Context, roomID, cursor string, limit int) (MemberPage, error) {
	page, err := c.store.Members(ctx, store.MemberQuery{RoomID: roomID, After: cursor, Limit: limit})
	if err != nil {
		return MemberPage{}, c.storeError("read members", err)
	}
	out := MemberPage{Members: make([]Member, len(page.Members)), NextCursor: page.Next}
	for i, m := range page.Members {
		out.Members[i] = c.memberOf(m)
	}
	return out, nil
}

// AddMember makes u a member of a room and tells the room. For somebody who is a member already it returns the
// membership as it is. A Join hook may refuse.
func (c *Chat) AddMember(ctx context.Context, roomID string, u User) (Member, error) {
	u, err := checkUser(u)
	if err != nil {
		return Member{}, err
	}
	room, err := c.Room(ctx, roomID)
	if err != nil {
		return Member{}, err
	}
	row, err := c.store.Member(ctx, roomID, u.ID)
	switch {
	case err == nil:
		return c.memberOf(row), nil
	case !errors.Is(err, store.ErrNotMember):
		return Member{}, c.storeError("read member", err)
	}
	return c.addMember(ctx, room, u)
}

// addMember makes a member of a user who was none a moment ago.
func (c *Chat) addMember(ctx context.Context, room Room, u User) (Member, error) {
	if err := c.hookJoin(ctx, u, room); err != nil {
		return Member{}, err
	}
	row, added, err := c.store.AddMember(ctx, room.ID, u.row(), store.RoleMember)
	if err != nil {
		return Member{}, c.storeError("add member", err)
	}
	m := c.memberOf(row)
	if added {
		c.announceAdded(room.ID, m)
	}
	return m, nil
}

// RemoveMember ends a membership: all the user's connections leave the room at once, and what is sent there from now on
// does not reach them. It returns CodeNotAMember when there was no membership.
func (c *Chat) RemoveMember(ctx context.Context, roomID, userID string) error {
	room, err := c.Room(ctx, roomID)
	if err != nil {
		return err
	}
	row, err := c.store.Member(ctx, roomID, userID)
	if err != nil {
		return c.storeError("read member", err)
	}
	u := userOf(row.User, userID)
	if err := c.removeMember(ctx, room, u); err != nil {
		return err
	}
	_ = c.hookLeave(ctx, u, room) // logged; the membership has ended all the same
	return nil
}

// removeMember leaves the Leave hook to the caller.
func (c *Chat) removeMember(ctx context.Context, room Room, u User) error {
	// The sockets leave after the row is gone, and also when the outcome is unknown: a join that read the row before has
	// subscribed by then and is taken out here, one that comes later finds no row (see Chat.subscribe).
	err := c.store.RemoveMember(ctx, room.ID, u.ID)
	if err != nil && errors.Is(err, store.ErrNotMember) {
		return notAMember()
	}
	left := c.unsubscribe(room.ID, u.ID)
	if err != nil {
		// Perhaps still a member, and then deaf without knowing: the clients come back, and ask by room.join.
		for _, s := range left {
			s.CloseConnection()
		}
		return c.storeError("remove member", err)
	}
	c.typing.stop(room.ID, u.ID)
	c.emit(Event{Type: EventMemberRemoved, RoomID: room.ID, User: &u}, c.everyone(room.ID, u.ID))
	return nil
}

func (c *Chat) announceAdded(roomID string, m Member) {
	c.emit(Event{Type: EventMemberAdded, RoomID: roomID, User: &m.User, Member: &m}, c.everyone(roomID, m.User.ID))
}
