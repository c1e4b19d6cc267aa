package chat

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/google/uuid"

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

// NewRoom is a room to be created.
type NewRoom struct {
	ID       string          `json:"id,omitempty"`       // 1 to 64 of a-z 0-9 . _ -; empty for a generated one
	Type     store.RoomType  `json:"type,omitempty"`     // defaults to store.RoomPublic
	Name     string          `json:"name,omitempty"`     // defaults to the ID given
	Topic    string          `json:"topic,omitempty"`    // defaults to none
	Metadata json.RawMessage `json:"metadata,omitempty"` // the app's own, a JSON object of at most 16 KiB; defaults to none

	// Creator becomes the owner and first member of a room that the system creates; zero for a room of the system, without
	// members. A user's room is the user's.
	Creator User `json:"-"`
}

// RoomRef is an operation's room, where that is all that there is to say.
type RoomRef struct {
	RoomID string `json:"room_id"`
}

// RoomResult is the answer of operations that return a room.
type RoomResult struct {
	Room Room `json:"room"`
}

// OwnRoomResult is a room together with what the caller is in it.
type OwnRoomResult struct {
	Room   Room    `json:"room"`
	Member *Member `json:"member,omitempty"` // the caller's membership; absent where there is none
}

func (c *Chat) roomOperations() []*operation {
	return []*operation{
		define(c.createRoom, spec{
			name: "room.create", event: true, route: "POST /rooms", status: 201, action: ActionRoomCreate,
			errors: []Code{CodeConflict},
			doc:    "Creates a room, whose owner the caller is.",
		}),
		define(c.readRoom, spec{
			name: "room.get", event: true, route: "GET /rooms/:room_id", action: ActionRoomRead,
			doc: "Returns a room.",
		}),
	}
}

// CreateRoom creates a room. The system may choose any id, and gets CodeConflict for one that is taken; users only with
// WithOpenRooms.
func (a *Actor) CreateRoom(ctx context.Context, n NewRoom) (Room, error) {
	out, err := call[RoomResult](ctx, a, "room.create", n)
	return out.Room, err
}

// Room returns a room, or CodeRoomNotFound.
func (a *Actor) Room(ctx context.Context, roomID string) (Room, error) {
	out, err := call[OwnRoomResult](ctx, a, "room.get", RoomRef{roomID})
	return out.Room, err
}

func (c *Chat) readRoom(_ context.Context, r *request, _ *RoomRef) (OwnRoomResult, error) {
	return OwnRoomResult{roomOf(r.access.Room), c.ownMember(r.user, r.access)}, nil
}

// createRoom creates a room of the caller. Users get a generated id: ids are links and keys of the app's own, which a user
// must not take in advance, unless the rooms are open. Guests create rooms only there.
func (c *Chat) createRoom(ctx context.Context, r *request, in *NewRoom) (RoomResult, error) {
	n := *in
	if err := checkNewRoom(&n); err != nil {
		return RoomResult{}, err
	}
	switch {
	case !r.system && !c.cfg.openRooms && (r.user.Guest || n.ID != ""):
		return RoomResult{}, Forbidden("You may not create this room.")
	case !r.system:
		n.Creator = r.user
	case n.Creator != (User{}):
		creator, err := checkUser(n.Creator)
		if err != nil {
			return RoomResult{}, err
		}
		n.Creator = creator
	}
	room, err := c.newRoom(ctx, n)
	if e, ok := asError(err); ok && e.Code == CodeConflict && !r.system {
		// Of a room that is hidden, or was deleted, one hears no more than that the id is not to be had.
		if _, hidden := c.permit(ctx, r.caller, ActionRoomRead, target{roomID: n.ID}); hidden != nil {
			return RoomResult{}, unusableID()
		}
	}
	return RoomResult{room}, err
}

// newRoom creates what was checked, and tells the creator's connections.
func (c *Chat) newRoom(ctx context.Context, n NewRoom) (Room, error) {
	if n.ID == "" {
		n.ID = uuid.NewString()
	}
	if n.Creator.ID != "" {
		seen := Room{ID: n.ID, Type: n.Type, Name: n.Name, Topic: n.Topic, Metadata: n.Metadata, CreatedBy: n.Creator.ID}
		if err := c.hookJoin(ctx, n.Creator, seen); err != nil {
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
		c.emit(Event{Type: EventRoomCreated, RoomID: room.ID, User: &n.Creator, Room: &room}, c.server.To(userKey(n.Creator.ID)))
		c.announceAdded(room, Member{
			User: n.Creator, Role: store.RoleOwner, JoinedAt: room.CreatedAt, Online: c.presence.online(n.Creator.ID),
		})
	}
	return room, nil
}

const (
	maxRoomIDBytes       = 64
	maxRoomNameBytes     = 256
	maxTopicBytes        = 1024
	maxRoomMetadataBytes = 16 << 10
)

// directPrefix begins the ids of direct rooms, which nobody chooses.
const directPrefix = "dm-"

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

// unusableID refuses an id without a word about whether there is a room of that id.
func unusableID() *Error { return Forbidden("You may not use this id.") }

func checkNewRoom(n *NewRoom) error {
	if n.ID != "" {
		if err := checkRoomID(n.ID); err != nil {
			return err
		}
		if strings.HasPrefix(n.ID, directPrefix) {
			return unusableID()
		}
	}
	if n.Type == "" {
		n.Type = store.RoomPublic
	}
	if !settable(n.Type) {
		return badType()
	}
	if n.Name == "" {
		n.Name = n.ID
	}
	if err := errors.Join(checkRoomName(n.Name), checkTopic(n.Topic)); err != nil {
		return err
	}
	return checkMetadata(n.Metadata, maxRoomMetadataBytes)
}
