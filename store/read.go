package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// ReadState is how far a member has read in a room.
type ReadState struct {
	ReadSeq int64 // Seq up to which they have read.
	LastSeq int64 // Seq of the room's latest message.

	// Moved says that this is news: what was asked for has changed ReadSeq. Of several who ask at once for the same member it is
	// set for all.
	Moved bool
}

// Unread is how many messages are left to read. It is never negative.
func (r ReadState) Unread() int64 { return max(r.LastSeq-r.ReadSeq, 0) }

// MarkRead says that a member has read a room up to seq, or up to its latest message if seq is beyond that. A seq before what they have
// read already changes nothing. Many at once are committed together, so that a crowd that reads the same message costs a few commits.
//
// It blocks until the commit, for at most 10 seconds while the database is away, or until ctx ends, when it may be marked or not. It
// returns [ErrNotMember], also when there is no such room. The sender of a message has read it: Append marks it without waiting.
func (s *Store) MarkRead(ctx context.Context, roomID, userID string, seq int64) (ReadState, error) {
	const op = "mark read"
	if seq < 0 {
		return ReadState{}, wrap(op, fmt.Errorf("%w: seq %d", ErrInvalidArgument, seq))
	}
	if !findable(roomID, userID) {
		return ReadState{}, wrap(op, ErrNotMember)
	}
	answer := make(chan markResult, 1)
	if err := s.entering(func() { s.marker.read(memberKey{roomID, userID}, seq, answer) }); err != nil {
		return ReadState{}, wrap(op, err)
	}
	select {
	case a := <-answer:
		if a.err != nil {
			return ReadState{}, wrap(op, a.err)
		}
		return a.state, nil
	case <-ctx.Done():
		return ReadState{}, wrap(op, ctx.Err())
	}
}

// MarkUnread says that a member has yet to read the message numbered seq and those after it. It returns [ErrNotMember], also when there
// is no such room.
func (s *Store) MarkUnread(ctx context.Context, roomID, userID string, seq int64) (state ReadState, err error) {
	const op = "mark unread"
	if seq < 1 {
		return ReadState{}, wrap(op, fmt.Errorf("%w: seq %d", ErrInvalidArgument, seq))
	}
	s.marker.forget(memberKey{roomID, userID}, seq)
	err = s.writing(ctx, op, func(tx *gorm.DB, attempt int) error {
		room, err := lockRoom(tx, roomID)
		if err != nil {
			return orNotMember(err)
		}
		m, err := member(tx, roomID, userID)
		if err != nil {
			return err
		}
		moved := m.ReadSeq >= seq
		state = ReadState{ReadSeq: min(m.ReadSeq, seq-1), LastSeq: room.LastSeq, Moved: moved || attempt > 0 && state.Moved}
		if !moved {
			return nil
		}
		return setMember(tx, roomID, userID, "read_seq", state.ReadSeq)
	})
	if err != nil {
		return ReadState{}, err
	}
	return state, nil
}

// PutLastSeen remembers that users are connected, or were until a moment ago. It does not wait: the times are written within a second,
// together with others; what the database does not take then is left out, with a warning in the log.
func (s *Store) PutLastSeen(userIDs ...string) error {
	return s.entering(func() { s.marker.seen(userIDs) })
}

// ReaderQuery selects the members of a room who have read a message.
type ReaderQuery struct {
	RoomID string
	Seq    int64  // The message's.
	After  string // MemberPage.Next of the page before; empty for the first page.
	Limit  int    // Members per page. Defaults to 50, at most 200.
}

// Readers returns a page of the members who have read a message, its sender among them. It looks at the members one by one, so finding
// few among many costs what reading all of them does.
func (s *Store) Readers(ctx context.Context, q ReaderQuery) (MemberPage, error) {
	m := MemberQuery{RoomID: q.RoomID, After: q.After, Limit: q.Limit}
	return s.members(ctx, "readers", m, func(tx *gorm.DB) *gorm.DB { return tx.Where("read_seq >= ?", q.Seq) })
}
