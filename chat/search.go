package chat

import (
	"context"
	"errors"
	"time"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/echochat/echochat/store"
)

// EventSearch finds messages.
const EventSearch = "search"

// maxSearchText is how many bytes of text the store searches for.
const maxSearchText = 1024

// SearchQuery selects messages by what they say. At least one of Text and From is required.
type SearchQuery struct {
	// Text has words that must all be in a message, in any order: at most 32 in 1,024 bytes. Capitals make no difference, and
	// nothing in it is an operator.
	Text   string    `json:"q,omitempty"`
	RoomID string    `json:"room_id,omitempty"` // only in this room; absent: in all rooms that one is a member of
	From   string    `json:"from,omitempty"`    // id of the sender
	Since  time.Time `json:"since,omitzero"`    // only messages from this moment on
	Until  time.Time `json:"until,omitzero"`    // only messages before this moment
	Cursor string    `json:"cursor,omitempty"`  // next_cursor of the page before
	Limit  int       `json:"limit,omitempty"`   // defaults to 50, at most 200
}

// SearchPage is a page of what a search has found, the newest first.
type SearchPage struct {
	Results []SearchResult `json:"results"`
	// NextCursor continues with older messages; absent at the end. Where the words are common and hardly ever in one message, a
	// page may have few results or none although there are more.
	NextCursor string `json:"next_cursor,omitempty"`
}

// SearchResult is a message that was found.
type SearchResult struct {
	Message Message `json:"message"`
	Excerpt Excerpt `json:"excerpt"`
}

// Excerpt is the part of a message's text where it matches, about 200 characters. It is plain text.
type Excerpt struct {
	Text       string      `json:"text"`       // with an ellipsis where something was left out
	Highlights []Highlight `json:"highlights"` // what matches, ascending; empty where only the sender was searched for
}

// Highlight is a part of an excerpt that matches. Its ends are counted as JavaScript counts them, in UTF-16 code units:
// text.slice(start, end).
type Highlight struct {
	Start int `json:"start"`
	End   int `json:"end"`
}

func (c *Chat) searchOperations() []*operation {
	return []*operation{
		define(c.search, spec{
			name: EventSearch, event: true, route: "GET /search", action: ActionSearch,
			errors: []Code{CodeRoomNotFound, CodeNotAMember, CodeBanned},
			doc:    "Finds messages by their words and their sender, the newest first, in a room or in all rooms of the caller.",
		}),
	}
}

// Search returns a page of the messages that q selects, the newest first. The system searches in one room at a time.
func (a *Actor) Search(ctx context.Context, q SearchQuery) (SearchPage, error) {
	return call[SearchPage](ctx, a, EventSearch, q)
}

func (c *Chat) search(ctx context.Context, r *request, in *SearchQuery) (SearchPage, error) {
	if err := in.check(r.system); err != nil {
		return SearchPage{}, err
	}
	q := store.SearchQuery{
		Text: in.Text, SenderID: in.From, Since: store.MillisOf(in.Since), Until: store.MillisOf(in.Until),
		Cursor: in.Cursor, Limit: in.Limit, MaxBytes: pageBytes,
	}
	if in.RoomID == "" {
		q.UserID = r.user.ID
	} else {
		access, err := c.permit(ctx, r.caller, ActionHistoryRead, target{roomID: in.RoomID})
		if err != nil {
			return SearchPage{}, err
		}
		q.RoomID = access.Room.ID
	}
	found, err := c.store.Search(ctx, q)
	if errors.Is(err, store.ErrInvalidArgument) {
		return SearchPage{}, NewError(CodeInvalidArgument,
			"q has too many words, cursor is not of a search, or there are too many rooms to search: give room_id.")
	}
	if err != nil {
		return SearchPage{}, c.storeError("search", err)
	}
	page := SearchPage{Results: make([]SearchResult, 0, len(found.Hits)), NextCursor: found.Next}
	readable := map[string]bool{in.RoomID: true} // of those that hits are in
	for _, hit := range found.Hits {
		room := hit.Message.RoomID
		may, known := readable[room]
		if !known {
			if may, err = c.mayIn(ctx, r.caller, ActionHistoryRead, room); err != nil {
				return SearchPage{}, err
			}
			readable[room] = may
		}
		if may {
			page.Results = append(page.Results, SearchResult{Message: messageOf(hit.Message), Excerpt: excerptOf(hit.Excerpt)})
		}
	}
	return page, nil
}

func (q *SearchQuery) check(system bool) error {
	switch {
	case q.Text == "" && q.From == "":
		return invalid("q", "is missing")
	case len(q.Text) > maxSearchText:
		return invalid("q", "is longer than 1024 bytes")
	case system && q.RoomID == "":
		return invalid("room_id", "is missing")
	case q.Since.Year() > maxYear:
		return invalid("since", "is too far away")
	case q.Until.Year() > maxYear:
		return invalid("until", "is too far away")
	}
	return checkLimit(q.Limit)
}

// maxYear is the last one that RFC 3339 can write.
const maxYear = 9999

func excerptOf(e store.Excerpt) Excerpt {
	out := Excerpt{Text: e.Text, Highlights: make([]Highlight, len(e.Ranges))}
	at, units := 0, 0
	forward := func(to int) int {
		for at < to {
			r, size := utf8.DecodeRuneInString(e.Text[at:])
			at += size
			units += utf16.RuneLen(r)
		}
		return units
	}
	for i, r := range e.Ranges {
		out.Highlights[i] = Highlight{Start: forward(r.Start), End: forward(r.End)}
	}
	return out
}
