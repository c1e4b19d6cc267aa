package store

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// Role is what a member may do in a room. The store keeps it, package chat decides by it.
type Role string

const (
	RoleOwner  Role = "owner"  // Whoever created the room.
	RoleMember Role = "member" // May read and send.
)

// Member is a user in a room.
type Member struct {
	RoomID   string `gorm:"primaryKey"`
	UserID   string `gorm:"primaryKey"`
	Role     Role
	JoinedAt Millis
	User     User `gorm:"-"` // How to show the member.
}

// AddMember makes a user a member of a room and remembers how to show them, as [Store.PutUser] does. Role defaults to RoleMember.
// For somebody who is a member already it returns the membership as it is, and added is false. It
// returns [ErrRoomNotFound] for an unknown room.
func (s *Store) AddMember(ctx context.Context, roomID string, u User, role Role) (m Member, added bool, err error) {
	const op = "add member"
	if role == "" {
		role = RoleMember
	}
	if err := errors.Join(u.validate(), checkText("role", string(role), 16)); err != nil {
		return Member{}, false, wrap(op, err)
	}
	at := now()
	err = s.writing(ctx, op, func(tx *gorm.DB, attempt int) error {
		// Locking the room keeps two processes from adding the same member at once, and the number of members right.
		if _, err := lockRoom(tx, roomID); err != nil {
			return err
		}
		m, err = member(tx, roomID, u.ID)
		if err == nil {
			added = attempt > 0 && m.JoinedAt == at
			m.User = u
			return putUser(tx, u)
		}
		if !errors.Is(err, ErrNotMember) {
			return err
		}
		added = true
		if m, err = insertMember(tx, Member{RoomID: roomID, UserID: u.ID, Role: role, JoinedAt: at, User: u}); err != nil {
			return err
		}
		return countMembers(tx, roomID, +1)
	})
	if err != nil {
		return Member{}, false, err
	}
	return m, added, nil
}

// RemoveMember ends a membership. When it returns, nothing more of that user is appended to the room. It returns
// [ErrNotMember] when there was no membership, also when there is no such room.
func (s *Store) RemoveMember(ctx context.Context, roomID, userID string) error {
	return s.writing(ctx, "remove member", func(tx *gorm.DB, attempt int) error {
		if _, err := lockRoom(tx, roomID); errors.Is(err, ErrRoomNotFound) || !findable(userID) {
			return ErrNotMember
		} else if err != nil {
			return err
		}
		res := tx.Delete(&Member{}, "room_id = ? AND user_id = ?", roomID, userID)
		switch {
		case res.Error != nil:
			return res.Error
		case res.RowsAffected > 0:
			return countMembers(tx, roomID, -1)
		case attempt > 0: // removed by an attempt whose commit went unanswered
			return nil
		}
		return ErrNotMember
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
	const op = "members"
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
		if err := q.scope(tx).Find(&page.Members).Error; err != nil {
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
	return tx.Where("room_id = ? AND user_id > ?", q.RoomID, q.After).Order("user_id").Limit(q.Limit + 1)
}

func member(tx *gorm.DB, roomID, userID string) (Member, error) {
	if !findable(roomID, userID) {
		return Member{}, ErrNotMember
	}
	var m Member
	err := tx.Take(&m, "room_id = ? AND user_id = ?", roomID, userID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Member{}, ErrNotMember
	}
	return m, err
}

func insertMember(tx *gorm.DB, m Member) (Member, error) {
	if err := putUser(tx, m.User); err != nil {
		return Member{}, err
	}
	return m, tx.Create(&m).Error
}

func countMembers(tx *gorm.DB, roomID string, by int) error {
	return tx.Model(&Room{}).Where("id = ?", roomID).UpdateColumn("member_count", gorm.Expr("member_count + ?", by)).Error
}
