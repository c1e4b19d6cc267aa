package store

import (
	"context"
	"fmt"
	"strconv"
)

// Position is a place in a room's history: a Seq or the id of a message. The zero Position is none.
type Position struct {
	set bool
	seq int64
	id  string
}

// AtSeq is the position of the message numbered seq, which need not exist: AtSeq(0) is before the first message.
func AtSeq(seq int64) Position { return Position{set: true, seq: seq} }

// AtMessage is the position of the message with the given id.
func AtMessage(id string) Position { return Position{set: true, id: id} }

// ParsePosition reads a position as it comes from a URL or an event: a decimal number is a Seq, anything else the id of a
// message. Empty is no position.
func ParsePosition(s string) (Position, error) {
	if s == "" {
		return Position{}, nil
	}
	if len(s) < 20 {
		if seq, err := strconv.ParseInt(s, 10, 64); err == nil {
			if seq < 0 {
				return Position{}, fmt.Errorf("store: position %d: %w: negative", seq, ErrInvalidArgument)
			}
			return AtSeq(seq), nil
		}
	}
	return AtMessage(s), nil
}

// IsZero reports whether p is no position.
func (p Position) IsZero() bool { return !p.set }

// HistoryQuery selects a page of a room's messages. At most one of Before, After and Around may be set; with none
// of them it selects the latest page.
type HistoryQuery struct {
	RoomID string
	Before Position // The messages just before this one, without it.
	After  Position // The messages just after this one, without it.
	Around Position // Half a page up to and with this one, and half a page after it.
	Limit  int      // Messages per page. Defaults to 50, at most 200.
}

// Page is a page of messages, ascending by Seq without gaps.
type Page struct {
	Messages      []Message
	HasMoreBefore bool // There are messages before the first one here.
	HasMoreAfter  bool // There are messages after the last one here.
}

// History returns a page of a room's messages. A page costs the same anywhere in a room of any size. It
// returns [ErrMessageNotFound] for a position that names a message which is not in the room, and an empty page for a room that does not exist.
func (s *Store) History(ctx context.Context, q HistoryQuery) (Page, error) {
	return Page{}, ErrUnavailable
}
