package store

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"strings"
	"sync"

	"gorm.io/gorm"

	"github.com/echochat/echochat/migrations"
)

// AccessQuery names a user and what they want to get at: a room, or a message and with it the room it is in. With both, the message
// has to be in that room.
type AccessQuery struct {
	UserID    string // Empty stands for nobody, who is no member anywhere.
	RoomID    string
	MessageID string
}

// Access is what there is to know for deciding what a user may do in a room or with a message.
type Access struct {
	Room    Room
	Member  *Member     // The user's membership, without its User; nil when they have none.
	Invited *Invitation // The user's invitation; nil when they have none.

	// Muted and Banned are sanctions in this room or everywhere that have not ended; the longer one where there are two. Nil: none.
	Muted, Banned *Sanction

	// Message is the one asked for, without its Sender; also one that is deleted, which has DeletedAt set. Nil without a MessageID.
	Message *Message
}

// Access looks up all that decides what a user may do: in one query, and one more for a message.
//
// It returns [ErrRoomNotFound] for a room that does not exist, and [ErrMessageNotFound] for a message that does not, or is not in the
// room. With the latter the Access has everything but the Message when the query named a room that exists.
func (s *Store) Access(ctx context.Context, q AccessQuery) (a Access, err error) {
	err = s.reading(ctx, "access", func(tx *gorm.DB) error {
		a, err = q.access(tx)
		return err
	})
	return a, err
}

// AccessTx is Access for somebody who holds tx, a transaction of the application, and shall not need a second connection of its pool. On SQLite
// it asks on a connection of the store's own all the same: a transaction that has read might not be able to write.
func (s *Store) AccessTx(ctx context.Context, tx *gorm.DB, q AccessQuery) (a Access, err error) {
	if s.dialect == migrations.SQLite {
		return s.Access(ctx, q)
	}
	const op = "access in a transaction"
	if err := s.enter(); err != nil {
		return Access{}, wrap(op, err)
	}
	own, err := s.within(ctx, tx)
	if err == nil {
		a, err = q.access(own)
	}
	if err != nil {
		err = wrap(op, err)
	}
	return a, err
}

func (q AccessQuery) access(tx *gorm.DB) (Access, error) {
	if !findable(q.UserID) {
		q.UserID = ""
	}
	if q.MessageID == "" {
		return q.standing(tx, q.RoomID, ErrRoomNotFound)
	}
	m, found, err := q.message(tx)
	switch {
	case err != nil:
		return Access{}, err
	case found && (q.RoomID == "" || q.RoomID == m.RoomID):
		missing := ErrMessageNotFound // what a deleted room had in it is not there any more
		if q.RoomID != "" {
			missing = ErrRoomNotFound
		}
		a, err := q.standing(tx, m.RoomID, missing)
		if err == nil {
			a.Message = &m
		}
		return a, err
	case q.RoomID == "":
		return Access{}, ErrMessageNotFound
	}
	a, err := q.standing(tx, q.RoomID, ErrRoomNotFound)
	if err == nil {
		err = ErrMessageNotFound
	}
	return a, err
}

func (q AccessQuery) message(tx *gorm.DB) (m Message, found bool, err error) {
	if !findable(q.MessageID) {
		return Message{}, false, nil
	}
	page := make([]Message, 0, 1)
	if err := tx.Limit(1).Find(&page, "id = ?", q.MessageID).Error; err != nil || len(page) == 0 {
		return Message{}, false, err
	}
	return page[0], true, nil
}

