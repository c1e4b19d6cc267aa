package store

import (
	"context"
	"fmt"
	"maps"

	"gorm.io/gorm"
)

// Statement is one that the store runs, with values.
type Statement struct {
	SQL  string
	Args []any
}

// Statements are those whose cost must not grow with the size of the chat, by what they are for.
func Statements(s *Store) map[string]Statement {
	dry := s.read.Session(&gorm.Session{DryRun: true})
	built := func(tx *gorm.DB) Statement { return Statement{tx.Statement.SQL.String(), tx.Statement.Vars} }
	h := HistoryQuery{RoomID: "general"}
	thread := HistoryQuery{RoomID: "general", Thread: "m5000"}
	batch := make([]*request, 64)
	for i := range batch {
		batch[i] = &request{msg: Message{RoomID: "general", SenderID: "ann", ClientID: "c"}}
	}
	keys, moves := make([]memberKey, 64), make([]move, 64)
	for i := range keys {
		keys[i] = memberKey{"general", fmt.Sprint("user-", i)}
		moves[i] = move{keys[i], 5000}
	}
	sql := &s.writer.sql
	statements := map[string]Statement{
		"latest page":      built(h.scope(dry, "seq <= ?", maxSeq, "seq DESC").Limit(51).Find(&[]Message{})),
		"page before":      built(h.scope(dry, "seq <= ?", 5000, "seq DESC").Limit(51).Find(&[]Message{})),
		"page after":       built(h.scope(dry, "seq > ?", 5000, "seq").Limit(51).Find(&[]Message{})),
		"more before":      built(h.scope(dry, "seq <= ?", 5000, "seq DESC").Model(&Message{}).Limit(1).Pluck("seq", &[]int64{})),
		"latest of thread": built(thread.scope(dry, "seq <= ?", maxSeq, "seq DESC").Limit(51).Find(&[]Message{})),
		"thread page":      built(thread.scope(dry, "seq > ?", 5000, "seq").Limit(51).Find(&[]Message{})),
		"rooms to sync":    built(SyncQuery{UserID: "ann", After: "room-50"}.scope(dry).Scan(&[]userRoomRow{})),
		"outbox":           built(outboxOrder(dry).Find(&[]parcel{})),
		"pins":             built(pins(dry, "general").Find(&[]Message{})),
		"own reactions":    built(ownReactions(dry, "ann", []string{"m1", "m2"}).Find(&[]reaction{})),
		"members named":    built(membersIn(dry, "general", []string{"user-1", "user-2"}).Find(&[]Member{})),
		"count replies":    built(dry.Model(&Message{}).Where("id IN ?", []string{"m1", "m2"}).UpdateColumn("reply_count", gorm.Expr("reply_count + ?", 1))),
		"unmention":        built(dry.Delete(&mention{}, "room_id = ? AND seq = ?", "general", 5000)),
		"remove reactions": built(dry.Delete(&reaction{}, "message_id = ?", "m5000")),
		"message":          built(dry.Where("id = ?", "m5000").Where(inRoom).Limit(1).Find(&[]Message{})),
		"place of message": built(dry.Select("seq").Take(&Message{}, "id = ? AND room_id = ?", "m5000", "general")),
		"rooms of a user":  built(RoomQuery{MemberID: "ann", Limit: 50}.scope(dry).Find(&[]Room{})),
		"rooms":            built(RoomQuery{After: "room-50", Limit: 50}.scope(dry).Find(&[]Room{})),
		"rooms of a type":  built(RoomQuery{Type: RoomPrivate, After: "room-50", Limit: 50}.scope(dry).Find(&[]Room{})),
		"members":          built(MemberQuery{RoomID: "general", After: "user-50", Limit: 50}.scope(dry).Find(&[]Member{})),
		"access":           built(dry.Raw(accessSQL, AccessQuery{UserID: "ann"}.args("general")...).Find(&[]Room{})),
		"invitations":      built(InvitationQuery{RoomID: "general", Limit: 50}.scope(dry).Find(&[]Invitation{})),
		"invited to":       built(InvitationQuery{UserID: "ann", Limit: 50}.scope(dry).Find(&[]Invitation{})),
		"sanctions":        built(SanctionQuery{Kind: SanctionBan, RoomID: "general", Limit: 50}.scope(dry).Find(&[]Sanction{})),
		"sanctions held":   built(holding(dry, "ann", SanctionBan, "general").Find(&[]Sanction{})),
		"open flags":       built(FlagQuery{Limit: 50}.scope(dry, flagCursor{id: "f50"}).Find(&[]Flag{})),
		"flags of a room":  built(FlagQuery{RoomID: "general", Limit: 50}.scope(dry, flagCursor{id: "f50"}).Find(&[]Flag{})),
		"resolved flags":   built(FlagQuery{Resolved: true, Limit: 50}.scope(dry, flagCursor{50, "f50"}).Find(&[]Flag{})),
		"audit log":        built(AuditQuery{Before: "a50", Limit: 50}.scope(dry).Find(&[]Audit{})),
		"audit of a room":  built(AuditQuery{RoomID: "general", Limit: 50}.scope(dry).Find(&[]Audit{})),
		"rooms to purge":   built(purgeable(dry).Pluck("id", &[]string{})),
		"shared rooms":     built(sharedRooms(dry, "ann", "user-5").Limit(1).Pluck("m.room_id", &[]string{})),
		"rooms of user":    built(UserRoomQuery{UserID: "ann", Limit: 50}.scope(dry, userRoomCursor{5, "r"}).Scan(&[]userRoomRow{})),
		"last messages":    built(lastMessagesOf(dry, []string{"general", "room-1"}).Find(&[]Message{})),
		"unread mentions":  built(unreadMentionsOf(dry, "ann", []string{"general", "room-1"}).Scan(&[]Unread{})),
		"unread":           built(unreadOf(dry, "ann").Scan(&Unread{})),
		"read states":      {of(s.marker.sql.state, 64), s.marker.sql.keys(keys)},
		"read positions":   {of(s.marker.sql.move, 64), s.marker.sql.moves(moves)},
		"last seen":        built(dry.Model(&User{}).Where("id IN ? AND last_seen_at < ?", []string{"ann", "bob"}, 5).UpdateColumn("last_seen_at", 5)),
		"users":            built(dry.Find(&[]User{}, "id IN ?", []string{"ann", "bob"})),
		"lock rooms":       {of(sql.lock, 4), sql.list([]string{"a", "b", "c", "d"})},
		"look up a batch":  {of(sql.lookUp, 64), sql.table(batch)},
	}
	maps.Copy(statements, searchStatements(s, dry, built))
	return statements
}

