package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
)

const (
	// markInterval is the least time between two commits of marks: while people wait for their messages to be stored, the disk is
	// theirs most of the time.
	markInterval = 20 * time.Millisecond

	// lazyInterval is how long marks wait for which nobody does.
	lazyInterval = 250 * time.Millisecond

	// maxMarks bounds the marks that nobody waits for and that a database that is away has not taken yet.
	maxMarks = 1 << 16
)

type memberKey struct{ roomID, userID string }

// marker commits read positions and when users were last seen, many at a time, beside the writer of messages. Losing what nobody
// waits for does little harm: the next message or visit makes up for it.
type marker struct {
	store *Store
	sql   markSQL
	log   *slog.Logger

	mu    sync.Mutex
	marks map[memberKey]*mark
	users map[string]struct{} // seen lately
	lost  int                 // for lack of room

	urgent, lazy chan struct{} // somebody waits, or nobody does
	ctx          context.Context
	cancel       context.CancelFunc
	done         sync.WaitGroup
}

// mark is how far a member has read, and whom to tell when it is committed.
type mark struct {
	seq     int64
	answers []chan<- markResult
}

type markResult struct {
	state ReadState
	err   error
}

func newMarker(s *Store) *marker {
	m := &marker{
		store: s, sql: newMarkSQL(s.dialect), log: s.log,
		marks: make(map[memberKey]*mark), users: make(map[string]struct{}),
		urgent: make(chan struct{}, 1), lazy: make(chan struct{}, 1),
	}
	m.ctx, m.cancel = context.WithCancel(context.Background())
	return m
}

// read adds a mark. The answer has room for one value.
func (m *marker) read(k memberKey, seq int64, answer chan<- markResult) {
	m.mu.Lock()
	m.add(k, seq, answer)
	m.mu.Unlock()
	signal(m.urgent)
}

// sent adds marks for the senders of committed messages.
func (m *marker) sent(messages []Message) {
	m.mu.Lock()
	for _, msg := range messages {
		if msg.SenderID != "" {
			m.add(memberKey{msg.RoomID, msg.SenderID}, msg.Seq, nil)
		}
	}
	m.mu.Unlock()
	signal(m.lazy)
}

func (m *marker) seen(users []string) {
	m.mu.Lock()
	for _, id := range users {
		if _, known := m.users[id]; !known && len(m.users) >= maxMarks {
			m.lost++
		} else if findable(id) {
			m.users[id] = struct{}{}
		}
	}
	m.mu.Unlock()
	signal(m.lazy)
}

// forget takes back a mark at or behind seq that nobody waits for: its member knows better.
func (m *marker) forget(k memberKey, seq int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if old, ok := m.marks[k]; ok && len(old.answers) == 0 && old.seq >= seq {
		delete(m.marks, k)
	}
}

func (m *marker) add(k memberKey, seq int64, answer chan<- markResult) {
	old, ok := m.marks[k]
	switch {
	case ok:
	case answer == nil && len(m.marks) >= maxMarks:
		m.lost++
		return
	default:
		old = &mark{}
		m.marks[k] = old
	}
	old.seq = max(old.seq, seq)
	if answer != nil {
		old.answers = append(old.answers, answer)
	}
}

func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default: // it is about to look
	}
}

func (m *marker) start() { m.done.Go(m.run) }

// stop commits what is left.
func (m *marker) stop() {
	m.cancel()
	m.done.Wait()
}

func (m *marker) run() {
	for m.ctx.Err() == nil {
		select {
		case <-m.urgent:
		case <-m.lazy:
			m.wait(lazyInterval)
		case <-m.ctx.Done():
		}
		m.flush()
		sleep(m.ctx, markInterval)
	}
	m.flush()
}

// wait waits for somebody who waits.
func (m *marker) wait(d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-m.urgent:
	case <-m.ctx.Done():
	}
}

