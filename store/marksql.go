package store

import (
	"strconv"

	"github.com/echochat/echochat/migrations"
)

// move is a read position to be stored.
type move struct {
	memberKey
	seq int64
}

// markSQL has the statements of the marker, for each length of list that portions makes, as batchSQL has those of the writer.
type markSQL struct {
	state, move [9]string

	arrays bool
}

// stateSQL asks where members are, given as a table v numbered from 1.
const stateSQL = "SELECT v.i," +
	" (SELECT m.read_seq FROM chat_members m WHERE m.room_id = v.room_id AND m.user_id = v.user_id)," +
	" (SELECT r.last_seq FROM chat_rooms r WHERE r.id = v.room_id AND r.deleted_at = 0)" +
	" FROM "

func newMarkSQL(d migrations.Dialect) markSQL {
	s := markSQL{arrays: d == migrations.Postgres}
	for i := range s.state {
		n := 1 << i
		switch d {
		case migrations.Postgres:
			s.state[i] = stateSQL + "unnest($1::text[], $2::text[]) WITH ORDINALITY v (room_id, user_id, i)"
			s.move[i] = "UPDATE chat_members m SET read_seq = v.seq" +
				" FROM unnest($1::text[], $2::text[], $3::text[]::bigint[]) v (room_id, user_id, seq)" +
				" WHERE m.room_id = v.room_id AND m.user_id = v.user_id AND m.read_seq < v.seq"
		case migrations.MySQL:
			// As for the writer, ids are bytes. The order of the join is given: there are no statistics of v to choose by.
			const id = "CAST(? AS BINARY)"
			s.state[i] = stateSQL + valuesTable(n, "room_id", id, "user_id", id) + " v"
			s.move[i] = "UPDATE " + valuesTable(n, "room_id", id, "user_id", id, "seq", "?") + " v STRAIGHT_JOIN chat_members m" +
				" ON m.room_id = v.room_id AND m.user_id = v.user_id SET m.read_seq = v.seq WHERE m.read_seq < v.seq"
		case migrations.SQLite:
			s.state[i] = stateSQL + valuesTable(n, "room_id", "?", "user_id", "?") + " v"
			s.move[i] = "UPDATE chat_members SET read_seq = v.seq FROM " + valuesTable(n, "room_id", "?", "user_id", "?", "seq", "?") + " v" +
				" WHERE chat_members.room_id = v.room_id AND chat_members.user_id = v.user_id AND chat_members.read_seq < v.seq"
		}
	}
	return s
}

// keys makes the arguments of state.
func (s *markSQL) keys(keys []memberKey) []any {
	args := make([]any, 0, 2*len(keys))
	var rooms, users []string
	for _, k := range keys {
		args = append(args, k.roomID, k.userID)
		rooms, users = append(rooms, k.roomID), append(users, k.userID)
	}
	if s.arrays {
		return []any{array(rooms), array(users)}
	}
	return args
}

// moves makes the arguments of move.
func (s *markSQL) moves(moves []move) []any {
	args := make([]any, 0, 3*len(moves))
	var rooms, users, seqs []string
	for _, m := range moves {
		args = append(args, m.roomID, m.userID, m.seq)
		rooms, users, seqs = append(rooms, m.roomID), append(users, m.userID), append(seqs, strconv.FormatInt(m.seq, 10))
	}
	if s.arrays {
		return []any{array(rooms), array(users), array(seqs)}
	}
	return args
}