func searchStatements(s *Store, dry *gorm.DB, built func(*gorm.DB) Statement) map[string]Statement {
	run := search{tx: dry, q: SearchQuery{UserID: "ann"}}
	inRoom := search{tx: dry, q: SearchQuery{UserID: "ann", RoomID: "general"}}
	seqs := make([]int64, maxQuestions)
	var latest, times [][]any
	for i := range seqs {
		seqs[i] = int64(1 + 37*i)
		latest, times = append(latest, []any{"general", "lorem", seqs[i]}), append(times, []any{"general", seqs[i]})
	}
	return map[string]Statement{
		"rooms to search":      built(run.roomsAfter("room-50").Find(&[]searchedRoom{})),
		"room to search":       built(inRoom.roomsAfter("").Find(&[]searchedRoom{})),
		"places of a word":     built(run.places("general", "lorem", 5000, maxCandidates).Pluck("seq", &[]int64{})),
		"latest of words":      built(run.questions(latestPlace, latest).Scan(&[]int{})),
		"words at places":      built(run.questions(wordAt, latest).Scan(&[]int{})),
		"times of places":      built(run.questions(timeAt, times).Scan(&[]int{})),
		"messages at places":   built(run.messages("general", seqs).Scan(&[]Message{})),
		"messages not indexed": built(run.between("general", 5000, 5064).Find(&[]Message{})),
		"rooms to index":       built(indexedUpTo(dry, "room-50").Scan(&[]Room{})),
		"messages to index":    built(unindexed(dry, "general", 5000).Find(&[]Message{})),
		"words to drop":        built(lastDropped(dry, "general").Scan(&[]int{})),
		"word of a message":    built(dry.Exec(deleteWord, "general", "lorem", 5000)),
	}
}

// StopIndexer leaves the search index alone from now on, apart from CatchUp.
func StopIndexer(s *Store) { s.indexer.stop() }

// CatchUp brings the search index of a room up to date.
func CatchUp(s *Store, roomID string) (err error) {
	for more := true; more && err == nil; {
		more, err = s.indexer.step(context.Background(), roomID)
	}
	return err
}

// IndexedWords are the words by which a message should be found.
func IndexedWords(m Message) []string { return indexedWords(m.SenderID, m.Text) }

// HasWords reports whether a message has all words of a text.
func HasWords(m Message, text string) bool {
	_, ok := find(m.Text, phrasesOf(text))
	return ok
}
