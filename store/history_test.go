package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

func TestHistory(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Creator: ann})
		require.NoError(t, err)
		elsewhere, _, err := st.Append(ctx, store.Draft{RoomID: "other", Sender: ann})
		require.NoError(t, err)
		var ids []string
		for i := range 10 {
			m, _, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, Text: fmt.Sprint(i + 1)})
			require.NoError(t, err)
			ids = append(ids, m.ID)
		}
		id := func(seq int) store.Position { return store.AtMessage(ids[seq-1]) }
		at := store.AtSeq
		for _, c := range []struct {
			name          string
			q             store.HistoryQuery
			from, to      int // to < from: empty
			before, after bool
		}{
			{"latest", store.HistoryQuery{Limit: 3}, 8, 10, true, false},
			{"all", store.HistoryQuery{}, 1, 10, false, false},
			{"exactly all", store.HistoryQuery{Limit: 10}, 1, 10, false, false},
			{"before", store.HistoryQuery{Before: at(8), Limit: 3}, 5, 7, true, true},
			{"before by id", store.HistoryQuery{Before: id(8), Limit: 3}, 5, 7, true, true},
			{"before, the first page", store.HistoryQuery{Before: at(4), Limit: 3}, 1, 3, false, true},
			{"before the first", store.HistoryQuery{Before: at(1), Limit: 3}, 1, 0, false, true},
			{"before nothing", store.HistoryQuery{Before: at(0), Limit: 3}, 1, 0, false, true},
			{"before what is to come", store.HistoryQuery{Before: at(99), Limit: 3}, 8, 10, true, false},
			{"after", store.HistoryQuery{After: at(2), Limit: 3}, 3, 5, true, true},
			{"after by id", store.HistoryQuery{After: id(2), Limit: 3}, 3, 5, true, true},
			{"after, from the beginning", store.HistoryQuery{After: at(0), Limit: 3}, 1, 3, false, true},
			{"after, the last page", store.HistoryQuery{After: at(7), Limit: 3}, 8, 10, true, false},
			{"after the last", store.HistoryQuery{After: at(10), Limit: 3}, 1, 0, true, false},
			{"after what is to come", store.HistoryQuery{After: at(99), Limit: 3}, 1, 0, true, false},
			{"around", store.HistoryQuery{Around: at(5), Limit: 4}, 4, 7, true, true},
			{"around by id", store.HistoryQuery{Around: id(5), Limit: 5}, 3, 7, true, true},
			{"around the first", store.HistoryQuery{Around: at(1), Limit: 4}, 1, 3, false, true},
			{"around the last", store.HistoryQuery{Around: at(10), Limit: 4}, 9, 10, true, false},
			{"around, little room", store.HistoryQuery{Around: at(5), MaxBytes: 4}, 4, 7, true, true},
			{"latest, little room", store.HistoryQuery{MaxBytes: 3}, 9, 10, true, false}, // "10" has two bytes
			{"before, little room", store.HistoryQuery{Before: at(8), MaxBytes: 3}, 5, 7, true, true},
			{"after, little room", store.HistoryQuery{After: at(2), MaxBytes: 3}, 3, 5, true, true},
			{"after, room for none", store.HistoryQuery{After: at(9), MaxBytes: 1}, 10, 10, true, false},
			{"just enough room", store.HistoryQuery{MaxBytes: 11}, 1, 10, false, false},
			{"around one", store.HistoryQuery{Around: at(5), Limit: 1}, 5, 5, true, true},
		} {
			c.q.RoomID = "general"
			page, err := st.History(ctx, c.q)
			require.NoError(t, err, c.name)
			var want, got []int64
			for seq := c.from; seq <= c.to; seq++ {
				want = append(want, int64(seq))
			}
			for _, m := range page.Messages {
				require.Equal(t, "Ann", m.Sender.Name)
				require.Equal(t, fmt.Sprint(m.Seq), m.Text)
				got = append(got, m.Seq)
			}
			require.Equal(t, want, got, c.name)
			require.Equal(t, c.before, page.HasMoreBefore, "%s: has more before", c.name)
			require.Equal(t, c.after, page.HasMoreAfter, "%s: has more after", c.name)
		}
		for _, p := range []store.Position{store.AtMessage("missing"), store.AtMessage(elsewhere.ID)} {
			_, err := st.History(ctx, store.HistoryQuery{RoomID: "general", Around: p})
			require.ErrorIs(t, err, store.ErrMessageNotFound)
		}
		page, err := st.History(ctx, store.HistoryQuery{RoomID: "missing"})
		require.NoError(t, err)
		require.Equal(t, store.Page{Messages: []store.Message{}}, page)
	})
}

func TestParsePosition(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]store.Position{
		"":                     {},
		"0":                    store.AtSeq(0),
		"42":                   store.AtSeq(42),
		"9223372036854775807":  store.AtSeq(1<<63 - 1),
		"9223372036854775808":  store.AtMessage("9223372036854775808"),
		"4x":                   store.AtMessage("4x"),
		"0190-…":               store.AtMessage("0190-…"),
		"' OR 1=1 --":          store.AtMessage("' OR 1=1 --"),
		"%":                    store.AtMessage("%"),
		"00000000000000000001": store.AtSeq(1),
	} {
		got, err := store.ParsePosition(in)
		require.NoError(t, err)
		require.Equal(t, want, got, in)
		require.Equal(t, in == "", got.IsZero())
	}
	_, err := store.ParsePosition("-1")
	require.ErrorIs(t, err, store.ErrInvalidArgument)
}
