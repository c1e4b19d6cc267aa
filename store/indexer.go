package store

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"gorm.io/gorm"
)

const (
	// maxIndexBatch and maxIndexBytes bound the messages that are put into the index in one transaction: on SQLite, an Append waits for it.
	maxIndexBatch = 128
	maxIndexBytes = 256 << 10

	// indexDelay lets messages come together before the index gets them. While messages are being appended, the indexer works
	// for one part of the time and rests for indexRest parts.
	indexDelay = 50 * time.Millisecond
	indexRest  = 9

	indexRetry = time.Second

	// maxLooked is how many rooms are looked at, at once, for what an earlier process has left to do.
	maxLooked = 1000
)

// rebuild instead of a Seq in chat_indexed says that the words of the room are to be thrown away, and its messages to be indexed from the first on.
const rebuild = -1

// indexer fills the search index behind the appends, room by room in the order of Seq. What it has done of a room stands in
// chat_indexed, whose row is locked meanwhile: of several processes one works on a room at a time, and the next goes on where
// it ended.
type indexer struct {
	store   *Store
	wake    chan struct{} // a room is waiting
	stopped chan struct{}
	stops   sync.Once
	done    chan struct{}

	mu       sync.Mutex
	rooms    []string // waiting
	waiting  map[string]bool
	appended int // how often messages were appended
}

func newIndexer(s *Store) *indexer {
	return &indexer{
		store: s, wake: make(chan struct{}, 1), stopped: make(chan struct{}), done: make(chan struct{}), waiting: make(map[string]bool),
	}
}

// stored is called with messages that have just been stored.
func (x *indexer) stored(batch []Message) {
	rooms := make([]string, len(batch))
	for i, m := range batch {
		rooms[i] = m.RoomID
	}
	x.add(rooms...)
	x.mu.Lock()
	x.appended++
	x.mu.Unlock()
}

// add says that there is something to do in rooms.
func (x *indexer) add(rooms ...string) {
	if len(rooms) == 0 {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, room := range rooms {
		if !x.waiting[room] {
			x.waiting[room] = true
			x.rooms = append(x.rooms, room)
		}
	}
	select {
	case x.wake <- struct{}{}:
	default:
	}
}

func (x *indexer) take() (room string, ok bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.rooms) == 0 {
		return "", false
	}
	room, x.rooms = x.rooms[0], x.rooms[1:]
	delete(x.waiting, room)
	return room, true
}

// start begins with what an earlier process has left to do.
func (x *indexer) start() { go x.run() }

// stop waits until the index is left alone. What it lacks then, it gets after the next start.
func (x *indexer) stop() {
	x.stops.Do(func() { close(x.stopped) })
	<-x.done
}

func (x *indexer) run() {
	defer close(x.done)
	for ok := x.catchUp(); ok; ok = x.rest(indexDelay) && x.work() {
		select {
		case <-x.wake:
		case <-x.stopped:
			return
		}
	}
}

// catchUp does what an earlier process has left to do. Like work and rest, it reports false when the store is being closed.
func (x *indexer) catchUp() bool {
	for after := ""; ; {
		last, err := x.findLagging(after)
		switch {
		case err != nil:
			x.failed(err)
			if !x.rest(indexRetry) {
				return false
			}
			continue
		case !x.work():
			return false
		case last == "":
			return true
		}
		after = last
	}
}

// work brings the waiting rooms up to date.
func (x *indexer) work() bool {
	appended := -1
	for {
		room, ok := x.take()
		if !ok {
			return x.rest(0)
		}
		start, pause := time.Now(), time.Duration(0)
		more, err := x.step(context.Background(), room)
		if err != nil {
			x.failed(err)
			pause = indexRetry
		}
		if more || err != nil {
			x.add(room) // after the others
		}
		x.mu.Lock()
		if appended != x.appended {
			pause = max(pause, indexRest*time.Since(start))
		}
		appended = x.appended
		x.mu.Unlock()
		if !x.rest(pause) {
			return false
		}
	}
}

func (x *indexer) rest(d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-x.stopped:
		return false
	default:
	}
	select {
	case <-t.C:
		return true
	case <-x.stopped:
		return false
	}
}

func (x *indexer) failed(err error) {
	if !errors.Is(err, ErrClosed) {
		x.store.log.Warn("store: the search index could not be brought up to date; trying again", "error", err)
	}
}

