package store

import (
	"context"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// ChangeKind says what has happened to a message.
type ChangeKind string

// What happens to messages; OnCommit tells of new ones.
const (
	MessageEdited   ChangeKind = "edited"
	MessageDeleted  ChangeKind = "deleted"
	MessagePinned   ChangeKind = "pinned"
	MessageUnpinned ChangeKind = "unpinned"
	ReactionAdded   ChangeKind = "reaction added"
	ReactionRemoved ChangeKind = "reaction removed"
)

// Change is something that has happened to a stored message.
type Change struct {
	Kind      ChangeKind
	Message   Message // As it is after the change.
	By        User    // Who did it, as given to the method; zero for the system.
	Emoji     string  // That of a reaction.
	Mentioned UserIDs // Who is named by an edit and was not before.
}

// OnChange sets the function that gets the changes of messages that this store has committed, each once.
//
// It runs on the goroutine of OnCommit's function, one call after the other, and the order is that of the commits as far as
// it matters: a message itself comes before any change of it, and the changes of one message come in the order in which they were made.
// Between processes there is no such order: what another process has appended may be changed here before that process has told of it. Since
// a Change has the whole message, a reader who knows a message from a Change already only has to keep it when the message itself arrives.
//
// What OnCommit's documentation says of waiting, sharing and panics is true here, too. A change whose commit got no answer until the
// database was given up is not delivered; the method that made it has returned [ErrUnavailable].
func (s *Store) OnChange(fn func(Change)) { s.writer.onChange.Store(&fn) }

// edition is a transaction that changes one message.
type edition struct {
	op       string
	change   Change // Message has the ID alone.
	lockRoom bool
	audit    []Audit

	// apply changes the row, which is locked, and m with it, and reports whether there was anything to change. It must find out
	// what an earlier attempt has committed unanswered.
	apply func(tx *gorm.DB, m *Message, attempt int) (changed bool, err error)
}

// edit carries an edition out and hands the change over to OnChange. The turn, held from before the transaction until then, keeps the
// changes of a message in the order of their commits.
func (s *Store) edit(ctx context.Context, e *edition) (m Message, changed bool, err error) {
	if err := s.beginEdit(); err != nil {
		return Message{}, false, wrap(e.op, err)
	}
	defer s.editing.Done()
	release, err := s.turns.take(ctx, e.change.Message.ID)
	if err != nil {
		return Message{}, false, wrap(e.op, err)
	}
	defer release()
	err = s.recording(ctx, e.op, e.audit, func(tx *gorm.DB, attempt int) (_ bool, err error) {
		if m, err = lockMessage(tx, e.change.Message.ID, e.lockRoom); err != nil {
			return false, err
		}
		if changed, err = e.apply(tx, &m, attempt); err != nil {
			return false, err
		}
		shown := []Message{m}
		err = addSenders(tx, shown)
		m = shown[0]
		return changed, err
	})
	if err != nil {
		return Message{}, false, err
	}
	if changed {
		e.change.Message = m
		s.writer.changes <- e.change
	}
	return m, changed, nil
}

// beginEdit lets Close wait for the edits that have begun before it.
func (s *Store) beginEdit() error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return ErrClosed
	}
	s.editing.Add(1)
	return nil
}

// lockMessage locks a message's row until the end of the transaction and returns it; with room, the room's row before it, as
// whoever appends to a thread does.
func lockMessage(tx *gorm.DB, id string, room bool) (m Message, err error) {
	if !findable(id) {
		return Message{}, ErrMessageNotFound
	}
	if room {
		err = tx.Select("room_id").Take(&m, "id = ?", id).Error
		if err == nil {
			_, err = lockRoom(tx, m.RoomID)
		}
	}
	if err == nil {
		m = Message{}
		err = tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Where(inRoom).Take(&m, "id = ?", id).Error
	}
	if errors.Is(err, gorm.ErrRecordNotFound) || errors.Is(err, ErrRoomNotFound) {
		err = ErrMessageNotFound
	}
	return m, err
}

// updateMessage writes columns of a message's row.
func updateMessage(tx *gorm.DB, id string, columns map[string]any) error {
	return tx.Model(&Message{}).Where("id = ?", id).UpdateColumns(columns).Error
}

// addReplies changes how many replies messages have.
func addReplies(tx *gorm.DB, by int, ids ...string) error {
	return tx.Model(&Message{}).Where("id IN ?", ids).UpdateColumn("reply_count", gorm.Expr("reply_count + ?", by)).Error
}
