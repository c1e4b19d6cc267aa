package chat

import (
	"context"
	"strconv"
	"strings"

	"github.com/echochat/echochat/store"
)

// Page is a page of a room's messages, ascending by seq without gaps.
type Page struct {
	Messages      []Message `json:"messages"`
	HasMoreBefore bool      `json:"has_more_before"`
	HasMoreAfter  bool      `json:"has_more_after"`
	// NextCursor continues in the direction that was read; absent at the end.
	NextCursor string `json:"next_cursor,omitempty"`
}

// HistoryQuery selects a page of a room's messages. At most one of Before, After, Around and Cursor may be given; with none of
// them it is the latest page.
type HistoryQuery struct {
	RoomID string         `json:"room_id"`
	Thread string         `json:"thread,omitempty"` // a message: only replies to it
	Before store.Position `json:"before,omitzero"`  // the messages just before this one
	After  store.Position `json:"after,omitzero"`   // the messages just after this one
	Around store.Position `json:"around,omitzero"`  // half a page up to and with this one, and half a page after it
	Cursor string         `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int            `json:"limit,omitempty"`  // defaults to 50, at most 200
}

func (c *Chat) historyOperations() []*operation {
	return []*operation{
		define(c.readHistory, spec{
			name: EventRoomHistory, event: true, route: "GET /rooms/:room_id/messages", action: ActionHistoryRead,
			errors: []Code{CodeMessageNotFound},
			doc:    "Returns a page of a room's messages.",
		}),
	}
}

// History returns a page of a room's messages. It returns CodeMessageNotFound for a position that names a message of another
// room.
func (a *Actor) History(ctx context.Context, q HistoryQuery) (Page, error) {
	return call[Page](ctx, a, EventRoomHistory, q)
}

func (c *Chat) readHistory(ctx context.Context, r *request, in *HistoryQuery) (Page, error) {
	q, err := in.query()
	if err != nil {
		return Page{}, err
	}
	return c.page(ctx, r, q)
}

// page reads a page of messages for the caller.
func (c *Chat) page(ctx context.Context, r *request, q store.HistoryQuery) (Page, error) {
	p, err := c.store.History(ctx, q)
	if err != nil {
		return Page{}, c.storeError("read history", err)
	}
	out := Page{HasMoreBefore: p.HasMoreBefore, HasMoreAfter: p.HasMoreAfter}
	if out.Messages, err = c.messagesFor(ctx, r, p.Messages); err != nil {
		return Page{}, err
	}
	if n := len(out.Messages); n > 0 {
		switch forward := !q.After.IsZero(); {
		case forward && out.HasMoreAfter:
			out.NextCursor = cursorAfter + strconv.FormatInt(out.Messages[n-1].Seq, 10)
		case !forward && out.HasMoreBefore:
			out.NextCursor = cursorBefore + strconv.FormatInt(out.Messages[0].Seq, 10)
		}
	}
	return out, nil
}

// messagesFor are messages with the caller's own reactions to them.
func (c *Chat) messagesFor(ctx context.Context, r *request, rows []store.Message) ([]Message, error) {
	own, err := c.store.OwnReactions(ctx, r.user.ID, rows)
	if err != nil {
		return nil, c.storeError("read reactions", err)
	}
	messages := make([]Message, len(rows))
	for i, row := range rows {
		messages[i] = messageOf(row)
		messages[i].OwnReactions = own[row.ID]
	}
	return messages, nil
}

// A cursor is a position and the direction to read in. A bare position counts as "before", as in Slack's API.
const (
	cursorBefore = "before:"
	cursorAfter  = "after:"
)

const maxPage = 200

// pageBytes limits what is in the messages of a client's page. A page is sent as one packet, which the send buffer of a
// connection (1 MiB by default) takes whatever its size, and JSON may need six bytes for one.
const pageBytes = 128 << 10

// query checks the arguments of a history request.
func (a HistoryQuery) query() (store.HistoryQuery, error) {
	if err := checkLimit(a.Limit); err != nil {
		return store.HistoryQuery{}, err
	}
	q := store.HistoryQuery{
		RoomID: a.RoomID, Thread: a.Thread, Before: a.Before, After: a.After, Around: a.Around, Limit: a.Limit, MaxBytes: pageBytes,
	}
	given := 0
	for _, p := range []store.Position{q.Before, q.After, q.Around} {
		if !p.IsZero() {
			given++
		}
	}
	if a.Cursor != "" {
		given++
		to := &q.Before
		text, forward := strings.CutPrefix(a.Cursor, cursorAfter)
		if forward {
			to = &q.After
		}
		if err := to.UnmarshalText([]byte(strings.TrimPrefix(text, cursorBefore))); err != nil {
			return store.HistoryQuery{}, badCursor()
		}
	}
	if given > 1 {
		return store.HistoryQuery{}, invalid("before", "after, around and cursor exclude one another")
	}
	return q, nil
}

func checkLimit(n int) error {
	if n < 0 || n > maxPage {
		return invalid("limit", "must be from 1 to 200")
	}
	return nil
}

// none reports whether a JSON value is absent or null.
func none(data []byte) bool { return len(data) == 0 || string(data) == "null" }
