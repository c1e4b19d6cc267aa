package chat

import (
	"context"
	"errors"

	"github.com/echochat/echochat/store"
)

// ListedRoom is a room in a list. What comes after the room is the caller's own, and absent where the caller is no member.
type ListedRoom struct {
	Room
	Role           store.Role          `json:"role,omitempty"`
	ReadSeq        int64               `json:"read_seq,omitempty"`        // up to where the caller has read
	UnreadCount    int64               `json:"unread_count,omitempty"`    // messages after that
	UnreadMentions int64               `json:"unread_mentions,omitempty"` // those of them that mention the caller
	Notifications  store.Notifications `json:"notifications,omitempty"`
	LastMessage    *Message            `json:"last_message,omitempty"`
}

// RoomQuery selects rooms: one's own, or all of a type that everybody may see.
type RoomQuery struct {
	Type   store.RoomType `json:"type,omitempty"`   // store.RoomPublic or RoomChannel for all of that type; defaults to one's own
	Cursor string         `json:"cursor,omitempty"` // NextCursor of the page before
	Limit  int            `json:"limit,omitempty"`  // defaults to 50, at most 200
}

// RoomPage is a page of rooms: one's own with the latest message first, others by id. A page may have fewer rooms than
// Limit where their last messages are long.
type RoomPage struct {
	Rooms      []ListedRoom `json:"rooms"`
	NextCursor string       `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

// Unread is what a user has not read, rooms left out whose notifications are "none".
type Unread struct {
	Rooms    int64 `json:"unread_rooms"` // rooms with something to read
	Messages int64 `json:"unread_count"`
	Mentions int64 `json:"unread_mentions"`
}

func (c *Chat) roomListOperations() []*operation {
	return []*operation{
		define(c.listRooms, spec{
			name: "room.list", event: true, route: "GET /rooms", action: ActionRoomList,
			doc: "Lists the caller's own rooms with what is unread, or by type=public or type=channel all rooms of that type.",
		}),
		define(c.readUnread, spec{
			name: "user.unread", event: true, route: "GET /me/unread", action: ActionUnreadRead,
			doc: "Counts what the caller has not read, in all rooms.",
		}),
	}
}

// Rooms returns a page of the user's own rooms, or of all that are public or channels; as the system, of all rooms.
func (a *Actor) Rooms(ctx context.Context, q RoomQuery) (RoomPage, error) {
	return call[RoomPage](ctx, a, "room.list", q)
}

// Unread counts what the user has not read in all rooms.
func (a *Actor) Unread(ctx context.Context) (Unread, error) {
	return call[Unread](ctx, a, "user.unread", nothing{})
}

func (c *Chat) listRooms(ctx context.Context, r *request, in *RoomQuery) (RoomPage, error) {
	if err := checkLimit(in.Limit); err != nil {
		return RoomPage{}, err
	}
	switch in.Type {
	case "":
		if !r.system {
			return c.ownRooms(ctx, r.user, in)
		}
	case store.RoomPublic, store.RoomChannel:
	default:
		return RoomPage{}, invalid("type", "must be public, channel or absent")
	}
	if in.Cursor != "" && checkRoomID(in.Cursor) != nil {
		return RoomPage{}, badCursor()
	}
	page, err := c.store.Rooms(ctx, store.RoomQuery{Type: in.Type, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return RoomPage{}, c.storeError("read rooms", err)
	}
	out := RoomPage{Rooms: make([]ListedRoom, 0, len(page.Rooms)), NextCursor: page.Next}
	for _, row := range page.Rooms {
		if c.cfg.authorizer != nil && !r.system { // it may hide what the type does not
			if may, err := c.mayIn(ctx, r.caller, ActionRoomRead, row.ID); err != nil {
				return RoomPage{}, err
			} else if !may {
				continue
			}
		}
		out.Rooms = append(out.Rooms, ListedRoom{Room: roomOf(row)})
	}
	return out, nil
}

func (c *Chat) ownRooms(ctx context.Context, u User, in *RoomQuery) (RoomPage, error) {
	page, err := c.store.UserRooms(ctx, store.UserRoomQuery{UserID: u.ID, Cursor: in.Cursor, Limit: in.Limit, MaxBytes: pageBytes})
	if errors.Is(err, store.ErrInvalidArgument) {
		return RoomPage{}, badCursor()
	}
	if err != nil {
		return RoomPage{}, c.storeError("read rooms", err)
	}
	out := RoomPage{Rooms: make([]ListedRoom, 0, len(page.Rooms)), NextCursor: page.Next}
	for _, row := range page.Rooms {
		a := store.Access{Room: row.Room, Member: &row.Member}
		if seen, err := c.allowed(ctx, u, ActionRoomRead, a); err != nil {
			return RoomPage{}, err
		} else if !seen {
			continue
		}
		room := ListedRoom{
			Room: roomOf(row.Room), Role: row.Member.Role, ReadSeq: row.Member.ReadSeq, UnreadCount: row.Unread(),
			UnreadMentions: row.Mentions, Notifications: row.Member.Notifications,
		}
		if row.LastMessage != nil {
			if may, err := c.allowed(ctx, u, ActionHistoryRead, a); err != nil {
				return RoomPage{}, err
			} else if may {
				m := messageOf(*row.LastMessage)
				room.LastMessage = &m
			}
		}
		out.Rooms = append(out.Rooms, room)
	}
	return out, nil
}

func (c *Chat) readUnread(ctx context.Context, r *request, _ *nothing) (Unread, error) {
	u, err := c.store.Unread(ctx, r.user.ID)
	if err != nil {
		return Unread{}, c.storeError("count unread", err)
	}
	return Unread(u), nil
}

func badCursor() *Error { return invalid("cursor", "is not one of this list") }
