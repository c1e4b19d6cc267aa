package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// SanctionKind is what a sanction keeps its user from. The store keeps it, package chat decides by it.
type SanctionKind string

const (
	SanctionMute SanctionKind = "mute" // From sending.
	SanctionBan  SanctionKind = "ban"  // From being there at all: it ends memberships and refuses new ones.
)

// Sanction is a measure against a user, in a room or everywhere. There is at most one of a kind for each user and place.
type Sanction struct {
	UserID    string       `gorm:"primaryKey"`
	Kind      SanctionKind `gorm:"primaryKey"`
	RoomID    string       `gorm:"primaryKey"` // Empty: everywhere.
	SetBy     string       // Id of a user; empty for the system.
	Reason    string       // At most 1,024 bytes.
	Until     Millis       // When it ends by itself; 0: never.
	CreatedAt Millis       `gorm:"autoCreateTime:false"`
}

func (s Sanction) validate() error {
	if s.Kind != SanctionMute && s.Kind != SanctionBan {
		return fmt.Errorf("%w: sanction %q: want %s or %s", ErrInvalidArgument, s.Kind, SanctionMute, SanctionBan)
	}
	return errors.Join(
		checkID("user id", s.UserID), checkText("sanctioning user's id", s.SetBy, maxID), checkText("reason", s.Reason, maxReason),
	)
}

// outlasts reports whether s ends after t does.
func (s Sanction) outlasts(t Sanction) bool {
	return t.Until != 0 && (s.Until == 0 || s.Until > t.Until)
}

// running selects the sanctions that have not ended.
func running(tx *gorm.DB) *gorm.DB { return tx.Where("until = 0 OR until > ?", now()) }

// Sanction mutes or bans a user, instead of what was there of the same kind in the same place. A ban ends the user's membership and
// invitation in the room, everywhere or in all rooms, in the same transaction: when it returns, nothing more of the user is
// appended there. Left are the ids of the rooms whose member the user was. It returns [ErrRoomNotFound] for an unknown room.
func (s *Store) Sanction(ctx context.Context, sanction Sanction, audit ...Audit) (left []string, err error) {
	const op = "sanction"
	if err := sanction.validate(); err != nil {
		return nil, wrap(op, err)
	}
	sanction.CreatedAt = now()
	err = s.recording(ctx, op, audit, func(tx *gorm.DB, attempt int) (bool, error) {
		if attempt == 0 { // a later one may find that an earlier one has ended them
			left = nil
		}
		if sanction.RoomID != "" {
			if _, err := lockRoom(tx, sanction.RoomID); err != nil {
				return false, err
			}
		}
		put := tx.Clauses(clause.OnConflict{
			Columns:   []clause.Column{{Name: "user_id"}, {Name: "kind"}, {Name: "room_id"}},
			DoUpdates: clause.AssignmentColumns([]string{"set_by", "reason", "until", "created_at"}),
		}).Create(&sanction)
		if put.Error != nil || sanction.Kind != SanctionBan {
			return true, put.Error
		}
		ended, err := endMemberships(tx, sanction.UserID, sanction.RoomID)
		if len(ended) > 0 {
			left = ended
		}
		return true, err
	})
	if err != nil {
		return nil, err
	}
	return left, nil
}

// endMemberships takes a user out of a room, or out of all rooms, and returns the ids of those that the user was a member of.
func endMemberships(tx *gorm.DB, userID, roomID string) (left []string, err error) {
	// Whoever adds the user to a room at the same time waits for this lock, and finds the ban.
	user := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Model(&User{}).Where("id = ?", userID)
	if err := user.Pluck("id", new([]string)).Error; err != nil {
		return nil, err
	}
	of := tx.Where("user_id = ?", userID)
	if roomID != "" {
		of = of.Where("room_id = ?", roomID)
	}
	of = of.Session(&gorm.Session{})
	var rooms []string
	if err := of.Model(&Member{}).Order("room_id").Pluck("room_id", &rooms).Error; err != nil {
		return nil, err
	}
	for part := range portions(rooms) { // in the order of ids, as everybody locks rooms
		lock := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Model(&Room{}).Where("id IN ?", part).Order("id")
		if err := lock.Pluck("id", new([]string)).Error; err != nil {
			return nil, err
		}
		// Once more, as others may have ended some before the rooms were locked.
		here := tx.Where("user_id = ? AND room_id IN ?", userID, part).Session(&gorm.Session{})
		var ended []string
		if err := here.Model(&Member{}).Order("room_id").Pluck("room_id", &ended).Error; err != nil {
			return nil, err
		}
		if err := here.Delete(&Member{}).Error; err != nil {
			return nil, err
		}
		left = append(left, ended...)
	}
	if err := of.Delete(&Invitation{}).Error; err != nil {
		return nil, err
	}
	return left, countMembers(tx, -1, left...)
}

