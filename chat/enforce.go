package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

const (
	maxReasonBytes = 1024
	maxSanction    = 100 * 365 * 24 * time.Hour // which a time.Duration can still say
)

// sanction mutes or bans a user, in a room or everywhere, and sees to it that it holds at once: a mute is found by the next thing
// the user wants to say, a ban takes the user's connections out of the rooms before it returns.
func (c *Chat) sanction(ctx context.Context, r *request, kind store.SanctionKind, in NewSanction) (SanctionResult, error) {
	if in.DurationMS < 0 || in.DurationMS > maxSanction.Milliseconds() {
		return SanctionResult{}, invalid("duration_ms", "must be from 0 to a hundred years")
	}
	if len(in.Reason) > maxReasonBytes || !printable(in.Reason) {
		return SanctionResult{}, invalid("reason", "must be at most 1024 bytes of printable characters")
	}
	if in.UserID == r.user.ID {
		return SanctionResult{}, invalid("user_id", "is your own")
	}
	u, err := c.somebody(ctx, r, in.UserID, User{})
	if err != nil {
		return SanctionResult{}, err
	}
	row := store.Sanction{UserID: u.ID, Kind: kind, RoomID: in.RoomID, SetBy: r.user.ID, Reason: in.Reason}
	row.CreatedAt = store.MillisOf(time.Now())
	if in.DurationMS > 0 {
		row.Until = row.CreatedAt + store.Millis(in.DurationMS)
	}
	left, err := c.store.Sanction(ctx, row, r.entry(u.ID, map[string]any{"reason": in.Reason, "duration_ms": in.DurationMS}))
	switch {
	case err != nil && kind == store.SanctionBan:
		// Perhaps banned, and then to hear nothing more: the clients come back, if they may, and ask by room.join.
		c.server.In(userKey(u.ID)).DisconnectSockets(true)
		return SanctionResult{}, c.storeError("ban", err)
	case err != nil:
		return SanctionResult{}, c.storeError("mute", err)
	}
	s := sanctionOf(row, map[string]store.User{u.ID: u.row(), r.user.ID: r.user.row()})
	switch {
	case kind == store.SanctionBan:
		c.enforceBan(ctx, r, s, left)
	case row.RoomID != "":
		c.announceMuted(ctx, row.RoomID, u, &row)
	}
	return SanctionResult{s}, nil
}

// enforceBan takes the connections of a banned user away and tells those who were there, and the user first: with which reason.
func (c *Chat) enforceBan(ctx context.Context, r *request, s Sanction, left []string) {
	told := Event{Type: EventUserBanned, RoomID: s.RoomID, User: &s.User, Sanction: &s}
	if s.RoomID == "" || len(left) > 0 || c.mayKnow(ctx, s.User, s.RoomID) {
		c.emit(told, c.server.To(userKey(s.User.ID)))
	}
	told.Sanction = &Sanction{Kind: s.Kind, RoomID: s.RoomID, User: s.User, Until: s.Until, CreatedAt: s.CreatedAt} // not why, and by whom
	if s.RoomID == "" {
		c.server.In(userKey(s.User.ID)).DisconnectSockets(true)
	} else {
		c.unsubscribe(s.RoomID, s.User.ID)
		c.emit(told, c.server.To(roomKey(s.RoomID)))
	}
	rooms, err := c.store.RoomsByID(ctx, left...)
	if err != nil {
		c.log.Warn("chat: the rooms of a banned user could not be told", "err", err)
	}
	for _, id := range left {
		c.typing.stop(id, s.User.ID)
		c.emit(Event{Type: EventMemberRemoved, RoomID: id, User: &s.User}, c.everyone(id, s.User.ID))
		row, ok := rooms[id]
		if !ok {
			continue
		}
		c.notice(r, row, noticeOf{Kind: NoticeMemberRemoved, User: &s.User})
		r.then(func(ctx context.Context) error { return c.hookLeave(ctx, s.User, roomOf(row)) })
	}
}

func (c *Chat) liftSanction(ctx context.Context, r *request, kind store.SanctionKind, roomID, userID string) error {
	err := c.store.LiftSanction(ctx, userID, kind, roomID, r.entry(userID, nil))
	if errors.Is(err, store.ErrNotSanctioned) {
		if kind == store.SanctionBan {
			return invalid("user_id", "is not banned there")
		}
		return invalid("user_id", "is not muted there")
	}
	if err != nil {
		return c.storeError("lift sanction", err)
	}
	users, err := c.store.Users(ctx, userID)
	if err != nil {
		return c.storeError("read user", err)
	}
	u := userOf(users[userID], userID)
	switch {
	case kind == store.SanctionBan && roomID != "":
		to := c.server.To(roomKey(roomID))
		if c.mayKnow(ctx, u, roomID) {
			to = c.everyone(roomID, userID)
		}
		c.emit(Event{Type: EventUserUnbanned, RoomID: roomID, User: &u}, to)
	case kind == store.SanctionMute && roomID != "":
		c.announceMuted(ctx, roomID, u, nil)
	}
	return nil
}

// announceMuted tells a room that a member may not speak there, or may again. Who is no member is not told about.
func (c *Chat) announceMuted(ctx context.Context, roomID string, u User, s *store.Sanction) {
	row, err := c.store.Member(ctx, roomID, u.ID)
	if err != nil {
		return
	}
	row.User = u.row()
	m := c.memberOf(row)
	m.mute(s)
	if s != nil {
		c.typing.stop(roomID, u.ID)
	}
	c.emit(Event{Type: EventMemberUpdated, RoomID: roomID, User: &u, Member: &m}, c.everyone(roomID, u.ID))
}

// mayKnow says whether a user may know that there is a room, as the banned may who could see it otherwise.
func (c *Chat) mayKnow(ctx context.Context, u User, roomID string) bool {
	_, err := c.permit(ctx, caller{user: u}, ActionRoomRead, target{roomID: roomID})
	return err == nil || errors.Is(err, &Error{Code: CodeBanned})
}

// checkBan refuses a user who is banned everywhere.
func (c *Chat) checkBan(ctx context.Context, u User) error {
	if u.Admin {
		return nil
	}
	ban, err := c.store.SanctionOf(ctx, u.ID, store.SanctionBan, "")
	if err != nil {
		return c.storeError("read ban", err)
	}
	if ban != nil {
		return sanctioned(CodeBanned, "You are banned.", ban)
	}
	return nil
}
