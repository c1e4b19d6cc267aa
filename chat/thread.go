package chat

import (
	"context"

	"github.com/echochat/echochat/store"
)

// RepliesQuery selects a page of the replies to a message. At most one of Before, After, Around and Cursor may be given; with
// none of them it is the latest page.
type RepliesQuery struct {
	MessageID string         `json:"message_id"`
	Before    store.Position `json:"before,omitzero"`  // the replies just before this one
	After     store.Position `json:"after,omitzero"`   // the replies just after this one
	Around    store.Position `json:"around,omitzero"`  // half a page up to and with this one, and half a page after it
	Cursor    string         `json:"cursor,omitempty"` // NextCursor of the page before
	Limit     int            `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// Message returns a message.
func (a *Actor) Message(ctx context.Context, messageID string) (Message, error) {
	out, err := call[MessageResult](ctx, a, "message.get", MessageRef{messageID})
	return out.Message, err
}

// Replies returns a page of the replies to a message.
func (a *Actor) Replies(ctx context.Context, q RepliesQuery) (Page, error) {
	return call[Page](ctx, a, "message.replies", q)
}

func (c *Chat) readMessage(ctx context.Context, r *request, in *MessageRef) (MessageResult, error) {
	row, err := c.store.Message(ctx, in.MessageID)
	return c.changed(ctx, r, row, err)
}

func (c *Chat) readReplies(ctx context.Context, r *request, in *RepliesQuery) (Page, error) {
	q, err := HistoryQuery{
		RoomID: r.access.Room.ID, Thread: in.MessageID, Before: in.Before, After: in.After, Around: in.Around, Cursor: in.Cursor,
		Limit: in.Limit,
	}.query()
	if err != nil {
		return Page{}, err
	}
	return c.page(ctx, r, q)
}
