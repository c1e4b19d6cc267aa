package store_test

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// post appends a message to the room "general".
func post(t testing.TB, st *store.Store, d store.Draft) store.Message {
	t.Helper()
	if d.RoomID == "" {
		d.RoomID = "general"
	}
	if d.Sender.ID == "" {
		d.Sender = ann
	}
	m, _, err := st.Append(t.Context(), d)
	require.NoError(t, err)
	return m
}

// stored reads a message back, without how to show its sender.
func stored(t testing.TB, st *store.Store, id string) store.Message {
	t.Helper()
	m, err := st.Message(t.Context(), id)
	require.NoError(t, err)
	m.Sender = store.User{}
	return m
}

func shown(m store.Message) store.Message {
	m.Sender = store.User{}
	return m
}

func ptr[T any](v T) *T { return &v }

func TestEditMessage(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		m := post(t, st, store.Draft{ClientID: "c", Text: "helo", Metadata: store.RawJSON(`{"a":1}`)})

		edited, changed, err := st.EditMessage(ctx, store.Edit{MessageID: m.ID, By: ann, Text: ptr("hello")})
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, "hello", edited.Text)
		require.Equal(t, m.Metadata, edited.Metadata, "what is not named stays")
		require.GreaterOrEqual(t, edited.EditedAt, m.CreatedAt)
		require.Equal(t, "Ann", edited.Sender.Name)
		require.Equal(t, shown(edited), stored(t, st, m.ID), "stored as returned")

		again, changed, err := st.EditMessage(ctx, store.Edit{MessageID: m.ID, By: ann, Text: ptr("hello")})
		require.NoError(t, err)
		require.False(t, changed, "it says so already")
		require.Equal(t, shown(edited), shown(again))

		edited, changed, err = st.EditMessage(ctx, store.Edit{
			MessageID: m.ID, By: ann, Attachments: ptr(store.RawJSON(`[{"url":"x"}]`)), Metadata: &store.RawJSON{},
			Mentions: &store.UserIDs{"bob", "eve", "bob", "%", "\x00", ""},
		})
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, "hello", edited.Text)
		require.Empty(t, edited.Metadata)
		require.Equal(t, store.UserIDs{"bob"}, edited.Mentions, "only members, each once")
		require.Equal(t, shown(edited), stored(t, st, m.ID))
		require.Equal(t, []string{"bob 1"}, mentions(t, d))
		_, _, err = st.EditMessage(ctx, store.Edit{MessageID: m.ID, By: ann, Mentions: &store.UserIDs{"ann"}})
		require.NoError(t, err)
		require.Equal(t, []string{"ann 1"}, mentions(t, d))

		repeated, dup, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, ClientID: "c", Text: "helo"})
		require.NoError(t, err, "who sends again what was edited meanwhile has sent it")
		require.True(t, dup)
		require.Equal(t, "hello", repeated.Text)

		for name, e := range map[string]store.Edit{
			"missing":   {MessageID: "missing", Text: ptr("x")},
			"hostile":   {MessageID: "\xff", Text: ptr("x")},
			"no change": {MessageID: "' OR 1=1 --"},
		} {
			_, _, err := st.EditMessage(ctx, e)
			require.ErrorIs(t, err, store.ErrMessageNotFound, name)
		}
		for name, e := range map[string]store.Edit{
			"text":        {MessageID: m.ID, Text: ptr("\x00")},
			"attachments": {MessageID: m.ID, Attachments: ptr(store.RawJSON("{"))},
			"metadata":    {MessageID: m.ID, Metadata: ptr(store.RawJSON("\xff"))},
			"mentions":    {MessageID: m.ID, Mentions: ptr(make(store.UserIDs, 101))},
		} {
			_, _, err := st.EditMessage(ctx, e)
			require.ErrorIs(t, err, store.ErrInvalidArgument, name)
			require.ErrorContains(t, err, name)
		}
	})
}

// mentions are the rows for counting unread mentions, as "user seq".
func mentions(t *testing.T, d storetest.Database) (rows []string) {
	t.Helper()
	require.NoError(t, d.GORM(t).Raw("SELECT CONCAT(user_id, ' ', seq) FROM chat_mentions ORDER BY seq, user_id").Scan(&rows).Error)
	return rows
}

