package chat

import (
	"context"
	"encoding/json"
)

// Filter sees each message before it is stored. It may rewrite the draft in place, or refuse it by returning Reject,
// RateLimited, Forbidden or another *Error, which the sender gets as it is. Any other error is logged, and the sender
// gets CodeInternal. Several run at the same time for different messages. The context ends after 10 seconds, and
// not with the sender's connection: who closes the page right after sending has sent.
//
// The room, the sender, ClientID and ParentID are not a filter's to change; changes to them are ignored. A filter should
// rewrite the same text in the same way, or a client that sends a message again is told that it has changed.
type Filter func(ctx context.Context, d *Draft) error

// Draft is a message on its way into the database.
type Draft struct {
	RoomID      string
	Sender      User // a member of the room
	Text        string
	ClientID    string // chosen by the client to find its message again; may be empty
	ParentID    string // the message this one replies to; may be empty
	Attachments []Attachment
	Metadata    json.RawMessage // a JSON object; may be nil

	room func(context.Context) (Room, error)
}

// Room returns the room that the message is for. It asks the database, once per message, so that filters which do not care
// cost nothing. A Draft that the app made by itself, as for a test of a filter, has a room with an ID and nothing else.
func (d *Draft) Room(ctx context.Context) (Room, error) {
	if d.room == nil {
		return Room{ID: d.RoomID}, nil
	}
	return d.room(ctx)
}

// filter passes the message a of u through all filters, and takes over what they have rewritten. Only members get as far:
// a filter's answer must not tell a stranger that a room is there, nor its budget be spent by one. With member, u is
// known to be one; that the store looks again is another matter.
func (c *Chat) filter(ctx context.Context, u User, a *sendArgs, member bool) error {
	if len(c.cfg.filters) == 0 {
		return nil
	}
	if !member {
		if _, _, err := c.memberRoom(ctx, u, a.RoomID); err != nil {
			return err
		}
	}
	roomID := a.RoomID
	var room *Room
	d := Draft{
		RoomID: roomID, Sender: u, Text: a.Text, ClientID: a.ClientID, ParentID: a.ParentID,
		Attachments: a.Attachments, Metadata: a.Metadata,
		room: func(ctx context.Context) (Room, error) {
			if room == nil {
				r, err := c.Room(ctx, roomID)
				if err != nil {
					return Room{}, err
				}
				room = &r
			}
			return *room, nil
		},
	}
	for _, f := range c.cfg.filters {
		if err := c.guard("filter", CodeInternal, func() error { return f(ctx, &d) }); err != nil {
			a.Text = d.Text // what it would be stored as, see sentBefore
			return err
		}
	}
	a.Text, a.Attachments, a.Metadata = d.Text, d.Attachments, d.Metadata
	return c.checkSend(a)
}
