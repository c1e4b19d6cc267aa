package store

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
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
	tx := w.db.WithContext(ctx).Begin(w.tx)
	if tx.Error != nil {
		return nil, tx.Error
	}
	committing := false
	defer func() {
		if !committing {
			tx.Rollback()
		}
	}()
	b := batch{tx: tx, requests: slices.Concat(requests, w.unresolved), fresh: len(requests)}
	for _, step := range []func() error{b.lockRooms, b.lookUp, b.number, b.insert, b.advance} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	committing = true
	if err := tx.Commit().Error; err != nil {
		err = errors.Join(errUnanswered, err)
		for _, r := range requests {
			r.unanswered = isTransient(err)
		}
		return nil, err
	}
	return b.results, nil
}

// batch is one transaction that stores messages.
type batch struct {
	tx       *gorm.DB
	requests []*request
	fresh    int // the first of requests are to be stored, the others only looked up

	rooms    map[string]*counter
	known    []known            // per request
	existing map[string]Message // by id
	results  []result           // per request
	messages []Message          // to be inserted
}

// counter is a room's row, locked.
type counter struct {
	ID            string
	LastSeq       int64
	LastMessageAt Millis
	added         int64
}

// known is what the database knows of a request.
type known struct {
	I        int
	Member   bool
	Existing *string // id of the message with the same room, sender and ClientID
}

// lockRooms locks the rows of the batch's rooms in the order of their ids, as every process does. From then on nothing is
// appended to these rooms, and nobody is removed from them, before this transaction ends.
func (b *batch) lockRooms() error {
	b.rooms = make(map[string]*counter)
	for _, r := range b.requests {
		b.rooms[r.msg.RoomID] = nil
	}
	ids := make([]string, 0, len(b.rooms))
	for id := range b.rooms {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for part := range portions(ids) {
		var found []*counter
		err := b.tx.Model(&Room{}).Select("id", "last_seq", "last_message_at").Where("id IN ?", part).
			Order("id").Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Find(&found).Error
		if err != nil {
			return err
		}
		for _, c := range found {
			b.rooms[c.ID] = c
		}
	}
	return nil
}

// lookUp asks, in one query, which senders are members and which messages are there already.
func (b *batch) lookUp() error {
	b.known = make([]known, len(b.requests))
	start := 0
	for part := range portions(b.requests) {
		args := make([]any, 0, 3*len(part))
		for _, r := range part {
			args = append(args, r.msg.RoomID, r.msg.SenderID, r.msg.ClientID)
		}
		var rows []known
		if err := b.tx.Raw(lookUpSQL(len(part)), args...).Scan(&rows).Error; err != nil {
			return err
		}
		for _, row := range rows {
			if i := start + row.I; i < len(b.known) { // not one of those that fill the portion up
				b.known[i] = row
			}
		}
		start += len(part)
	}
	var ids []string
	for i, r := range b.requests {
		if id := b.known[i].Existing; id != nil {
			ids = append(ids, *id)
		} else {
			r.unanswered = false
		}
	}
	return b.load(ids)
}

// lookUpSQL joins n requests, given as a table, with members and messages. Lists of rows in IN would be the obvious way, but
// MariaDB and PostgreSQL do not use an index for long ones.
func lookUpSQL(n int) string {
	var q strings.Builder
	q.WriteString("SELECT v.i, m.user_id IS NOT NULL AS member, e.id AS existing FROM (SELECT 0 AS i, ? AS room_id, ? AS user_id, ? AS client_id")
	for i := 1; i < n; i++ {
		q.WriteString(" UNION ALL SELECT ")
		q.WriteString(strconv.Itoa(i))
		q.WriteString(", ?, ?, ?")
	}
	q.WriteString(") v LEFT JOIN chat_members m ON m.room_id = v.room_id AND m.user_id = v.user_id" +
		" LEFT JOIN chat_messages e ON e.room_id = v.room_id AND e.sender_id = v.user_id AND e.client_id = v.client_id")
	return q.String()
}

// load reads the messages that are there already, which only a repeated Append asks for.
func (b *batch) load(ids []string) error {
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
	first := make(map[key]int)
	at := now()
	b.results = make([]result, len(b.requests))
	for i, r := range b.requests {
		k := key{r.msg.RoomID, r.msg.SenderID, r.msg.ClientID}
		room := b.rooms[r.msg.RoomID]
		res := &b.results[i]
		j, repeated := first[k]
		switch {
		case b.known[i].Existing != nil:
			*res = repeat(r, b.existing[*b.known[i].Existing])
		case i >= b.fresh:
			res.err = errAbsent
		case repeated && b.results[j].err == nil:
			*res = repeat(r, b.results[j].msg)
		case room == nil:
			res.err = ErrRoomNotFound
		case !r.system && !b.known[i].Member:
			res.err = ErrNotMember
		default:
			first[k] = i
			room.added++
			room.LastMessageAt = max(room.LastMessageAt, at)
			res.msg = r.msg
			res.msg.Seq, res.msg.CreatedAt = room.LastSeq+room.added, room.LastMessageAt
			b.messages = append(b.messages, res.msg)
		}
	}
	return nil
}

// repeat is the result of a request whose message is there already: stored by another Append, or by an earlier attempt of this one.
func repeat(r *request, old Message) result {
	switch {
	case old.ID == r.msg.ID:
		old.Sender = r.msg.Sender
		return result{msg: old}
	case old.Text != r.msg.Text || old.ParentID != r.msg.ParentID:
		return result{err: ErrIDConflict}
	}
	return result{msg: old, duplicate: true}
}

func (b *batch) insert() error {
	for piece := range pieces(b.messages) {
		if err := b.tx.Create(&piece).Error; err != nil {
			return err
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
			s := step{c.added, c.LastMessageAt}
			rooms[s] = append(rooms[s], id)
		}
	}
	for s, ids := range rooms {
		for part := range portions(ids) {
			err := b.tx.Model(&Room{}).Where("id IN ?", part).UpdateColumns(map[string]any{
				"last_seq": gorm.Expr("last_seq + ?", s.by), "last_message_at": s.at,
			}).Error
			if err != nil {
				return err
			}
		}
	}
	return nil
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
