package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Sanction is a mute, which keeps its user from speaking, or a ban, which keeps them out.
type Sanction struct {
	Kind      store.SanctionKind `json:"kind"`
	RoomID    string             `json:"room_id,omitempty"` // absent: everywhere
	User      User               `json:"user"`
	SetBy     *User              `json:"set_by,omitempty"` // absent: the system
	Reason    string             `json:"reason,omitempty"`
	Until     *time.Time         `json:"until,omitempty"` // absent: for good
	CreatedAt time.Time          `json:"created_at"`
}

// NewSanction says whom to mute or to ban, and for how long.
type NewSanction struct {
	RoomID     string `json:"room_id"`
	UserID     string `json:"user_id"`
	DurationMS int64  `json:"duration_ms,omitempty"` // defaults to for good
	Reason     string `json:"reason,omitempty"`      // at most 1,024 bytes
}

// NewSanctionEverywhere is NewSanction for all rooms, those to come included.
type NewSanctionEverywhere struct {
	UserID     string `json:"user_id"`
	DurationMS int64  `json:"duration_ms,omitempty"` // defaults to for good
	Reason     string `json:"reason,omitempty"`      // at most 1,024 bytes
}

// SanctionQuery selects the mutes or bans of a room.
type SanctionQuery struct {
	RoomID string `json:"room_id"`
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// SanctionEverywhereQuery selects the mutes or bans that hold everywhere.
type SanctionEverywhereQuery struct {
	Cursor string `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int    `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// SanctionPage is a page of mutes or bans that have not ended, ascending by user id.
type SanctionPage struct {
	Sanctions  []Sanction `json:"sanctions"`
	NextCursor string     `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

// SanctionResult is the answer of operations that return a mute or a ban.
type SanctionResult struct {
	Sanction Sanction `json:"sanction"`
}

func (c *Chat) sanctionOperations() []*operation {
	mute, ban := store.SanctionMute, store.SanctionBan
	return []*operation{
		define(c.sanctionIn(mute), spec{
			name: "member.mute", event: true, route: "PUT /rooms/:room_id/mutes/:user_id", action: ActionMemberMute,
			doc: "Keeps somebody from speaking in a room.",
		}),
		define(c.liftIn(mute), spec{
			name: "member.unmute", event: true, route: "DELETE /rooms/:room_id/mutes/:user_id", action: ActionMemberMute,
			doc: "Lets somebody speak in a room again.",
		}),
		define(c.sanctionsIn(mute), spec{
			name: "mute.list", event: true, route: "GET /rooms/:room_id/mutes", action: ActionMemberMute,
			doc: "Lists who may not speak in a room.",
		}),
		define(c.sanctionIn(ban), spec{
			name: "member.ban", event: true, route: "PUT /rooms/:room_id/bans/:user_id", action: ActionMemberBan,
			doc: "Ends somebody's membership in a room, if there is one, and lets them in no more.",
		}),
		define(c.liftIn(ban), spec{
			name: "member.unban", event: true, route: "DELETE /rooms/:room_id/bans/:user_id", action: ActionMemberBan,
			doc: "Lets somebody into a room again, who is not made a member by that.",
		}),
		define(c.sanctionsIn(ban), spec{
			name: "ban.list", event: true, route: "GET /rooms/:room_id/bans", action: ActionMemberBan,
			doc: "Lists who is not let into a room.",
		}),
		define(c.sanctionEverywhere(mute), spec{
			name: "user.mute", route: "PUT /admin/mutes/:user_id", action: ActionUserSanction,
			doc: "Keeps somebody from speaking anywhere.",
		}),
		define(c.liftEverywhere(mute), spec{
			name: "user.unmute", route: "DELETE /admin/mutes/:user_id", action: ActionUserSanction,
			doc: "Lets somebody speak again who could not anywhere.",
		}),
		define(c.sanctionsEverywhere(mute), spec{
			name: "user.mutes", route: "GET /admin/mutes", action: ActionUserSanction,
			doc: "Lists who may not speak anywhere.",
		}),
		define(c.sanctionEverywhere(ban), spec{
			name: "user.ban", route: "PUT /admin/bans/:user_id", action: ActionUserSanction,
			doc: "Ends all memberships and connections of somebody, and lets them in no more.",
		}),
		define(c.liftEverywhere(ban), spec{
			name: "user.unban", route: "DELETE /admin/bans/:user_id", action: ActionUserSanction,
			doc: "Lets somebody in again who was banned everywhere.",
		}),
		define(c.sanctionsEverywhere(ban), spec{
			name: "user.bans", route: "GET /admin/bans", action: ActionUserSanction,
			doc: "Lists who is banned everywhere.",
		}),
	}
}

// Mute keeps somebody from speaking in a room, or everywhere without a RoomID.
func (a *Actor) Mute(ctx context.Context, s NewSanction) (Sanction, error) {
	return a.sanction(ctx, "member.mute", "user.mute", s)
}

// Unmute lets somebody speak in a room again, or everywhere without a roomID; a mute of the other kind stays.
func (a *Actor) Unmute(ctx context.Context, roomID, userID string) error {
	return a.lift(ctx, "member.unmute", "user.unmute", roomID, userID)
}

// Ban ends somebody's membership in a room and lets them in no more; without a RoomID, it ends all memberships and connections. When
// it returns, nothing that is said from then on reaches them.
func (a *Actor) Ban(ctx context.Context, s NewSanction) (Sanction, error) {
	return a.sanction(ctx, "member.ban", "user.ban", s)
}

// Unban lets somebody into a room again, or everywhere without a roomID; a ban of the other kind stays.
func (a *Actor) Unban(ctx context.Context, roomID, userID string) error {
	return a.lift(ctx, "member.unban", "user.unban", roomID, userID)
}

// Mutes returns a page of those who may not speak in a room, or everywhere without a RoomID.
func (a *Actor) Mutes(ctx context.Context, q SanctionQuery) (SanctionPage, error) {
	if q.RoomID == "" {
		return call[SanctionPage](ctx, a, "user.mutes", SanctionEverywhereQuery{q.Cursor, q.Limit})
	}
	return call[SanctionPage](ctx, a, "mute.list", q)
}

// Bans returns a page of those who are banned from a room, or everywhere without a RoomID.
func (a *Actor) Bans(ctx context.Context, q SanctionQuery) (SanctionPage, error) {
	if q.RoomID == "" {
		return call[SanctionPage](ctx, a, "user.bans", SanctionEverywhereQuery{q.Cursor, q.Limit})
	}
	return call[SanctionPage](ctx, a, "ban.list", q)
}

func (a *Actor) sanction(ctx context.Context, inRoom, everywhere string, s NewSanction) (Sanction, error) {
	if s.RoomID == "" {
		out, err := call[SanctionResult](ctx, a, everywhere, NewSanctionEverywhere{s.UserID, s.DurationMS, s.Reason})
		return out.Sanction, err
	}
	out, err := call[SanctionResult](ctx, a, inRoom, s)
	return out.Sanction, err
}

func (a *Actor) lift(ctx context.Context, inRoom, everywhere, roomID, userID string) (err error) {
	if roomID == "" {
		_, err = call[nothing](ctx, a, everywhere, UserRef{UserID: userID})
	} else {
		_, err = call[nothing](ctx, a, inRoom, MemberRef{roomID, userID})
	}
	return err
}

// sanctionIn makes the operation that mutes in a room, or bans from one.
func (c *Chat) sanctionIn(kind store.SanctionKind) func(context.Context, *request, *NewSanction) (SanctionResult, error) {
	return func(ctx context.Context, r *request, in *NewSanction) (SanctionResult, error) {
		if err := c.maySanction(ctx, r, in.RoomID, in.UserID); err != nil {
			return SanctionResult{}, err
		}
		return c.sanction(ctx, r, kind, *in)
	}
}

// maySanction says whether the caller may mute or ban somebody in a room, or let them again: a moderator who is muted does not unmute
// himself. Members of lower rank have to put up with it, and those who are no members.
func (c *Chat) maySanction(ctx context.Context, r *request, roomID, userID string) error {
	row, err := c.store.Member(ctx, roomID, userID)
	switch {
	case err == nil:
		return c.mayManage(ctx, r, row)
	case errors.Is(err, store.ErrNotMember): // one can be banned from where one has not been yet
		return nil
	default:
		return c.storeError("read member", err)
	}
}

func (c *Chat) sanctionEverywhere(kind store.SanctionKind) func(context.Context, *request, *NewSanctionEverywhere) (SanctionResult, error) {
	return func(ctx context.Context, r *request, in *NewSanctionEverywhere) (SanctionResult, error) {
		return c.sanction(ctx, r, kind, NewSanction{UserID: in.UserID, DurationMS: in.DurationMS, Reason: in.Reason})
	}
}

func (c *Chat) liftIn(kind store.SanctionKind) func(context.Context, *request, *MemberRef) (nothing, error) {
	return func(ctx context.Context, r *request, in *MemberRef) (nothing, error) {
		if err := c.maySanction(ctx, r, in.RoomID, in.UserID); err != nil {
			return nothing{}, err
		}
		return nothing{}, c.liftSanction(ctx, r, kind, in.RoomID, in.UserID)
	}
}

func (c *Chat) liftEverywhere(kind store.SanctionKind) func(context.Context, *request, *UserRef) (nothing, error) {
	return func(ctx context.Context, r *request, in *UserRef) (nothing, error) {
		return nothing{}, c.liftSanction(ctx, r, kind, "", in.UserID)
	}
}

func (c *Chat) sanctionsIn(kind store.SanctionKind) func(context.Context, *request, *SanctionQuery) (SanctionPage, error) {
	return func(ctx context.Context, _ *request, in *SanctionQuery) (SanctionPage, error) {
		return c.sanctionPage(ctx, store.SanctionQuery{Kind: kind, RoomID: in.RoomID, After: in.Cursor, Limit: in.Limit})
	}
}

func (c *Chat) sanctionsEverywhere(kind store.SanctionKind) func(context.Context, *request, *SanctionEverywhereQuery) (SanctionPage, error) {
	return func(ctx context.Context, _ *request, in *SanctionEverywhereQuery) (SanctionPage, error) {
		return c.sanctionPage(ctx, store.SanctionQuery{Kind: kind, After: in.Cursor, Limit: in.Limit})
	}
}

func (c *Chat) sanctionPage(ctx context.Context, q store.SanctionQuery) (SanctionPage, error) {
	if err := checkMemberPage(q.After, q.Limit); err != nil {
		return SanctionPage{}, err
	}
	page, err := c.store.Sanctions(ctx, q)
	if err != nil {
		return SanctionPage{}, c.storeError("read sanctions", err)
	}
	var ids []string
	for _, s := range page.Sanctions {
		ids = append(ids, s.UserID, s.SetBy)
	}
	users, err := c.store.Users(ctx, ids...)
	if err != nil {
		return SanctionPage{}, c.storeError("read users", err)
	}
	out := SanctionPage{Sanctions: make([]Sanction, len(page.Sanctions)), NextCursor: page.Next}
	for i, s := range page.Sanctions {
		out.Sanctions[i] = sanctionOf(s, users)
	}
	return out, nil
}

func sanctionOf(s store.Sanction, users map[string]store.User) Sanction {
	out := Sanction{
		Kind: s.Kind, RoomID: s.RoomID, User: userOf(users[s.UserID], s.UserID), Reason: s.Reason, CreatedAt: s.CreatedAt.Time(),
	}
	if s.SetBy != "" {
		by := userOf(users[s.SetBy], s.SetBy)
		out.SetBy = &by
	}
	if s.Until != 0 {
		until := s.Until.Time()
		out.Until = &until
	}
	return out
}
