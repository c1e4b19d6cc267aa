package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// Member is a user in a room.
type Member struct {
	User     User       `json:"user"`
	Role     store.Role `json:"role"`
	JoinedAt time.Time  `json:"joined_at"`
	ReadSeq  int64      `json:"read_seq"` // up to where the user has read
	Online   bool       `json:"online"`   // whether the user has a connection, in this room or not

	Notifications store.Notifications `json:"notifications,omitempty"` // told to the user alone
	Muted         bool                `json:"muted,omitempty"`         // told when it changes, and to the user
	MutedUntil    *time.Time          `json:"muted_until,omitempty"`   // absent: for good
}

func (c *Chat) memberOf(m store.Member) Member {
	return Member{
		User: userOf(m.User, m.UserID), Role: m.Role, JoinedAt: m.JoinedAt.Time(), ReadSeq: m.ReadSeq, Online: c.presence.online(m.UserID),
	}
}

// ownMember is the caller's membership as the caller sees it, or nil.
func (c *Chat) ownMember(u User, a store.Access) *Member {
	if a.Member == nil {
		return nil
	}
	m := c.memberOf(*a.Member)
	m.User, m.Notifications = u, a.Member.Notifications
	m.mute(a.Muted)
	return &m
}

func (m *Member) mute(s *store.Sanction) {
	if m.Muted = s != nil; m.Muted && s.Until != 0 {
		until := s.Until.Time()
		m.MutedUntil = &until
	}
}

