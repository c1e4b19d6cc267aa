package store

import (
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"gorm.io/gorm"
)

// Questions that are answered by one look into a primary key, each with values of its own. A list of places or a join would say the same,
// but a planner that is wrong about how common a word is, or how large a room, then reads all of that word or room.
const (
	latestPlace = "(SELECT seq FROM chat_words WHERE room_id = ? AND word = ? AND seq <= ? ORDER BY seq DESC LIMIT 1)"
	wordAt      = "(SELECT seq FROM chat_words WHERE room_id = ? AND word = ? AND seq = ?)"
	timeAt      = "(SELECT created_at FROM chat_messages WHERE room_id = ? AND seq = ?)"
	messageAt   = "SELECT * FROM chat_messages WHERE room_id = ? AND seq = ? AND deleted_at = 0"
)

// maxQuestions is how many questions are put in one statement.
const maxQuestions = 64

// ask puts a question with each of the values, and returns the answers, 0 where there is none.
func (s *search) ask(question string, values [][]any) ([]int64, error) {
	answers := make([]int64, 0, len(values))
	for chunk := range slices.Chunk(values, maxQuestions) {
		for part := range portions(chunk) {
			found := make([]sql.NullInt64, len(part))
			targets := make([]any, len(part))
			for i := range found {
				targets[i] = &found[i]
			}
			if err := s.questions(question, part).Row().Scan(targets...); err != nil {
				return nil, err
			}
			for _, answer := range found[:len(chunk)] {
				answers = append(answers, answer.Int64)
			}
		}
	}
	return answers, nil
}

func (s *search) questions(question string, values [][]any) *gorm.DB {
	return s.tx.Raw("SELECT "+question+strings.Repeat(", "+question, len(values)-1), slices.Concat(values...)...)
}

// times passes on, for each room, when the message at a place was stored: 0 where there is none, which is among the first of a room.
func (s *search) times(rooms []*searchedRoom, seq func(*searchedRoom) int64, answer func(*searchedRoom, Millis)) error {
	s.effort -= len(rooms)
	values := make([][]any, len(rooms))
	for i, r := range rooms {
		values[i] = []any{r.ID, seq(r)}
	}
	times, err := s.ask(timeAt, values)
	for i, at := range times {
		answer(rooms[i], Millis(at))
	}
	return err
}

// places selects where a word stands, descending.
func (s *search) places(roomID, word string, upTo int64, n int) *gorm.DB {
	return s.tx.Table("chat_words").Where("room_id = ? AND word = ? AND seq <= ?", roomID, word, upTo).Order("seq DESC").Limit(n)
}

// having returns those of the places that a word has.
func (s *search) having(roomID, word string, seqs []int64) ([]int64, error) {
	s.effort -= len(seqs)
	values := make([][]any, len(seqs))
	for i, seq := range seqs {
		values[i] = []any{roomID, word, seq}
	}
	found, err := s.ask(wordAt, values)
	return slices.DeleteFunc(found, func(seq int64) bool { return seq == 0 }), err
}

// messagesAt reads messages that have not been deleted.
func (s *search) messagesAt(roomID string, seqs []int64) (messages []Message, err error) {
	s.effort -= len(seqs)
	for chunk := range slices.Chunk(seqs, maxQuestions) {
		var found []Message
		if err := s.messages(roomID, chunk).Scan(&found).Error; err != nil {
			return nil, err
		}
		messages = append(messages, found...)
	}
	return messages, nil
}

func (s *search) messages(roomID string, seqs []int64) *gorm.DB {
	values := make([]any, 0, 2*len(seqs))
	for _, seq := range seqs {
		values = append(values, roomID, seq)
	}
	return s.tx.Raw(messageAt+strings.Repeat(" UNION ALL "+messageAt, len(seqs)-1), values...)
}

// between selects messages that have not been deleted.
func (s *search) between(roomID string, after, upTo int64) *gorm.DB {
	return s.tx.Where("room_id = ? AND seq > ? AND seq <= ? AND deleted_at = 0", roomID, after, upTo).Order("seq DESC")
}

// chooseRooms reads the rooms to be searched.
func (s *search) chooseRooms() error {
	for after := ""; ; {
		var page []*searchedRoom
		if err := s.roomsAfter(after).Find(&page).Error; err != nil {
			return err
		}
		for _, room := range page {
			if room.LastSeq > room.Indexed {
				s.behind = append(s.behind, room.ID)
			}
			room.Indexed = max(room.Indexed, 0)
		}
		if s.rooms = append(s.rooms, page...); len(s.rooms) > maxSearchRooms {
			return fmt.Errorf("%w: the user is in more than %d rooms: name one", ErrInvalidArgument, maxSearchRooms)
		}
		if len(page) < maxPortion || s.q.RoomID != "" {
			return nil
		}
		after = page[len(page)-1].ID
	}
}

func (s *search) roomsAfter(after string) *gorm.DB {
	tx := s.tx.Table("chat_rooms r").Select("r.id, r.last_seq, COALESCE(i.seq, 0) AS indexed").
		Joins("LEFT JOIN chat_indexed i ON i.room_id = r.id").Where("r.deleted_at = 0").Limit(maxPortion)
	if s.q.UserID != "" {
		tx = tx.Joins("JOIN chat_members m ON m.room_id = r.id").Where("m.user_id = ? AND m.room_id > ?", s.q.UserID, after).Order("m.room_id")
	}
	if s.q.RoomID != "" {
		tx = tx.Where("r.id = ?", s.q.RoomID)
	}
	return tx
}

// addSenders fills in how to show the senders.
func (s *search) addSenders(hits []Hit) error {
	messages := make([]Message, len(hits))
	for i := range hits {
		messages[i] = hits[i].Message
	}
	err := addSenders(s.tx, messages)
	for i := range hits {
		hits[i].Message = messages[i]
	}
	return err
}
