package store

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// Edit is a new version of what a message says. What is nil stays as it is.
type Edit struct {
	MessageID   string
	By          User // Who edits it; zero is the system. The ID is optional; the rest is what OnChange gets to see.
	Text        *string
	Attachments *RawJSON // Empty for none.
	Metadata    *RawJSON // Empty for none.
	Mentions    *UserIDs // Only members of the room are stored. Empty for none.
}

func (e Edit) validate() error {
	if e.Text != nil {
		if err := checkText("text", *e.Text, maxText); err != nil {
			return err
		}
	}
	for field, r := range map[string]*RawJSON{"attachments": e.Attachments, "metadata": e.Metadata} {
		if r != nil {
			if err := checkJSON(field, *r, maxJSON); err != nil {
				return err
			}
		}
	}
	if e.Mentions != nil {
		return checkMentions(*e.Mentions)
	}
	return nil
}

// EditMessage changes what a message says. Changed is false when it says so already, for instance because an edit is repeated after
// a lost answer; nothing is written then and OnChange not called.
//
// Errors: [ErrMessageNotFound], also for a deleted one, [ErrInvalidArgument], [ErrStorageFull], [ErrUnavailable], [ErrClosed].
func (s *Store) EditMessage(ctx context.Context, e Edit, audit ...Audit) (m Message, changed bool, err error) {
	const op = "edit message"
	if err := e.validate(); err != nil {
		return Message{}, false, wrap(op, err)
	}
	at := now()
	ed := &edition{op: op, change: Change{Kind: MessageEdited, Message: Message{ID: e.MessageID}, By: e.By}, audit: audit}
	ed.apply = func(tx *gorm.DB, m *Message, attempt int) (bool, error) {
		if m.DeletedAt != 0 {
			return false, ErrMessageNotFound
		}
		old := *m
		if err := e.apply(tx, m); err != nil {
			return false, err
		}
		if saysTheSame(old, *m) {
			return attempt > 0 && m.EditedAt == at, nil
		}
		at = max(at, m.CreatedAt, m.EditedAt) // clocks of several machines
		m.EditedAt = at
		if !slices.Equal(old.Mentions, m.Mentions) {
			if err := deleteMentions(tx, old); err != nil {
				return false, err
			}
			if err := insertMentions(tx, m); err != nil {
				return false, err
			}
			ed.change.Mentioned = slices.DeleteFunc(slices.Clone(m.Mentions), func(id string) bool { return slices.Contains(old.Mentions, id) })
		}
		if err := s.reindex(tx, old, m.Text); err != nil {
			return false, err
		}
		return true, updateMessage(tx, m.ID, map[string]any{
			"text": m.Text, "attachments": m.Attachments, "metadata": m.Metadata, "mentions": m.Mentions, "edited_at": m.EditedAt,
		})
	}
	return s.edit(ctx, ed)
}

// apply makes m say what e wants it to.
func (e Edit) apply(tx *gorm.DB, m *Message) (err error) {
	if e.Text != nil {
		m.Text = *e.Text
	}
	if e.Attachments != nil {
		m.Attachments = append(RawJSON(nil), *e.Attachments...)
	}
	if e.Metadata != nil {
		m.Metadata = append(RawJSON(nil), *e.Metadata...)
	}
	if e.Mentions != nil {
		m.Mentions, err = membersAmong(tx, m.RoomID, *e.Mentions)
	}
	return err
}

func saysTheSame(x, y Message) bool {
	return x.Text == y.Text && bytes.Equal(x.Attachments, y.Attachments) && bytes.Equal(x.Metadata, y.Metadata) &&
		slices.Equal(x.Mentions, y.Mentions)
}

// DeleteMessage empties a message: its text, attachments, metadata, quote, mentions, reactions and pin are gone, and a parent has one
// reply less. What remains keeps its place in the room, its sender and its thread, and says when it was deleted and by whom; by is the
// zero User for the system. Changed is false for one that is deleted already.
//
// Errors: [ErrMessageNotFound], [ErrUnavailable], [ErrClosed].
func (s *Store) DeleteMessage(ctx context.Context, id string, by User, audit ...Audit) (m Message, changed bool, err error) {
	at := now()
	return s.edit(ctx, &edition{
		op:       "delete message",
		change:   Change{Kind: MessageDeleted, Message: Message{ID: id}, By: by},
		lockRoom: true, // two messages' rows are changed
		audit:    audit,
		apply: func(tx *gorm.DB, m *Message, attempt int) (bool, error) {
			if m.DeletedAt != 0 {
				return attempt > 0 && m.DeletedAt == at && m.DeletedBy == by.ID, nil
			}
			if err := deleteMentions(tx, *m); err != nil {
				return false, err
			}
			if err := tx.Delete(&reaction{}, "message_id = ?", m.ID).Error; err != nil {
				return false, err
			}
			if m.ParentID != "" {
				if err := addReplies(tx, -1, m.ParentID); err != nil {
					return false, fmt.Errorf("parent: %w", err)
				}
			}
			if err := s.unindex(tx, *m); err != nil {
				return false, err
			}
			at = max(at, m.CreatedAt, m.EditedAt) // clocks of several machines
			m.Text, m.QuotedID, m.Mentions, m.Attachments, m.Metadata, m.Reactions = "", "", nil, nil, nil, nil
			m.PinnedAt, m.PinnedBy, m.DeletedAt, m.DeletedBy = 0, "", at, by.ID
			return true, updateMessage(tx, m.ID, map[string]any{
				"text": "", "quoted_id": "", "mentions": "", "attachments": "", "metadata": "", "reactions": "",
				"pinned_at": 0, "pinned_by": "", "deleted_at": at, "deleted_by": by.ID,
			})
		},
	})
}
