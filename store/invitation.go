package store

import (
	"context"
	"errors"

	"gorm.io/gorm"
)

// Invitation is an offer of membership that its user has neither accepted nor declined.
type Invitation struct {
	RoomID    string `gorm:"primaryKey"`
	UserID    string `gorm:"primaryKey"` // Who is invited.
	Role      Role   // What they become by accepting. Defaults to RoleMember.
	InvitedBy string // Id of a user; empty for the system.
	CreatedAt Millis `gorm:"autoCreateTime:false"`
}

func (i Invitation) validate() error {
	return errors.Join(checkID("user id", i.UserID), checkRole(i.Role), checkText("inviting user's id", i.InvitedBy, maxID))
}

// Invite offers a user the membership in a room; the user need not be known yet. For somebody who is invited already it returns that
// invitation as it is, and added is false. It returns [ErrRoomNotFound], [ErrIsMember] or [ErrBanned].
func (s *Store) Invite(ctx context.Context, i Invitation, audit ...Audit) (_ Invitation, added bool, err error) {
	const op = "invite"
	if i.Role == "" {
		i.Role = RoleMember
	}
	if err := i.validate(); err != nil {
		return Invitation{}, false, wrap(op, err)
	}
	i.CreatedAt = now()
	var out Invitation
	err = s.recording(ctx, op, audit, func(tx *gorm.DB, attempt int) (bool, error) {
		if _, err := lockRoom(tx, i.RoomID); err != nil {
			return false, err
		}
		if _, err := member(tx, i.RoomID, i.UserID); !errors.Is(err, ErrNotMember) {
			return false, orElse(err, ErrIsMember)
		}
		if banned, err := isBanned(tx, i.RoomID, i.UserID); err != nil || banned {
			return false, orElse(err, ErrBanned)
		}
		out, err = invitation(tx, i.RoomID, i.UserID)
		if !errors.Is(err, ErrNotInvited) {
			added = err == nil && attempt > 0 && out == i
			return added, err
		}
		out, added = i, true
		return true, tx.Create(&i).Error
	})
	if err != nil {
		return Invitation{}, false, err
	}
	return out, added, nil
}

// AcceptInvitation makes an invited user a member, in the role of the invitation. It returns [ErrNotInvited], also when there is no
// such room, and [ErrBanned].
func (s *Store) AcceptInvitation(ctx context.Context, roomID string, u User) (m Member, err error) {
	const op = "accept invitation"
	if err := u.validate(); err != nil {
		return Member{}, wrap(op, err)
	}
	at := now()
	err = s.writing(ctx, op, func(tx *gorm.DB, attempt int) error {
		room, err := lockRoom(tx, roomID)
		if errors.Is(err, ErrRoomNotFound) {
			return ErrNotInvited
		} else if err != nil {
			return err
		}
		i, err := invitation(tx, roomID, u.ID)
		if errors.Is(err, ErrNotInvited) && attempt > 0 {
			// An earlier attempt may have been committed.
			if m, err = member(tx, roomID, u.ID); err == nil && m.JoinedAt == at {
				m.User = u
				return nil
			}
			err = ErrNotInvited
		}
		if err != nil {
			return err
		}
		m, _, err = addMember(tx, room, Member{UserID: u.ID, Role: i.Role, JoinedAt: at, User: u})
		return err
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

// RemoveInvitation ends an invitation that was declined or is revoked. It returns [ErrNotInvited] when there was none, also when
// there is no such room.
func (s *Store) RemoveInvitation(ctx context.Context, roomID, userID string, audit ...Audit) error {
	return s.recording(ctx, "remove invitation", audit, func(tx *gorm.DB, attempt int) (bool, error) {
		// Locked as by whoever accepts: an invitation is either accepted or removed.
		if _, err := lockRoom(tx, roomID); errors.Is(err, ErrRoomNotFound) || !findable(userID) {
			return false, ErrNotInvited
		} else if err != nil {
			return false, err
		}
		res := tx.Delete(&Invitation{}, "room_id = ? AND user_id = ?", roomID, userID)
		if res.Error == nil && res.RowsAffected == 0 && attempt == 0 {
			return false, ErrNotInvited
		}
		return res.RowsAffected > 0, res.Error
	})
}

// InvitationQuery selects invitations: those to a room, or those of a user when it names no room.
type InvitationQuery struct {
	RoomID string
	UserID string
	After  string // InvitationPage.Next of the page before; empty for the first page.
	Limit  int    // Invitations per page. Defaults to 50, at most 200.
}

// InvitationPage is a page of invitations, ascending by user id, or by room id for those of a user.
type InvitationPage struct {
	Invitations []Invitation
	Next        string // What to put into InvitationQuery.After for the next page; empty on the last one.
}

// Invitations returns a page of invitations.
func (s *Store) Invitations(ctx context.Context, q InvitationQuery) (page InvitationPage, err error) {
	const op = "invitations"
	if q.Limit, err = limit(q.Limit); err != nil {
		return InvitationPage{}, wrap(op, err)
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.RoomID, q.UserID, q.After) {
			return nil
		}
		return q.scope(tx).Find(&page.Invitations).Error
	})
	if len(page.Invitations) > q.Limit {
		page.Invitations = page.Invitations[:q.Limit]
		last := page.Invitations[q.Limit-1]
		if page.Next = last.UserID; q.RoomID == "" {
			page.Next = last.RoomID
		}
	}
	return page, err
}

// scope joins the rooms: invitations to a deleted one are removed after it.
func (q InvitationQuery) scope(tx *gorm.DB) *gorm.DB {
	column, id, key := "i.room_id", q.RoomID, "i.user_id"
	if q.RoomID == "" {
		column, id, key = "i.user_id", q.UserID, "i.room_id"
	}
	return tx.Table("chat_invitations i").Select("i.*").
		Joins("JOIN chat_rooms r ON r.id = i.room_id AND r.deleted_at = 0").
		Where(column+" = ? AND "+key+" > ?", id, q.After).Order(key).Limit(q.Limit + 1)
}

func invitation(tx *gorm.DB, roomID, userID string) (i Invitation, err error) {
	if !findable(roomID, userID) {
		return Invitation{}, ErrNotInvited
	}
	err = tx.Take(&i, "room_id = ? AND user_id = ?", roomID, userID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = ErrNotInvited
	}
	return i, err
}

// orElse is err, or what holds when there was none.
func orElse(err, otherwise error) error {
	if err != nil {
		return err
	}
	return otherwise
}
