package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Flag is somebody's report of a message.
type Flag struct {
	ID         string     `json:"id"`
	RoomID     string     `json:"room_id"`
	Message    *Message   `json:"message,omitempty"` // absent when it is there no more
	User       User       `json:"user"`              // who has reported it
	Reason     string     `json:"reason,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	ResolvedAt *time.Time `json:"resolved_at,omitempty"` // absent while nobody has dealt with it
	ResolvedBy *User      `json:"resolved_by,omitempty"`
	Resolution string     `json:"resolution,omitempty"`
}

// NewFlag is a report of a message.
type NewFlag struct {
	MessageID string `json:"message_id"`
	Reason    string `json:"reason,omitempty"` // at most 1,024 bytes
}

// FlagQuery selects the reports of a room's messages.
type FlagQuery struct {
	RoomID   string `json:"room_id"`
	Resolved bool   `json:"resolved,omitempty"` // those that are dealt with, in place of those that are not
	Cursor   string `json:"cursor,omitempty"`   // NextCursor of the page before
	Limit    int    `json:"limit,omitempty"`    // defaults to 50, at most 200
}

// AllFlagQuery selects the reports of all rooms' messages.
type AllFlagQuery struct {
	Resolved bool   `json:"resolved,omitempty"` // those that are dealt with, in place of those that are not
	Cursor   string `json:"cursor,omitempty"`   // NextCursor of the page before
	Limit    int    `json:"limit,omitempty"`    // defaults to 50, at most 200
}

// FlagPage is a page of reports: the oldest first, or the latest first of those that are dealt with.
type FlagPage struct {
	Flags      []Flag `json:"flags"`
	NextCursor string `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

// FlagResolution says what was made of a report.
type FlagResolution struct {
	RoomID     string `json:"room_id"`
	FlagID     string `json:"flag_id"`
	Resolution string `json:"resolution"` // such as removed or kept, at most 16 bytes
}

func (c *Chat) flagOperations() []*operation {
	return []*operation{
		define(c.flagMessage, spec{
			name: "message.flag", event: true, route: "POST /messages/:message_id/flag", action: ActionMessageFlag,
			doc: "Reports a message to whoever keeps order.",
		}),
		define(c.listFlags, spec{
			name: "flag.list", event: true, route: "GET /rooms/:room_id/flags", action: ActionFlagReview,
			doc: "Lists the reports of a room's messages.",
		}),
		define(c.resolveFlag, spec{
			name: "flag.resolve", event: true, route: "POST /rooms/:room_id/flags/:flag_id/resolve", action: ActionFlagReview,
			doc: "Says what was made of a report; it closes the other reports of the same message too.",
		}),
		define(c.allFlags, spec{
			name: "flag.all", route: "GET /admin/flags", action: ActionFlagAll,
			doc: "Lists the reports of all rooms' messages.",
		}),
	}
}

// Flag reports a message to whoever keeps order. One who reports it again changes nothing.
func (a *Actor) Flag(ctx context.Context, messageID, reason string) error {
	_, err := call[nothing](ctx, a, "message.flag", NewFlag{messageID, reason})
	return err
}

// Flags returns a page of the reports of a room's messages, or of all rooms' without a RoomID.
func (a *Actor) Flags(ctx context.Context, q FlagQuery) (FlagPage, error) {
	if q.RoomID == "" {
		return call[FlagPage](ctx, a, "flag.all", AllFlagQuery{q.Resolved, q.Cursor, q.Limit})
	}
	return call[FlagPage](ctx, a, "flag.list", q)
}

// ResolveFlag says what was made of a report.
func (a *Actor) ResolveFlag(ctx context.Context, f FlagResolution) error {
	_, err := call[nothing](ctx, a, "flag.resolve", f)
	return err
}

func (c *Chat) flagMessage(ctx context.Context, r *request, in *NewFlag) (nothing, error) {
	if len(in.Reason) > maxReasonBytes || !printable(in.Reason) {
		return nothing{}, invalid("reason", "must be at most 1024 bytes of printable characters")
	}
	if _, _, err := c.store.Flag(ctx, in.MessageID, r.user.ID, in.Reason); err != nil {
		return nothing{}, c.storeError("flag", err)
	}
	return nothing{}, nil
}

func (c *Chat) resolveFlag(ctx context.Context, r *request, in *FlagResolution) (nothing, error) {
	if in.Resolution == "" || len(in.Resolution) > 16 || !printable(in.Resolution) {
		return nothing{}, invalid("resolution", "must be 1 to 16 bytes of printable characters")
	}
	f, err := c.store.FlagByID(ctx, in.FlagID)
	if errors.Is(err, store.ErrFlagNotFound) || err == nil && f.RoomID != r.access.Room.ID {
		return nothing{}, invalid("flag_id", "is not that of a report in this room")
	}
	if err != nil {
		return nothing{}, c.storeError("read flag", err)
	}
	reported, err := c.store.MessagesByID(ctx, f.MessageID)
	if err != nil {
		return nothing{}, c.storeError("read message", err)
	}
	entry := r.entry(reported[f.MessageID].SenderID, map[string]string{"resolution": in.Resolution, "flag_id": in.FlagID})
	entry.MessageID = f.MessageID
	if _, err := c.store.ResolveFlag(ctx, in.FlagID, r.user.ID, in.Resolution, entry); err != nil {
		return nothing{}, c.storeError("resolve flag", err)
	}
	return nothing{}, nil
}

func (c *Chat) listFlags(ctx context.Context, _ *request, in *FlagQuery) (FlagPage, error) {
	return c.flagPage(ctx, store.FlagQuery{RoomID: in.RoomID, Resolved: in.Resolved, Cursor: in.Cursor, Limit: in.Limit})
}

func (c *Chat) allFlags(ctx context.Context, _ *request, in *AllFlagQuery) (FlagPage, error) {
	return c.flagPage(ctx, store.FlagQuery{Resolved: in.Resolved, Cursor: in.Cursor, Limit: in.Limit})
}

func (c *Chat) flagPage(ctx context.Context, q store.FlagQuery) (FlagPage, error) {
	if err := checkLimit(q.Limit); err != nil {
		return FlagPage{}, err
	}
	page, err := c.store.Flags(ctx, q)
	if errors.Is(err, store.ErrInvalidArgument) {
		return FlagPage{}, badCursor()
	}
	if err != nil {
		return FlagPage{}, c.storeError("read flags", err)
	}
	var users, messages []string
	for _, f := range page.Flags {
		users = append(users, f.UserID, f.ResolvedBy)
		messages = append(messages, f.MessageID)
	}
	reported, err := c.store.MessagesByID(ctx, messages...)
	if err != nil {
		return FlagPage{}, c.storeError("read messages", err)
	}
	if n := fitting(page.Flags, reported); n < len(page.Flags) { // their messages are long
		q.Limit = n
		return c.flagPage(ctx, q)
	}
	known, err := c.store.Users(ctx, users...)
	if err != nil {
		return FlagPage{}, c.storeError("read users", err)
	}
	out := FlagPage{Flags: make([]Flag, len(page.Flags)), NextCursor: page.Next}
	for i, f := range page.Flags {
		out.Flags[i] = flagOf(f, known)
		if row, ok := reported[f.MessageID]; ok {
			m := messageOf(row)
			out.Flags[i].Message = &m
		}
	}
	return out, nil
}

// fitting is how many reports have room on a page together with their messages: at least one.
func fitting(flags []store.Flag, messages map[string]store.Message) int {
	bytes := 0
	for i, f := range flags {
		m := messages[f.MessageID]
		bytes += len(m.Text) + len(m.Attachments) + len(m.Metadata)
		if i > 0 && bytes > pageBytes {
			return i
		}
	}
	return len(flags)
}

func flagOf(f store.Flag, users map[string]store.User) Flag {
	out := Flag{
		ID: f.ID, RoomID: f.RoomID, User: userOf(users[f.UserID], f.UserID), Reason: f.Reason, CreatedAt: f.CreatedAt.Time(),
		Resolution: f.Resolution,
	}
	if f.ResolvedAt != 0 {
		at := f.ResolvedAt.Time()
		out.ResolvedAt = &at
	}
	if f.ResolvedBy != "" {
		by := userOf(users[f.ResolvedBy], f.ResolvedBy)
		out.ResolvedBy = &by
	}
	return out
}
