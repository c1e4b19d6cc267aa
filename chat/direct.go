package chat

import (
	"context"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// UserRef is an operation's user, where that is all that there is to say.
type UserRef struct {
	UserID string `json:"user_id"`
	User   User   `json:"-"` // from Go: how to show them, in place of UserID; clients name somebody whom the chat knows
}

func (c *Chat) directOperations() []*operation {
	return []*operation{
		define(c.openDirect, spec{
			name: "room.direct", event: true, route: "POST /rooms/direct", action: ActionRoomDirect,
			doc: "Returns the room of the caller and another user, which is created when they have none yet.",
		}),
	}
}

// Direct returns the room of the user and another one. There is one for each pair; both are members of it afterwards, also one
// who had left.
func (a *Actor) Direct(ctx context.Context, other User) (Room, error) {
	out, err := call[RoomResult](ctx, a, "room.direct", UserRef{UserID: other.ID, User: other})
	return out.Room, err
}

func (c *Chat) openDirect(ctx context.Context, r *request, in *UserRef) (RoomResult, error) {
	if r.user.Guest && !c.cfg.openRooms && !c.cfg.tutorial {
		return RoomResult{}, Forbidden("Guests may not do this.")
	}
	if in.UserID == r.user.ID {
		return RoomResult{}, invalid("user_id", "is your own")
	}
	other, err := c.somebody(ctx, r, in.UserID, in.User)
	if err != nil {
		return RoomResult{}, err
	}
	id := store.DirectID(r.user.ID, other.ID)
	joining, err := c.missingFrom(ctx, id, r.user, other)
	if err != nil {
		return RoomResult{}, err
	}
	for _, u := range joining {
		if err := c.hookJoin(ctx, u, Room{ID: id, Type: store.RoomDirect, CreatedBy: r.user.ID}); err != nil {
			return RoomResult{}, err
		}
	}
	row, _, err := c.store.DirectRoom(ctx, r.user.row(), other.row())
	if errors.Is(err, store.ErrBanned) {
		return RoomResult{}, unknownUser()
	}
	if err != nil {
		return RoomResult{}, c.storeError("open direct room", err)
	}
	room := roomOf(row)
	for _, u := range joining {
		c.announceAdded(room, Member{User: u, Role: store.RoleMember, JoinedAt: time.Now().UTC().Truncate(time.Millisecond), Online: c.presence.online(u.ID)})
		if u.ID == other.ID {
			c.notifyAdded(room, u.ID, &r.user)
		}
	}
	return RoomResult{room}, nil
}

// missingFrom returns those of the users who are not members of a room, which may not exist.
func (c *Chat) missingFrom(ctx context.Context, roomID string, users ...User) (missing []User, err error) {
	for _, u := range users {
		_, err := c.store.Member(ctx, roomID, u.ID)
		switch {
		case errors.Is(err, store.ErrNotMember):
			missing = append(missing, u)
		case err != nil:
			return nil, c.storeError("read member", err)
		}
	}
	return missing, nil
}

// somebody is the user whom an operation names: as the app describes them, or as the chat knows them. The system may name
// anybody.
func (c *Chat) somebody(ctx context.Context, r *request, id string, given User) (User, error) {
	if given.ID != "" && given.Name != "" {
		return checkUser(given)
	}
	if id == "" || len(id) > maxUserIDBytes || !printable(id) {
		return User{}, invalid("user_id", "must be 1 to 128 bytes of printable characters")
	}
	known, err := c.store.Users(ctx, id)
	if err != nil {
		return User{}, c.storeError("read user", err)
	}
	row, ok := known[id]
	if !ok && given.ID == "" && !r.system {
		return User{}, unknownUser()
	}
	return userOf(row, id), nil
}

func unknownUser() *Error { return invalid("user_id", "is nobody whom this chat knows") }
