package store_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"
	"gorm.io/gorm/schema"

	"github.com/echochat/echochat/migrations"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// tables are those that grow with the chat.
var tables = []string{
	"chat_messages", "chat_rooms", "chat_members", "chat_users", "chat_invitations", "chat_sanctions", "chat_flags", "chat_audit",
	"chat_reactions", "chat_mentions", "chat_words",
}

// fill puts n messages into the room "general", a power of ten, past the store, and lets the database look at its tables.
func fill(t testing.TB, d storetest.Database, n int) {
	t.Helper()
	digits := "(SELECT 0 AS d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4" +
		" UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
	sum, from := "1", ""
	for i, place := 0, 1; place < n; i, place = i+1, place*10 {
		sum += fmt.Sprintf(" + %d * d%d.d", place, i)
		if i > 0 {
			from += " CROSS JOIN "
		}
		from += fmt.Sprintf("%s d%d", digits, i)
	}
	db := d.GORM(t)
	for _, statement := range []string{
		"INSERT INTO chat_messages (id, room_id, seq, sender_id, client_id, type, text, parent_id, attachments, metadata, created_at)" +
			" SELECT CONCAT('m', n), 'general', n, 'ann', CONCAT('c', n), 'regular', 'lorem ipsum dolor sit amet', '', '', '', 0" +
			" FROM (SELECT " + sum + " AS n FROM " + from + ") numbers ORDER BY n",
		fmt.Sprintf("UPDATE chat_rooms SET last_seq = %d WHERE id = 'general'", n),
	} {
		require.NoError(t, db.Exec(statement).Error)
	}
	for _, table := range tables {
		analyze(t, d, db, table)
	}
}

func analyze(t testing.TB, d storetest.Database, db *gorm.DB, table string) {
	t.Helper()
	statement := "ANALYZE " + table
	if d.Dialect == migrations.MySQL {
		statement = "ANALYZE TABLE " + table
	}
	require.NoError(t, db.Exec(statement).Error)
}

// populate puts rows into the tables that are small in most chats, for the databases that read a small table whole.
func populate(t *testing.T, d storetest.Database, db *gorm.DB) {
	t.Helper()
	for table, row := range map[string]string{
		"chat_mentions (user_id, room_id, seq)":                                                                   "'ann', room_id, seq",
		"chat_invitations (room_id, user_id, role, invited_by, created_at)":                                       "room_id, id, 'member', '', 0",
		"chat_sanctions (user_id, kind, room_id, set_by, reason, until, created_at)":                              "id, 'mute', room_id, '', '', 0, 0",
		"chat_flags (id, message_id, room_id, user_id, reason, created_at, resolved_at, resolved_by, resolution)": "id, id, room_id, 'ann', '', 0, seq % 2, '', ''",
		"chat_reactions (message_id, user_id, emoji, created_at)":                                                 "id, 'ann', 'x', 0",
		"chat_outbox (id, room_id, sender_id, draft, created_at)":                                                 "id, room_id, 'ann', '', 0",
		"chat_audit (id, actor_id, action, room_id, user_id, message_id, details, created_at)":                    "id, 'ann', 'x', room_id, '', '', '', 0",
	} {
		name, _, _ := strings.Cut(table, " ")
		require.NoError(t, db.Exec("INSERT INTO "+table+" SELECT "+row+" FROM chat_messages").Error)
		analyze(t, d, db, name)
	}
	require.NoError(t, db.Exec("UPDATE chat_messages SET parent_id = CASE WHEN seq % 20 = 0 THEN 'm5000' ELSE 'm1' END WHERE seq % 10 = 0").Error)
	require.NoError(t, db.Exec("UPDATE chat_messages SET pinned_at = 1 WHERE seq % 1000 = 1").Error)
	analyze(t, d, db, "chat_messages")
	analyze(t, d, db, "chat_words")
}

