package storetest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// A checker that finds nothing proves nothing: each mutant of a room must be caught, and the room as it should be must not.
func TestLedgerCatchesMutants(t *testing.T) {
	t.Parallel()
	room := make([]store.Message, 6)
	for i := range room {
		room[i] = store.Message{
			ID: fmt.Sprint("id-", i), RoomID: "r", Seq: int64(i + 1), SenderID: "ann", ClientID: fmt.Sprint("c-", i), Text: fmt.Sprint("text ", i),
			CreatedAt: store.Millis(i),
		}
	}
	const unknown, refused = 5, 6 // the last one stored is not acked; another one was refused
	check := func(stored, delivered []store.Message) []string {
		var l storetest.Ledger
		for i, m := range append(slices.Clone(room), store.Message{RoomID: "r", SenderID: "ann", ClientID: "c-6"}) {
			d := store.Draft{RoomID: m.RoomID, Sender: store.User{ID: m.SenderID}, ClientID: m.ClientID, Text: m.Text}
			l.Sent(d)
			switch i {
			case unknown:
			case refused:
				l.Failed(d)
			default:
				l.Acked(m)
			}
		}
		l.Delivered(delivered)
		return l.Check(stored)
	}
	require.Empty(t, check(room, room))
	require.Empty(t, check(room, nil), "no reader")
	require.Empty(t, check(room[:5], room[:5]), "what was not acked need not be stored")

	renumber := func(m []store.Message) []store.Message {
		for i := range m {
			m[i].Seq = int64(i + 1)
		}
		return m
	}
	mutants := map[string]func(m []store.Message) []store.Message{
		"drop one":                  func(m []store.Message) []store.Message { return slices.Delete(m, 2, 3) },
		"drop one without a gap":    func(m []store.Message) []store.Message { return renumber(slices.Delete(m, 2, 3)) },
		"drop the first":            func(m []store.Message) []store.Message { return m[1:] },
		"drop the last that counts": func(m []store.Message) []store.Message { return m[:4] },
		"repeat one":                func(m []store.Message) []store.Message { return slices.Insert(m, 3, m[3]) },
		"repeat one in two places":  func(m []store.Message) []store.Message { return renumber(slices.Insert(m, 3, m[2])) },
		"repeat the last":           func(m []store.Message) []store.Message { return renumber(append(m, m[5])) },
		"swap two":                  func(m []store.Message) []store.Message { m[1], m[2] = m[2], m[1]; return m },
		"swap two and their places": func(m []store.Message) []store.Message { m[1], m[2] = m[2], m[1]; return renumber(m) },
		"swap the unknown one":      func(m []store.Message) []store.Message { m[4], m[5] = m[5], m[4]; return renumber(m) },
		"change a byte":             func(m []store.Message) []store.Message { m[4].Text = "Text 4"; return m },
		"change a byte unacked":     func(m []store.Message) []store.Message { m[5].Text = "Text 5"; return m },
		"change an id":              func(m []store.Message) []store.Message { m[4].ID = "id-5"; return m },
		"invent one": func(m []store.Message) []store.Message {
			return append(m, store.Message{RoomID: "r", Seq: 7, SenderID: "eve"})
		},
		"store the refused one": func(m []store.Message) []store.Message {
			return append(m, store.Message{RoomID: "r", Seq: 7, SenderID: "ann", ClientID: "c-6", CreatedAt: 9})
		},
		"step back in time": func(m []store.Message) []store.Message { m[5].CreatedAt = 3; return m },
	}
	for name, mutate := range mutants {
		require.NotEmpty(t, check(mutate(slices.Clone(room)), nil), "stored: %s", name)
		if name != "step back in time" { // for the reader the same as what is stored
			require.NotEmpty(t, check(room, mutate(slices.Clone(room))), "delivered: %s", name)
		}
	}
}
