package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
)

// RoomChange says what to change of a room; what is nil stays as it is.
type RoomChange struct {
	Type     *RoomType // Not to or from RoomDirect.
	Name     *string
	Topic    *string
	Metadata *RawJSON
}

func (c RoomChange) validate() error {
	var errs []error
	if c.Type != nil {
		errs = append(errs, checkRoomType(*c.Type))
	}
	if c.Name != nil {
		errs = append(errs, checkText("room name", *c.Name, maxName))
	}
	if c.Topic != nil {
		errs = append(errs, checkText("room topic", *c.Topic, maxTopic))
	}
	if c.Metadata != nil {
		errs = append(errs, checkJSON("room metadata", *c.Metadata, maxRoomJSON))
	}
	return errors.Join(errs...)
}

// apply returns the room after the change.
func (c RoomChange) apply(r Room) Room {
	if c.Type != nil {
		r.Type = *c.Type
	}
	if c.Name != nil {
		r.Name = *c.Name
	}
	if c.Topic != nil {
		r.Topic = *c.Topic
	}
	if c.Metadata != nil {
		r.Metadata = *c.Metadata
	}
	return r
}

// describes reports whether both rooms say the same of themselves.
func (r Room) describes(other Room) bool {
	return r.Type == other.Type && r.Name == other.Name && r.Topic == other.Topic && bytes.Equal(r.Metadata, other.Metadata)
}

// UpdateRoom changes what describes a room and returns it as it was before and as it is now. When nothing differs, nothing is written
// and both are the same.
func (s *Store) UpdateRoom(ctx context.Context, id string, c RoomChange, audit ...Audit) (before, after Room, err error) {
	const op = "update room"
	if err := c.validate(); err != nil {
		return Room{}, Room{}, wrap(op, err)
	}
	err = s.recording(ctx, op, audit, func(tx *gorm.DB, attempt int) (bool, error) {
		room, err := lockRoom(tx, id)
		if err != nil {
			return false, err
		}
		if attempt > 0 && after.UpdatedAt > before.UpdatedAt && after.UpdatedAt == room.UpdatedAt && after.describes(room) {
			return true, nil // by an attempt whose commit went unanswered
		}
		before = room
		if after = c.apply(before); after.Type != before.Type && before.Type == RoomDirect {
			return false, fmt.Errorf("%w: a direct room stays one", ErrInvalidArgument)
		}
		if after.describes(before) {
			return false, nil
		}
		after.UpdatedAt = max(now(), before.UpdatedAt+1)
		return true, tx.Model(&Room{}).Where("id = ?", id).UpdateColumns(map[string]any{
			"type": after.Type, "name": after.Name, "topic": after.Topic, "metadata": after.Metadata, "updated_at": after.UpdatedAt,
		}).Error
	})
	if err != nil {
		return Room{}, Room{}, err
	}
	return before, after, nil
}
