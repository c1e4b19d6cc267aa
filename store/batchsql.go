package store

import (
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"github.com/echochat/echochat/migrations"
)

// batchSQL has the statements of a batch besides its INSERT, for each length of list that portions makes: 1, 2, 4 … 256. PostgreSQL
// takes lists as arrays, in statements that are the same for every length: it would plan a long list anew each time.
type batchSQL struct {
	lock, lookUp, advance [9]string

	arrays bool
}

func newBatchSQL(d migrations.Dialect) batchSQL {
	s := batchSQL{arrays: d == migrations.Postgres}
	for i := range s.lock {
		n := 1 << i
		list, order, value := " WHERE id IN (?"+strings.Repeat(", ?", n-1)+")", " AND deleted_at = 0 ORDER BY id FOR UPDATE", "?"
		switch d {
		case migrations.Postgres:
			s.lock[i] = "SELECT id, last_seq, last_message_at FROM chat_rooms WHERE id = ANY ($1::text[])" + order
			s.lookUp[i] = strings.Replace(lookUp, "?", "$4", 1) + "unnest($1::text[], $2::text[], $3::text[]) WITH ORDINALITY v (room_id, user_id, client_id, i)"
			s.advance[i] = "UPDATE chat_rooms SET last_seq = last_seq + $1, last_message_at = $2 WHERE id = ANY ($3::text[])"
			continue
		case migrations.MySQL:
			// As text, "a" and "Á" would be one: MariaDB keeps the answers of a subquery by its values, compared by collation.
			value = "CAST(? AS BINARY)"
		case migrations.SQLite: // the transaction holds the lock on the whole file
			order = " AND deleted_at = 0"
		}
		s.lock[i] = "SELECT id, last_seq, last_message_at FROM chat_rooms" + list + order
		s.lookUp[i] = lookUp + valuesTable(n, "room_id", value, "user_id", value, "client_id", value) + " v"
		s.advance[i] = "UPDATE chat_rooms SET last_seq = last_seq + ?, last_message_at = ?" + list
	}
	return s
}

// lookUp asks about requests, given as a table v numbered from 1. Each database answers a subquery per request from the unique index; for
// a join, or for a list of rows after IN, some read a whole table when there are many requests.
const lookUp = "SELECT v.i," +
	" (SELECT m.user_id FROM chat_members m WHERE m.room_id = v.room_id AND m.user_id = v.user_id)," +
	" (SELECT e.id FROM chat_messages e WHERE e.room_id = v.room_id AND e.sender_id = v.user_id AND e.client_id = v.client_id)," +
	" (SELECT MAX(s.user_id) FROM chat_sanctions s WHERE s.user_id = v.user_id AND s.kind = 'mute'" +
	" AND (s.room_id = '' OR s.room_id = v.room_id) AND (s.until = 0 OR s.until > ?))" +
	" FROM "

// valuesTable is a table of n rows, in words that all databases have in common: their number i, and columns given as name and value.
func valuesTable(n int, columns ...string) string {
	var first, others strings.Builder
	for column := range slices.Chunk(columns, 2) {
		name, value := column[0], column[1]
		first.WriteString(", " + value + " AS " + name)
		others.WriteString(", " + value)
	}
	var q strings.Builder
	q.WriteString("(SELECT 1 AS i" + first.String())
	for i := 2; i <= n; i++ {
		q.WriteString(" UNION ALL SELECT " + strconv.Itoa(i) + others.String())
	}
	q.WriteString(")")
	return q.String()
}

// of chooses the statement for a list of n values.
func of(statements [9]string, n int) string { return statements[bits.Len(uint(n))-1] }

// list makes the arguments of a statement: first those that stand before the list, then the list.
func (s *batchSQL) list(values []string, before ...any) []any {
	if s.arrays {
		return append(before, array(values))
	}
	args := append(make([]any, 0, len(before)+len(values)), before...)
	for _, v := range values {
		args = append(args, v)
	}
	return args
}

// table makes the arguments of lookUp.
func (s *batchSQL) table(requests []*request) []any {
	if !s.arrays {
		args := append(make([]any, 0, 1+3*len(requests)), int64(now()))
		for _, r := range requests {
			args = append(args, r.msg.RoomID, r.msg.SenderID, r.msg.ClientID)
		}
		return args
	}
	columns := make([][]string, 3)
	for _, r := range requests {
		for i, v := range []string{r.msg.RoomID, r.msg.SenderID, r.msg.ClientID} {
			columns[i] = append(columns[i], v)
		}
	}
	return []any{array(columns[0]), array(columns[1]), array(columns[2]), int64(now())}
}

// array writes values as PostgreSQL reads them, see its manual, "Array Input and Output Syntax"; not every driver takes a slice.
func array(values []string) string {
	var a strings.Builder
	for i, v := range values {
		a.WriteString([]string{`{"`, `,"`}[min(i, 1)])
		for {
			j := strings.IndexAny(v, `"\`)
			if j < 0 {
				break
			}
			a.WriteString(v[:j] + `\` + v[j:j+1])
			v = v[j+1:]
		}
		a.WriteString(v + `"`)
	}
	a.WriteString("}")
	return a.String()
}