// findLagging looks at the next rooms after the given one, adds those that are not up to date, and returns the last it has looked at, or ""
// at the end.
func (x *indexer) findLagging(after string) (last string, err error) {
	var rooms []struct {
		ID        string
		LastSeq   int64
		DeletedAt Millis
		Indexed   *int64
	}
	err = x.store.reading(context.Background(), "find what is not indexed", func(tx *gorm.DB) error {
		return indexedUpTo(tx, after).Scan(&rooms).Error
	})
	if err != nil {
		return after, err
	}
	for _, r := range rooms {
		var upTo int64
		if r.Indexed != nil {
			upTo = *r.Indexed
		}
		if r.DeletedAt == 0 && r.LastSeq > upTo || r.DeletedAt > 0 && r.Indexed != nil {
			x.add(r.ID)
		}
	}
	if len(rooms) == maxLooked {
		last = rooms[len(rooms)-1].ID
	}
	return last, nil
}

// indexedUpTo reads how far the index has got in the next rooms. The database does not choose among them: to find none in many would take it
// longer than an operation may.
func indexedUpTo(tx *gorm.DB, after string) *gorm.DB {
	return tx.Table("chat_rooms r").Select("r.id, r.last_seq, r.deleted_at, i.seq AS indexed").
		Joins("LEFT JOIN chat_indexed i ON i.room_id = r.id").Where("r.id > ?", after).Order("r.id").Limit(maxLooked)
}

// step makes one transaction's worth of progress in a room, and reports whether there is more to do.
func (x *indexer) step(ctx context.Context, roomID string) (more bool, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: index: panic: %v\n%s", p, debug.Stack())
		}
	}()
	err = x.store.writing(ctx, "index", func(tx *gorm.DB, _ int) error {
		more = false
		indexed, err := lockIndexed(tx, roomID)
		if err != nil {
			return err
		}
		var room Room
		switch err := tx.Select("last_seq", "deleted_at").Limit(1).Find(&room, "id = ?", roomID).Error; {
		case err != nil:
			return err
		case room.LastSeq > 0 && room.DeletedAt == 0 && indexed >= 0:
			more, err = x.advance(tx, roomID, indexed)
			return err
		}
		if more, err = dropWords(tx, roomID); err != nil || more {
			return err
		}
		if room.LastSeq > 0 && room.DeletedAt == 0 {
			more = true
			return setIndexed(tx, roomID, 0)
		}
		return tx.Exec("DELETE FROM chat_indexed WHERE room_id = ?", roomID).Error
	})
	return more, err
}

// advance puts the next messages of a room into the index.
func (x *indexer) advance(tx *gorm.DB, roomID string, indexed int64) (more bool, err error) {
	var messages []struct {
		Seq            int64
		SenderID, Text string
		DeletedAt      Millis
	}
	if err := unindexed(tx, roomID, indexed).Find(&messages).Error; err != nil || len(messages) == 0 {
		return false, err
	}
	more = len(messages) == maxIndexBatch
	var words []indexedWord
	bytes := 0
	for i, m := range messages {
		if bytes += len(m.Text); bytes > maxIndexBytes && i > 0 {
			messages, more = messages[:i], true
			break
		}
		if m.DeletedAt == 0 {
			words = append(words, wordsOf(m.SenderID, m.Text, m.Seq)...)
		}
	}
	if err := insertWords(tx, x.store.dialect, roomID, words); err != nil {
		return false, err
	}
	return more, setIndexed(tx, roomID, messages[len(messages)-1].Seq)
}

// unindexed selects what comes next into the index. A long text is cut where it would not be looked at.
func unindexed(tx *gorm.DB, roomID string, after int64) *gorm.DB {
	return tx.Table("chat_messages").Select("seq", "sender_id", fmt.Sprintf("SUBSTR(text, 1, %d) AS text", maxIndexedText), "deleted_at").
		Where("room_id = ? AND seq > ?", roomID, after).Order("seq").Limit(maxIndexBatch)
}

// Reindex throws the search index away and builds it anew from the messages, room by room. It is never needed for what this version of the
// store has written; it repairs a damaged index, and takes over what another tokenizer has found. A search that is under way meanwhile
// may miss messages; one that begins meanwhile is slower. When ctx ends before it is done, the rest is done behind the appends.
func (s *Store) Reindex(ctx context.Context) error {
	const op = "reindex"
	for after := ""; ; {
		page, err := s.Rooms(ctx, RoomQuery{After: after, Limit: 200})
		if err != nil {
			return err
		}
		for _, room := range page.Rooms {
			if err := s.indexer.rebuild(ctx, room.ID); err != nil {
				return wrap(op, err)
			}
		}
		if after = page.Next; after == "" {
			return nil
		}
	}
}

func (x *indexer) rebuild(ctx context.Context, roomID string) error {
	err := x.store.writing(ctx, "reindex", func(tx *gorm.DB, _ int) error {
		if _, err := lockIndexed(tx, roomID); err != nil {
			return err
		}
		return setIndexed(tx, roomID, rebuild)
	})
	if err != nil {
		return err
	}
	x.add(roomID)
	for more := true; more; {
		if more, err = x.step(ctx, roomID); err != nil {
			return err
		}
	}
	return nil
}
