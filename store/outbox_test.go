package store_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// arrivals is what a store has told of, one message after the other.
func arrivals(st *store.Store) <-chan store.Message {
	come := make(chan store.Message, 10_000)
	st.OnCommit(func(batch []store.Message) {
		for _, m := range batch {
			come <- m
		}
	})
	return come
}

func parcels(t *testing.T, db *gorm.DB) (n int64) {
	t.Helper()
	require.NoError(t, db.Table("chat_outbox").Count(&n).Error)
	return n
}

var errRollback = errors.New("the application's own mind")

func TestAppendTx(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st, db := t.Context(), d.Store(t), d.GORM(t)
		require.NoError(t, db.Exec("CREATE TABLE orders (id INTEGER PRIMARY KEY)").Error)
		general(t, st)
		come := arrivals(st)
		first := post(t, st, store.Draft{Text: "first"})
		require.Equal(t, first, <-come)

		var ids []string
		in := func(tx *gorm.DB, drafts ...store.Draft) error {
			for _, draft := range drafts {
				draft.RoomID = "general"
				id, err := st.AppendTx(ctx, tx, draft)
				if err != nil {
					return err
				}
				ids = append(ids, id)
			}
			return nil
		}
		drafts := []store.Draft{
			{Sender: ann, Text: `order 1: <"'\`, Attachments: store.RawJSON(`[ {"url": "<x>"} ]`), Metadata: store.RawJSON(`{"b":1,  "a":2}`)},
			{Sender: bob, Text: "", ParentID: first.ID, QuotedID: first.ID, Mentions: store.UserIDs{"nobody", "ann", "\x00"}},
			{Text: "said by the chat", System: true},
			{Sender: store.User{ID: "eve", Name: "Eve"}, Text: "from outside", Outsider: true},
		}
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			require.NoError(t, tx.Exec("INSERT INTO orders VALUES (1)").Error)
			return in(tx, drafts...)
		}))
		for i, want := range drafts {
			got := <-come
			require.Equal(t, ids[i], got.ID, "the id that was promised")
			require.Equal(t, ids[i], got.ClientID)
			require.EqualValues(t, 2+i, got.Seq, "in their order")
			require.Equal(t, want.Text, got.Text)
			require.Equal(t, want.Sender, got.Sender)
			require.Equal(t, string(want.Attachments), string(got.Attachments))
			require.Equal(t, string(want.Metadata), string(got.Metadata))
			back := stored(t, st, got.ID)
			require.Equal(t, want.ParentID, back.ParentID)
			require.Equal(t, want.QuotedID, back.QuotedID)
			require.Equal(t, i == 1, slices.Equal(back.Mentions, []string{"ann"}))
			require.Equal(t, i == 2, back.Type == store.MessageSystem)
		}

		err := db.Transaction(func(tx *gorm.DB) error {
			require.NoError(t, tx.Exec("INSERT INTO orders VALUES (2)").Error)
			return errors.Join(in(tx, store.Draft{Sender: ann, Text: "never said"}), errRollback)
		})
		require.ErrorIs(t, err, errRollback)
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error { // a savepoint is rolled back, what is around it is not
			_ = tx.Transaction(func(tx *gorm.DB) error {
				require.NoError(t, in(tx, store.Draft{Sender: ann, Text: "never said"}))
				return errRollback
			})
			return in(tx, store.Draft{Sender: ann, Text: "last"})
		}))
		last := <-come
		require.Equal(t, "last", last.Text)
		require.EqualValues(t, 6, last.Seq, "what was rolled back has left no trace")
		require.NoError(t, st.Close())
		require.Empty(t, come)
		require.Zero(t, parcels(t, db))
		_, err = st.AppendTx(ctx, db, store.Draft{})
		require.ErrorIs(t, err, store.ErrClosed)
	})
}

// Who is no member any more when a message comes out of the outbox is not named in it.
func TestAppendTxMentionsMembers(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		general(t, st)
		come := arrivals(st)
		require.NoError(t, d.GORM(t).Transaction(func(tx *gorm.DB) error {
			_, err := st.AppendTx(t.Context(), tx, store.Draft{RoomID: "general", Sender: ann, Mentions: store.UserIDs{"ann", "bob"}})
			return errors.Join(err, tx.Exec("DELETE FROM chat_members WHERE user_id = 'bob'").Error)
		}))
		m := <-come
		require.Equal(t, store.UserIDs{"ann"}, m.Mentions)
		require.Equal(t, m.Mentions, stored(t, st, m.ID).Mentions)
		require.Equal(t, []string{"ann 1"}, mentions(t, d))
	})
}

func TestAppendTxRefuses(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st, db := t.Context(), d.Store(t), d.GORM(t)
		general(t, st)
		come := arrivals(st)
		other, err := gorm.Open(elsewhere{db.Dialector}, &gorm.Config{})
		require.NoError(t, err)
		for name, tx := range map[string]*gorm.DB{"nil": nil, "no transaction": db, "another database": other} {
			_, err := st.AppendTx(ctx, tx, store.Draft{RoomID: "general", Sender: ann})
			require.ErrorIs(t, err, store.ErrInvalidArgument, name)
		}
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			for _, c := range []struct {
				draft store.Draft
				want  error
			}{
				{store.Draft{RoomID: "missing", Sender: ann}, store.ErrRoomNotFound},
				{store.Draft{RoomID: "\x00", Sender: ann}, store.ErrRoomNotFound},
				{store.Draft{RoomID: "general", Sender: store.User{ID: "eve"}}, store.ErrNotMember},
				{store.Draft{RoomID: "general"}, store.ErrInvalidArgument},
				{store.Draft{RoomID: "general", Sender: ann, ClientID: "c"}, store.ErrInvalidArgument},
				{store.Draft{RoomID: "general", Sender: ann, Text: "\xff"}, store.ErrInvalidArgument},
				{store.Draft{RoomID: "general", Sender: ann, ParentID: "missing"}, store.ErrMessageNotFound},
			} {
				_, err := st.AppendTx(ctx, tx, c.draft)
				require.ErrorIs(t, err, c.want, "%+v", c.draft)
			}
			_, err := st.AppendTx(ctx, tx, store.Draft{RoomID: "general", Sender: bob, Text: "fine"})
			require.NoError(t, err)
			_, err = st.AppendTx(ctx, tx, store.Draft{RoomID: "general", Sender: ann, Text: "removed before the commit"})
			require.NoError(t, err)
			return nil // an application that does not look at errors
		}))
		require.Equal(t, "fine", (<-come).Text)
	})
}

// elsewhere is a database of another kind.
type elsewhere struct{ gorm.Dialector }

func (elsewhere) Name() string { return "elsewhere" }

// Who was removed between the transaction's look and the commit does not speak, and does not hold up who comes next.
func TestAppendTxOfRemovedMember(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		general(t, st)
		for _, sender := range []store.User{ann, bob} {
			require.NoError(t, d.GORM(t).Transaction(func(tx *gorm.DB) error {
				_, err := st.AppendTx(t.Context(), tx, store.Draft{RoomID: "general", Sender: sender, Text: sender.ID})
				return errors.Join(err, st.Close()) // so that it stays where it is
			}))
			st = d.Store(t)
			if sender.ID == "ann" {
				require.NoError(t, st.RemoveMember(t.Context(), "general", "ann"))
			}
		}
		require.Equal(t, "bob", (<-arrivals(st)).Text)
		require.NoError(t, st.Close())
		require.Zero(t, parcels(t, d.GORM(t)))
	})
}

// The application may have all connections in its own transactions: nothing waits for another one.
func TestAppendTxNeedsOneConnection(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		db := d.GORM(t)
		pool, err := db.DB()
		require.NoError(t, err)
		st, err := store.New(db)
		require.NoError(t, err)
		defer func() { require.NoError(t, st.Close()) }()
		general(t, st)
		come := arrivals(st)
		first := post(t, st, store.Draft{})
		<-come
		pool.SetMaxOpenConns(1)
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
			for range 3 {
				if _, err := st.AppendTx(ctx, tx, store.Draft{RoomID: "general", Sender: ann, ParentID: first.ID}); err != nil {
					return err
				}
			}
			return nil
		}))
		for i := range 3 {
			require.EqualValues(t, 2+i, (<-come).Seq)
		}
	})
}

// Many transactions through two stores, as through two processes, some of them rolled back: each message that was committed is
// appended once and told of once, those of one transaction in their order.
func TestAppendTxTogether(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		nodes := []*store.Store{d.Store(t), d.Store(t)}
		general(t, nodes[0])
		_, err := nodes[0].CreateRoom(t.Context(), store.RoomDraft{ID: "other", Creator: ann})
		require.NoError(t, err)
		come := make(chan store.Message, 10_000)
		for _, n := range nodes {
			n.OnCommit(func(batch []store.Message) {
				for _, m := range batch {
					come <- m
				}
			})
		}
		const apps, transactions, each = 4, 10, 6
		committed := make(chan []string, apps*transactions)
		var wg sync.WaitGroup
		for a := range apps {
			db := d.GORM(t)
			wg.Go(func() {
				for i := range transactions {
					var ids []string
					err := db.Transaction(func(tx *gorm.DB) error {
						for m := range each {
							draft := store.Draft{RoomID: []string{"general", "other"}[m%2], Sender: ann, Text: fmt.Sprintf("%d %d", m, i)}
							id, err := nodes[a%2].AppendTx(t.Context(), tx, draft)
							if err != nil {
								return err
							}
							ids = append(ids, id)
						}
						if i%3 == 2 {
							return errRollback
						}
						return nil
					})
					switch {
					case err == nil:
						committed <- ids
					case !errors.Is(err, errRollback):
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		close(committed)
		seqs := make(map[string]int64)
		for range len(committed) * each {
			m := <-come
			require.NotContains(t, seqs, m.ID, "told of twice")
			seqs[m.ID] = m.Seq
		}
		require.Zero(t, len(seqs)%each)
		for ids := range committed {
			last := [2]int64{}
			for i, id := range ids {
				require.Greater(t, seqs[id], last[i%2])
				last[i%2] = seqs[id]
			}
		}
		for _, n := range nodes {
			require.NoError(t, n.Close())
		}
		require.Empty(t, come)
		after := d.Store(t)
		require.Len(t, append(history(t, after, "general"), history(t, after, "other")...), len(seqs))
	})
}
