package store

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gorm.io/gorm"
)

const (
	syncRooms   = 50  // rooms with something new in one answer
	syncLooks   = 500 // memberships looked at for it
	syncLatest  = 20  // messages of a room that is new to the caller
	maxSyncList = 5000
)

// SyncQuery asks for what is new in all rooms of a user.
type SyncQuery struct {
	UserID string

	// Since is what the caller has, by room id; a room that is not in it is new to the caller. At most 5,000 rooms.
	Since map[string]SyncPosition

	After    string // SyncPage.Next of the page before; empty for the first page.
	Limit    int    // Messages in all. Defaults to 50, at most 200.
	MaxBytes int    // Ends a page early, see [HistoryQuery]. Defaults to no limit.
}

// SyncPosition is up to where a caller has a room.
type SyncPosition struct {
	Seq   int64
	Epoch string // The room's, or the beginning of it. Empty: not checked.
}

// fits reports whether p can be a position in a room.
func (p SyncPosition) fits(r Room) bool {
	return p.Seq <= r.LastSeq && strings.HasPrefix(r.Epoch, p.Epoch)
}

// RoomNews is what is new in a room.
type RoomNews struct {
	Room   Room
	Member Member // The user's membership, without its User.

	// Messages are those after the caller's position, or the latest of a room that is new to the caller.
	Messages []Message

	// Resync says that the caller's position is not one of this database: what the caller has of the room is to be thrown away.
	Resync bool

	HasMoreBefore bool // Of a room that is new to the caller, or to be resynced.
	HasMoreAfter  bool // The rest is on the next page.
}

// SyncPage is what is new in some rooms, ascending by room id.
type SyncPage struct {
	Rooms []RoomNews
	Left  []string // Rooms in Since whose member the user is not any more.

	// More says that there is more. It is asked for with Next in After, and with what came here added to Since.
	More bool
	Next string
}

// Sync returns what is new in a user's rooms since the caller has last looked: the messages that the caller does not have, room by room,
// once each. Whoever repeats it until there is no more has everything. Edits, deletions and reactions of messages that the caller has
// already are not among it. A call looks at 500 rooms at most, and reads from 50.
func (s *Store) Sync(ctx context.Context, q SyncQuery) (page SyncPage, err error) {
	const op = "sync"
	if q.Limit, err = limit(q.Limit); err != nil {
		return SyncPage{}, wrap(op, err)
	}
	if len(q.Since) > maxSyncList {
		return SyncPage{}, wrap(op, ErrInvalidArgument)
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if q.UserID == "" || !findable(q.UserID, q.After) {
			return nil
		}
		page, err = q.page(tx)
		return err
	})
	if err != nil {
		return SyncPage{}, err
	}
	return page, nil
}

// scope selects the user's rooms behind a place, in the order of the index on (user_id, room_id).
func (q SyncQuery) scope(tx *gorm.DB) *gorm.DB {
	return tx.Table("chat_members m").
		Select("r.*, m.room_id AS m_room_id, m.user_id AS m_user_id, m.role AS m_role, m.joined_at AS m_joined_at,"+
			" m.read_seq AS m_read_seq, m.notifications AS m_notifications").
		Joins("JOIN chat_rooms r ON r.id = m.room_id AND r.deleted_at = 0").
		Where("m.user_id = ? AND m.room_id > ?", q.UserID, q.After).Order("m.room_id").Limit(syncLooks + 1)
}

func (q SyncQuery) page(tx *gorm.DB) (SyncPage, error) {
	var rows []userRoomRow
	if err := q.scope(tx).Scan(&rows).Error; err != nil {
		return SyncPage{}, err
	}
	page := SyncPage{Next: q.After}
	if len(rows) > syncLooks {
		rows, page.More = rows[:syncLooks], true
	}
	n, bytes := q.Limit, q.MaxBytes
	for _, row := range rows {
		if q.knows(row.Room) {
			page.Next = row.Room.ID
			continue
		}
		if n == 0 || len(page.Rooms) == syncRooms || q.MaxBytes > 0 && bytes <= 0 {
			page.More = true
			break
		}
		news, err := q.news(tx, row, n, bytes)
		if err != nil {
			return SyncPage{}, err
		}
		page.Rooms = append(page.Rooms, news)
		if news.HasMoreAfter {
			page.More = true
			break
		}
		page.Next = row.Room.ID
		n -= len(news.Messages)
		for _, m := range news.Messages {
			bytes -= len(m.Text) + len(m.Attachments) + len(m.Metadata)
		}
	}
	page.Left = q.left(rows, page)
	return page, nil
}

// knows reports whether the caller has everything of a room.
func (q SyncQuery) knows(r Room) bool {
	p, ok := q.Since[r.ID]
	return ok && p.fits(r) && p.Seq == r.LastSeq
}

// news reads at most n messages of a room.
func (q SyncQuery) news(tx *gorm.DB, row userRoomRow, n, bytes int) (RoomNews, error) {
	news := RoomNews{Room: row.Room, Member: row.Member}
	h := HistoryQuery{RoomID: row.Room.ID, MaxBytes: bytes}
	since, known := q.Since[row.Room.ID]
	news.Resync = known && !since.fits(row.Room)
	var page Page
	var err error
	if known && !news.Resync {
		page, err = h.after(tx, since.Seq, n)
		news.HasMoreAfter = page.HasMoreAfter
	} else {
		page, err = h.upTo(tx, maxSeq, min(n, syncLatest))
		news.HasMoreBefore = page.HasMoreBefore
	}
	if err != nil {
		return RoomNews{}, err
	}
	news.Messages = page.Messages
	return news, addSenders(tx, news.Messages)
}

// left are the rooms of Since among those that were looked at, whose member the user is not.
func (q SyncQuery) left(rows []userRoomRow, page SyncPage) (left []string) {
	member := make(map[string]bool, len(rows))
	for _, row := range rows {
		member[row.Room.ID] = true
	}
	for _, id := range slices.Sorted(maps.Keys(q.Since)) {
		if id > q.After && (!page.More || id <= page.Next) && !member[id] {
			left = append(left, id)
		}
	}
	return left
}
