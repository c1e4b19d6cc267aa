package store

import (
	"database/sql/driver"
	"fmt"
	"slices"

	"gorm.io/gorm"
)

// maxMentions bounds the users named in one message.
const maxMentions = 100

// UserIDs is a list of user ids, stored as a JSON array; none is stored as nothing.
type UserIDs []string

// Value implements [database/sql/driver.Valuer].
func (u UserIDs) Value() (driver.Value, error) { return jsonText(u, len(u) == 0) }

// Scan implements [database/sql.Scanner].
func (u *UserIDs) Scan(src any) error { return scanJSON(src, u) }

// mention is a user's being named in a message; it stands beside Message.Mentions for counting unread ones.
type mention struct {
	UserID string `gorm:"primaryKey"`
	RoomID string `gorm:"primaryKey"`
	Seq    int64  `gorm:"primaryKey;autoIncrement:false"`
}

func checkMentions(ids UserIDs) error {
	if len(ids) > maxMentions {
		return fmt.Errorf("%w: %d mentions, at most %d are allowed", ErrInvalidArgument, len(ids), maxMentions)
	}
	return nil
}

// membersAmong returns those of the ids that are members of a room, each once, in the order given; nil when there are none.
func membersAmong(tx *gorm.DB, roomID string, ids UserIDs) (members UserIDs, err error) {
	is, err := areMembers(tx, roomID, ids)
	for _, id := range ids {
		if is[id] {
			members = append(members, id)
			is[id] = false
		}
	}
	return members, err
}

// areMembers tells which of the ids are members of a room.
func areMembers(tx *gorm.DB, roomID string, ids UserIDs) (map[string]bool, error) {
	is := make(map[string]bool, len(ids))
	if !findable(roomID) {
		return is, nil
	}
	askable := slices.Compact(slices.Sorted(slices.Values(ids)))
	askable = slices.DeleteFunc(askable, func(id string) bool { return id == "" || !findable(id) })
	for part := range portions(askable) {
		var found []Member
		if err := membersIn(tx, roomID, part).Find(&found).Error; err != nil {
			return nil, err
		}
		for _, m := range found {
			is[m.UserID] = true
		}
	}
	return is, nil
}

func membersIn(tx *gorm.DB, roomID string, ids []string) *gorm.DB {
	return tx.Where("room_id = ? AND user_id IN ?", roomID, ids)
}

// insertMentions stores who is named in messages that have their places.
func insertMentions(tx *gorm.DB, messages ...*Message) error {
	var rows []mention
	for _, m := range messages {
		for _, id := range m.Mentions {
			rows = append(rows, mention{UserID: id, RoomID: m.RoomID, Seq: m.Seq})
		}
	}
	for piece := range pieces(rows) {
		if err := tx.Create(&piece).Error; err != nil {
			return err
		}
	}
	return nil
}

func deleteMentions(tx *gorm.DB, m Message) error {
	return tx.Delete(&mention{}, "room_id = ? AND seq = ?", m.RoomID, m.Seq).Error
}
