package chat

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/echochat/echochat/store"
)

// Room is a conversation as clients see it.
type Room struct {
	ID          string          `json:"id"`
	Epoch       string          `json:"epoch"` // made with the room; a seq of another epoch means nothing here
	Type        store.RoomType  `json:"type"`
	Name        string          `json:"name"`
	Topic       string          `json:"topic,omitempty"`
	CreatedBy   string          `json:"created_by,omitempty"`
	MemberCount int64           `json:"member_count"`
	LastSeq     int64           `json:"last_seq"` // seq of the latest message; 0 while there is none
	Metadata    json.RawMessage `json:"metadata,omitempty"`
	CreatedAt   time.Time       `json:"created_at"`
	UpdatedAt   time.Time       `json:"updated_at"`
}

func roomOf(r store.Room) Room {
	return Room{
		ID: r.ID, Epoch: r.Epoch, Type: r.Type, Name: r.Name, Topic: r.Topic, CreatedBy: r.CreatedBy,
		MemberCount: r.MemberCount, LastSeq: r.LastSeq, Metadata: json.RawMessage(r.Metadata),
		CreatedAt: r.CreatedAt.Time(), UpdatedAt: r.UpdatedAt.Time(),
	}
}

// RoomPage is a page of rooms, ascending by id.
type RoomPage struct {
	Rooms      []Room `json:"rooms"`
	NextCursor string `json:"next_cursor,omitempty"` // for the next page; absent on the last
}

const (
	maxRoomIDBytes   = 64
	maxRoomNameBytes = 256
	maxTopicBytes    = 1024
	maxMetadataBytes = 32 << 10
)

// checkRoomID says whether id can be a room's at all: 1 to 64 of a-z 0-9 . _ -
func checkRoomID(id string) error {
	if id == "" {
		return invalid("room_id", "is missing")
	}
	if len(id) > maxRoomIDBytes {
		return invalid("room_id", "is longer than 64 characters")
	}
	for i := range len(id) {
		b := id[i]
		if (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '.' && b != '_' && b != '-' {
			return invalid("room_id", "may have a-z 0-9 . _ - only")
		}
	}
	return nil
}

// NewRoom is a room to be created.
type NewRoom struct {
	ID       string          // 1 to 64 of a-z 0-9 . _ -; empty for a generated one
	Type     store.RoomType  // defaults to store.RoomPublic
	Name     string          // defaults to the ID given
	Topic    string          // defaults to none
	Metadata json.RawMessage // the app's own, a JSON object; defaults to none
	Creator  User            // becomes the owner and first member; zero for a room of the system, without members
}

// CreateRoom creates a room as the system, which may choose any id. It returns CodeConflict for an id that is taken.
func (c *Chat) CreateRoom(ctx context.Context, n NewRoom) (Room, error) {
	if err := checkNewRoom(&n); err != nil {
		return Room{}, err
	}
	if n.Creator != (User{}) {
		creator, err := checkUser(n.Creator)
		if err != nil {
			return Room{}, err
		}
		n.Creator = creator
	}
	return c.createRoom(ctx, n)
}

func checkNewRoom(n *NewRoom) error {
	if n.ID != "" {
		if err := checkRoomID(n.ID); err != nil {
			return err
		}
	}
	switch n.Type {
	case "":
		n.Type = store.RoomPublic
	case store.RoomPublic, store.RoomPrivate:
	default:
		return invalid("type", "must be public or private")
	}
	if n.Name == "" {
		n.Name = n.ID
	}
	if len(n.Name) > maxRoomNameBytes || !printable(n.Name) {
		return invalid("name", "must be at most 256 bytes of printable characters")
	}
	if len(n.Topic) > maxTopicBytes || !printable(n.Topic) {
		return invalid("topic", "must be at most 1024 bytes of printable characters")
	}
	return checkMetadata(n.Metadata)
}

// createRoom creates what was checked, and tells the creator's connections.
func (c *Chat) createRoom(ctx context.Context, n NewRoom) (Room, error) {
	if n.Creator.ID != "" {
		if err := c.hookJoin(ctx, n.Creator, Room{ID: n.ID, Type: n.Type, Name: n.Name, CreatedBy: n.Creator.ID}); err != nil {
			return Room{}, err
		}
	}
	r, err := c.store.CreateRoom(ctx, store.RoomDraft{
		ID: n.ID, Type: n.Type, Name: n.Name, Topic: n.Topic, Metadata: store.RawJSON(n.Metadata), Creator: n.Creator.row(),
	})
	if err != nil {
		return Room{}, c.storeError("create room", err)
	}
	room := roomOf(r)
	if n.Creator.ID != "" {
		c.announceAdded(room.ID, Member{
			User: n.Creator, Role: store.RoleOwner, JoinedAt: room.CreatedAt, Online: c.presence.online(n.Creator.ID),
		})
	}
	return room, nil
}

// Room returns a room, or CodeRoomNotFound.
func (c *Chat) Room(ctx context.Context, roomID string) (Room, error) {
	if err := checkRoomID(roomID); err != nil {
		return Room{}, roomNotFound()
	}
	r, err := c.store.Room(ctx, roomID)
	if err != nil {
		return Room{}, c.storeError("read room", err)
	}
	return roomOf(r), nil
}

// roomFor returns a room that u may know of, and u's membership in it, which is nil in a public room that u has not
// joined. Everything else looks like a room that is not there.
func (c *Chat) roomFor(ctx context.Context, u User, roomID string) (Room, *Member, error) {
	room, err := c.Room(ctx, roomID)
	if err != nil {
		return Room{}, nil, err
	}
	m, err := c.store.Member(ctx, roomID, u.ID)
	switch {
	case err == nil:
		member := c.memberOf(m)
		return room, &member, nil
	case !errors.Is(err, store.ErrNotMember):
		return Room{}, nil, c.storeError("read member", err)
	case room.Type != store.RoomPublic:
		return Room{}, nil, roomNotFound()
	default:
		return room, nil, nil
	}
}

// memberRoom returns a room that u is a member of.
func (c *Chat) memberRoom(ctx context.Context, u User, roomID string) (Room, *Member, error) {
	room, m, err := c.roomFor(ctx, u, roomID)
	if err == nil && m == nil {
		err = notAMember()
	}
	return room, m, err
}