func TestDeleteMessage(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		first := post(t, st, store.Draft{})
		m := post(t, st, store.Draft{
			Sender: bob, ClientID: "c", Text: "secret", ParentID: first.ID, QuotedID: first.ID, Mentions: store.UserIDs{"ann"},
			Attachments: store.RawJSON(`["secret"]`), Metadata: store.RawJSON(`{"secret":1}`),
		})
		_, _, err := st.AddReaction(ctx, m.ID, ann, "👍")
		require.NoError(t, err)
		_, _, err = st.PinMessage(ctx, m.ID, ann)
		require.NoError(t, err)
		require.EqualValues(t, 1, stored(t, st, first.ID).ReplyCount)

		gone, changed, err := st.DeleteMessage(ctx, m.ID, ann)
		require.NoError(t, err)
		require.True(t, changed)
		require.Equal(t, store.Message{
			ID: m.ID, RoomID: "general", Seq: 2, SenderID: "bob", ClientID: "c", Type: store.MessageReply, ParentID: first.ID,
			CreatedAt: m.CreatedAt, DeletedAt: gone.DeletedAt, DeletedBy: "ann",
		}, shown(gone), "nothing of what it said is left")
		require.GreaterOrEqual(t, gone.DeletedAt, m.CreatedAt)
		require.Equal(t, "Bob", gone.Sender.Name)
		require.Equal(t, shown(gone), stored(t, st, m.ID))
		require.Zero(t, stored(t, st, first.ID).ReplyCount)
		require.Empty(t, mentions(t, d))
		var left int64
		require.NoError(t, d.GORM(t).Table("chat_reactions").Count(&left).Error)
		require.Zero(t, left)

		again, changed, err := st.DeleteMessage(ctx, m.ID, bob)
		require.NoError(t, err)
		require.False(t, changed, "once is enough")
		require.Equal(t, shown(gone), shown(again))
		require.Zero(t, stored(t, st, first.ID).ReplyCount)

		repeated, dup, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: bob, ClientID: "c", Text: "secret", ParentID: first.ID})
		require.NoError(t, err, "what was sent stays sent, and deleted")
		require.True(t, dup)
		require.Empty(t, repeated.Text)

		_, _, err = st.EditMessage(ctx, store.Edit{MessageID: m.ID, Text: ptr("back")})
		require.ErrorIs(t, err, store.ErrMessageNotFound)
		_, _, err = st.AddReaction(ctx, m.ID, ann, "👍")
		require.ErrorIs(t, err, store.ErrMessageNotFound)
		_, _, err = st.PinMessage(ctx, m.ID, ann)
		require.ErrorIs(t, err, store.ErrMessageNotFound)
		_, _, err = st.DeleteMessage(ctx, "missing", ann)
		require.ErrorIs(t, err, store.ErrMessageNotFound)

		all := history(t, st, "general")
		require.Len(t, all, 2, "it keeps its place")
		_, _, err = st.DeleteMessage(ctx, first.ID, store.User{})
		require.NoError(t, err, "by the system")
		reply := post(t, st, store.Draft{ParentID: first.ID})
		require.EqualValues(t, 3, reply.Seq, "the thread of a deleted message goes on")
	})
}

func TestThread(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Creator: ann})
		require.NoError(t, err)
		elsewhere := post(t, st, store.Draft{RoomID: "other"})
		parents := []store.Message{post(t, st, store.Draft{}), post(t, st, store.Draft{})}
		const each = 10
		var wg sync.WaitGroup // together, so that a batch has replies to both
		for _, p := range parents {
			for range each {
				wg.Go(func() {
					if _, _, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: bob, ParentID: p.ID}); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wg.Wait()
		for _, p := range parents {
			require.EqualValues(t, each, stored(t, st, p.ID).ReplyCount)
			page, err := st.History(ctx, store.HistoryQuery{RoomID: "general", Thread: p.ID, Limit: 4})
			require.NoError(t, err)
			require.Len(t, page.Messages, 4)
			require.True(t, page.HasMoreBefore)
			require.False(t, page.HasMoreAfter)
			seen := slices.Clone(page.Messages)
			for page.HasMoreBefore {
				page, err = st.History(ctx, store.HistoryQuery{
					RoomID: "general", Thread: p.ID, Before: store.AtMessage(page.Messages[0].ID), Limit: 4,
				})
				require.NoError(t, err)
				seen = append(slices.Clone(page.Messages), seen...)
			}
			require.Len(t, seen, each)
			for i, m := range seen {
				require.Equal(t, p.ID, m.ParentID)
				require.Equal(t, "Bob", m.Sender.Name)
				if i > 0 {
					require.Greater(t, m.Seq, seen[i-1].Seq)
				}
			}
			after, err := st.History(ctx, store.HistoryQuery{RoomID: "general", Thread: p.ID, After: store.AtSeq(0), Limit: 200})
			require.NoError(t, err)
			require.Equal(t, seen, after.Messages)
		}
		for _, q := range []store.HistoryQuery{
			{RoomID: "general", Thread: elsewhere.ID},
			{RoomID: "other", Thread: parents[0].ID},
			{RoomID: "general", Thread: "missing"},
			{RoomID: "general", Thread: "\x00"},
		} {
			_, err := st.History(ctx, q)
			require.ErrorIs(t, err, store.ErrMessageNotFound, "%+v", q)
		}
		_, _, err = st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, QuotedID: elsewhere.ID})
		require.ErrorIs(t, err, store.ErrMessageNotFound, "of another room")
	})
}

// Messages that quote and name people stand beside plain ones in one batch.
func TestQuotesAndMentions(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		first := post(t, st, store.Draft{Text: "first"})
		const n = 30
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() {
				draft := store.Draft{RoomID: "general", Sender: ann, ClientID: fmt.Sprint(i)}
				if i%3 == 1 {
					draft.QuotedID = first.ID
				}
				if i%3 == 2 {
					draft.Mentions = store.UserIDs{"bob", "nobody", "ann"}
				}
				if _, _, err := st.Append(ctx, draft); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		named := 0
		for _, m := range history(t, st, "general")[1:] {
			var i int
			_, err := fmt.Sscan(m.ClientID, &i)
			require.NoError(t, err)
			require.Equal(t, i%3 == 1, m.QuotedID == first.ID)
			if i%3 == 2 {
				require.Equal(t, store.UserIDs{"bob", "ann"}, m.Mentions)
				named++
			} else {
				require.Empty(t, m.Mentions)
			}
		}
		require.Len(t, mentions(t, d), 2*named)
		_, _, err := st.Append(ctx, store.Draft{RoomID: "general", Sender: ann, Mentions: make(store.UserIDs, 101)})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
	})
}
