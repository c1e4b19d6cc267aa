package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// maxReactions bounds the different emoji under one message.
const maxReactions = 20

// ReactionCounts say how many users have reacted to a message, by emoji. It is stored as a JSON object; none is stored as nothing.
type ReactionCounts map[string]int64

// Value implements [database/sql/driver.Valuer].
func (r ReactionCounts) Value() (driver.Value, error) { return jsonText(r, len(r) == 0) }

// Scan implements [database/sql.Scanner].
func (r *ReactionCounts) Scan(src any) error { return scanJSON(src, r) }

// reaction is that of one user with one emoji.
type reaction struct {
	MessageID string `gorm:"primaryKey"`
	UserID    string `gorm:"primaryKey"`
	Emoji     string `gorm:"primaryKey"`
	CreatedAt Millis `gorm:"autoCreateTime:false"`
}

// AddReaction lets a user react to a message with an emoji, 1 to 64 bytes. A message may have 20 different ones. Added is false when
// the user has reacted with it already.
//
// Errors: [ErrMessageNotFound], also for a deleted one, [ErrTooMany], [ErrInvalidArgument], [ErrStorageFull], [ErrUnavailable], [ErrClosed].
func (s *Store) AddReaction(ctx context.Context, messageID string, by User, emoji string) (m Message, added bool, err error) {
	return s.react(ctx, ReactionAdded, messageID, by, emoji)
}

// RemoveReaction takes a user's reaction back. Removed is false when there is none.
//
// Errors: [ErrMessageNotFound], also for a deleted one, [ErrInvalidArgument], [ErrUnavailable], [ErrClosed].
func (s *Store) RemoveReaction(ctx context.Context, messageID string, by User, emoji string) (m Message, removed bool, err error) {
	return s.react(ctx, ReactionRemoved, messageID, by, emoji)
}

// react works under the lock of the message, which keeps the counts right.
func (s *Store) react(ctx context.Context, kind ChangeKind, messageID string, by User, emoji string) (Message, bool, error) {
	op, r := string(kind), reaction{MessageID: messageID, UserID: by.ID, Emoji: emoji, CreatedAt: now()}
	if err := errors.Join(checkID("user id", by.ID), checkEmoji(emoji)); err != nil {
		return Message{}, false, wrap(op, err)
	}
	return s.edit(ctx, &edition{
		op:     op,
		change: Change{Kind: kind, Message: Message{ID: messageID}, By: by, Emoji: emoji},
		apply: func(tx *gorm.DB, m *Message, attempt int) (bool, error) {
			if m.DeletedAt != 0 {
				return false, ErrMessageNotFound
			}
			var old []reaction
			if err := tx.Find(&old, "message_id = ? AND user_id = ? AND emoji = ?", r.MessageID, r.UserID, r.Emoji).Error; err != nil {
				return false, err
			}
			apply := r.remove
			if kind == ReactionAdded {
				apply = r.add
			}
			if there := len(old) > 0; there == (kind == ReactionAdded) { // perhaps by an attempt that was committed unanswered
				return attempt > 0 && (!there || old[0].CreatedAt == r.CreatedAt), nil
			}
			if err := apply(tx, m); err != nil {
				return false, err
			}
			return true, updateMessage(tx, m.ID, map[string]any{"reactions": m.Reactions})
		},
	})
}

func (r reaction) add(tx *gorm.DB, m *Message) error {
	if m.Reactions[r.Emoji] == 0 && len(m.Reactions) >= maxReactions {
		return fmt.Errorf("%w: the message has %d different reactions", ErrTooMany, len(m.Reactions))
	}
	if m.Reactions == nil {
		m.Reactions = make(ReactionCounts)
	}
	m.Reactions[r.Emoji]++
	return tx.Create(&r).Error
}

func (r reaction) remove(tx *gorm.DB, m *Message) error {
	if m.Reactions[r.Emoji]--; m.Reactions[r.Emoji] <= 0 {
		delete(m.Reactions, r.Emoji)
	}
	return tx.Delete(&r).Error
}

func checkEmoji(emoji string) error {
	if emoji == "" {
		return fmt.Errorf("%w: emoji is empty", ErrInvalidArgument)
	}
	return checkText("emoji", emoji, maxEmoji)
}

// OwnReactions returns with what a user has reacted to the messages of a page, by message id and in the order of the emoji. It asks
// the database only when some message has reactions at all.
func (s *Store) OwnReactions(ctx context.Context, userID string, page []Message) (map[string][]string, error) {
	var ids []string
	for _, m := range page {
		if len(m.Reactions) > 0 {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 || userID == "" || !findable(userID) {
		return nil, nil
	}
	var own map[string][]string
	err := s.reading(ctx, "own reactions", func(tx *gorm.DB) error {
		own = make(map[string][]string, len(ids))
		for part := range portions(ids) {
			var found []reaction
			if err := ownReactions(tx, userID, part).Find(&found).Error; err != nil {
				return err
			}
			for _, r := range found {
				own[r.MessageID] = append(own[r.MessageID], r.Emoji)
			}
		}
		return nil
	})
	for _, emoji := range own {
		slices.Sort(emoji)
	}
	return own, err
}

func ownReactions(tx *gorm.DB, userID string, messageIDs []string) *gorm.DB {
	return tx.Where("message_id IN ? AND user_id = ?", messageIDs, userID)
}