// flush commits what has come together and answers.
func (m *marker) flush() {
	m.mu.Lock()
	marks, users, lost := m.marks, m.users, m.lost
	m.marks, m.users, m.lost = make(map[memberKey]*mark), make(map[string]struct{}), 0
	m.mu.Unlock()
	if lost > 0 {
		m.log.Warn("store: too many marks while the database is away", "lost", lost)
	}
	if len(marks) == 0 && len(users) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), operationTime)
	defer cancel()
	states, err := m.commit(ctx, marks, slices.Sorted(maps.Keys(users)))
	if err != nil {
		m.store.files.distrust(err)
		m.log.Warn("store: read positions were not stored", "error", err)
	}
	for k, mark := range marks {
		a := markResult{err: err}
		if state, ok := states[k]; err == nil && ok {
			a.state = state
		} else if err == nil {
			a.err = ErrNotMember
		}
		for _, answer := range mark.answers {
			answer <- a
		}
	}
}

// commit stores marks in one transaction, unless they say nothing new, and returns where the members are then.
func (m *marker) commit(ctx context.Context, marks map[memberKey]*mark, users []string) (states map[memberKey]ReadState, err error) {
	moved := make(map[memberKey]int64) // by attempts whose commit went unanswered
	for attempt := 0; ; attempt++ {
		states, err = m.try(ctx, marks, users)
		for k, state := range states {
			if state.Moved {
				moved[k] = state.ReadSeq
			} else if moved[k] > 0 && moved[k] == state.ReadSeq {
				state.Moved = true
				states[k] = state
			}
		}
		if err == nil || !isTransient(err) || !pause(ctx, attempt) {
			return states, err
		}
	}
}

func (m *marker) try(ctx context.Context, marks map[memberKey]*mark, users []string) (map[memberKey]ReadState, error) {
	keys := slices.SortedFunc(maps.Keys(marks), func(a, b memberKey) int { // as every process locks them
		return cmp.Or(cmp.Compare(a.roomID, b.roomID), cmp.Compare(a.userID, b.userID))
	})
	states, err := m.states(ctx, keys)
	if err != nil {
		return nil, err
	}
	var moves []move
	for _, k := range keys {
		state, ok := states[k]
		if to := min(marks[k].seq, state.LastSeq); ok && to > state.ReadSeq {
			moves = append(moves, move{k, to})
			states[k] = ReadState{ReadSeq: to, LastSeq: state.LastSeq, Moved: true}
		}
	}
	if len(moves) == 0 && len(users) == 0 {
		return states, nil
	}
	return states, transact(m.store.write.WithContext(ctx), txOptions(m.store.dialect), func(tx *gorm.DB) error {
		for part := range portions(moves) {
			if _, err := tx.Statement.ConnPool.ExecContext(ctx, of(m.sql.move, len(part)), m.sql.moves(part)...); err != nil {
				return err
			}
		}
		at := now()
		for part := range portions(users) {
			seen := tx.Model(&User{}).Where("id IN ? AND last_seen_at < ?", part, at)
			if err := seen.UpdateColumn("last_seen_at", at).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// states looks up how far members have read; who is no member, or not of a room that is there, is left out.
func (m *marker) states(ctx context.Context, keys []memberKey) (map[memberKey]ReadState, error) {
	states := make(map[memberKey]ReadState, len(keys))
	for part := range portions(keys) {
		rows, err := m.store.read.WithContext(ctx).Statement.ConnPool.QueryContext(ctx, of(m.sql.state, len(part)), m.sql.keys(part)...)
		if err != nil {
			return nil, err
		}
		for rows.Next() {
			var i int
			var read, last sql.NullInt64
			if err := rows.Scan(&i, &read, &last); err != nil {
				return nil, errors.Join(err, rows.Close())
			}
			if read.Valid && last.Valid {
				states[part[i-1]] = ReadState{ReadSeq: read.Int64, LastSeq: last.Int64}
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, err
		}
	}
	return states, nil
}