// MemberQuery selects the members of a room.
type MemberQuery struct {
	RoomID string `json:"room_id"`
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// MemberPage is a page of members, ascending by user id.
type MemberPage struct {
	Members    []Member `json:"members"`
	NextCursor string   `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

// MemberRef is an operation's member, where that is all that there is to say.
type MemberRef struct {
	RoomID string `json:"room_id"`
	UserID string `json:"user_id"`
}

// NewMember is somebody to be made a member.
type NewMember struct {
	RoomID string     `json:"room_id"`
	UserID string     `json:"user_id"`
	Role   store.Role `json:"role,omitempty"` // defaults to store.RoleMember
	User   User       `json:"-"`              // from Go: how to show them, in place of UserID
}

// MemberResult is the answer of operations that return a member.
type MemberResult struct {
	Member Member `json:"member"`
}

func (c *Chat) memberOperations() []*operation {
	return []*operation{
		define(c.listMembers, spec{
			name: "member.list", event: true, route: "GET /rooms/:room_id/members", action: ActionMemberList,
			doc: "Lists the members of a room, by the user's id.",
		}),
		define(c.addMemberTo, spec{
			name: "member.add", event: true, route: "PUT /rooms/:room_id/members/:user_id", action: ActionMemberAdd,
			doc: "Makes a member of somebody, without asking them.",
		}),
		define(c.updateMember, spec{
			name: "member.update", event: true, route: "PATCH /rooms/:room_id/members/:user_id", action: ActionMemberUpdate,
			doc: "Gives a member another role; moderators are the owner's to make and unmake.",
		}),
		define(c.removeMemberFrom, spec{
			name: "member.remove", event: true, route: "DELETE /rooms/:room_id/members/:user_id", action: ActionMemberRemove,
			doc: "Ends somebody's membership, on all connections.",
		}),
		define(c.notifyMember, spec{
			name: "room.notify", event: true, route: "PUT /rooms/:room_id/notifications", action: ActionRoomNotify,
			doc: "Says which messages of a room the caller wants to be told of while elsewhere.",
		}),
	}
}

// Members returns a page of a room's members.
func (a *Actor) Members(ctx context.Context, q MemberQuery) (MemberPage, error) {
	return call[MemberPage](ctx, a, "member.list", q)
}

// AddMember makes u a member of a room and tells the room. For somebody who is a member already it returns the
// membership as it is. A Join hook may refuse.
func (a *Actor) AddMember(ctx context.Context, roomID string, u User) (Member, error) {
	out, err := call[MemberResult](ctx, a, "member.add", NewMember{RoomID: roomID, UserID: u.ID, User: u})
	return out.Member, err
}

// RemoveMember ends a membership: all the user's connections leave the room at once, and what is sent there from now on
// does not reach them. It returns CodeNotAMember when there was no membership.
func (a *Actor) RemoveMember(ctx context.Context, roomID, userID string) error {
	_, err := call[nothing](ctx, a, "member.remove", MemberRef{roomID, userID})
	return err
}

func (c *Chat) listMembers(ctx context.Context, _ *request, in *MemberQuery) (MemberPage, error) {
	if err := checkMemberPage(in.Cursor, in.Limit); err != nil {
		return MemberPage{}, err
	}
	return c.memberPage(ctx, store.MemberQuery{RoomID: in.RoomID, After: in.Cursor, Limit: in.Limit})
}

func (c *Chat) memberPage(ctx context.Context, q store.MemberQuery) (MemberPage, error) {
	page, err := c.store.Members(ctx, q)
	if err != nil {
		return MemberPage{}, c.storeError("read members", err)
	}
	return c.membersOf(page), nil
}

func (c *Chat) membersOf(page store.MemberPage) MemberPage {
	out := MemberPage{Members: make([]Member, len(page.Members)), NextCursor: page.Next}
	for i, m := range page.Members {
		out.Members[i] = c.memberOf(m)
	}
	return out
}

// checkMemberPage checks the cursor and the size of a page in the order of users' ids.
func checkMemberPage(cursor string, limit int) error {
	if len(cursor) > maxUserIDBytes || !printable(cursor) {
		return badCursor()
	}
	return checkLimit(limit)
}

func (c *Chat) addMemberTo(ctx context.Context, r *request, in *NewMember) (MemberResult, error) {
	if err := c.mayGive(ctx, r, in.Role); err != nil {
		return MemberResult{}, err
	}
	u, err := c.somebody(ctx, r, in.UserID, in.User)
	if err != nil {
		return MemberResult{}, err
	}
	row, err := c.store.Member(ctx, in.RoomID, u.ID)
	switch {
	case err == nil:
		return MemberResult{c.memberOf(row)}, nil
	case !errors.Is(err, store.ErrNotMember):
		return MemberResult{}, c.storeError("read member", err)
	}
	room := roomOf(r.access.Room)
	m, added, err := c.addMember(ctx, room, u, in.Role, r.entry(u.ID, nil))
	if errors.Is(err, &Error{Code: CodeBanned}) {
		return MemberResult{}, invalid("user_id", "is banned")
	}
	if err == nil && added {
		c.notifyAdded(room, u.ID, r.actor())
		c.notice(r, r.access.Room, noticeOf{Kind: NoticeMemberAdded, User: &u})
	}
	return MemberResult{m}, err
}

// addMember makes a member of a user who was none a moment ago.
func (c *Chat) addMember(ctx context.Context, room Room, u User, role store.Role, audit ...store.Audit) (m Member, added bool, err error) {
	if err := c.hookJoin(ctx, u, room); err != nil {
		return Member{}, false, err
	}
	row, added, err := c.store.AddMember(ctx, room.ID, u.row(), role, audit...)
	if err != nil {
		return Member{}, false, c.storeError("add member", err)
	}
	m = c.memberOf(row)
	if added {
		c.announceAdded(room, m)
	}
	return m, added, nil
}

func (c *Chat) removeMemberFrom(ctx context.Context, r *request, in *MemberRef) (nothing, error) {
	row, err := c.subject(ctx, r, in.UserID)
	if err != nil {
		if errors.Is(err, &Error{Code: CodeNotAMember}) { // perhaps by a removal that got no answer, which is tried again now
			c.closeDeaf(ctx, in.RoomID, in.UserID, c.unsubscribe(in.RoomID, in.UserID))
		}
		return nothing{}, err
	}
	u, room := userOf(row.User, in.UserID), roomOf(r.access.Room)
	if err := c.removeMember(ctx, room, u, r.entry(u.ID, nil)); err != nil {
		return nothing{}, err
	}
	c.notice(r, r.access.Room, noticeOf{Kind: NoticeMemberRemoved, User: &u})
	r.then(func(ctx context.Context) error { return c.hookLeave(ctx, u, room) })
	return nothing{}, nil
}

// removeMember ends a membership, and leaves the Leave hook to the caller.
func (c *Chat) removeMember(ctx context.Context, room Room, u User, audit ...store.Audit) error {
	// The sockets leave after the row is gone, and also when the outcome is unknown: a join that read the row before has
	// subscribed by then and is taken out here, one that comes later finds no row (see Chat.subscribe).
	err := c.store.RemoveMember(ctx, room.ID, u.ID, audit...)
	if errors.Is(err, store.ErrNotMember) {
		return notAMember()
	}
	if err != nil {
		// Perhaps still a member, and then deaf without knowing: the clients come back, and ask by room.join.
		for _, s := range c.unsubscribe(room.ID, u.ID) {
			s.CloseConnection()
		}
		return c.storeError("remove member", err)
	}
	c.evict(ctx, room.ID, u)
	return nil
}

// evict takes the connections of a user out of a room whose member they are no longer, and tells them and the room.
func (c *Chat) evict(ctx context.Context, roomID string, u User) {
	left := c.unsubscribe(roomID, u.ID)
	c.typing.stop(roomID, u.ID)
	c.emit(Event{Type: EventMemberRemoved, RoomID: roomID, User: &u}, c.everyone(roomID, u.ID))
	c.closeDeaf(ctx, roomID, u.ID, left)
}

// closeDeaf closes connections of a user that were taken out of a room, if the user has joined it again in the meantime: they
// would be deaf without knowing. The clients come back.
func (c *Chat) closeDeaf(ctx context.Context, roomID, userID string, left []*socketio.Socket) {
	if len(left) == 0 {
		return
	}
	if _, err := c.store.Member(ctx, roomID, userID); !errors.Is(err, store.ErrNotMember) {
		for _, s := range left {
			s.CloseConnection()
		}
	}
}

func (c *Chat) announceAdded(room Room, m Member) {
	to := c.company(room.ID, room.MemberCount, m.User.ID)
	c.emit(Event{Type: EventMemberAdded, RoomID: room.ID, User: &m.User, Member: &m}, to)
}
