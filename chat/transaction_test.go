package chat_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store/storetest"
)

// A shop says in the customer's room what becomes of an order, in the transaction that changes it: what is in the database is said, and
// nothing else.
func TestSendTx(t *testing.T) {
	t.Parallel()
	hooked := make(chan chat.Message, 100)
	everywhere(t, func(t *testing.T, a *app, d storetest.Database) {
		db := d.GORM(t)
		require.NoError(t, db.Exec("CREATE TABLE orders (id INTEGER PRIMARY KEY)").Error)
		ada := a.connect(t, "Ada", chattest.WebSocket)
		call(t, ada, "room.join", object{"room_id": "shop"})
		ctx, customer := t.Context(), chat.User{ID: "ada", Name: "Ada"}

		var ids []string
		order := func(id int, end error) error {
			return db.Transaction(func(tx *gorm.DB) error {
				if err := tx.Exec("INSERT INTO orders VALUES (?)", id).Error; err != nil {
					return err
				}
				first, err := a.chat.As(customer).SendTx(ctx, tx, chat.NewMessage{RoomID: "shop", Text: "One of these, please."})
				if err != nil {
					return err
				}
				second, err := a.chat.System().SendTx(ctx, tx, chat.NewMessage{RoomID: "shop", Text: "Thank you for your order."})
				ids = append(ids, first, second)
				return errors.Join(err, end)
			})
		}
		soldOut := errors.New("sold out")
		require.ErrorIs(t, order(1, soldOut), soldOut)
		ids = nil
		require.NoError(t, order(2, nil))
		for i, text := range []string{"One of these, please.", "Thank you for your order."} {
			e := expect(t, ada, "message.new")
			require.Equal(t, text, e.Message.Text)
			require.Equal(t, ids[i], e.Message.ID)
			require.EqualValues(t, i+1, e.Seq)
			require.Equal(t, i == 0, e.User != nil)
			require.Equal(t, "shop", (<-hooked).RoomID)
		}

		for name, c := range map[string]struct {
			as   *chat.Actor
			n    chat.NewMessage
			code chat.Code
		}{
			"no member":    {a.chat.As(chat.User{ID: "eve"}), chat.NewMessage{RoomID: "shop", Text: "x"}, chat.CodeNotAMember},
			"missing room": {a.chat.System(), chat.NewMessage{RoomID: "missing", Text: "x"}, chat.CodeRoomNotFound},
			"filtered":     {a.chat.As(customer), chat.NewMessage{RoomID: "shop", Text: "darn"}, chat.CodeMessageRejected},
			"client id":    {a.chat.As(customer), chat.NewMessage{RoomID: "shop", Text: "x", ClientID: "c"}, chat.CodeInvalidArgument},
		} {
			err := db.Transaction(func(tx *gorm.DB) error {
				_, err := c.as.SendTx(ctx, tx, c.n)
				return err
			})
			var e *chat.Error
			require.ErrorAs(t, err, &e, name)
			require.Equal(t, c.code, e.Code, name)
		}
		_, err := a.chat.System().SendTx(ctx, db, chat.NewMessage{RoomID: "shop", Text: "x"})
		require.ErrorIs(t, err, &chat.Error{Code: chat.CodeInvalidArgument}, "not in a transaction")
		_, err = a.chat.System().SendTx(ctx, nil, chat.NewMessage{RoomID: "shop", Text: "x"})
		require.ErrorIs(t, err, &chat.Error{Code: chat.CodeInvalidArgument})
		ada.ExpectNone(t, "message.new")
	}, chat.WithHooks(chat.Hooks{Message: func(_ context.Context, m chat.Message) { hooked <- m }}),
		chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
			if d.Text == "darn" {
				return chat.Reject("Mind your language.")
			}
			return nil
		}))
}
