package store

import (
	"math/bits"
	"strconv"
	"strings"

	"github.com/echochat/echochat/migrations"
)

// batchSQL has the statements of a batch besides its INSERT, for each length of list that portions makes: 1, 2, 4 … 256.
type batchSQL struct {
	lock, lookUp, advance [9]string
}

func newBatchSQL(d migrations.Dialect) batchSQL {
	lock := " ORDER BY id FOR UPDATE"
	if d == migrations.SQLite { // the transaction holds the lock on the whole file
		lock = ""
	}
	var s batchSQL
	for i := range s.lock {
		n := 1 << i
		list := " WHERE id IN (?" + strings.Repeat(", ?", n-1) + ")"
		s.lock[i] = placeholders(d, "SELECT id, last_seq, last_message_at FROM chat_rooms"+list+lock)
		s.lookUp[i] = placeholders(d, lookUpSQL(n))
		s.advance[i] = placeholders(d, "UPDATE chat_rooms SET last_seq = last_seq + ?, last_message_at = ?"+list)
	}
	return s
}

// of chooses the statement for a list of n values.
func of(statements [9]string, n int) string { return statements[bits.Len(uint(n))-1] }

// lookUpSQL joins n requests, given as a table, with members and messages. A list of rows after IN would be the obvious way, but
// not every database uses an index for a long one.
func lookUpSQL(n int) string {
	var q strings.Builder
	q.WriteString("SELECT v.i, m.user_id IS NOT NULL, e.id FROM (SELECT 0 AS i, ? AS room_id, ? AS user_id, ? AS client_id")
	for i := 1; i < n; i++ {
		q.WriteString(" UNION ALL SELECT ")
		q.WriteString(strconv.Itoa(i))
		q.WriteString(", ?, ?, ?")
	}
	q.WriteString(") v LEFT JOIN chat_members m ON m.room_id = v.room_id AND m.user_id = v.user_id" +
		" LEFT JOIN chat_messages e ON e.room_id = v.room_id AND e.sender_id = v.user_id AND e.client_id = v.client_id")
	return q.String()
}

// placeholders puts $1, $2 … in the place of each ? for PostgreSQL. No statement here has a ? of another kind.
func placeholders(d migrations.Dialect, query string) string {
	if d != migrations.Postgres {
		return query
	}
	var q strings.Builder
	for i := 1; ; i++ {
		before, after, found := strings.Cut(query, "?")
		q.WriteString(before)
		if !found {
			return q.String()
		}
		q.WriteString("$" + strconv.Itoa(i))
		query = after
	}
}
