package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/echochat/echochat/migrations"
)

// The type of a deleted room says whether there is still content of it, so that the index on the type finds those that have some.
const (
	roomPurging RoomType = "purging"
	roomPurged  RoomType = "purged"
)

// purgeRetry is how long the purge rests after the database has refused it.
const purgeRetry = time.Minute

// DeleteRoom deletes a room. From then on it is not found by anything, and nothing more is appended to it; its id stays taken. Its
// messages, memberships and whatever else belongs to it are removed in the background, a few at a time, also after a restart
// in between. It returns the room as it was. A direct room is not deleted: its users leave it.
func (s *Store) DeleteRoom(ctx context.Context, id string, audit ...Audit) (room Room, err error) {
	at := now()
	err = s.recording(ctx, "delete room", audit, func(tx *gorm.DB, attempt int) (bool, error) {
		found, err := lockRoom(tx, id)
		if errors.Is(err, ErrRoomNotFound) && attempt > 0 && room.ID != "" {
			return true, nil // deleted by an attempt whose commit went unanswered
		}
		if err != nil {
			return false, err
		}
		if found.Type == RoomDirect {
			return false, fmt.Errorf("%w: a direct room cannot be deleted", ErrInvalidArgument)
		}
		room = found
		return true, tx.Model(&Room{}).Where("id = ?", id).UpdateColumns(map[string]any{
			"deleted_at": at, "updated_at": at, "type": roomPurging, "name": "", "topic": "", "metadata": RawJSON(nil), "created_by": "",
			"member_count": 0,
		}).Error
	})
	if err != nil {
		return Room{}, err
	}
	signal(s.purger.wake)
	return room, nil
}

// purger removes what belonged to deleted rooms. Each step takes about as long as the pause after it, so it leaves the database
// to the living. Of several processes one at a time works on a room.
type purger struct {
	store *Store
	wake  chan struct{}
	stop  func()
	done  sync.WaitGroup
}

func newPurger(s *Store) *purger { return &purger{store: s, wake: make(chan struct{}, 1)} }

// start begins with what an earlier process has left.
func (p *purger) start() {
	ctx, cancel := context.WithCancel(context.Background())
	p.stop = cancel
	signal(p.wake)
	p.done.Go(func() { p.run(ctx) })
}

func (p *purger) close() {
	p.stop()
	p.done.Wait()
}

func (p *purger) run(ctx context.Context) {
	for {
		select {
		case <-p.wake:
		case <-ctx.Done():
			return
		}
		for {
			began := time.Now()
			more, err := p.store.purge(ctx)
			rest := time.Since(began)
			if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) {
				p.store.log.Warn("store: deleted rooms are not purged yet", "error", err)
				more, rest = true, purgeRetry
			}
			if !more || !sleep(ctx, rest) {
				break
			}
		}
	}
}

// purge removes one portion of what is left of a deleted room, and reports whether there may be more.
func (s *Store) purge(ctx context.Context) (more bool, err error) {
	var rooms []string
	err = s.reading(ctx, "purge", func(tx *gorm.DB) error { return purgeable(tx).Pluck("id", &rooms).Error })
	if err != nil || len(rooms) == 0 {
		return false, err
	}
	return true, s.writing(ctx, "purge", func(tx *gorm.DB, _ int) error {
		// One process at a time: to another one on PostgreSQL, a table whose first rows are just being removed would look empty.
		var locked []string
		if err := lockPurging(tx, rooms[0]).Pluck("id", &locked).Error; err != nil || len(locked) == 0 {
			return err
		}
		for _, step := range purgeSteps(s.dialect) {
			if n, err := step(tx, rooms[0]); err != nil || n > 0 {
				return err
			}
		}
		return tx.Model(&Room{}).Where("id = ?", rooms[0]).UpdateColumn("type", roomPurged).Error
	})
}

func purgeable(tx *gorm.DB) *gorm.DB {
	return tx.Model(&Room{}).Where("type = ?", roomPurging).Order("id").Limit(1)
}

func lockPurging(tx *gorm.DB, roomID string) *gorm.DB {
	lock := clause.Locking{Strength: clause.LockingStrengthUpdate}
	return tx.Clauses(lock).Model(&Room{}).Where("id = ? AND type = ?", roomID, roomPurging)
}

// purgeStep removes a portion of a room's rows from a table and returns how many there were.
type purgeStep func(tx *gorm.DB, roomID string) (int64, error)

func purgeSteps(d migrations.Dialect) []purgeStep {
	steps := []purgeStep{purgeMessages(d)}
	for _, t := range []struct{ table, key string }{
		{"chat_mentions", "user_id, room_id, seq"},
		{"chat_indexed", "room_id"}, // waits for whoever is indexing, who looks for the room first
		{"chat_words", "room_id, word, seq"},
		{"chat_flags", "id"},
		{"chat_sanctions", "user_id, kind, room_id"},
		{"chat_invitations", "room_id, user_id"},
		{"chat_members", "room_id, user_id"},
	} {
		query := purgeSQL(d, t.table, t.key, "room_id = ?")
		steps = append(steps, func(tx *gorm.DB, roomID string) (int64, error) {
			res := tx.Exec(query, roomID)
			return res.RowsAffected, res.Error
		})
	}
	return steps
}

// purgeMessages removes the first messages of a room, after their reactions: of these one message alone may have many.
func purgeMessages(d migrations.Dialect) purgeStep {
	reactions := purgeSQL(d, "chat_reactions", "message_id, user_id, emoji", "message_id IN ?")
	return func(tx *gorm.DB, roomID string) (int64, error) {
		var ids []string
		lock := clause.Locking{Strength: clause.LockingStrengthUpdate} // waits for reactions that are being added
		first := tx.Clauses(lock).Model(&Message{}).Where("room_id = ?", roomID).Order("seq").Limit(maxPortion)
		if err := first.Pluck("id", &ids).Error; err != nil {
			return 0, err
		}
		for part := range portions(ids) {
			if res := tx.Exec(reactions, part); res.Error != nil || res.RowsAffected > 0 {
				return res.RowsAffected, res.Error
			}
			if err := tx.Delete(&Message{}, "id IN ?", part).Error; err != nil {
				return 0, err
			}
		}
		return int64(len(ids)), nil
	}
}

// purgeSQL deletes a portion of a table's rows; each database has its own way to delete only some.
func purgeSQL(d migrations.Dialect, table, key, where string) string {
	switch d {
	case migrations.Postgres:
		return fmt.Sprintf("DELETE FROM %[1]s WHERE ctid = ANY (ARRAY (SELECT ctid FROM %[1]s WHERE %[2]s LIMIT %[3]d))", table, where, maxPortion)
	case migrations.MySQL:
		return fmt.Sprintf("DELETE FROM %s WHERE %s LIMIT %d", table, where, maxPortion)
	}
	return fmt.Sprintf("DELETE FROM %[1]s WHERE (%[2]s) IN (SELECT %[2]s FROM %[1]s WHERE %[3]s LIMIT %[4]d)", table, key, where, maxPortion)
}
