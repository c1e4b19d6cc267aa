package store

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

// UserRoom is a room as one of its members sees it in the list of their rooms.
type UserRoom struct {
	Room        Room
	Member      Member   // The user's membership, without its User.
	LastMessage *Message // Nil while there is none.
	Mentions    int64    // How many messages that the user has not read mention them.
}

// Unread is how many messages the user has not read.
func (r UserRoom) Unread() int64 {
	return ReadState{ReadSeq: r.Member.ReadSeq, LastSeq: r.Room.LastSeq}.Unread()
}

// UserRoomQuery selects rooms of a user.
type UserRoomQuery struct {
	UserID string
	Cursor string // UserRoomPage.Next of the page before; empty for the first page.
	Limit  int    // Rooms per page. Defaults to 50, at most 200.

	// MaxBytes ends a page early, before the last messages' texts, attachments and metadata are more than this; one room there is
	// always room for. Defaults to no limit.
	MaxBytes int
}

// UserRoomPage is a page of a user's rooms, the one with the latest message first; those without messages come last.
type UserRoomPage struct {
	Rooms []UserRoom
	Next  string // What to put into UserRoomQuery.Cursor for the next page; empty on the last one.
}

// UserRooms returns a page of the rooms whose member a user is. A room that gets a message while somebody pages moves to the front, so
// the first page has it. A page costs what the number of the user's rooms does, whatever the size of the rooms. It returns
// [ErrInvalidArgument] for a Cursor that no page has given.
func (s *Store) UserRooms(ctx context.Context, q UserRoomQuery) (page UserRoomPage, err error) {
	const op = "rooms of user"
	if q.Limit, err = limit(q.Limit); err != nil {
		return UserRoomPage{}, wrap(op, err)
	}
	after, err := parseUserRoomCursor(q.Cursor)
	if err != nil {
		return UserRoomPage{}, wrap(op, err)
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.UserID) {
			return nil
		}
		page, err = q.page(tx, after)
		return err
	})
	return page, err
}

// userRoomRow is a row of UserRoomQuery.scope.
type userRoomRow struct {
	Room   Room   `gorm:"embedded"`
	Member Member `gorm:"embedded;embeddedPrefix:m_"`
}

func (q UserRoomQuery) page(tx *gorm.DB, after userRoomCursor) (page UserRoomPage, err error) {
	var rows []userRoomRow
	if err := q.scope(tx, after).Scan(&rows).Error; err != nil || len(rows) == 0 {
		return UserRoomPage{}, err
	}
	more := len(rows) > q.Limit
	rows = rows[:min(len(rows), q.Limit)]
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.Room.ID
	}
	last, err := lastMessages(tx, ids)
	if err != nil {
		return UserRoomPage{}, err
	}
	mentions, err := unreadMentions(tx, q.UserID, ids)
	if err != nil {
		return UserRoomPage{}, err
	}
	bytes := 0
	for i, r := range rows {
		room := UserRoom{Room: r.Room, Member: r.Member, Mentions: mentions[r.Room.ID]}
		if m, ok := last[r.Room.ID]; ok {
			room.LastMessage = &m
			bytes += len(m.Text) + len(m.Attachments) + len(m.Metadata)
		}
		if i > 0 && q.MaxBytes > 0 && bytes > q.MaxBytes {
			more = true
			break
		}
		page.Rooms = append(page.Rooms, room)
	}
	if more {
		r := page.Rooms[len(page.Rooms)-1].Room
		page.Next = userRoomCursor{r.LastMessageAt, r.ID}.String()
	}
	return page, nil
}

// scope reads all memberships of the user, and sorts: what the rooms are sorted by changes with each message.
func (q UserRoomQuery) scope(tx *gorm.DB, after userRoomCursor) *gorm.DB {
	tx = tx.Table("chat_members m").
		Select("r.*, m.room_id AS m_room_id, m.user_id AS m_user_id, m.role AS m_role, m.joined_at AS m_joined_at,"+
			" m.read_seq AS m_read_seq, m.notifications AS m_notifications").
		Joins("JOIN chat_rooms r ON r.id = m.room_id AND r.deleted_at = 0").
		Where("m.user_id = ?", q.UserID)
	if after.roomID != "" {
		tx = tx.Where("r.last_message_at < ? OR (r.last_message_at = ? AND r.id > ?)", after.at, after.at, after.roomID)
	}
	return tx.Order("r.last_message_at DESC, r.id").Limit(q.Limit + 1)
}

