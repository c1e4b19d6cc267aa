package store_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

func TestReactions(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		m, plain := post(t, st, store.Draft{}), post(t, st, store.Draft{})
		for _, step := range []struct {
			add     bool
			by      store.User
			emoji   string
			changed bool
			want    store.ReactionCounts
		}{
			{true, ann, "👍", true, store.ReactionCounts{"👍": 1}},
			{true, ann, "👍", false, store.ReactionCounts{"👍": 1}},
			{true, bob, "👍", true, store.ReactionCounts{"👍": 2}},
			{true, bob, `"\`, true, store.ReactionCounts{"👍": 2, `"\`: 1}},
			{false, ann, `"\`, false, store.ReactionCounts{"👍": 2, `"\`: 1}},
			{false, ann, "👍", true, store.ReactionCounts{"👍": 1, `"\`: 1}},
			{false, bob, "👍", true, store.ReactionCounts{`"\`: 1}},
			{true, bob, "👍🏽", true, store.ReactionCounts{"👍🏽": 1, `"\`: 1}},
			{false, bob, "👍🏽", true, store.ReactionCounts{`"\`: 1}},
			{false, bob, `"\`, true, nil},
		} {
			react := st.RemoveReaction
			if step.add {
				react = st.AddReaction
			}
			got, changed, err := react(ctx, m.ID, step.by, step.emoji)
			require.NoError(t, err)
			require.Equal(t, step.changed, changed, "%+v", step)
			if step.want == nil {
				require.Empty(t, got.Reactions)
			} else {
				require.Equal(t, step.want, got.Reactions)
			}
			require.Len(t, stored(t, st, m.ID).Reactions, len(step.want))
		}

		for _, emoji := range []string{"b", "a"} {
			_, _, err := st.AddReaction(ctx, m.ID, ann, emoji)
			require.NoError(t, err)
		}
		_, _, err := st.AddReaction(ctx, plain.ID, bob, "c")
		require.NoError(t, err)
		page, err := st.History(ctx, store.HistoryQuery{RoomID: "general"})
		require.NoError(t, err)
		own, err := st.OwnReactions(ctx, "ann", page.Messages)
		require.NoError(t, err)
		require.Equal(t, map[string][]string{m.ID: {"a", "b"}}, own)
		own, err = st.OwnReactions(ctx, "\x00", page.Messages)
		require.NoError(t, err)
		require.Empty(t, own)

		for i := len(page.Messages[0].Reactions); i < 20; i++ {
			_, _, err := st.AddReaction(ctx, m.ID, bob, fmt.Sprint("e", i))
			require.NoError(t, err)
		}
		_, _, err = st.AddReaction(ctx, m.ID, ann, "one more")
		require.ErrorIs(t, err, store.ErrTooMany)
		_, added, err := st.AddReaction(ctx, m.ID, bob, "a")
		require.NoError(t, err, "one that is there")
		require.True(t, added)
		_, _, err = st.RemoveReaction(ctx, m.ID, bob, "e5")
		require.NoError(t, err)
		_, _, err = st.AddReaction(ctx, m.ID, ann, "one more")
		require.NoError(t, err)

		for _, bad := range []string{"", "\x00", "\xff", strings.Repeat("x", 65)} {
			_, _, err := st.AddReaction(ctx, m.ID, ann, bad)
			require.ErrorIs(t, err, store.ErrInvalidArgument, "%q", bad)
		}
		_, _, err = st.AddReaction(ctx, m.ID, store.User{}, "👍")
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		_, _, err = st.RemoveReaction(ctx, "missing", ann, "👍")
		require.ErrorIs(t, err, store.ErrMessageNotFound)
	})
}

// Many react at once, each twice and through two stores as through two processes: everybody counts once.
func TestConcurrentReactions(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		stores := []*store.Store{d.Store(t), d.Store(t)}
		general(t, stores[0])
		m := post(t, stores[0], store.Draft{})
		const users = 24
		var changed atomic.Int64
		all := func(react func(*store.Store, store.User) (store.Message, bool, error)) {
			var wg sync.WaitGroup
			for i := range 2 * users {
				wg.Go(func() {
					_, did, err := react(stores[i%2], user(i/2))
					if err != nil {
						t.Error(err)
					}
					if did {
						changed.Add(1)
					}
				})
			}
			wg.Wait()
		}
		all(func(st *store.Store, u store.User) (store.Message, bool, error) {
			emoji := map[bool]string{true: "👍", false: "👎"}[u.ID < "user-2"]
			return st.AddReaction(ctx, m.ID, u, emoji)
		})
		require.EqualValues(t, users, changed.Load())
		got := stored(t, stores[0], m.ID).Reactions
		require.EqualValues(t, users, got["👍"]+got["👎"])
		var rows int64
		require.NoError(t, d.GORM(t).Table("chat_reactions").Where("emoji = ?", "👍").Count(&rows).Error)
		require.Equal(t, rows, got["👍"])
		all(func(st *store.Store, u store.User) (store.Message, bool, error) {
			return st.RemoveReaction(ctx, m.ID, u, "👍")
		})
		require.Equal(t, users+rows, changed.Load())
		require.Equal(t, store.ReactionCounts{"👎": users - rows}, stored(t, stores[0], m.ID).Reactions)
	})
}

func TestPins(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		var messages []store.Message
		for range 51 {
			messages = append(messages, post(t, st, store.Draft{}))
		}
		first, pinned, err := st.PinMessage(ctx, messages[0].ID, bob)
		require.NoError(t, err)
		require.True(t, pinned)
		require.NotZero(t, first.PinnedAt)
		require.Equal(t, "bob", first.PinnedBy)
		again, pinned, err := st.PinMessage(ctx, messages[0].ID, ann)
		require.NoError(t, err)
		require.False(t, pinned)
		require.Equal(t, shown(first), shown(again))
		_, pinned, err = st.UnpinMessage(ctx, messages[1].ID, ann)
		require.NoError(t, err)
		require.False(t, pinned)

		var refused atomic.Int64
		var wg sync.WaitGroup
		for _, m := range messages[1:] {
			wg.Go(func() {
				_, _, err := st.PinMessage(ctx, m.ID, store.User{})
				if err != nil {
					refused.Add(1)
					require.ErrorIs(t, err, store.ErrTooMany)
				}
			})
		}
		wg.Wait()
		require.EqualValues(t, 1, refused.Load(), "fifty are pinned, also when all come at once")
		pins, err := st.Pins(ctx, "general")
		require.NoError(t, err)
		require.Len(t, pins, 50)
		require.Equal(t, shown(first), shown(pins[49]), "the latest first")
		require.Equal(t, "Ann", pins[0].Sender.Name)

		off, unpinned, err := st.UnpinMessage(ctx, first.ID, ann)
		require.NoError(t, err)
		require.True(t, unpinned)
		require.Zero(t, off.PinnedAt)
		require.Empty(t, off.PinnedBy)
		pins, err = st.Pins(ctx, "general")
		require.NoError(t, err)
		require.Len(t, pins, 49)
		for _, room := range []string{"missing", "\x00"} {
			pins, err := st.Pins(ctx, room)
			require.NoError(t, err)
			require.Empty(t, pins)
		}
		_, _, err = st.PinMessage(ctx, "missing", ann)
		require.ErrorIs(t, err, store.ErrMessageNotFound)
	})
}