// LiftSanction ends a sanction. It returns [ErrNotSanctioned] when there is none that has not ended by itself.
func (s *Store) LiftSanction(ctx context.Context, userID string, kind SanctionKind, roomID string, audit ...Audit) error {
	return s.recording(ctx, "lift sanction", audit, func(tx *gorm.DB, attempt int) (bool, error) {
		if !findable(userID, string(kind), roomID) {
			return false, ErrNotSanctioned
		}
		res := running(tx).Delete(&Sanction{}, "user_id = ? AND kind = ? AND room_id = ?", userID, kind, roomID)
		if res.Error == nil && res.RowsAffected == 0 && attempt == 0 {
			return false, ErrNotSanctioned
		}
		return res.RowsAffected > 0, res.Error
	})
}

// SanctionOf returns the user's sanction of a kind that holds in a room, there or everywhere, the longer one; with an empty roomID only
// one that holds everywhere. Nil: none.
func (s *Store) SanctionOf(ctx context.Context, userID string, kind SanctionKind, roomID string) (found *Sanction, err error) {
	err = s.reading(ctx, "sanction of user", func(tx *gorm.DB) error {
		if !findable(userID, string(kind), roomID) {
			return nil
		}
		var list []Sanction
		if err := holding(tx, userID, kind, roomID).Find(&list).Error; err != nil {
			return err
		}
		for i := range list {
			found = longer(found, &list[i])
		}
		return nil
	})
	return found, err
}

func holding(tx *gorm.DB, userID string, kind SanctionKind, roomID string) *gorm.DB {
	return running(tx).Where("user_id = ? AND kind = ? AND room_id IN ('', ?)", userID, kind, roomID)
}

func isBanned(tx *gorm.DB, roomID, userID string) (bool, error) {
	var found []string
	err := holding(tx.Model(&Sanction{}), userID, SanctionBan, roomID).Limit(1).Pluck("user_id", &found).Error
	return len(found) > 0, err
}

// SanctionQuery selects sanctions of one kind in one place that have not ended.
type SanctionQuery struct {
	Kind   SanctionKind
	RoomID string // Empty: those that hold everywhere.
	After  string // SanctionPage.Next of the page before; empty for the first page.
	Limit  int    // Sanctions per page. Defaults to 50, at most 200.
}

// SanctionPage is a page of sanctions, ascending by user id.
type SanctionPage struct {
	Sanctions []Sanction
	Next      string // What to put into SanctionQuery.After for the next page; empty on the last one.
}

// Sanctions returns a page of sanctions.
func (s *Store) Sanctions(ctx context.Context, q SanctionQuery) (page SanctionPage, err error) {
	const op = "sanctions"
	if q.Limit, err = limit(q.Limit); err != nil {
		return SanctionPage{}, wrap(op, err)
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.RoomID, string(q.Kind), q.After) {
			return nil
		}
		return q.scope(tx).Find(&page.Sanctions).Error
	})
	if len(page.Sanctions) > q.Limit {
		page.Sanctions = page.Sanctions[:q.Limit]
		page.Next = page.Sanctions[q.Limit-1].UserID
	}
	return page, err
}

func (q SanctionQuery) scope(tx *gorm.DB) *gorm.DB {
	return running(tx).Where("room_id = ? AND kind = ? AND user_id > ?", q.RoomID, q.Kind, q.After).Order("user_id").Limit(q.Limit + 1)
}
