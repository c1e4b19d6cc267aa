package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Invitation is an offer of membership.
type Invitation struct {
	RoomID    string     `json:"room_id"`
	Room      *Room      `json:"room,omitempty"` // in lists of one's own
	User      User       `json:"user"`           // who is invited
	Role      store.Role `json:"role"`           // what they become by accepting
	InvitedBy *User      `json:"invited_by,omitempty"`
	CreatedAt time.Time  `json:"created_at"`
}

// InvitationQuery selects the invitations to a room.
type InvitationQuery struct {
	RoomID string `json:"room_id"`
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// OwnInvitationQuery selects invitations of the caller.
type OwnInvitationQuery struct {
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// InvitationPage is a page of invitations, ascending by user id, or by room id for one's own.
type InvitationPage struct {
	Invitations []Invitation `json:"invitations"`
	NextCursor  string       `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

// InvitationResult is the answer of operations that return an invitation.
type InvitationResult struct {
	Invitation Invitation `json:"invitation"`
}

func (c *Chat) invitationOperations() []*operation {
	return []*operation{
		define(c.invite, spec{
			name: "member.invite", event: true, route: "PUT /rooms/:room_id/invitations/:user_id", action: ActionMemberInvite, errors: []Code{CodeConflict},
			doc: "Invites somebody to a room. Whoever is invited may see what the room is called, and join it.",
		}),
		define(c.listInvitations, spec{
			name: "invitation.list", event: true, route: "GET /rooms/:room_id/invitations", action: ActionInvitationList,
			doc: "Lists the invitations to a room that are neither accepted nor declined.",
		}),
		define(c.revokeInvitation, spec{
			name: "invitation.revoke", event: true, route: "DELETE /rooms/:room_id/invitations/:user_id", action: ActionInvitationRevoke,
			doc: "Takes an invitation back.",
		}),
		define(c.ownInvitations, spec{
			name: "user.invitations", event: true, route: "GET /me/invitations", action: ActionInvitationOwn,
			doc: "Lists the caller's own invitations.",
		}),
		define(c.acceptInvitation, spec{
			name: "invitation.accept", event: true, route: "POST /rooms/:room_id/invitation/accept", action: ActionInvitationAnswer,
			doc: "Makes the caller a member of a room, in the role of the invitation.",
		}),
		define(c.declineInvitation, spec{
			name: "invitation.decline", event: true, route: "POST /rooms/:room_id/invitation/decline", action: ActionInvitationAnswer,
			doc: "Declines an invitation.",
		}),
	}
}

// Invite invites somebody to a room, in a role that defaults to store.RoleMember. For somebody who is invited already it returns
// that invitation.
func (a *Actor) Invite(ctx context.Context, roomID string, u User, role store.Role) (Invitation, error) {
	out, err := call[InvitationResult](ctx, a, "member.invite", NewMember{RoomID: roomID, UserID: u.ID, Role: role, User: u})
	return out.Invitation, err
}

// Invitations returns a page of the invitations to a room.
func (a *Actor) Invitations(ctx context.Context, q InvitationQuery) (InvitationPage, error) {
	return call[InvitationPage](ctx, a, "invitation.list", q)
}

// RevokeInvitation takes an invitation back.
func (a *Actor) RevokeInvitation(ctx context.Context, roomID, userID string) error {
	_, err := call[nothing](ctx, a, "invitation.revoke", MemberRef{roomID, userID})
	return err
}

// OwnInvitations returns a page of the user's invitations.
func (a *Actor) OwnInvitations(ctx context.Context, q OwnInvitationQuery) (InvitationPage, error) {
	return call[InvitationPage](ctx, a, "user.invitations", q)
}

// AcceptInvitation makes the user a member of a room that they are invited to.
func (a *Actor) AcceptInvitation(ctx context.Context, roomID string) (Member, error) {
	out, err := call[MemberResult](ctx, a, "invitation.accept", RoomRef{roomID})
	return out.Member, err
}

// DeclineInvitation declines an invitation of the user.
func (a *Actor) DeclineInvitation(ctx context.Context, roomID string) error {
	_, err := call[nothing](ctx, a, "invitation.decline", RoomRef{roomID})
	return err
}

func (c *Chat) invite(ctx context.Context, r *request, in *NewMember) (InvitationResult, error) {
	if err := c.mayGive(ctx, r, in.Role); err != nil {
		return InvitationResult{}, err
	}
	u, err := c.somebody(ctx, r, in.UserID, in.User)
	if err != nil {
		return InvitationResult{}, err
	}
	draft := store.Invitation{RoomID: in.RoomID, UserID: u.ID, Role: in.Role, InvitedBy: r.user.ID}
	row, added, err := c.store.Invite(ctx, draft, r.entry(u.ID, nil))
	switch {
	case errors.Is(err, store.ErrIsMember):
		return InvitationResult{}, NewError(CodeConflict, "This user is a member of the room already.")
	case errors.Is(err, store.ErrBanned):
		return InvitationResult{}, invalid("user_id", "is banned")
	case err != nil:
		return InvitationResult{}, c.storeError("invite", err)
	}
	i := Invitation{RoomID: row.RoomID, User: u, Role: row.Role, InvitedBy: r.actor(), CreatedAt: row.CreatedAt.Time()}
	if !added && row.InvitedBy != r.user.ID { // somebody else was first
		known, err := c.store.Users(ctx, row.InvitedBy)
		if err != nil {
			return InvitationResult{}, c.storeError("read user", err)
		}
		by := userOf(known[row.InvitedBy], row.InvitedBy)
		if i.InvitedBy = &by; by.ID == "" { // the system
			i.InvitedBy = nil
		}
	}
	if added {
		room := roomOf(r.access.Room)
		told := i
		told.Room = &room
		c.emit(Event{Type: EventInvited, RoomID: room.ID, User: r.actor(), Room: &room, Invitation: &told}, c.server.To(userKey(u.ID)))
	}
	return InvitationResult{i}, nil
}

func (c *Chat) revokeInvitation(ctx context.Context, r *request, in *MemberRef) (nothing, error) {
	err := c.store.RemoveInvitation(ctx, in.RoomID, in.UserID, r.entry(in.UserID, nil))
	if errors.Is(err, store.ErrNotInvited) {
		return nothing{}, invalid("user_id", "is not invited to this room")
	}
	if err != nil {
		return nothing{}, c.storeError("revoke invitation", err)
	}
	u, err := c.somebody(ctx, r, in.UserID, User{})
	if err != nil {
		return nothing{}, err
	}
	c.announceUninvited(in.RoomID, u)
	return nothing{}, nil
}

func (c *Chat) acceptInvitation(ctx context.Context, r *request, in *RoomRef) (MemberResult, error) {
	if m := c.ownMember(r.user, r.access); m != nil { // accepted before, and the answer got lost
		return MemberResult{*m}, nil
	}
	m, err := c.accept(ctx, r, in.RoomID)
	return MemberResult{m}, err
}

// accept makes the caller, who is invited, a member.
func (c *Chat) accept(ctx context.Context, r *request, roomID string) (Member, error) {
	if err := c.hookJoin(ctx, r.user, roomOf(r.access.Room)); err != nil {
		return Member{}, err
	}
	row, err := c.store.AcceptInvitation(ctx, roomID, r.user.row())
	if err != nil {
		return Member{}, c.storeError("accept invitation", err)
	}
	m := c.memberOf(row)
	c.announceAdded(roomOf(r.access.Room), m)
	c.notice(r, r.access.Room, noticeOf{Kind: NoticeMemberJoined, User: r.actor()})
	return m, nil
}

func (c *Chat) declineInvitation(ctx context.Context, r *request, in *RoomRef) (nothing, error) {
	if err := c.store.RemoveInvitation(ctx, in.RoomID, r.user.ID); err != nil {
		return nothing{}, c.storeError("decline invitation", err)
	}
	var users []string
	if i := r.access.Invited; i != nil && i.InvitedBy != "" {
		// Who has invited may have been shut out since.
		if _, err := c.store.Member(ctx, in.RoomID, i.InvitedBy); err == nil {
			users = append(users, i.InvitedBy)
		}
	}
	c.announceUninvited(in.RoomID, r.user, users...)
	return nothing{}, nil
}

// announceUninvited tells the invited user, and others, that an invitation is over.
func (c *Chat) announceUninvited(roomID string, u User, others ...string) {
	keys := []string{userKey(u.ID)}
	for _, id := range others {
		keys = append(keys, userKey(id))
	}
	c.emit(Event{Type: EventUninvited, RoomID: roomID, User: &u}, c.server.To(keys...))
}

func (c *Chat) listInvitations(ctx context.Context, _ *request, in *InvitationQuery) (InvitationPage, error) {
	return c.invitationPage(ctx, store.InvitationQuery{RoomID: in.RoomID, After: in.Cursor, Limit: in.Limit})
}

func (c *Chat) ownInvitations(ctx context.Context, r *request, in *OwnInvitationQuery) (InvitationPage, error) {
	return c.invitationPage(ctx, store.InvitationQuery{UserID: r.user.ID, After: in.Cursor, Limit: in.Limit})
}

func (c *Chat) invitationPage(ctx context.Context, q store.InvitationQuery) (InvitationPage, error) {
	if err := checkMemberPage(q.After, q.Limit); err != nil {
		return InvitationPage{}, err
	}
	page, err := c.store.Invitations(ctx, q)
	if err != nil {
		return InvitationPage{}, c.storeError("read invitations", err)
	}
	var users, rooms []string
	for _, row := range page.Invitations {
		users = append(users, row.UserID, row.InvitedBy)
		if q.RoomID == "" {
			rooms = append(rooms, row.RoomID)
		}
	}
	known, err := c.store.Users(ctx, users...)
	if err != nil {
		return InvitationPage{}, c.storeError("read users", err)
	}
	byID, err := c.store.RoomsByID(ctx, rooms...)
	if err != nil {
		return InvitationPage{}, c.storeError("read rooms", err)
	}
	out := InvitationPage{Invitations: make([]Invitation, len(page.Invitations)), NextCursor: page.Next}
	for n, row := range page.Invitations {
		i := Invitation{RoomID: row.RoomID, User: userOf(known[row.UserID], row.UserID), Role: row.Role, CreatedAt: row.CreatedAt.Time()}
		if row.InvitedBy != "" {
			by := userOf(known[row.InvitedBy], row.InvitedBy)
			i.InvitedBy = &by
		}
		if room, ok := byID[row.RoomID]; ok {
			r := roomOf(room)
			i.Room = &r
		}
		out.Invitations[n] = i
	}
	return out, nil
}
