package chat

import (
	"context"
	"slices"
)

// Typing says where somebody types.
type Typing struct {
	RoomID   string `json:"room_id"`
	ParentID string `json:"parent_id,omitempty"` // the message that is being replied to
}

func (c *Chat) typingOperations() []*operation {
	return []*operation{
		define(c.startTyping, spec{
			name: EventTypingStart, event: true, action: ActionMessageTyping,
			doc: "Shows the others in a room that the caller types, until typing.stop, a message, or a few seconds without a repetition.",
		}),
		define(c.stopTyping, spec{
			name: EventTypingStop, event: true, action: ActionMessageTyping,
			doc: "Shows the others in a room that the caller has stopped typing.",
		}),
	}
}

func (c *Chat) startTyping(_ context.Context, r *request, in *Typing) (nothing, error) {
	p := typist{roomID: in.RoomID, user: r.user, parentID: in.ParentID}
	if len(in.ParentID) > maxMessageID || !printable(in.ParentID) {
		return nothing{}, invalid("parent_id", "is not a message id")
	}
	if r.socket != nil {
		if !slices.Contains(r.socket.Rooms(), roomKey(in.RoomID)) {
			return nothing{}, notAMember()
		}
		p.socketID = r.socket.ID()
	}
	if c.typing.start(p) {
		c.announceTyping(EventTypingStart, p)
	}
	return nothing{}, nil
}

func (c *Chat) stopTyping(_ context.Context, r *request, in *Typing) (nothing, error) {
	c.typing.stop(in.RoomID, r.user.ID)
	return nothing{}, nil
}

// announceTyping tells the others in the room, not the typist's own connections.
func (c *Chat) announceTyping(event string, p typist) {
	c.emit(Event{Type: event, RoomID: p.roomID, User: &p.user, ParentID: p.parentID},
		c.server.To(roomKey(p.roomID)).Except(userKey(p.user.ID)))
}

func (c *Chat) announceStopped(p typist) { c.announceTyping(EventTypingStop, p) }
