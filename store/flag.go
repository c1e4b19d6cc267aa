package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// Flag is somebody's report of a message, to be looked at by whoever keeps order.
type Flag struct {
	ID         string `gorm:"primaryKey"` // UUIDv7.
	MessageID  string
	RoomID     string // The message's. Set by the store.
	UserID     string // Who has reported it.
	Reason     string // At most 1,024 bytes.
	CreatedAt  Millis `gorm:"autoCreateTime:false"`
	ResolvedAt Millis // 0 while nobody has dealt with it.
	ResolvedBy string // Empty for the system.
	Resolution string // What was made of it, at most 16 bytes.
}

// Flag reports a message. Each user may report a message once: later reports return the first one as it is, and added is false. It
// returns [ErrMessageNotFound] for an unknown message.
func (s *Store) Flag(ctx context.Context, messageID, userID, reason string) (f Flag, added bool, err error) {
	const op = "flag"
	if err := errors.Join(checkID("user id", userID), checkText("reason", reason, maxReason)); err != nil {
		return Flag{}, false, wrap(op, err)
	}
	id, err := uuid.NewV7()
	if err != nil {
		return Flag{}, false, wrap(op, err)
	}
	for range 2 { // twice when the same report has come in in between
		err = s.writing(ctx, op, func(tx *gorm.DB, _ int) error {
			roomID, err := roomOfMessage(tx, messageID)
			if err != nil {
				return err
			}
			var old []Flag
			if err := tx.Limit(1).Find(&old, "message_id = ? AND user_id = ?", messageID, userID).Error; err != nil {
				return err
			}
			if len(old) > 0 {
				f, added = old[0], old[0].ID == id.String()
				return nil
			}
			f = Flag{ID: id.String(), MessageID: messageID, RoomID: roomID, UserID: userID, Reason: reason, CreatedAt: now()}
			added = true
			return tx.Create(&f).Error
		})
		if !isUnique(err) {
			break
		}
	}
	if err != nil {
		return Flag{}, false, err
	}
	return f, added, nil
}

func roomOfMessage(tx *gorm.DB, messageID string) (string, error) {
	if !findable(messageID) {
		return "", ErrMessageNotFound
	}
	var rooms []string
	err := tx.Model(&Message{}).Where("id = ? AND "+inRoom, messageID).Limit(1).Pluck("room_id", &rooms).Error
	if err == nil && len(rooms) == 0 {
		err = ErrMessageNotFound
	}
	return strings.Join(rooms, ""), err
}

// ResolveFlag says what was made of a report: it closes it together with the other open ones of the same message, and returns those it
// has closed. There are none when the flag is closed already. It returns [ErrFlagNotFound] for an unknown one.
func (s *Store) ResolveFlag(ctx context.Context, id, resolvedBy, resolution string, audit ...Audit) (resolved []Flag, err error) {
	const op = "resolve flag"
	if err := errors.Join(checkText("resolving user's id", resolvedBy, maxID), checkText("resolution", resolution, 16)); err != nil {
		return nil, wrap(op, err)
	}
	at := now()
	err = s.recording(ctx, op, audit, func(tx *gorm.DB, attempt int) (bool, error) {
		f, err := flag(tx, id)
		if err != nil {
			return false, err
		}
		open := tx.Where("message_id = ? AND resolved_at = 0", f.MessageID).Session(&gorm.Session{})
		err = open.Model(&Flag{}).UpdateColumns(map[string]any{"resolved_at": at, "resolved_by": resolvedBy, "resolution": resolution}).Error
		if err != nil {
			return false, err
		}
		err = tx.Order("id").Find(&resolved, "message_id = ? AND resolved_at = ? AND resolved_by = ?", f.MessageID, at, resolvedBy).Error
		return len(resolved) > 0, err
	})
	if err != nil {
		return nil, err
	}
	return resolved, nil
}

func flag(tx *gorm.DB, id string) (f Flag, err error) {
	if !findable(id) {
		return Flag{}, ErrFlagNotFound
	}
	err = tx.Take(&f, "id = ?", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		err = ErrFlagNotFound
	}
	return f, err
}

// FlagByID returns a report, or [ErrFlagNotFound].
func (s *Store) FlagByID(ctx context.Context, id string) (f Flag, err error) {
	err = s.reading(ctx, "flag by id", func(tx *gorm.DB) error {
		f, err = flag(tx, id)
		return err
	})
	return f, err
}

// FlagQuery selects reports.
type FlagQuery struct {
	RoomID   string // Only those of messages in this room. Defaults to all.
	Resolved bool   // Those that are dealt with, the latest of them first; otherwise those that are not, the oldest first.
	Cursor   string // FlagPage.Next of the page before; empty for the first page.
	Limit    int    // Reports per page. Defaults to 50, at most 200.
}

// FlagPage is a page of reports.
type FlagPage struct {
	Flags []Flag
	Next  string // What to put into FlagQuery.Cursor for the next page; empty on the last one.
}

// Flags returns a page of reports. It returns [ErrInvalidArgument] for a Cursor that no page has given.
func (s *Store) Flags(ctx context.Context, q FlagQuery) (page FlagPage, err error) {
	const op = "flags"
	if q.Limit, err = limit(q.Limit); err != nil {
		return FlagPage{}, wrap(op, err)
	}
	after, err := parseFlagCursor(q.Cursor)
	if err != nil {
		return FlagPage{}, wrap(op, err)
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.RoomID) {
			return nil
		}
		return q.scope(tx, after).Find(&page.Flags).Error
	})
	if len(page.Flags) > q.Limit {
		page.Flags = page.Flags[:q.Limit]
		last := page.Flags[q.Limit-1]
		page.Next = flagCursor{last.ResolvedAt, last.ID}.String()
	}
	return page, err
}

// flagCursor is a place in the list of reports.
type flagCursor struct {
	resolvedAt Millis
	id         string
}

func (c flagCursor) String() string { return strconv.FormatInt(int64(c.resolvedAt), 10) + "." + c.id }

func parseFlagCursor(s string) (flagCursor, error) {
	if s == "" {
		return flagCursor{}, nil
	}
	at, id, ok := strings.Cut(s, ".")
	ms, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil || !findable(id) {
		return flagCursor{}, fmt.Errorf("%w: cursor %q", ErrInvalidArgument, s)
	}
	return flagCursor{Millis(ms), id}, nil
}

// scope walks one of the indexes on (resolved_at, id), one of which begins with the room.
func (q FlagQuery) scope(tx *gorm.DB, after flagCursor) *gorm.DB {
	if q.RoomID != "" {
		tx = tx.Where("room_id = ?", q.RoomID)
	}
	tx = tx.Limit(q.Limit + 1)
	if !q.Resolved {
		return tx.Where("resolved_at = 0 AND id > ?", after.id).Order("id")
	}
	tx = tx.Where("resolved_at > 0")
	if after.id != "" {
		tx = tx.Where("resolved_at <= ? AND (resolved_at < ? OR id < ?)", after.resolvedAt, after.resolvedAt, after.id)
	}
	return tx.Order("resolved_at DESC, id DESC")
}
