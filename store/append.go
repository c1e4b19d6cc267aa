package store

import (
	"context"
	"fmt"

	"gorm.io/gorm"
)

// Append stores a message and returns it as stored, after the commit. For a ClientID that its sender has used in the room
// before, it returns the message stored then, and duplicate is true.
//
// It blocks until the message is committed: for about one fsync, at most 10 seconds while the database is away, and longer
// only while the queue is full. When ctx ends while the message is still waiting for a place in the queue, it is not
// stored; when ctx ends later, the message is stored nevertheless. Append returns [ErrUnavailable] together with ctx's error
// in both cases.
//
// Errors: [ErrInvalidArgument], [ErrRoomNotFound], [ErrNotMember], [ErrMuted], [ErrMessageNotFound] for the ParentID or the QuotedID,
// [ErrIDConflict], [ErrStorageFull], [ErrUnavailable], [ErrClosed]. Safe for concurrent use.
func (s *Store) Append(ctx context.Context, d Draft) (m Message, duplicate bool, err error) {
	const op = "append"
	if err := d.validate(); err != nil {
		return Message{}, false, wrap(op, err)
	}
	if d.refers() {
		if err := s.reading(ctx, op, func(tx *gorm.DB) error { return d.resolve(tx) }); err != nil {
			return Message{}, false, err
		}
	}
	id, err := newMessageID()
	if err != nil {
		return Message{}, false, wrap(op, err)
	}
	return s.append(ctx, op, d, id)
}

// append stores a draft that has been checked, as the message with the given id.
func (s *Store) append(ctx context.Context, op string, d Draft, id string) (m Message, duplicate bool, err error) {
	r := newRequest(d.message(id), d)
	if err := s.enqueue(ctx, r); err != nil {
		return Message{}, false, wrap(op, err)
	}
	select {
	case <-r.done:
	case <-ctx.Done():
		return Message{}, false, wrap(op, ctx.Err())
	}
	if r.err != nil {
		return Message{}, false, wrap(op, r.err)
	}
	return r.msg, r.duplicate, nil
}

// refers reports whether there is something to resolve, as in a plain message there is not.
func (d *Draft) refers() bool { return d.ParentID != "" || d.QuotedID != "" || len(d.Mentions) > 0 }

// resolve looks up what a draft refers to, before the transaction that stores it: messages do not move or disappear, and most of those
// who are members just before still are in the transaction, which looks again.
func (d *Draft) resolve(tx *gorm.DB) (err error) {
	for _, ref := range [2]struct{ name, id string }{{"parent", d.ParentID}, {"quoted message", d.QuotedID}} {
		if ref.id == "" {
			continue
		}
		if _, err := seqOf(tx, d.RoomID, ref.id); err != nil {
			return fmt.Errorf("%s: %w", ref.name, err)
		}
	}
	d.Mentions, err = membersAmong(tx, d.RoomID, d.Mentions)
	return err
}

func (s *Store) enqueue(ctx context.Context, r *request) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return s.writer.enqueue(ctx, r)
}

// OnCommit sets the function that gets what this store has appended: each message once, per room in the order of Seq, duplicates
// left out. Calls follow one another on one goroutine, beside the next commit; one that takes long therefore ends up slowing
// the appends. It must not wait for an Append or a change of a message. The slice and its messages are shared: do not change them.
// A panic in it is logged and ends that call only.
//
// Set it before the first Append: messages committed without it are not delivered later. What an earlier process has left of
// [Store.AppendTx] is appended from now on.
func (s *Store) OnCommit(fn func([]Message)) {
	s.writer.onCommit.Store(&fn)
	signal(s.outbox.wake)
}