// accessSQL has a row for each sanction of the user in question, but at least one. The conditions on sanctions are spelled out because
// SQLite fills a temporary table for each list after IN, which takes longer than everything else here; a user has few of them.
const accessSQL = "SELECT r.id, r.epoch, r.type, r.name, r.topic, r.created_by, r.last_seq, r.last_message_at, r.member_count," +
	" r.metadata, r.created_at, r.updated_at," +
	" COALESCE(m.user_id, ''), COALESCE(m.role, ''), COALESCE(m.joined_at, 0), COALESCE(m.read_seq, 0), COALESCE(m.notifications, '')," +
	" COALESCE(i.user_id, ''), COALESCE(i.role, ''), COALESCE(i.invited_by, ''), COALESCE(i.created_at, 0)," +
	" COALESCE(s.kind, ''), COALESCE(s.room_id, ''), COALESCE(s.set_by, ''), COALESCE(s.reason, ''), COALESCE(s.until, 0)," +
	" COALESCE(s.created_at, 0)" +
	" FROM chat_rooms r" +
	" LEFT JOIN chat_members m ON m.room_id = r.id AND m.user_id = ?" +
	" LEFT JOIN chat_invitations i ON i.room_id = r.id AND i.user_id = ?" +
	" LEFT JOIN chat_sanctions s ON s.user_id = ? AND (s.room_id = '' OR s.room_id = ?) AND (s.until = 0 OR s.until > ?)" +
	" WHERE r.id = ? AND r.deleted_at = 0"

// accessPostgres is accessSQL as PostgreSQL spells parameters. Every operation asks it: GORM would build and parse it anew each time.
var accessPostgres = sync.OnceValue(func() string {
	var text strings.Builder
	for i, part := range strings.Split(accessSQL, "?") {
		if i > 0 {
			text.WriteString("$" + strconv.Itoa(i))
		}
		text.WriteString(part)
	}
	return text.String()
})

func (q AccessQuery) args(roomID string) []any {
	return []any{q.UserID, q.UserID, q.UserID, roomID, now(), roomID}
}

// standing is everything but the message.
func (q AccessQuery) standing(tx *gorm.DB, roomID string, missing error) (a Access, err error) {
	if !findable(roomID) {
		return Access{}, missing
	}
	ctx, text := tx.Statement.Context, accessSQL
	switch tx.Name() {
	case "sqlite": // for a context that can end, the drivers start a goroutine; this ends by itself
		ctx = context.WithoutCancel(ctx)
	case "postgres":
		text = accessPostgres()
	}
	rows, err := tx.Statement.ConnPool.QueryContext(ctx, text, q.args(roomID)...)
	if err != nil {
		return Access{}, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		if err := a.scan(rows); err != nil {
			return Access{}, err
		}
	}
	if err := rows.Err(); err != nil {
		return Access{}, err
	}
	if a.Room.ID == "" {
		return Access{}, missing
	}
	for _, s := range []*Sanction{a.Muted, a.Banned} {
		if s != nil {
			s.UserID = q.UserID
		}
	}
	return a, nil
}

// scan takes over a row of accessSQL.
func (a *Access) scan(rows *sql.Rows) error {
	var m Member
	var i Invitation
	var s Sanction
	r := &a.Room
	err := rows.Scan(
		&r.ID, &r.Epoch, &r.Type, &r.Name, &r.Topic, &r.CreatedBy, &r.LastSeq, &r.LastMessageAt, &r.MemberCount,
		&r.Metadata, &r.CreatedAt, &r.UpdatedAt,
		&m.UserID, &m.Role, &m.JoinedAt, &m.ReadSeq, &m.Notifications,
		&i.UserID, &i.Role, &i.InvitedBy, &i.CreatedAt,
		&s.Kind, &s.RoomID, &s.SetBy, &s.Reason, &s.Until, &s.CreatedAt,
	)
	if err != nil {
		return err
	}
	if m.UserID != "" {
		m.RoomID = r.ID
		a.Member = &m
	}
	if i.UserID != "" {
		i.RoomID = r.ID
		a.Invited = &i
	}
	switch s.Kind {
	case SanctionMute:
		a.Muted = longer(a.Muted, &s)
	case SanctionBan:
		a.Banned = longer(a.Banned, &s)
	}
	return nil
}

// longer is the sanction that ends later; s may be nil.
func longer(s, t *Sanction) *Sanction {
	if s != nil && !t.outlasts(*s) {
		return s
	}
	return t
}
