package store

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// Role is what a member may do in a room. The store keeps it, package chat decides by it.
type Role string

const (
	RoleOwner     Role = "owner"     // Whoever created the room, or was handed it.
	RoleModerator Role = "moderator" // Keeps order for the owner.
	RoleMember    Role = "member"    // May read and send.
	RoleReadOnly  Role = "readonly"  // May read.
)

// Notifications says about which messages a member wants to be told while elsewhere. The store keeps it.
type Notifications string

const (
	NotifyAll      Notifications = "all"      // About every message.
	NotifyMentions Notifications = "mentions" // About messages that mention them.
	NotifyNone     Notifications = "none"     // About none.
)

// Member is a user in a room.
type Member struct {
	RoomID        string `gorm:"primaryKey"`
	UserID        string `gorm:"primaryKey"`
	Role          Role
	JoinedAt      Millis
	ReadSeq       int64         // Seq up to which they have read; at first what the room's LastSeq was when they joined.
	Notifications Notifications // Defaults to NotifyAll.
	User          User          `gorm:"-"` // How to show the member.
}

// AddMember makes a user a member of a room and remembers how to show them, as [Store.PutUser] does. Role defaults to RoleMember.
// For somebody who is a member already it returns the membership as it is, and added is false. An invitation is used up by it. It
// returns [ErrRoomNotFound] for an unknown room and [ErrBanned] for a user who is banned there or everywhere.
func (s *Store) AddMember(ctx context.Context, roomID string, u User, role Role, audit ...Audit) (m Member, added bool, err error) {
	const op = "add member"
	if role == "" {
		role = RoleMember
	}
	if err := errors.Join(u.validate(), checkRole(role)); err != nil {
		return Member{}, false, wrap(op, err)
	}
	at := now()
	err = s.recording(ctx, op, audit, func(tx *gorm.DB, attempt int) (bool, error) {
		// Locking the room keeps two processes from adding the same member at once, and the number of members right.
		room, err := lockRoom(tx, roomID)
		if err != nil {
			return false, err
		}
		m, added, err = addMember(tx, room, Member{UserID: u.ID, Role: role, JoinedAt: at, User: u})
		added = added || attempt > 0 && m.JoinedAt == at
		return added, err
	})
	if err != nil {
		return Member{}, false, err
	}
	return m, added, nil
}

// addMember adds m to a room that is locked, or returns the membership that is there already.
func addMember(tx *gorm.DB, room Room, m Member) (_ Member, added bool, err error) {
	old, err := member(tx, room.ID, m.UserID)
	if err == nil {
		old.User = m.User
		return old, false, putUser(tx, m.User)
	}
	if !errors.Is(err, ErrNotMember) {
		return Member{}, false, err
	}
	m.RoomID, m.ReadSeq = room.ID, room.LastSeq
	if m, err = insertMember(tx, m); err != nil {
		return Member{}, false, err
	}
	if err := tx.Delete(&Invitation{}, "room_id = ? AND user_id = ?", room.ID, m.UserID).Error; err != nil {
		return Member{}, false, err
	}
	return m, true, countMembers(tx, +1, room.ID)
}

// RemoveMember ends a membership. When it returns, nothing more of that user is appended to the room. It returns
// [ErrNotMember] when there was no membership, also when there is no such room.
func (s *Store) RemoveMember(ctx context.Context, roomID, userID string, audit ...Audit) error {
	return s.recording(ctx, "remove member", audit, func(tx *gorm.DB, attempt int) (bool, error) {
		if _, err := lockRoom(tx, roomID); errors.Is(err, ErrRoomNotFound) || !findable(userID) {
			return false, ErrNotMember
		} else if err != nil {
			return false, err
		}
		res := tx.Delete(&Member{}, "room_id = ? AND user_id = ?", roomID, userID)
		switch {
		case res.Error != nil:
			return false, res.Error
		case res.RowsAffected > 0:
			return true, countMembers(tx, -1, roomID)
		case attempt > 0: // removed by an attempt whose commit went unanswered
			return false, nil
		}
		return false, ErrNotMember
	})
}

// Member returns a user's membership in a room, or [ErrNotMember], also when there is no such room.
func (s *Store) Member(ctx context.Context, roomID, userID string) (m Member, err error) {
	err = s.reading(ctx, "member", func(tx *gorm.DB) error {
		if m, err = member(tx, roomID, userID); err != nil {
			return err
		}
		users, err := usersByID(tx, []string{userID})
		m.User = users[userID]
		return err
	})
	return m, err
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
	return s.members(ctx, "members", q, func(tx *gorm.DB) *gorm.DB { return tx })
}

// members returns a page of those members that are among what narrow leaves.
func (s *Store) members(ctx context.Context, op string, q MemberQuery, narrow func(*gorm.DB) *gorm.DB) (MemberPage, error) {
	n, err := limit(q.Limit)
	if err != nil {
		return MemberPage{}, wrap(op, err)
	}
	q.Limit = n
	var page MemberPage
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.RoomID, q.After) {
			return nil
		}
		if err := q.scope(narrow(tx)).Find(&page.Members).Error; err != nil {
			return err
		}
		if len(page.Members) > n {
			page.Members = page.Members[:n]
			page.Next = page.Members[n-1].UserID
		}
		ids := make([]string, len(page.Members))
		for i, m := range page.Members {
			ids[i] = m.UserID
		}
		users, err := usersByID(tx, ids)
		for i := range page.Members {
			page.Members[i].User = users[ids[i]]
		}
		return err
	})
	return page, err
}

// scope selects one member more than a page holds, which tells whether there is a next page.
func (q MemberQuery) scope(tx *gorm.DB) *gorm.DB {
	return tx.Where("room_id = ? AND user_id > ? AND "+roomExists, q.RoomID, q.After, q.RoomID).Order("user_id").Limit(q.Limit + 1)
}

func member(tx *gorm.DB, roomID, userID string) (Member, error) {
	if !findable(roomID, userID) {
		return Member{}, ErrNotMember
	}
	var m Member
	err := tx.Take(&m, "room_id = ? AND user_id = ? AND "+roomExists, roomID, userID, roomID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Member{}, ErrNotMember
	}
	return m, err
}

func insertMember(tx *gorm.DB, m Member) (Member, error) {
	if err := putUser(tx, m.User); err != nil {
		return Member{}, err
	}
	m.Notifications = NotifyAll
	if err := tx.Create(&m).Error; err != nil {
		return Member{}, err
	}
	// Not earlier: the new row refers to the user's, which a ban holds locked until it has ended all memberships.
	banned, err := isBanned(tx, m.RoomID, m.UserID)
	if err == nil && banned {
		err = ErrBanned
	}
	return m, err
}

func countMembers(tx *gorm.DB, by int, roomIDs ...string) error {
	for part := range portions(roomIDs) {
		rooms := tx.Model(&Room{}).Where("id IN ?", part)
		if err := rooms.UpdateColumn("member_count", gorm.Expr("member_count + ?", by)).Error; err != nil {
			return err
		}
	}
	return nil
}
