package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// announcePresence tells everybody who shares a room of at most companyMembers with u, in as many sends as u's rooms have pages.
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
		var keys []string
		for _, r := range page.Rooms {
			if r.MemberCount <= companyMembers {
				keys = append(keys, roomKey(r.ID))
			}
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
