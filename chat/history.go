package chat

import (
	"context"
	"encoding/json"
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

// History returns a page of a room's messages, read as the system. It returns CodeRoomNotFound for an unknown room and
// CodeMessageNotFound for a position that names a message of another room.
func (c *Chat) History(ctx context.Context, q store.HistoryQuery) (Page, error) {
	if _, err := c.Room(ctx, q.RoomID); err != nil {
		return Page{}, err
	}
	return c.page(ctx, q)
}

// history is History for a user, who must be a member.
func (c *Chat) history(ctx context.Context, u User, a historyArgs) (Page, error) {
	q, err := a.query()
	if err != nil {
		return Page{}, err
	}
	if _, _, err := c.memberRoom(ctx, u, a.RoomID); err != nil {
		return Page{}, err
	}
	return c.page(ctx, q)
}

func (c *Chat) page(ctx context.Context, q store.HistoryQuery) (Page, error) {
	p, err := c.store.History(ctx, q)
	if err != nil {
		return Page{}, c.storeError("read history", err)
	}
	out := Page{Messages: make([]Message, len(p.Messages)), HasMoreBefore: p.HasMoreBefore, HasMoreAfter: p.HasMoreAfter}
	for i, m := range p.Messages {
		out.Messages[i] = messageOf(m)
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
func (a historyArgs) query() (store.HistoryQuery, error) {
	if err := checkRoomID(a.RoomID); err != nil {
		return store.HistoryQuery{}, err
	}
	if err := checkLimit(a.Limit); err != nil {
		return store.HistoryQuery{}, err
	}
	q := store.HistoryQuery{
		RoomID: a.RoomID, Before: a.Before.at, After: a.After.at, Around: a.Around.at, Limit: a.Limit, MaxBytes: pageBytes,
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
		at, err := parsePosition("cursor", strings.TrimPrefix(text, cursorBefore))
		if err != nil {
			return store.HistoryQuery{}, err
		}
		*to = at
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

// position is a store.Position on the wire: a seq as a number or in decimal digits, or a message id.
type position struct{ at store.Position }

// UnmarshalJSON implements json.Unmarshaler.
func (p *position) UnmarshalJSON(data []byte) error {
	var text string
	switch {
	case none(data):
		return nil
	case data[0] == '"':
		if err := json.Unmarshal(data, &text); err != nil {
			return invalid("position", "is not a seq or a message id")
		}
	default:
		seq, err := strconv.ParseInt(string(data), 10, 64)
		if err != nil {
			return invalid("position", "is not a seq or a message id")
		}
		text = strconv.FormatInt(seq, 10)
	}
	at, err := parsePosition("position", text)
	p.at = at
	return err
}

func parsePosition(field, text string) (store.Position, error) {
	if len(text) > maxMessageID || !printable(text) || strings.HasPrefix(text, "-") {
		return store.Position{}, invalid(field, "is not a seq or a message id")
	}
	at, err := store.ParsePosition(text)
	if err != nil {
		return store.Position{}, invalid(field, "is not a seq or a message id")
	}
	return at, nil
}

// none reports whether a JSON value is absent or null.
func none(data []byte) bool { return len(data) == 0 || string(data) == "null" }
