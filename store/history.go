package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"gorm.io/gorm"
)

// Position is a place in a room's history: a Seq or the id of a message. The zero Position is none.
type Position struct {
	set  bool
	byID bool
	seq  int64
	id   string
}

// AtSeq is the position of the message numbered seq, which need not exist: AtSeq(0) is before the first message.
func AtSeq(seq int64) Position { return Position{set: true, seq: seq} }

// AtMessage is the position of the message with the given id.
func AtMessage(id string) Position { return Position{set: true, byID: true, id: id} }

// ParsePosition reads a position as it comes from a URL or an event: a decimal number is a Seq, anything else the id of a
// message. Empty is no position.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	seq, err := strconv.ParseInt(s, 10, 64)
	switch {
	case err != nil:
		return AtMessage(s), nil
	case seq < 0:
		return Position{}, fmt.Errorf("store: position %d: %w: negative", seq, ErrInvalidArgument)
	}
	return AtSeq(seq), nil
}

// UnmarshalText reads a position as [ParsePosition] does.
func (p *Position) UnmarshalText(text []byte) (err error) {
	if !findable(string(text)) {
		return errPosition
	}
	if *p, err = ParsePosition(string(text)); err != nil {
		return errPosition
	}
	return nil
}

// UnmarshalJSON reads a position from a number, which is a Seq, or from a string as [ParsePosition] does. Null is no position.
func (p *Position) UnmarshalJSON(data []byte) error {
	var text string
	switch {
	case string(data) == "null":
		*p = Position{}
		return nil
	case data[0] == '"':
		if err := json.Unmarshal(data, &text); err != nil {
			return errPosition
		}
		return p.UnmarshalText([]byte(text))
	}
	seq, err := strconv.ParseInt(string(data), 10, 64)
	if err != nil || seq < 0 {
		return errPosition
	}
	*p = AtSeq(seq)
	return nil
}

// errPosition is what is wrong with a position in a URL or an event.
var errPosition = errors.New("must be a seq or a message id")

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return !p.set }

// resolve returns the Seq of p in a room.
func (p Position) resolve(tx *gorm.DB, roomID string) (int64, error) {
	if !p.byID {
		return p.seq, nil
	}
	return seqOf(tx, roomID, p.id)
}

// HistoryQuery selects a page of a room's messages. At most one of Before, After and Around may be set; with none
// of them it selects the latest page.
type HistoryQuery struct {
	RoomID string
	Thread string   // Id of a message: only replies to it, without itself. Defaults to all messages of the room.
	Before Position // The messages just before this one, without it.
	After  Position // The messages just after this one, without it.
	Around Position // Half a page up to and with this one, and half a page after it.
	Limit  int      // Messages per page. Defaults to 50, at most 200.

	// MaxBytes ends a page early, before its messages' texts, attachments and metadata are more than this; one message there
	// is always room for. Each side of Around has half of it. Defaults to no limit.
	MaxBytes int
}

// Page is a page of messages, ascending by Seq; of a room's, without gaps.
type Page struct {
	Messages      []Message
	HasMoreBefore bool // There are messages before the first one here.
	HasMoreAfter  bool // There are messages after the last one here.
}

// History returns a page of a room's messages. A page costs the same anywhere in a room of any size. It
// returns [ErrMessageNotFound] for a position or a thread that names a message which is not in the room, and an empty page
// for a room that does not exist. Deleted messages are in their places, without what they said.
func (s *Store) History(ctx context.Context, q HistoryQuery) (Page, error) {
	const op = "history"
	n, err := limit(q.Limit)
	if err != nil {
		return Page{}, wrap(op, err)
	}
	q.Limit = n
	if (q.Before.set && q.After.set) || (q.After.set && q.Around.set) || (q.Around.set && q.Before.set) {
		return Page{}, wrap(op, fmt.Errorf("%w: more than one of before, after and around", ErrInvalidArgument))
	}
	var page Page
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.RoomID) {
			return nil
		}
		if q.Thread != "" {
			if _, err := seqOf(tx, q.RoomID, q.Thread); err != nil {
				return fmt.Errorf("thread: %w", err)
			}
		}
		if page, err = q.page(tx); err != nil {
			return err
		}
		return addSenders(tx, page.Messages)
	})
	if err != nil {
		return Page{}, err
	}
	return page, nil
}

