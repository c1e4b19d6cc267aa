package store

import (
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/echochat/echochat/migrations"
)

// maxDropped is how many words are thrown away in one transaction.
const maxDropped = 2000

// indexed is how far the search index has got in a room.
type indexed struct {
	RoomID string
	Seq    int64
}

// TableName implements GORM's schema.Tabler.
func (indexed) TableName() string { return "chat_indexed" }

// indexedWord is a word in a message.
type indexedWord struct {
	word string
	seq  int64
}

func wordsOf(senderID, text string, seq int64) []indexedWord {
	texts := indexedWords(senderID, text)
	words := make([]indexedWord, len(texts))
	for i, w := range texts {
		words[i] = indexedWord{w, seq}
	}
	return words
}

// lockIndexed returns how far the index has got in a room, and keeps it there until the end of the transaction.
func lockIndexed(tx *gorm.DB, roomID string) (int64, error) {
	for {
		var row indexed
		res := tx.Clauses(clause.Locking{Strength: clause.LockingStrengthUpdate}).Limit(1).Find(&row, "room_id = ?", roomID)
		if res.Error != nil || res.RowsAffected > 0 {
			return row.Seq, res.Error
		}
		if err := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&indexed{RoomID: roomID}).Error; err != nil {
			return 0, err
		}
	}
}

func setIndexed(tx *gorm.DB, roomID string, seq int64) error {
	return tx.Model(&indexed{}).Where("room_id = ?", roomID).UpdateColumn("seq", seq).Error
}

const deleteWord = "DELETE FROM chat_words WHERE room_id = ? AND word = ? AND seq = ?"

// reindex keeps the index right when the text of a message changes, in the transaction that changes it; old is the message before. What
// the index has not got yet, it will get as it is then.
func (s *Store) reindex(tx *gorm.DB, old Message, text string) error {
	if old.Text == text {
		return nil
	}
	return s.replaceWords(tx, old, wordsOf(old.SenderID, text, old.Seq))
}

// unindex takes a message that is being deleted out of the index, in the transaction that deletes it; old is the message before.
func (s *Store) unindex(tx *gorm.DB, old Message) error { return s.replaceWords(tx, old, nil) }

func (s *Store) replaceWords(tx *gorm.DB, old Message, words []indexedWord) error {
	upTo, err := lockIndexed(tx, old.RoomID)
	if err != nil || old.Seq > upTo {
		return err
	}
	before := wordsOf(old.SenderID, old.Text, old.Seq)
	for _, w := range before {
		if slices.Contains(words, w) {
			continue
		}
		if err := tx.Exec(deleteWord, old.RoomID, w.word, w.seq).Error; err != nil {
			return err
		}
	}
	fresh := slices.DeleteFunc(words, func(w indexedWord) bool { return slices.Contains(before, w) })
	return insertWords(tx, s.dialect, old.RoomID, fresh)
}

// insertWords adds words of a room to the index. Those that are there already stay as they are.
func insertWords(tx *gorm.DB, d migrations.Dialect, roomID string, words []indexedWord) error {
	slices.SortFunc(words, func(a, b indexedWord) int { return strings.Compare(a.word, b.word) }) // neighbours in the tree
	for part := range pieces(words) {
		statement, args := insertion(d, roomID, part)
		if _, err := tx.Statement.ConnPool.ExecContext(tx.Statement.Context, statement, args...); err != nil {
			return err
		}
	}
	return nil
}

func insertion(d migrations.Dialect, roomID string, words []indexedWord) (statement string, args []any) {
	if d == migrations.Postgres {
		texts, seqs := make([]string, len(words)), make([]string, len(words))
		for i, w := range words {
			texts[i], seqs[i] = w.word, strconv.FormatInt(w.seq, 10)
		}
		return "INSERT INTO chat_words (room_id, word, seq) SELECT $1, w, s FROM unnest($2::text[], $3::bigint[]) v (w, s)" +
			" ON CONFLICT DO NOTHING", []any{roomID, array(texts), array(seqs)}
	}
	args = make([]any, 0, 3*len(words))
	for _, w := range words {
		args = append(args, roomID, w.word, w.seq)
	}
	statement = "INSERT INTO chat_words (room_id, word, seq) VALUES (?, ?, ?)" + strings.Repeat(", (?, ?, ?)", len(words)-1)
	if d == migrations.MySQL {
		return statement + " ON DUPLICATE KEY UPDATE seq = VALUES(seq)", args
	}
	return statement + " ON CONFLICT DO NOTHING", args
}

// dropWords throws a part of a room's words away, in the order of the key, and reports whether there are more.
func dropWords(tx *gorm.DB, roomID string) (more bool, err error) {
	var last []struct {
		Word string
		Seq  int64
	}
	if err := lastDropped(tx, roomID).Find(&last).Error; err != nil {
		return false, err
	}
	if len(last) == 0 {
		return false, tx.Exec("DELETE FROM chat_words WHERE room_id = ?", roomID).Error
	}
	// In two statements, because MySQL reads the whole room for a comparison of two columns at once.
	err = tx.Exec("DELETE FROM chat_words WHERE room_id = ? AND word < ?", roomID, last[0].Word).Error
	if err == nil {
		err = tx.Exec("DELETE FROM chat_words WHERE room_id = ? AND word = ? AND seq <= ?", roomID, last[0].Word, last[0].Seq).Error
	}
	return true, err
}

func lastDropped(tx *gorm.DB, roomID string) *gorm.DB {
	return tx.Table("chat_words").Select("word", "seq").Where("room_id = ?", roomID).Order("word, seq").Offset(maxDropped - 1).Limit(1)
}
