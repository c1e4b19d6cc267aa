package store

import "context"

// Role is what a member may do in a room. The store keeps it, package chat decides by it.
type Role string

const (
	RoleOwner  Role = "owner"  // Whoever created the room.
	RoleMember Role = "member" // May read and send.
)

// Member is a user in a room.
type Member struct {
	RoomID   string
	UserID   string
	Role     Role
	JoinedAt Millis
	User     User `gorm:"-"` // How to show the member.
}

// AddMember makes a user a member of a room and remembers how to show them, as [Store.PutUser] does. Role defaults to RoleMember.
// For somebody who is a member already it returns the membership as it is, and added is false. It
// returns [ErrRoomNotFound] for an unknown room.
func (s *Store) AddMember(ctx context.Context, roomID string, u User, role Role) (m Member, added bool, err error) {
	return Member{}, false, ErrUnavailable
}

// RemoveMember ends a membership. When it returns, nothing more of that user is appended to the room. It returns
// [ErrNotMember] when there was no membership, also when there is no such room.
func (s *Store) RemoveMember(ctx context.Context, roomID, userID string) error {
	return ErrUnavailable
}

// Member returns a user's membership in a room, or [ErrNotMember], also when there is no such room.
func (s *Store) Member(ctx context.Context, roomID, userID string) (Member, error) {
	return Member{}, ErrUnavailable
}

// MemberQuery selects the members of a room.
type MemberQuery struct {
	RoomID string
	After  string // MemberPage.Next of the page before; empty for the first page.
	Limit  int    // Members per page. Defaults to 50, at most 200.
}

// MemberPage is a page of members, ascending by user id.
type MemberPage struct {
	Members []Member
	Next    string // What to put into MemberQuery.After for the next page; empty on the last one.
}

// Members returns a page of a room's members. A room that does not exist has none.
func (s *Store) Members(ctx context.Context, q MemberQuery) (MemberPage, error) {
	return MemberPage{}, ErrUnavailable
}
