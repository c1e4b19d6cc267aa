package chat

import (
	"context"

	"github.com/echochat/echochat/store"
)

// PinList is the pinned messages of a room, the latest pin first; at most 50, and fewer where they are long.
type PinList struct {
	Messages []Message `json:"messages"`
}

func (c *Chat) pinOperations() []*operation {
	return []*operation{
		define(c.pinMessage, spec{
			name: "message.pin", event: true, route: "PUT /messages/:message_id/pin", action: ActionMessagePin,
			errors: []Code{CodeConflict},
			doc:    "Pins a message to its room.",
		}),
		define(c.unpinMessage, spec{
			name: "message.unpin", event: true, route: "DELETE /messages/:message_id/pin", action: ActionMessagePin,
			doc: "Takes a message's pin off.",
		}),
		define(c.listPins, spec{
			name: "room.pins", event: true, route: "GET /rooms/:room_id/pins", action: ActionHistoryRead,
			doc: "Lists the pinned messages of a room.",
		}),
	}
}

// Pin pins a message to its room, which may have 50 pinned ones.
func (a *Actor) Pin(ctx context.Context, messageID string) (Message, error) {
	out, err := call[MessageResult](ctx, a, "message.pin", MessageRef{messageID})
	return out.Message, err
}

// Unpin takes a message's pin off.
func (a *Actor) Unpin(ctx context.Context, messageID string) (Message, error) {
	out, err := call[MessageResult](ctx, a, "message.unpin", MessageRef{messageID})
	return out.Message, err
}

// Pins returns the pinned messages of a room, the latest pin first, and fewer than there are where they are long.
func (a *Actor) Pins(ctx context.Context, roomID string) ([]Message, error) {
	out, err := call[PinList](ctx, a, "room.pins", RoomRef{roomID})
	return out.Messages, err
}

func (c *Chat) pinMessage(ctx context.Context, r *request, in *MessageRef) (MessageResult, error) {
	row, _, err := c.store.PinMessage(ctx, in.MessageID, r.user.row(), r.entry(r.access.Message.SenderID, nil))
	return c.changed(ctx, r, row, err)
}

func (c *Chat) unpinMessage(ctx context.Context, r *request, in *MessageRef) (MessageResult, error) {
	row, _, err := c.store.UnpinMessage(ctx, in.MessageID, r.user.row(), r.entry(r.access.Message.SenderID, nil))
	return c.changed(ctx, r, row, err)
}

func (c *Chat) listPins(ctx context.Context, r *request, in *RoomRef) (PinList, error) {
	rows, err := c.store.Pins(ctx, in.RoomID)
	if err != nil {
		return PinList{}, c.storeError("list pins", err)
	}
	messages, err := c.messagesFor(ctx, r, cutBytes(rows))
	return PinList{messages}, err
}

// cutBytes returns as many messages as a client's page has room for.
func cutBytes(rows []store.Message) []store.Message {
	bytes := 0
	for i, m := range rows {
		bytes += len(m.Text) + len(m.Attachments) + len(m.Metadata)
		if i > 0 && bytes > pageBytes {
			return rows[:i]
		}
	}
	return rows
}
