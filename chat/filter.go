package chat

import (
	"context"
	"encoding/json"
)

// Filter sees each message before it is stored, and each new version of one. It may rewrite the draft in place, or refuse it by returning Reject,
// RateLimited, Forbidden or another *Error, which the sender gets as it is. Any other error is logged, and the sender
// gets CodeInternal. Several run at the same time for different messages. The context ends after 10 seconds, and
// not with the sender's connection: who closes the page right after sending has sent.
//
// The room, the sender and the ids are not a filter's to change; changes to them are ignored. A filter should
// rewrite the same text in the same way, or a client that sends a message again is told that it has changed.
type Filter func(ctx context.Context, d *Draft) error

// Draft is a message on its way into the database.
type Draft struct {
	RoomID      string
	Room        Room
	Sender      User // who may send there
	Text        string
	ClientID    string // chosen by the client to find its message again; may be empty
	ParentID    string // the message this one replies to; may be empty
	MessageID   string // the message that this is a new version of; empty for a new message
	Attachments []Attachment
	Metadata    json.RawMessage // a JSON object; may be nil
}

// filter passes the message n of the caller through all filters, and takes over what they have rewritten.
func (c *Chat) filter(ctx context.Context, r *request, n *NewMessage) error {
	if len(c.cfg.filters) == 0 {
		return nil
	}
	d := Draft{
		RoomID: n.RoomID, Room: roomOf(r.access.Room), Sender: r.user, Text: n.Text, ClientID: n.ClientID, ParentID: n.ParentID,
		Attachments: n.Attachments, Metadata: n.Metadata,
	}
	if r.access.Message != nil {
		d.MessageID = r.access.Message.ID
	}
	for _, f := range c.cfg.filters {
		if err := c.guard("filter", CodeInternal, func() error { return f(ctx, &d) }); err != nil {
			n.Text = d.Text // what it would be stored as, see sentBefore
			return err
		}
	}
	n.Text, n.Attachments, n.Metadata = d.Text, d.Attachments, d.Metadata
	return c.checkSend(n)
}