// lastMessages returns the latest message of each room, with its sender, by room.
func lastMessages(tx *gorm.DB, roomIDs []string) (map[string]Message, error) {
	last := make(map[string]Message, len(roomIDs))
	for part := range portions(roomIDs) {
		var found []Message
		if err := lastMessagesOf(tx, part).Find(&found).Error; err != nil {
			return nil, err
		}
		if err := addSenders(tx, found); err != nil {
			return nil, err
		}
		for _, m := range found {
			last[m.RoomID] = m
		}
	}
	return last, nil
}

func lastMessagesOf(tx *gorm.DB, roomIDs []string) *gorm.DB {
	return tx.Joins("JOIN chat_rooms r ON r.id = chat_messages.room_id AND r.last_seq = chat_messages.seq").Where("r.id IN ?", roomIDs)
}

// unreadMentions returns how many messages that a user has not read mention them, by room.
func unreadMentions(tx *gorm.DB, userID string, roomIDs []string) (map[string]int64, error) {
	mentions := make(map[string]int64)
	for part := range portions(roomIDs) {
		var counts []struct {
			RoomID   string
			Mentions int64
		}
		if err := unreadMentionsOf(tx, userID, part).Scan(&counts).Error; err != nil {
			return nil, err
		}
		for _, c := range counts {
			mentions[c.RoomID] = c.Mentions
		}
	}
	return mentions, nil
}

// mentionsSQL counts the unread mentions of the member m.
const mentionsSQL = "(SELECT COUNT(*) FROM chat_mentions n WHERE n.user_id = m.user_id AND n.room_id = m.room_id AND n.seq > m.read_seq)"

func unreadMentionsOf(tx *gorm.DB, userID string, roomIDs []string) *gorm.DB {
	return tx.Table("chat_members m").Select("m.room_id, "+mentionsSQL+" AS mentions").Where("m.user_id = ? AND m.room_id IN ?", userID, roomIDs)
}

// Unread is what a user has not read in all their rooms.
type Unread struct {
	Rooms    int64 // In how many rooms there is something.
	Messages int64
	Mentions int64
}

// Unread counts what a user has not read, leaving out rooms with NotifyNone. It costs what the number of the user's rooms does.
func (s *Store) Unread(ctx context.Context, userID string) (u Unread, err error) {
	err = s.reading(ctx, "unread", func(tx *gorm.DB) error {
		if !findable(userID) {
			return nil
		}
		return unreadOf(tx, userID).Scan(&u).Error
	})
	return u, err
}

func unreadOf(tx *gorm.DB, userID string) *gorm.DB {
	return tx.Table("chat_members m").
		Select("COUNT(*) AS rooms, COALESCE(SUM(r.last_seq - m.read_seq), 0) AS messages, COALESCE(SUM("+mentionsSQL+"), 0) AS mentions").
		Joins("JOIN chat_rooms r ON r.id = m.room_id AND r.deleted_at = 0 AND r.last_seq > m.read_seq").
		Where("m.user_id = ? AND m.notifications <> ?", userID, NotifyNone)
}

// userRoomCursor is a place in the list of a user's rooms.
type userRoomCursor struct {
	at     Millis
	roomID string
}

func (c userRoomCursor) String() string { return strconv.FormatInt(int64(c.at), 10) + "." + c.roomID }

func parseUserRoomCursor(s string) (userRoomCursor, error) {
	if s == "" {
		return userRoomCursor{}, nil
	}
	at, id, _ := strings.Cut(s, ".")
	ms, err := strconv.ParseInt(at, 10, 64)
	if err != nil || id == "" || !findable(id) {
		return userRoomCursor{}, fmt.Errorf("%w: cursor %q", ErrInvalidArgument, s)
	}
	return userRoomCursor{Millis(ms), id}, nil
}
