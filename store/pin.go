package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// maxPins bounds the pinned messages of a room.
const maxPins = 50

// PinMessage pins a message to its room, which may have 50 pinned ones. Pinned is false for one that is pinned already; by is the zero User
// for the system.
//
// Errors: [ErrMessageNotFound], also for a deleted one, [ErrTooMany], [ErrUnavailable], [ErrClosed].
func (s *Store) PinMessage(ctx context.Context, id string, by User, audit ...Audit) (m Message, pinned bool, err error) {
	at := now()
	return s.edit(ctx, &edition{
		op:       "pin message",
		change:   Change{Kind: MessagePinned, Message: Message{ID: id}, By: by},
		lockRoom: true, // nobody else pins one meanwhile
		audit:    audit,
		apply: func(tx *gorm.DB, m *Message, attempt int) (bool, error) {
			switch {
			case m.DeletedAt != 0:
				return false, ErrMessageNotFound
			case m.PinnedAt != 0:
				return attempt > 0 && m.PinnedAt == at && m.PinnedBy == by.ID, nil
			}
			var n int64
			if err := pins(tx, m.RoomID).Model(&Message{}).Count(&n).Error; err != nil {
				return false, err
			}
			if n >= maxPins {
				return false, fmt.Errorf("%w: the room has %d pinned messages", ErrTooMany, n)
			}
			m.PinnedAt, m.PinnedBy = at, by.ID
			return true, updateMessage(tx, m.ID, map[string]any{"pinned_at": at, "pinned_by": by.ID})
		},
	})
}

// UnpinMessage takes a pin off. Unpinned is false for a message that is not pinned.
//
// Errors: [ErrMessageNotFound], [ErrUnavailable], [ErrClosed].
func (s *Store) UnpinMessage(ctx context.Context, id string, by User, audit ...Audit) (m Message, unpinned bool, err error) {
	return s.edit(ctx, &edition{
		op:     "unpin message",
		change: Change{Kind: MessageUnpinned, Message: Message{ID: id}, By: by},
		audit:  audit,
		apply: func(tx *gorm.DB, m *Message, attempt int) (bool, error) {
			if m.PinnedAt == 0 {
				return attempt > 0, nil
			}
			m.PinnedAt, m.PinnedBy = 0, ""
			return true, updateMessage(tx, m.ID, map[string]any{"pinned_at": 0, "pinned_by": ""})
		},
	})
}

// Pins returns a room's pinned messages, the latest pin first. A room that does not exist has none.
func (s *Store) Pins(ctx context.Context, roomID string) (messages []Message, err error) {
	err = s.reading(ctx, "pins", func(tx *gorm.DB) error {
		if !findable(roomID) {
			return nil
		}
		if err := pins(tx, roomID).Find(&messages).Error; err != nil {
			return err
		}
		return addSenders(tx, messages)
	})
	slices.SortFunc(messages, func(x, y Message) int {
		return cmp.Or(cmp.Compare(y.PinnedAt, x.PinnedAt), cmp.Compare(y.Seq, x.Seq))
	})
	return messages, err
}

// pins selects a few dozen rows, in no order.
func pins(tx *gorm.DB, roomID string) *gorm.DB {
	return tx.Where("room_id = ? AND pinned_at > 0 AND "+roomExists, roomID, roomID)
}
