package store

import (
	"context"

	"gorm.io/gorm"
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

// accessRow is a row of accessSQL: one for each sanction of the user, but at least one.
type accessRow struct {
	Room       Room       `gorm:"embedded"`
	Member     Member     `gorm:"embedded;embeddedPrefix:m_"`
	Invitation Invitation `gorm:"embedded;embeddedPrefix:i_"`
	Sanction   Sanction   `gorm:"embedded;embeddedPrefix:s_"`
}

const accessSQL = "SELECT r.*," +
	" m.room_id AS m_room_id, m.user_id AS m_user_id, m.role AS m_role, m.joined_at AS m_joined_at, m.read_seq AS m_read_seq," +
	" m.notifications AS m_notifications," +
	" i.room_id AS i_room_id, i.user_id AS i_user_id, i.role AS i_role, i.invited_by AS i_invited_by, i.created_at AS i_created_at," +
	" s.user_id AS s_user_id, s.kind AS s_kind, s.room_id AS s_room_id, s.set_by AS s_set_by, s.reason AS s_reason," +
	" s.until AS s_until, s.created_at AS s_created_at" +
	" FROM chat_rooms r" +
	" LEFT JOIN chat_members m ON m.room_id = r.id AND m.user_id = ?" +
	" LEFT JOIN chat_invitations i ON i.room_id = r.id AND i.user_id = ?" +
	" LEFT JOIN chat_sanctions s ON s.user_id = ? AND s.kind IN ('mute', 'ban') AND s.room_id IN ('', ?) AND (s.until = 0 OR s.until > ?)" +
	" WHERE r.id = ? AND r.deleted_at = 0"

func (q AccessQuery) args(roomID string) []any {
	return []any{q.UserID, q.UserID, q.UserID, roomID, now(), roomID}
}

// standing is everything but the message.
func (q AccessQuery) standing(tx *gorm.DB, roomID string, missing error) (Access, error) {
	if !findable(roomID) {
		return Access{}, missing
	}
	var rows []accessRow
	if err := tx.Raw(accessSQL, q.args(roomID)...).Scan(&rows).Error; err != nil {
		return Access{}, err
	}
	if len(rows) == 0 {
		return Access{}, missing
	}
	a := Access{Room: rows[0].Room}
	if rows[0].Member.UserID != "" {
		a.Member = &rows[0].Member
	}
	if rows[0].Invitation.UserID != "" {
		a.Invited = &rows[0].Invitation
	}
	for i := range rows {
		switch s := &rows[i].Sanction; s.Kind {
		case SanctionMute:
			a.Muted = longer(a.Muted, s)
		case SanctionBan:
			a.Banned = longer(a.Banned, s)
		}
	}
	return a, nil
}

// longer is the sanction that ends later; s may be nil.
func longer(s, t *Sanction) *Sanction {
	if s != nil && !t.outlasts(*s) {
		return s
	}
	return t
}