func (q HistoryQuery) page(tx *gorm.DB) (Page, error) {
	switch {
	case q.After.set:
		seq, err := q.After.resolve(tx, q.RoomID)
		if err != nil {
			return Page{}, err
		}
		return q.after(tx, seq, q.Limit)
	case q.Around.set:
		seq, err := q.Around.resolve(tx, q.RoomID)
		if err != nil {
			return Page{}, err
		}
		return q.around(tx, seq)
	case q.Before.set:
		seq, err := q.Before.resolve(tx, q.RoomID)
		if err != nil {
			return Page{}, err
		}
		page, err := q.upTo(tx, seq-1, q.Limit)
		if err != nil {
			return Page{}, err
		}
		end := seq - 1
		if n := len(page.Messages); n > 0 {
			end = page.Messages[n-1].Seq
		}
		page.HasMoreAfter, err = exists(q.scope(tx, "seq > ?", end, "seq"))
		return page, err
	}
	return q.upTo(tx, maxSeq, q.Limit)
}

const maxSeq = 1<<63 - 1

// upTo returns the n latest messages up to seq, and whether there are more before them.
func (q HistoryQuery) upTo(tx *gorm.DB, seq int64, n int) (page Page, err error) {
	err = q.scope(tx, "seq <= ?", seq, "seq DESC").Limit(n + 1).Find(&page.Messages).Error
	page.Messages, page.HasMoreBefore = q.cut(page.Messages, n)
	slices.Reverse(page.Messages)
	return page, err
}

// after returns the n messages after seq, and whether there are more on either side.
func (q HistoryQuery) after(tx *gorm.DB, seq int64, n int) (page Page, err error) {
	if err = q.scope(tx, "seq > ?", seq, "seq").Limit(n + 1).Find(&page.Messages).Error; err != nil {
		return page, err
	}
	page.Messages, page.HasMoreAfter = q.cut(page.Messages, n)
	page.HasMoreBefore, err = exists(q.scope(tx, "seq <= ?", seq, "seq DESC"))
	return page, err
}

// cut returns the messages that a page has room for, and whether there are more.
func (q HistoryQuery) cut(messages []Message, n int) (page []Message, more bool) {
	bytes := 0
	for i, m := range messages {
		bytes += len(m.Text) + len(m.Attachments) + len(m.Metadata)
		if i == n || i > 0 && q.MaxBytes > 0 && bytes > q.MaxBytes {
			return messages[:i], true
		}
	}
	return messages, false
}

func (q HistoryQuery) around(tx *gorm.DB, seq int64) (Page, error) {
	q.MaxBytes = (q.MaxBytes + 1) / 2
	before, err := q.upTo(tx, seq, (q.Limit+1)/2)
	if err != nil {
		return Page{}, err
	}
	after, err := q.after(tx, seq, q.Limit/2)
	return Page{
		Messages:      append(before.Messages, after.Messages...),
		HasMoreBefore: before.HasMoreBefore,
		HasMoreAfter:  after.HasMoreAfter,
	}, err
}

// scope selects messages on one side of a place in the room, in the order of the index on (room_id, seq) or (parent_id, seq).
func (q HistoryQuery) scope(tx *gorm.DB, side string, seq int64, order string) *gorm.DB {
	if q.Thread != "" {
		// The index covers nothing but replies; that a parameter is not empty, the database does not know.
		return tx.Where("parent_id = ? AND parent_id <> '' AND "+side+" AND "+roomExists, q.Thread, seq, q.RoomID).Order(order)
	}
	return tx.Where("room_id = ? AND "+side+" AND "+roomExists, q.RoomID, seq, q.RoomID).Order(order)
}

// exists reports whether a query finds a row.
func exists(tx *gorm.DB) (bool, error) {
	var found []int64
	err := tx.Model(&Message{}).Limit(1).Pluck("seq", &found).Error
	return len(found) > 0, err
}
