package store_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// found searches through all pages and returns the texts.
func found(t testing.TB, st *store.Store, q store.SearchQuery) []string {
	t.Helper()
	texts := []string{}
	for _, m := range foundMessages(t, st, q) {
		texts = append(texts, m.Text)
	}
	return texts
}

func foundMessages(t testing.TB, st *store.Store, q store.SearchQuery) (all []store.Message) {
	t.Helper()
	for range 1000 {
		page, err := st.Search(t.Context(), q)
		require.NoError(t, err)
		limit := q.Limit
		if limit == 0 {
			limit = 50
		}
		require.LessOrEqual(t, len(page.Hits), limit)
		for _, h := range page.Hits {
			all = append(all, h.Message)
		}
		if page.Next == "" {
			return all
		}
		require.NotEqual(t, q.Cursor, page.Next, "each page gets further")
		q.Cursor = page.Next
	}
	t.Fatal("the search does not end")
	return nil
}

func TestSearch(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		store.StopIndexer(st)
		general(t, st)
		for id, creator := range map[string]store.User{"team": ann, "secret": bob} {
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: id, Creator: creator, Type: store.RoomPrivate})
			require.NoError(t, err)
		}
		_, _, err := st.AddMember(ctx, "team", bob, "")
		require.NoError(t, err)
		start := store.MillisOf(time.Now())
		for _, m := range []struct {
			room string
			from store.User
			text string
		}{
			{"general", ann, "Hello, World"},
			{"general", bob, "hello Ann"},
			{"team", ann, "the WORLD is not enough"},
			{"secret", bob, "hello secret world"},
			{"general", ann, "100% of 50% discount_code"},
			{"team", bob, "東京都に住む"},
			{"general", ann, "a or b"},
			{"general", store.User{ID: "' OR 1=1 --"}, ""},
		} {
			_, _, err := st.Append(ctx, store.Draft{RoomID: m.room, Sender: m.from, Text: m.text, System: true})
			require.NoError(t, err)
			for at := store.MillisOf(time.Now()); store.MillisOf(time.Now()) == at; { // so that the order across rooms is that of the list
				runtime.Gosched()
			}
		}
		check := func(t *testing.T) {
			all := store.SearchQuery{UserID: "ann"}
			for _, c := range []struct {
				name string
				q    store.SearchQuery
				want []string
			}{
				{"a word", store.SearchQuery{UserID: "ann", Text: "hello"}, []string{"hello Ann", "Hello, World"}},
				{"several rooms", store.SearchQuery{UserID: "ann", Text: "world"}, []string{"the WORLD is not enough", "Hello, World"}},
				{"rooms of another", store.SearchQuery{UserID: "bob", Text: "world"}, []string{"hello secret world", "the WORLD is not enough", "Hello, World"}},
				{"page by page", store.SearchQuery{UserID: "bob", Text: "world", Limit: 1}, []string{"hello secret world", "the WORLD is not enough", "Hello, World"}},
				{"nobody's", store.SearchQuery{UserID: "eve", Text: "world"}, []string{}},
				{"a room", store.SearchQuery{RoomID: "general", Text: "world"}, []string{"Hello, World"}},
				{"a room of the user", store.SearchQuery{UserID: "ann", RoomID: "team", Text: "world"}, []string{"the WORLD is not enough"}},
				{"a room of others", store.SearchQuery{UserID: "ann", RoomID: "secret", Text: "world"}, []string{}},
				{"no room", store.SearchQuery{RoomID: "missing", Text: "world"}, []string{}},
				{"all words", store.SearchQuery{UserID: "ann", Text: "ann HELLO"}, []string{"hello Ann"}},
				{"not in one message", store.SearchQuery{UserID: "ann", Text: "ann enough"}, []string{}},
				{"unknown word", store.SearchQuery{UserID: "ann", Text: "hello nowhere"}, []string{}},
				{"from", store.SearchQuery{UserID: "ann", SenderID: "bob"}, []string{"東京都に住む", "hello Ann"}},
				{"from, with words", store.SearchQuery{UserID: "ann", SenderID: "bob", Text: "hello"}, []string{"hello Ann"}},
				{"from nobody", store.SearchQuery{UserID: "ann", SenderID: "eve", Text: "hello"}, []string{}},
				{"from a hostile name", store.SearchQuery{RoomID: "general", SenderID: "' OR 1=1 --"}, []string{""}},
				{"since now", store.SearchQuery{UserID: "ann", Text: "hello", Since: store.MillisOf(time.Now().Add(time.Hour))}, []string{}},
				{"since then", store.SearchQuery{UserID: "ann", Text: "hello", Since: start}, []string{"hello Ann", "Hello, World"}},
				{"until then", store.SearchQuery{UserID: "ann", Text: "hello", Until: start}, []string{}},
				{"until now", store.SearchQuery{UserID: "ann", Text: "hello", Until: store.MillisOf(time.Now().Add(time.Hour))}, []string{"hello Ann", "Hello, World"}},
				{"without spaces", store.SearchQuery{UserID: "ann", Text: "東京"}, []string{"東京都に住む"}},
				{"one character", store.SearchQuery{UserID: "ann", Text: "都"}, []string{"東京都に住む"}},
				{"what does not stand together", store.SearchQuery{UserID: "ann", Text: "京東"}, []string{}},
				{"a number", store.SearchQuery{UserID: "ann", Text: "50"}, []string{"100% of 50% discount_code"}},
				{"percent", store.SearchQuery{UserID: "ann", Text: "%"}, []string{}},
				{"underscore", store.SearchQuery{UserID: "ann", Text: "_"}, []string{}},
				{"percent and more", store.SearchQuery{UserID: "ann", Text: "hel%"}, []string{}},
				{"underscore and more", store.SearchQuery{UserID: "ann", Text: "discount_code"}, []string{"100% of 50% discount_code"}},
				{"star", store.SearchQuery{UserID: "ann", Text: "hel*"}, []string{}},
				{"an operator", store.SearchQuery{UserID: "ann", Text: "hello OR world"}, []string{}},
				{"an operator as a word", store.SearchQuery{UserID: "ann", Text: "b OR a"}, []string{"a or b"}},
				{"minus", store.SearchQuery{UserID: "ann", Text: "hello -ann"}, []string{"hello Ann"}},
				{"quotes", store.SearchQuery{UserID: "ann", Text: `"hello' "ann`}, []string{"hello Ann"}},
				{"backslash", store.SearchQuery{UserID: "ann", Text: `\hello\`}, []string{"hello Ann", "Hello, World"}},
				{"NUL", store.SearchQuery{UserID: "ann", Text: "hello\x00ann"}, []string{"hello Ann"}},
				{"broken", store.SearchQuery{UserID: "ann", Text: "\xffhello\xc3"}, []string{"hello Ann", "Hello, World"}},
				{"the word of a sender", store.SearchQuery{UserID: "ann", Text: "@bob"}, []string{}},
				{"hostile ids", store.SearchQuery{UserID: "\x00", RoomID: "%", SenderID: "\xff", Text: "hello"}, []string{}},
			} {
				require.Equal(t, c.want, found(t, st, c.q), c.name)
			}
			all.Text = "hello"
			page, err := st.Search(ctx, all)
			require.NoError(t, err)
			require.Equal(t, "Bob", page.Hits[0].Message.Sender.Name)
			require.Equal(t, store.Excerpt{Text: "hello Ann", Ranges: []store.Range{{Start: 0, End: 5}}}, page.Hits[0].Excerpt)
			all.MaxBytes = 5
			page, err = st.Search(ctx, all)
			require.NoError(t, err)
			require.Len(t, page.Hits, 1)
			require.NotEmpty(t, page.Next)
			require.Equal(t, []string{"hello Ann", "Hello, World"}, found(t, st, all))
		}
		t.Run("not indexed", check)
		for _, id := range []string{"general", "team", "secret"} {
			require.NoError(t, store.CatchUp(st, id))
		}
		t.Run("indexed", check)
	})
}

func TestSearchRefuses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		var words strings.Builder
		for i := range 33 {
			fmt.Fprintf(&words, "w%d ", i)
		}
		for name, q := range map[string]store.SearchQuery{
			"neither user nor room": {Text: "hello"},
			"nothing to look for":   {UserID: "ann"},
			"too long":              {UserID: "ann", Text: strings.Repeat("x", 1025)},
			"too many words":        {UserID: "ann", Text: words.String()},
			"limit":                 {UserID: "ann", Text: "hello", Limit: 201},
			"negative limit":        {UserID: "ann", Text: "hello", Limit: -1},
			"cursor":                {UserID: "ann", Text: "hello", Cursor: "x"},
			"hostile cursor":        {UserID: "ann", Text: "hello", Cursor: "1.1.' OR 1=1 --"},
			"negative cursor":       {UserID: "ann", Text: "hello", Cursor: "-1.1.general"},
			"huge cursor":           {UserID: "ann", Text: "hello", Cursor: "1.99999999999999999999.general"},
		} {
			_, err := st.Search(t.Context(), q)
			require.ErrorIs(t, err, store.ErrInvalidArgument, name)
		}
		for _, cursor := range []string{"0.0.general", "9223372036854775807.9223372036854775807.zzz", "1.1.a"} {
			page, err := st.Search(t.Context(), store.SearchQuery{UserID: "ann", Text: "hello", Cursor: cursor})
			require.NoError(t, err, cursor)
			require.Empty(t, page.Hits)
		}
		require.NoError(t, st.Close())
		_, err := st.Search(t.Context(), store.SearchQuery{UserID: "ann", Text: "hello"})
		require.ErrorIs(t, err, store.ErrClosed)
	})
}

// Whatever is searched for, whatever has been edited and deleted, and however far the index has got, the pages together are what reading
// every message gives.
func TestSearchFindsWhatReadingFinds(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		store.StopIndexer(st)
		seed := rand.Uint64()
		t.Logf("seed %d", seed)
		rnd := rand.New(rand.NewPCG(seed, 0))
		vocabulary := []string{"a", "the", "the", "the", "deploy", "Deploy", "fails", "lunch", "東京", "京都", "東京都", "%", "O'Reilly", "x_y"}
		text := func() string {
			words := make([]string, 1+rnd.IntN(5))
			for i := range words {
				words[i] = vocabulary[rnd.IntN(len(vocabulary))]
			}
			return strings.Join(words, []string{" ", ", ", ""}[rnd.IntN(3)])
		}
		rooms := []string{"a", "b", "b.1", "c-2"}
		for i, id := range rooms {
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: id, Creator: user(i)})
			require.NoError(t, err)
			_, _, err = st.AddMember(ctx, id, ann, "")
			require.NoError(t, err)
		}
		for i := range 600 {
			id := rooms[rnd.IntN(len(rooms))]
			m, _, err := st.Append(ctx, store.Draft{RoomID: id, Sender: user(rnd.IntN(3)), Text: text(), System: true})
			require.NoError(t, err)
			if i%200 == 100 {
				require.NoError(t, store.CatchUp(st, rooms[rnd.IntN(len(rooms))]))
			}
			switch rnd.IntN(6) {
			case 0:
				_, _, err = st.DeleteMessage(ctx, m.ID, ann)
			case 1:
				_, _, err = st.EditMessage(ctx, store.Edit{MessageID: m.ID, Text: ptr(text())})
			}
			require.NoError(t, err)
		}
		var all []store.Message
		for _, id := range rooms {
			all = append(all, history(t, st, id)...)
		}
		slices.SortFunc(all, func(a, b store.Message) int {
			return cmp.Or(cmp.Compare(b.CreatedAt, a.CreatedAt), strings.Compare(a.RoomID, b.RoomID), cmp.Compare(b.Seq, a.Seq))
		})
		for range 60 {
			q := store.SearchQuery{UserID: "ann", Text: text(), Limit: 1 + rnd.IntN(20)}
			if rnd.IntN(3) == 0 {
				q.SenderID = user(rnd.IntN(4)).ID
			}
			if rnd.IntN(4) == 0 {
				q.RoomID = rooms[rnd.IntN(len(rooms))]
			}
			if rnd.IntN(3) == 0 {
				q.Since = all[rnd.IntN(len(all))].CreatedAt
			}
			if rnd.IntN(3) == 0 {
				q.Until = all[rnd.IntN(len(all))].CreatedAt
			}
			var want []store.Message
			for _, m := range all {
				if m.DeletedAt == 0 && (q.SenderID == "" || m.SenderID == q.SenderID) && (q.RoomID == "" || m.RoomID == q.RoomID) &&
					m.CreatedAt >= q.Since && (q.Until == 0 || m.CreatedAt < q.Until) && q.Text != "%" && store.HasWords(m, q.Text) {
					want = append(want, m)
				}
			}
			if strings.Trim(q.Text, "%, ") == "" {
				want = nil // no words
			}
			require.Equal(t, want, foundMessages(t, st, q), "%+v", q)
		}
	})
}

// Two words that are everywhere and never in one message: each call does its share, and the search ends.
func TestSearchIsBounded(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		general(t, st)
		fill(t, d, 10_000)
		for seq, text := range []string{"a dolor", "a lorem"} {
			require.NoError(t, d.GORM(t).Exec("UPDATE chat_messages SET text = ? WHERE room_id = 'general' AND seq % 2 = ?", text, seq).Error)
		}
		require.NoError(t, store.CatchUp(st, "general"))
		q := store.SearchQuery{UserID: "ann", Text: "lorem a dolor"}
		page, err := st.Search(t.Context(), q)
		require.NoError(t, err)
		require.Empty(t, page.Hits)
		require.NotEmpty(t, page.Next, "there may be more")
		require.Empty(t, found(t, st, q))
		require.Len(t, found(t, st, store.SearchQuery{UserID: "ann", Text: "a dolor", Limit: 200, Cursor: "0.1000.general"}), 500)
	})
}
