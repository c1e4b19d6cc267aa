package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

func (c *Chat) onSend(ctx context.Context, r *request, a sendArgs) (messageAck, error) {
	m, stored, err := c.send(ctx, r.user, a, r.subscribed(a.RoomID))
	if err != nil {
		return messageAck{}, err
	}
	if stored {
		r.after = func(ctx context.Context) error { return c.hookMessage(ctx, m) }
	}
	return messageAck{Message: m}, nil
}

func (c *Chat) onTypingStart(_ context.Context, r *request, a typingArgs) (emptyAck, error) {
	if err := c.checkTyping(r, a); err != nil {
		return emptyAck{}, err
	}
	p := typist{roomID: a.RoomID, user: r.user, parentID: a.ParentID, socketID: r.socket.ID()}
	if c.typing.start(p) {
		c.announceTyping(EventTypingStart, p)
	}
	return emptyAck{}, nil
}

func (c *Chat) onTypingStop(_ context.Context, r *request, a typingArgs) (emptyAck, error) {
	if err := c.checkTyping(r, a); err != nil {
		return emptyAck{}, err
	}
	c.typing.stop(a.RoomID, r.user.ID)
	return emptyAck{}, nil
}

func (c *Chat) checkTyping(r *request, a typingArgs) error {
	if err := checkRoomID(a.RoomID); err != nil {
		return err
	}
	if len(a.ParentID) > maxMessageID || !printable(a.ParentID) {
		return invalid("parent_id", "is not a message id")
	}
	if !r.subscribed(a.RoomID) {
		return notAMember()
	}
	return nil
}

// announceTyping tells the others in the room, not the typist's own connections.
func (c *Chat) announceTyping(event string, p typist) {
	c.emit(Event{Type: event, RoomID: p.roomID, User: &p.user, ParentID: p.parentID},
		c.server.To(roomKey(p.roomID)).Except(userKey(p.user.ID)))
}

func (c *Chat) announceStopped(p typist) { c.announceTyping(EventTypingStop, p) }

// announcePresence tells everybody who shares a room with u, in as many sends as u's rooms have pages.
func (c *Chat) announcePresence(ctx context.Context, u User, status Status) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	q := store.RoomQuery{MemberID: u.ID, Limit: maxPage}
	for {
		page, err := c.store.Rooms(ctx, q)
		if err != nil && errors.Is(ctx.Err(), context.Canceled) { // Shutdown
			return
		}
		if err != nil {
			c.log.Warn("chat: presence could not be announced", "err", err)
			return
		}
		keys := make([]string, len(page.Rooms))
		for i, r := range page.Rooms {
			keys[i] = roomKey(r.ID)
		}
		if len(keys) > 0 { // a broadcast to no room would go to everybody
			c.emit(Event{Type: EventPresenceChanged, User: &u, Status: status}, c.server.To(keys...))
		}
		if page.Next == "" {
			return
		}
		q.After = page.Next
	}
}
