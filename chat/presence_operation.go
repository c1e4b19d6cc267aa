package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Presence says whether somebody is there.
type Presence struct {
	UserID     string     `json:"user_id"`
	Status     Status     `json:"status"`
	LastSeenAt *time.Time `json:"last_seen_at,omitempty"` // of who is offline; absent where it is not known
}

// PresenceRef is what a user wants to be shown as.
type PresenceRef struct {
	Status Status `json:"status"` // online, away, busy or invisible
}

// PresenceResult is the answer of operations that return somebody's presence.
type PresenceResult struct {
	Presence Presence `json:"presence"`
}

func (c *Chat) presenceOperations() []*operation {
	return []*operation{
		define(c.setPresence, spec{
			name: EventPresenceSet, event: true, route: "PUT /me/presence", action: ActionPresenceSet,
			doc: "Says what the caller wants to be shown as, until the last of their connections ends; without one, they stay offline.",
		}),
		define(c.readPresence, spec{
			name: "presence.get", event: true, route: "GET /users/:user_id/presence", action: ActionPresenceRead,
			doc: "Says whether somebody is there with whom the caller shares a room; anybody else is offline.",
		}),
	}
}

// SetPresence says what the user wants to be shown as: online, away, busy or invisible. It holds for as long as the user is connected to
// this process, and returns StatusOffline for one who is not.
func (a *Actor) SetPresence(ctx context.Context, s Status) (Status, error) {
	out, err := call[PresenceResult](ctx, a, EventPresenceSet, PresenceRef{s})
	return out.Presence.Status, err
}

// Presence says whether somebody is there, and if not, since when. Users see it of those with whom they share a room.
func (a *Actor) Presence(ctx context.Context, userID string) (Presence, error) {
	out, err := call[PresenceResult](ctx, a, "presence.get", UserRef{UserID: userID})
	return out.Presence, err
}

func (c *Chat) setPresence(_ context.Context, r *request, in *PresenceRef) (PresenceResult, error) {
	switch in.Status {
	case StatusOnline, StatusAway, StatusBusy, StatusInvisible:
	default:
		return PresenceResult{}, invalid("status", "must be online, away, busy or invisible")
	}
	return PresenceResult{Presence{UserID: r.user.ID, Status: c.presence.set(r.user.ID, in.Status)}}, nil
}

func (c *Chat) readPresence(ctx context.Context, r *request, in *UserRef) (PresenceResult, error) {
	p, err := c.presenceFor(ctx, r, in)
	return PresenceResult{p}, err
}

// presenceFor is somebody's presence as the caller may see it.
func (c *Chat) presenceFor(ctx context.Context, r *request, in *UserRef) (Presence, error) {
	out := Presence{UserID: in.UserID, Status: StatusOffline}
	if !r.system && !r.user.Admin && r.user.ID != in.UserID {
		share, err := c.store.ShareRoom(ctx, r.user.ID, in.UserID)
		if err != nil {
			return Presence{}, c.storeError("read presence", err)
		}
		if !share { // as of somebody who is not there at all
			return out, nil
		}
	}
	if out.Status = c.presence.status(in.UserID); out.Status != StatusOffline {
		return out, nil
	}
	users, err := c.store.Users(ctx, in.UserID)
	if err != nil {
		return Presence{}, c.storeError("read user", err)
	}
	if seen := users[in.UserID].LastSeenAt; seen != 0 {
		at := seen.Time()
		out.LastSeenAt = &at
	}
	return out, nil
}

// noteSeen remembers that users are there, or were until now.
func (c *Chat) noteSeen(userIDs ...string) {
	if len(userIDs) == 0 {
		return
	}
	if err := c.store.PutLastSeen(userIDs...); err != nil && !errors.Is(err, store.ErrClosed) {
		c.log.Warn("chat: it could not be noted who is there", "err", err)
	}
}
