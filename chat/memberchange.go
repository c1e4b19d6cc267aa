package chat

import (
	"context"
	"errors"

	"github.com/echochat/echochat/store"
)

// MemberChange says what a member is to be.
type MemberChange struct {
	RoomID string     `json:"room_id"`
	UserID string     `json:"user_id"`
	Role   store.Role `json:"role"` // moderator, member or readonly
}

// NotifyQuery says which messages of a room somebody wants to be told of.
type NotifyQuery struct {
	RoomID        string              `json:"room_id"`
	Notifications store.Notifications `json:"notifications"` // all, mentions or none
}

// SetRole gives a member another role, and tells the room. An owner is made by TransferRoom.
func (a *Actor) SetRole(ctx context.Context, roomID, userID string, role store.Role) (Member, error) {
	out, err := call[MemberResult](ctx, a, "member.update", MemberChange{roomID, userID, role})
	return out.Member, err
}

// SetNotifications says which messages of a room the user wants to be told of while elsewhere.
func (a *Actor) SetNotifications(ctx context.Context, roomID string, n store.Notifications) (Member, error) {
	out, err := call[MemberResult](ctx, a, "room.notify", NotifyQuery{roomID, n})
	return out.Member, err
}

func (c *Chat) updateMember(ctx context.Context, r *request, in *MemberChange) (MemberResult, error) {
	if in.Role == "" {
		return MemberResult{}, invalid("role", "is missing")
	}
	if err := c.mayGive(ctx, r, in.Role); err != nil {
		return MemberResult{}, err
	}
	before, err := c.subject(ctx, r, in.UserID)
	if err != nil {
		return MemberResult{}, err
	}
	row, err := c.store.SetRole(ctx, in.RoomID, in.UserID, in.Role, r.entry(in.UserID, map[string]store.Role{"role": in.Role}))
	if errors.Is(err, store.ErrNotMember) {
		return MemberResult{}, notTheirRoom()
	}
	if err != nil {
		return MemberResult{}, c.storeError("set role", err)
	}
	row.User = before.User
	m := c.memberOf(row)
	if row.Role != before.Role {
		c.emit(Event{Type: EventMemberUpdated, RoomID: in.RoomID, User: &m.User, Member: &m}, c.everyone(in.RoomID, in.UserID))
	}
	return MemberResult{m}, nil
}

// mayGive says whether the caller may make somebody what a role amounts to.
func (c *Chat) mayGive(ctx context.Context, r *request, role store.Role) error {
	switch role {
	case "", store.RoleMember, store.RoleReadOnly:
		return nil
	case store.RoleModerator:
		_, err := c.permit(ctx, r.caller, ActionModeratorManage, target{roomID: r.access.Room.ID})
		return err
	default:
		return invalid("role", "must be moderator, member or readonly")
	}
}

// subject is a member whom the caller does something to that members of lower rank have to put up with: moderators are the
// owner's matter, and owners an admin's.
func (c *Chat) subject(ctx context.Context, r *request, userID string) (store.Member, error) {
	row, err := c.store.Member(ctx, r.access.Room.ID, userID)
	if errors.Is(err, store.ErrNotMember) {
		return store.Member{}, notTheirRoom()
	}
	if err != nil {
		return store.Member{}, c.storeError("read member", err)
	}
	return row, c.mayManage(ctx, r, row)
}

// mayManage says whether the caller ranks above a member.
func (c *Chat) mayManage(ctx context.Context, r *request, m store.Member) (err error) {
	switch m.Role {
	case store.RoleOwner:
		_, err = c.permit(ctx, r.caller, ActionOwnerManage, target{roomID: m.RoomID})
	case store.RoleModerator:
		_, err = c.permit(ctx, r.caller, ActionModeratorManage, target{roomID: m.RoomID})
	}
	return err
}

func (c *Chat) notifyMember(ctx context.Context, r *request, in *NotifyQuery) (MemberResult, error) {
	switch in.Notifications {
	case store.NotifyAll, store.NotifyMentions, store.NotifyNone:
	default:
		return MemberResult{}, invalid("notifications", "must be all, mentions or none")
	}
	if r.access.Member == nil { // an admin, say
		return MemberResult{}, notAMember()
	}
	if err := c.store.SetNotifications(ctx, in.RoomID, r.user.ID, in.Notifications); err != nil {
		return MemberResult{}, c.storeError("set notifications", err)
	}
	r.access.Member.Notifications = in.Notifications
	m := c.ownMember(r.user, r.access)
	c.emit(Event{Type: EventMemberUpdated, RoomID: in.RoomID, User: &m.User, Member: m}, c.server.To(userKey(r.user.ID)))
	return MemberResult{*m}, nil
}

// announceUpdated tells a room what a member has become.
func (c *Chat) announceUpdated(ctx context.Context, row store.Member) error {
	users, err := c.store.Users(ctx, row.UserID)
	if err != nil {
		return c.storeError("read user", err)
	}
	row.User = users[row.UserID]
	m := c.memberOf(row)
	c.emit(Event{Type: EventMemberUpdated, RoomID: row.RoomID, User: &m.User, Member: &m}, c.everyone(row.RoomID, row.UserID))
	return nil
}

// notifyAdded tells a user, wherever they are connected, of a room that somebody has made them a member of.
func (c *Chat) notifyAdded(room Room, userID string, by *User) {
	c.emit(Event{Type: EventAddedToRoom, RoomID: room.ID, User: by, Room: &room}, c.server.To(userKey(userID)))
}