// No statement looks at more rows than it needs: each uses an index, and none sorts.
func TestPlans(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		general(t, st)
		for i := range 100 {
			draft := store.RoomDraft{ID: fmt.Sprint("room-", i), Creator: user(i)}
			if i%2 == 0 {
				draft.Type = store.RoomPrivate
			}
			_, err := st.CreateRoom(t.Context(), draft)
			require.NoError(t, err)
			_, _, err = st.AddMember(t.Context(), "general", user(i), "")
			require.NoError(t, err)
		}
		fill(t, d, 10_000)
		require.NoError(t, store.CatchUp(st, "general"))
		db := d.GORM(t)
		populate(t, d, db)
		for name, s := range store.Statements(st) {
			plan := explain(t, d, db, s)
			for _, table := range tables {
				require.NotContains(t, plan, "SCAN "+table, "%s: %s", name, plan)
				if d.Dialect == migrations.Postgres && (table == "chat_rooms" || table == "chat_members" || table == "chat_users") {
					continue // small enough here to be read whole
				}
				require.NotContains(t, plan, "Seq Scan on "+table, "%s: %s", name, plan)
			}
			if name == "rooms of user" {
				continue // it sorts, see there
			}
			for _, word := range []string{"TEMP B-TREE FOR ORDER BY", "filesort", "Sort Key"} {
				if strings.Contains(plan, "Seq Scan on chat_rooms") {
					continue // small enough here to be read and sorted whole
				}
				require.NotContains(t, plan, word, "%s: %s", name, plan)
			}
			if strings.Contains(s.SQL, "chat_messages") {
				require.Regexp(t, `chat_messages_(seq|id|client|pkey|thread|pinned)|PRIMARY`, plan, "%s: %s", name, plan)
			}
			if strings.Contains(s.SQL, "chat_words") {
				require.Regexp(t, `chat_words_pkey|PRIMARY`, plan, "%s: %s", name, plan)
			}
			if testing.Verbose() {
				t.Log(name, "\n", plan)
			}
		}
	})
}

func explain(t *testing.T, d storetest.Database, db *gorm.DB, s store.Statement) string {
	t.Helper()
	explain := map[migrations.Dialect]string{
		migrations.SQLite: "EXPLAIN QUERY PLAN ", migrations.Postgres: "EXPLAIN ", migrations.MySQL: "EXPLAIN ",
	}
	pool, err := db.DB()
	require.NoError(t, err)
	rows, err := pool.Query(explain[d.Dialect]+s.SQL, s.Args...)
	require.NoError(t, err)
	defer func() { require.NoError(t, rows.Close()) }()
	columns, err := rows.Columns()
	require.NoError(t, err)
	var plan strings.Builder
	for rows.Next() {
		row := make([]any, len(columns))
		for i := range row {
			row[i] = new(any)
		}
		require.NoError(t, rows.Scan(row...))
		fields := make(map[string]string)
		for i, c := range columns {
			v := *row[i].(*any)
			if b, ok := v.([]byte); ok {
				v = string(b)
			}
			fields[c] = fmt.Sprint(v)
			plan.WriteString(fields[c] + " ")
		}
		if fields["type"] == "ALL" && !strings.HasPrefix(fields["table"], "<derived") { // MySQL's words for reading a table whole
			plan.WriteString("SCAN chat_messages " + fields["table"])
		}
		plan.WriteString("\n")
	}
	require.NoError(t, rows.Err())
	return plan.String()
}

// The structs are what the migrations make, and the other way round.
func TestSchemaMatchesStructs(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		d.Store(t)
		db := d.GORM(t)
		names := schema.NamingStrategy{TablePrefix: "chat_"}
		for _, model := range []any{&store.User{}, &store.Room{}, &store.Member{}, &store.Message{}, &store.Invitation{}, &store.Sanction{}, &store.Flag{}, &store.Audit{}} {
			s, err := schema.Parse(model, &sync.Map{}, names)
			require.NoError(t, err)
			var want, got []string
			for _, f := range s.Fields {
				if f.DBName != "" {
					want = append(want, f.DBName)
				}
			}
			rows, err := db.Raw("SELECT * FROM " + s.Table + " WHERE 1 = 0").Rows()
			require.NoError(t, err)
			columns, err := rows.Columns()
			require.NoError(t, err)
			require.NoError(t, rows.Close())
			for _, c := range columns {
				if c != "row_id" { // SQLite's own
					got = append(got, c)
				}
			}
			require.ElementsMatch(t, want, got, s.Table)
		}
	})
}
