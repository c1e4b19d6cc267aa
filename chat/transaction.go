package chat

import (
	"context"

	"gorm.io/gorm"

	"github.com/echochat/echochat/store"
)

// SendTx sends a message as part of tx, a transaction of the app on the chat's database, and returns the id that the message will have. If
// and when tx is committed the message is stored in its room and delivered, once, also if the process dies in between; if tx is
// rolled back, there never was one. The messages of one transaction keep their order.
//
// Permissions, the hooks before an operation and filters apply now, as to Send; what they look up in the chat on a server takes a
// connection of the app's pool besides that of tx. Message hooks run when the message is stored; the
// functions of WithAfter do not run. The ClientID has to be empty. See
// [store.Store.AppendTx] for SQLite, and for members who are removed before the commit. After an error, roll tx back.
func (a *Actor) SendTx(ctx context.Context, tx *gorm.DB, n NewMessage) (messageID string, err error) {
	switch {
	case a.err != nil:
		return "", a.err
	case tx == nil:
		return "", invalid("tx", "is nil")
	case n.ClientID != "":
		return "", invalid("client_id", "is not for messages of a transaction")
	}
	r := &request{caller: a.caller, op: a.c.byName[EventMessageSend]}
	r.tx = tx
	out, err := a.c.perform(ctx, r, &n)
	if err != nil {
		return "", a.c.errorOf(err)
	}
	return out.(MessageResult).Message.ID, nil
}

// deliveredTx runs the hooks of a message that was sent in a transaction.
func (c *Chat) deliveredTx(row store.Message) {
	_ = c.hookMessage(context.Background(), messageOf(row)) // logged
}
