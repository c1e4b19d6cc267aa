package chat

import (
	"context"

	"github.com/echochat/echochat/store"
)

// ReadMark is a place in a room: a message, by one of its names.
type ReadMark struct {
	RoomID    string `json:"room_id"`
	Seq       int64  `json:"seq,omitempty"`
	MessageID string `json:"message_id,omitempty"` // in place of seq
}

// ReadState is how far the caller has read in a room.
type ReadState struct {
	ReadSeq     int64 `json:"read_seq"`
	UnreadCount int64 `json:"unread_count"`
}

// ReaderQuery selects the members who have read a message.
type ReaderQuery struct {
	MessageID string `json:"message_id"`
	Cursor    string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit     int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

func (c *Chat) readOperations() []*operation {
	return []*operation{
		define(c.markRead, spec{
			name: EventRoomRead, event: true, route: "POST /rooms/:room_id/read", action: ActionRoomMark, errors: []Code{CodeMessageNotFound},
			doc: "Says that the caller has read a room up to a message; one before what is read already changes nothing.",
		}),
		define(c.markUnread, spec{
			name: "room.unread", event: true, route: "POST /rooms/:room_id/unread", action: ActionRoomMark, errors: []Code{CodeMessageNotFound},
			doc: "Says that the caller has yet to read a message and those after it.",
		}),
		define(c.listReaders, spec{
			name: "message.readers", event: true, route: "GET /messages/:message_id/readers", action: ActionMessageReaders,
			doc: "Lists the members who have read a message, by the user's id.",
		}),
	}
}

// MarkRead says that the user has read a room up to a message.
func (a *Actor) MarkRead(ctx context.Context, m ReadMark) (ReadState, error) {
	return call[ReadState](ctx, a, EventRoomRead, m)
}

// MarkUnread says that the user has yet to read a message and those after it.
func (a *Actor) MarkUnread(ctx context.Context, m ReadMark) (ReadState, error) {
	return call[ReadState](ctx, a, "room.unread", m)
}

// Readers returns a page of the members who have read a message.
func (a *Actor) Readers(ctx context.Context, q ReaderQuery) (MemberPage, error) {
	return call[MemberPage](ctx, a, "message.readers", q)
}

func (c *Chat) markRead(ctx context.Context, r *request, in *ReadMark) (ReadState, error) {
	return c.mark(ctx, r, in, c.store.MarkRead)
}

func (c *Chat) markUnread(ctx context.Context, r *request, in *ReadMark) (ReadState, error) {
	return c.mark(ctx, r, in, c.store.MarkUnread)
}

// mark moves the caller's read position by what the store offers for it.
func (c *Chat) mark(
	ctx context.Context, r *request, in *ReadMark, move func(context.Context, string, string, int64) (store.ReadState, error),
) (ReadState, error) {
	seq, err := in.seq(r)
	if err != nil {
		return ReadState{}, err
	}
	state, err := move(ctx, in.RoomID, r.user.ID, seq)
	if err != nil {
		return ReadState{}, c.storeError("mark as read", err)
	}
	if state.Moved {
		to := c.company(in.RoomID, r.access.Room.MemberCount, r.user.ID)
		c.emit(Event{Type: EventMessageRead, RoomID: in.RoomID, Seq: state.ReadSeq, User: r.actor()}, to)
	}
	return ReadState{ReadSeq: state.ReadSeq, UnreadCount: state.Unread()}, nil
}

// seq is the place that is meant.
func (m *ReadMark) seq(r *request) (int64, error) {
	switch {
	case r.access.Message != nil && m.Seq == 0:
		return r.access.Message.Seq, nil
	case r.access.Message != nil:
		return 0, invalid("seq", "and message_id exclude one another")
	case m.Seq < 1:
		return 0, invalid("seq", "must be at least 1")
	}
	return m.Seq, nil
}

func (c *Chat) listReaders(ctx context.Context, r *request, in *ReaderQuery) (MemberPage, error) {
	if err := checkMemberPage(in.Cursor, in.Limit); err != nil {
		return MemberPage{}, err
	}
	page, err := c.store.Readers(ctx, store.ReaderQuery{
		RoomID: r.access.Room.ID, Seq: r.access.Message.Seq, After: in.Cursor, Limit: in.Limit,
	})
	if err != nil {
		return MemberPage{}, c.storeError("read readers", err)
	}
	return c.membersOf(page), nil
}
