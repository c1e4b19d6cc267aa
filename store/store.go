package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/echochat/echochat/migrations"
)

// operationTime bounds every operation on the database: one that takes longer has met a database that is away.
const operationTime = 5 * time.Second

// Store is a chat's database. Make one with [Open] or [New]; it is safe for concurrent use.
type Store struct {
	log     *slog.Logger
	dialect migrations.Dialect
	write   *gorm.DB // on SQLite the only connection that writes
	read    *gorm.DB // on SQLite connections that cannot write
	files   *files   // nil on a server
	writer  *writer
	marker  *marker
	indexer *indexer
	purger  *purger
	outbox  *outbox
	turns   *turns

	gate    sync.RWMutex // held for reading while an operation begins
	closed  bool
	editing sync.WaitGroup // edits that have begun
	close   sync.Once
	err     error // of Close
}

func (s *Store) start(pool *sql.DB, c config) {
	s.writer = newWriter(s.write, pool, s.dialect, c, s.files)
	if s.turns = newTurns(serverTurns); s.files != nil {
		s.turns = newTurns(1)
	}
	s.marker = newMarker(s)
	s.marker.start()
	s.indexer = newIndexer(s)
	s.indexer.start()
	s.writer.stored = func(batch []Message) {
		s.marker.sent(batch)
		s.indexer.stored(batch)
	}
	go s.writer.run()
	s.purger = newPurger(s)
	s.purger.start()
	s.outbox = newOutbox(s)
	s.outbox.start()
}

// Close stores what has been accepted by Append, delivers it to OnCommit and OnChange, and closes the connections that the store opened; the
// application's *gorm.DB stays open. Later calls return [ErrClosed]. It must not be called by a function given to them.
func (s *Store) Close() error {
	s.close.Do(func() {
		s.outbox.close()
		s.gate.Lock() // waits for Appends that are entering the queue
		s.closed = true
		s.gate.Unlock()
		s.editing.Wait()
		s.purger.close()
		s.indexer.stop()
		s.writer.stop()
		s.marker.stop()
		s.err = s.files.close()
	})
	return s.err
}

// enter is called at the beginning of each operation.
func (s *Store) enter() error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return ErrClosed
	}
	return nil
}

// entering runs fn, which does not wait, unless the store is closed; Close waits for it.
func (s *Store) entering(fn func()) error {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.closed {
		return ErrClosed
	}
	fn()
	return nil
}

// reading runs fn, which only reads.
func (s *Store) reading(ctx context.Context, op string, fn func(tx *gorm.DB) error) error {
	err := s.enter()
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, operationTime)
		defer cancel()
		err = fn(s.read.WithContext(ctx))
	}
	if err != nil {
		s.files.distrust(err)
		return wrap(op, err)
	}
	return nil
}

// writing runs fn in a transaction. It does not stop halfway when ctx ends: a caller who has gone away cannot know
// what has happened. Where the database asks for it, it runs fn again, so fn must set every result anew; attempt
// counts from 0, and above 0 an earlier attempt may have been committed.
func (s *Store) writing(ctx context.Context, op string, fn func(tx *gorm.DB, attempt int) error) error {
	if err := s.enter(); err != nil {
		return wrap(op, err)
	}
	if err := ctx.Err(); err != nil {
		return wrap(op, err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), operationTime)
	defer cancel()
	for attempt := 0; ; attempt++ {
		err := transact(s.write.WithContext(ctx), txOptions(s.dialect), func(tx *gorm.DB) error { return fn(tx, attempt) })
		if err == nil {
			return nil
		}
		s.files.distrust(err)
		if !isTransient(err) || !pause(ctx, attempt) {
			return wrap(op, err)
		}
	}
}

// transact runs fn in a transaction. GORM's own way would not tell whether it was the COMMIT that failed.
func transact(db *gorm.DB, opts *sql.TxOptions, fn func(tx *gorm.DB) error) error {
	tx := db.Begin(opts)
	if tx.Error != nil {
		return tx.Error
	}
	done := false
	defer func() {
		if !done { // fn failed or panicked
			tx.Rollback()
		}
	}()
	if err := fn(tx); err != nil {
		return err
	}
	done = true
	if err := tx.Commit().Error; err != nil {
		return fmt.Errorf("%w: %w", errUnanswered, err)
	}
	return nil
}

// txOptions ask for READ COMMITTED: what a transaction reads after it has locked a room is then what the one before it has
// committed. SQLite has one writer at a time.
func txOptions(d migrations.Dialect) *sql.TxOptions {
	if d == migrations.SQLite {
		return nil
	}
	return &sql.TxOptions{Isolation: sql.LevelReadCommitted}
}

// lockRoom locks a room's row until the end of the transaction and returns it.
func lockRoom(tx *gorm.DB, id string) (Room, error) {
	if !findable(id) {
		return Room{}, ErrRoomNotFound
	}
	var room Room
	err := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Take(&room, "id = ? AND deleted_at = 0", id).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return Room{}, ErrRoomNotFound
	}
	return room, err
}

// pause waits before another attempt, longer each time and never as long as another's, and reports whether there is time for it.
func pause(ctx context.Context, attempt int) bool {
	d := time.Duration(1<<min(attempt, 8)) * time.Millisecond
	d += rand.N(d)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= d {
		return false
	}
	return sleep(ctx, d)
}

// sleep waits, and reports false when ctx has ended before.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// now is the time as the store writes it.
func now() Millis { return Millis(time.Now().UnixMilli()) }
