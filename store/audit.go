package store

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// Audit is an entry of the audit log: who has used which privilege, on what. The methods that take entries write them in the same
// transaction as what they change, and do not when there is nothing to change.
type Audit struct {
	ID        string  `gorm:"primaryKey"` // UUIDv7. Set by the store.
	ActorID   string  // Who did it; empty for the system.
	Action    string  // What they did, at most 64 bytes. Required.
	RoomID    string  // Where; empty: everywhere.
	UserID    string  // To whom; may be empty.
	MessageID string  // About which message; may be empty.
	Details   RawJSON // A JSON value of at most 64 KiB. Defaults to none.
	CreatedAt Millis  `gorm:"autoCreateTime:false"` // Set by the store.
}

// TableName is the one table whose name is not a plural.
func (Audit) TableName() string { return "chat_audit" }

func (a Audit) validate() error {
	if a.Action == "" {
		return fmt.Errorf("%w: audit action is empty", ErrInvalidArgument)
	}
	return errors.Join(
		checkText("audit action", a.Action, 64), checkText("audit actor", a.ActorID, maxID), checkText("audit room", a.RoomID, maxRoomID), checkText("audit user", a.UserID, maxID),
		checkText("audit message", a.MessageID, maxMessageID), checkJSON("audit details", a.Details, maxJSON),
	)
}

// newAudits returns the entries as they will be stored, the same ones in each attempt.
func newAudits(entries []Audit) ([]Audit, error) {
	entries = slices.Clone(entries)
	for i := range entries {
		if err := entries[i].validate(); err != nil {
			return nil, err
		}
		id, err := uuid.NewV7()
		if err != nil {
			return nil, err
		}
		entries[i].ID, entries[i].CreatedAt = id.String(), now()
	}
	return entries, nil
}

// recording is writing for an operation that is written down in the audit log when fn reports that it has changed something.
func (s *Store) recording(
	ctx context.Context, op string, entries []Audit, fn func(tx *gorm.DB, attempt int) (changed bool, err error),
) error {
	entries, err := newAudits(entries)
	if err != nil {
		return wrap(op, err)
	}
	return s.writing(ctx, op, func(tx *gorm.DB, attempt int) error {
		changed, err := fn(tx, attempt)
		if err != nil || !changed || len(entries) == 0 {
			return err
		}
		return tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&entries).Error
	})
}

// AuditQuery selects entries of the audit log.
type AuditQuery struct {
	RoomID string // Only entries about this room. Defaults to all.
	Before string // AuditPage.Next of the page before; empty for the first page.
	Limit  int    // Entries per page. Defaults to 50, at most 200.
}

// AuditPage is a page of the audit log, the latest entry first.
type AuditPage struct {
	Entries []Audit
	Next    string // What to put into AuditQuery.Before for the next page; empty on the last one.
}

// AuditLog returns a page of the audit log.
func (s *Store) AuditLog(ctx context.Context, q AuditQuery) (page AuditPage, err error) {
	const op = "audit log"
	if q.Limit, err = limit(q.Limit); err != nil {
		return AuditPage{}, wrap(op, err)
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.RoomID, q.Before) {
			return nil
		}
		return q.scope(tx).Find(&page.Entries).Error
	})
	if len(page.Entries) > q.Limit {
		page.Entries = page.Entries[:q.Limit]
		page.Next = page.Entries[q.Limit-1].ID
	}
	return page, err
}

func (q AuditQuery) scope(tx *gorm.DB) *gorm.DB {
	if q.RoomID != "" {
		tx = tx.Where("room_id = ?", q.RoomID)
	}
	if q.Before != "" {
		tx = tx.Where("id < ?", q.Before)
	}
	return tx.Order("id DESC").Limit(q.Limit + 1)
}
