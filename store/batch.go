package store

import (
	"context"
	"database/sql"
	"errors"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// result is what one transaction makes of one request.
type result struct {
	msg       Message
	duplicate bool // msg was stored by an earlier Append
	err       error
}

// errAbsent is the result of an unresolved message that turns out not to be stored.
var errAbsent = errors.New("not stored")

// try makes one attempt to store a batch, all of it in one transaction. The results are those of the batch, followed by those of
// the unresolved messages.
func (w *writer) try(ctx context.Context, requests []*request) ([]result, error) {
	if w.tx == nil {
		// Nothing interrupts a disk, and busy_timeout bounds the wait for a lock; with a context that can end, the drivers
		// start a goroutine per statement.
		ctx = context.WithoutCancel(ctx)
	}
	b := batch{ctx: ctx, sql: &w.sql, requests: slices.Concat(requests, w.unresolved), fresh: len(requests)}
	err := transact(w.db.WithContext(ctx), w.tx, func(tx *gorm.DB) error {
		w.prepared.use(tx)
		b.tx = tx
		for _, step := range []func() error{b.lockRooms, b.lookUp, b.number, b.name, b.insert, b.countReplies, b.advance} {
			if err := step(); err != nil {
				return err
			}
		}
		return nil
	})
	if errors.Is(err, errUnanswered) {
		for _, r := range requests {
			r.unanswered = isTransient(err)
		}
	}
	return b.results, err
}

// batch is one transaction that stores messages.
type batch struct {
	ctx      context.Context
	tx       *gorm.DB
	sql      *batchSQL
	requests []*request
	fresh    int // the first of requests are to be stored, the others only looked up

	rooms    map[string]*counter
	known    []known            // per request
	existing map[string]Message // by id
	results  []result           // per request
	plain    []*Message         // to be inserted, in results
	rich     []*Message         // the same, with the columns that plain ones leave to their defaults
	replies  map[string]int     // new ones, by the id of their parent
}

// counter is the part of a room's row that numbers its messages.
type counter struct {
	lastSeq, added int64
	lastAt         Millis
}

// known is what the database knows of a request.
type known struct {
	member   bool
	muted    bool
	existing string // id of the message with the same room, sender and ClientID
}

// lockRooms locks the rows of the batch's rooms in the order of their ids, as every process does. From then on nothing is
// appended to these rooms, and nobody is removed from them, before this transaction ends.
func (b *batch) lockRooms() error {
	b.rooms = make(map[string]*counter, len(b.requests))
	ids := make([]string, 0, len(b.requests))
	for _, r := range b.requests {
		if _, ok := b.rooms[r.msg.RoomID]; !ok {
			b.rooms[r.msg.RoomID] = nil
			ids = append(ids, r.msg.RoomID)
		}
	}
	slices.Sort(ids)
	for part := range portions(ids) {
		err := b.query(of(b.sql.lock, len(part)), b.sql.list(part), func(rows *sql.Rows) error {
			var id string
			var c counter
			if err := rows.Scan(&id, &c.lastSeq, &c.lastAt); err != nil {
				return err
			}
			b.rooms[id] = &c
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// lookUp asks, in one query, which senders are members or muted and which messages are there already.
func (b *batch) lookUp() error {
	b.known = make([]known, len(b.requests))
	start := 0
	var ids []string
	for part := range portions(b.requests) {
		err := b.query(of(b.sql.lookUp, len(part)), b.sql.table(part), func(rows *sql.Rows) error {
			var i int
			var k known
			var member, existing, muted sql.NullString
			if err := rows.Scan(&i, &member, &existing, &muted); err != nil {
				return err
			}
			if i += start - 1; i >= len(b.known) { // one of those that fill the portion up
				return nil
			}
			k.member, k.muted, k.existing = member.Valid, muted.Valid, existing.String
			b.known[i] = k
			if existing.Valid {
				ids = append(ids, k.existing)
			} else {
				b.requests[i].unanswered = false
			}
			return nil
		})
		if err != nil {
			return err
		}
		start += len(part)
	}
	return b.load(ids)
}

// load reads the messages that are there already, which only a repeated Append asks for.
func (b *batch) load(ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	b.existing = make(map[string]Message, len(ids))
	for part := range portions(ids) {
		var found []Message
		if err := b.tx.Find(&found, "id IN ?", part).Error; err != nil {
			return err
		}
		if err := addSenders(b.tx, found); err != nil {
			return err
		}
		for _, m := range found {
			b.existing[m.ID] = m
		}
	}
	return nil
}

// number decides about each request, in the order in which they came, and gives the new messages their places.
func (b *batch) number() error {
	type key struct{ room, sender, client string }
	first := make(map[key]int, len(b.requests))
	var told []string
	at := now()
	b.results = make([]result, len(b.requests))
	b.plain, b.rich, b.replies = make([]*Message, 0, len(b.requests)), nil, nil
	for i, r := range b.requests {
		k := key{r.msg.RoomID, r.msg.SenderID, r.msg.ClientID}
		room := b.rooms[r.msg.RoomID]
		res := &b.results[i]
		j, repeated := first[k]
		switch {
		case b.known[i].existing != "":
			*res = repeat(r, b.existing[b.known[i].existing])
			if res.err == nil && !res.duplicate { // what comes from the outbox may have gone unanswered several times
				res.duplicate = slices.Contains(told, res.msg.ID)
				told = append(told, res.msg.ID)
			}
		case i >= b.fresh:
			res.err = errAbsent
		case repeated:
			*res = repeat(r, b.results[j].msg)
		case room == nil:
			res.err = ErrRoomNotFound
		case !r.system && !b.known[i].member:
			res.err = ErrNotMember
		case r.speaks && b.known[i].muted:
			res.err = ErrMuted
		default:
			first[k] = i
			room.added++
			room.lastAt = max(room.lastAt, at)
			res.msg = r.msg
			res.msg.Seq, res.msg.CreatedAt = room.lastSeq+room.added, room.lastAt
			b.keep(&res.msg)
		}
	}
	return nil
}

// name leaves those of the mentions that are of members still: what an application's transaction has left may be days old, and whoever
// is named is told what the message says.
func (b *batch) name() error {
	named := make(map[string]UserIDs) // by room
	for _, m := range b.rich {
		if len(m.Mentions) > 0 {
			named[m.RoomID] = append(named[m.RoomID], m.Mentions...)
		}
	}
	members := make(map[string]map[string]bool, len(named))
	for room, ids := range named {
		var err error
		if members[room], err = areMembers(b.tx, room, ids); err != nil {
			return err
		}
	}
	for _, m := range b.rich {
		var left UserIDs // the request keeps its own
		for _, id := range m.Mentions {
			if members[m.RoomID][id] {
				left = append(left, id)
			}
		}
		m.Mentions = left
	}
	return nil
}

func (b *batch) keep(m *Message) {
	if m.QuotedID == "" && len(m.Mentions) == 0 {
		b.plain = append(b.plain, m)
	} else {
		b.rich = append(b.rich, m)
	}
	if m.ParentID != "" {
		if b.replies == nil {
			b.replies = make(map[string]int)
		}
		b.replies[m.ParentID]++
	}
}

// repeat is the result of a request whose message is there already: stored by another Append, or by an earlier attempt of this one.
func repeat(r *request, old Message) result {
	switch {
	case old.ID == r.msg.ID && r.unanswered:
		old.Sender = r.msg.Sender
		return result{msg: old}
	case old.ID == r.msg.ID: // from the outbox, by another process
	case old.Text != r.msg.Text && old.EditedAt == 0 && old.DeletedAt == 0 || old.ParentID != r.msg.ParentID:
		return result{err: ErrIDConflict}
	}
	return result{msg: old, duplicate: true}
}

func (b *batch) insert() error {
	for piece := range pieces(b.plain) {
		if err := b.tx.Omit("QuotedID", "Mentions").Create(&piece).Error; err != nil {
			return err
		}
	}
	for piece := range pieces(b.rich) {
		if err := b.tx.Create(&piece).Error; err != nil {
			return err
		}
	}
	return insertMentions(b.tx, b.rich...)
}

// countReplies adds the new replies to the counts of their parents, in one statement for all that got the same number. Nobody else holds
// two of these rows, as the rooms are locked.
func (b *batch) countReplies() error {
	parents := make(map[int][]string)
	for id, n := range b.replies {
		parents[n] = append(parents[n], id)
	}
	for n, ids := range parents {
		for part := range portions(ids) {
			if err := addReplies(b.tx, n, part...); err != nil {
				return err
			}
		}
	}
	return nil
}

// advance moves the rooms' counters, in one statement for all rooms that got the same number of messages.
func (b *batch) advance() error {
	type step struct {
		by int64
		at Millis
	}
	rooms := make(map[step][]string)
	for id, c := range b.rooms {
		if c != nil && c.added > 0 {
			s := step{c.added, c.lastAt}
			rooms[s] = append(rooms[s], id)
		}
	}
	for s, ids := range rooms {
		for part := range portions(ids) {
			_, err := b.tx.Statement.ConnPool.ExecContext(b.ctx, of(b.sql.advance, len(part)), b.sql.list(part, s.by, int64(s.at))...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// query runs one of the prepared texts; GORM would build and parse it anew each time.
func (b *batch) query(query string, args []any, scan func(*sql.Rows) error) (err error) {
	rows, err := b.tx.Statement.ConnPool.QueryContext(b.ctx, query, args...)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := scan(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// inOrder sorts messages so that those of a room ascend. They do unless some were found to be stored by an earlier attempt.
func inOrder(messages []Message) {
	slices.SortStableFunc(messages, func(x, y Message) int {
		if x.RoomID != y.RoomID {
			return strings.Compare(x.RoomID, y.RoomID)
		}
		return int(x.Seq - y.Seq)
	})
}
