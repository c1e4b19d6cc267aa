package chat

import (
	"context"
	"encoding/json"
	"time"

	"github.com/echochat/echochat/store"
)

// actor is who asks, for events that say so; nil for the system.
func (r *request) actor() *User {
	if r.system {
		return nil
	}
	u := r.user
	return &u
}

// entry is what the audit log says of an operation on a user, or on none. The store writes it together with what the operation
// changes.
func (r *request) entry(userID string, details any) store.Audit {
	a := store.Audit{ActorID: r.user.ID, Action: r.op.name, RoomID: r.access.Room.ID, UserID: userID}
	if r.access.Message != nil {
		a.MessageID = r.access.Message.ID
	}
	if details != nil {
		// Of strings and numbers, which can be encoded.
		a.Details, _ = json.Marshal(details)
	}
	return a
}

// AuditEntry says who has used a privilege, on what.
type AuditEntry struct {
	ID        string          `json:"id"`
	Actor     *User           `json:"actor,omitempty"` // absent: the system
	Action    string          `json:"action"`          // the operation, such as member.ban
	RoomID    string          `json:"room_id,omitempty"`
	User      *User           `json:"user,omitempty"` // to whom
	MessageID string          `json:"message_id,omitempty"`
	Details   json.RawMessage `json:"details,omitempty"`
	CreatedAt time.Time       `json:"created_at"`
}

// AuditQuery selects entries of the audit log about a room.
type AuditQuery struct {
	RoomID string `json:"room_id"`
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// AllAuditQuery selects entries of the whole audit log.
type AllAuditQuery struct {
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// AuditPage is a page of the audit log, the latest entry first.
type AuditPage struct {
	Entries    []AuditEntry `json:"entries"`
	NextCursor string       `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

func (c *Chat) auditOperations() []*operation {
	return []*operation{
		define(c.readAudit, spec{
			name: "audit.list", event: true, route: "GET /rooms/:room_id/audit", action: ActionAuditRead,
			doc: "Lists who has used which privilege in a room.",
		}),
		define(c.readAllAudit, spec{
			name: "audit.all", route: "GET /admin/audit", action: ActionAuditAll,
			doc: "Lists who has used which privilege anywhere.",
		}),
	}
}

// Audit returns a page of the audit log about a room, or of all of it without a RoomID. It outlives the rooms that it is about.
func (a *Actor) Audit(ctx context.Context, q AuditQuery) (AuditPage, error) {
	if q.RoomID == "" {
		return call[AuditPage](ctx, a, "audit.all", AllAuditQuery{q.Cursor, q.Limit})
	}
	return call[AuditPage](ctx, a, "audit.list", q)
}

func (c *Chat) readAudit(ctx context.Context, _ *request, in *AuditQuery) (AuditPage, error) {
	return c.auditPage(ctx, store.AuditQuery{RoomID: in.RoomID, Before: in.Cursor, Limit: in.Limit})
}

func (c *Chat) readAllAudit(ctx context.Context, _ *request, in *AllAuditQuery) (AuditPage, error) {
	return c.auditPage(ctx, store.AuditQuery{Before: in.Cursor, Limit: in.Limit})
}

func (c *Chat) auditPage(ctx context.Context, q store.AuditQuery) (AuditPage, error) {
	if err := checkMemberPage(q.Before, q.Limit); err != nil {
		return AuditPage{}, err
	}
	page, err := c.store.AuditLog(ctx, q)
	if err != nil {
		return AuditPage{}, c.storeError("read audit log", err)
	}
	var ids []string
	for _, e := range page.Entries {
		ids = append(ids, e.ActorID, e.UserID)
	}
	users, err := c.store.Users(ctx, ids...)
	if err != nil {
		return AuditPage{}, c.storeError("read users", err)
	}
	who := func(id string) *User {
		if id == "" {
			return nil
		}
		u := userOf(users[id], id)
		return &u
	}
	out := AuditPage{Entries: make([]AuditEntry, len(page.Entries)), NextCursor: page.Next}
	for i, e := range page.Entries {
		out.Entries[i] = AuditEntry{
			ID: e.ID, Actor: who(e.ActorID), Action: e.Action, RoomID: e.RoomID, User: who(e.UserID), MessageID: e.MessageID,
			Details: json.RawMessage(e.Details), CreatedAt: e.CreatedAt.Time(),
		}
	}
	return out, nil
}
