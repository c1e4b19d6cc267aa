package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// SetRole gives a member another role and returns the membership, without its User. It returns [ErrNotMember], also when there is no
// such room.
func (s *Store) SetRole(ctx context.Context, roomID, userID string, role Role, audit ...Audit) (m Member, err error) {
	const op = "set role"
	if err := checkRole(role); err != nil {
		return Member{}, wrap(op, err)
	}
	err = s.recording(ctx, op, audit, func(tx *gorm.DB, attempt int) (bool, error) {
		if m, err = memberOfLocked(tx, roomID, userID); err != nil {
			return false, err
		}
		if m.Role == role {
			return attempt > 0, nil
		}
		m.Role = role
		return true, setMember(tx, roomID, userID, "role", role)
	})
	if err != nil {
		return Member{}, err
	}
	return m, nil
}

// TransferOwnership makes a member the owner of a room; owners it had become moderators. It returns the memberships that have changed,
// without their Users: none when the member was the only owner before. It returns [ErrNotMember], also when there is no such room.
func (s *Store) TransferOwnership(ctx context.Context, roomID, userID string, audit ...Audit) (changed []Member, err error) {
	err = s.recording(ctx, "transfer ownership", audit, func(tx *gorm.DB, attempt int) (bool, error) {
		m, err := memberOfLocked(tx, roomID, userID)
		if err != nil {
			return false, err
		}
		var owners []Member
		if err := tx.Order("user_id").Find(&owners, "room_id = ? AND role = ?", roomID, RoleOwner).Error; err != nil {
			return false, err
		}
		if attempt == 0 { // a later one may find that an earlier one has changed them
			changed = nil
		}
		var now []Member
		for _, owner := range owners {
			if owner.UserID == userID {
				continue
			}
			owner.Role = RoleModerator
			now = append(now, owner)
		}
		if m.Role != RoleOwner {
			m.Role = RoleOwner
			now = append(now, m)
		}
		for _, m := range now {
			if err := setMember(tx, roomID, m.UserID, "role", m.Role); err != nil {
				return false, err
			}
		}
		if len(now) > 0 {
			changed = now
		}
		return len(changed) > 0, nil
	})
	if err != nil {
		return nil, err
	}
	return changed, nil
}

// SetNotifications says about which messages of a room a member wants to be told while elsewhere. It returns [ErrNotMember], also when
// there is no such room.
func (s *Store) SetNotifications(ctx context.Context, roomID, userID string, n Notifications) error {
	const op = "set notifications"
	if n != NotifyAll && n != NotifyMentions && n != NotifyNone {
		return wrap(op, fmt.Errorf("%w: notifications %q: want %s, %s or %s", ErrInvalidArgument, n, NotifyAll, NotifyMentions, NotifyNone))
	}
	return s.writing(ctx, op, func(tx *gorm.DB, _ int) error {
		if _, err := memberOfLocked(tx, roomID, userID); err != nil {
			return err
		}
		return setMember(tx, roomID, userID, "notifications", n)
	})
}

// memberOfLocked locks a room and returns a membership in it.
func memberOfLocked(tx *gorm.DB, roomID, userID string) (Member, error) {
	if _, err := lockRoom(tx, roomID); err != nil {
		return Member{}, orNotMember(err)
	}
	return member(tx, roomID, userID)
}

// orNotMember is what a missing room is to somebody who asks for a membership in it.
func orNotMember(err error) error {
	if errors.Is(err, ErrRoomNotFound) {
		return ErrNotMember
	}
	return err
}

func setMember(tx *gorm.DB, roomID, userID, column string, value any) error {
	return tx.Model(&Member{}).Where("room_id = ? AND user_id = ?", roomID, userID).UpdateColumn(column, value).Error
}
