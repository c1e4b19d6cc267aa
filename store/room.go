package store

import "context"

// RoomType says who may find and join a room. The store keeps it, package chat decides by it.
type RoomType string

const (
	RoomPublic  RoomType = "public"  // Anyone signed in may join.
	RoomPrivate RoomType = "private" // Members are added by others.
)

// Room is a conversation with its own numbering of messages.
type Room struct {
	ID          string   // 1 to 64 of a-z 0-9 . _ -
	Epoch       string   // Random, made with the room: positions of another epoch mean nothing in this room.
	Type        RoomType // Defaults to RoomPublic.
	Name        string   // At most 256 bytes.
	Topic       string   // At most 1,024 bytes.
	CreatedBy   string   // Id of the user who created it; empty for the system.
	LastSeq     int64    // Seq of the latest message, 0 while there is none.
	MemberCount int64    // How many members the room has.
	Metadata    RawJSON  // The application's own, a JSON value of at most 64 KiB.
	CreatedAt   Millis
	UpdatedAt   Millis // When a field other than LastSeq and MemberCount last changed.
}

// RoomDraft is a room to be created.
type RoomDraft struct {
	ID       string   // Defaults to a generated id.
	Type     RoomType // Defaults to RoomPublic.
	Name     string
	Topic    string
	Metadata RawJSON

	// Creator becomes the room's owner and first member. Zero: the room is the system's and has no members yet.
	Creator User
}

// CreateRoom creates a room, together with its creator's membership. It returns [ErrRoomExists] when the id is taken.
func (s *Store) CreateRoom(ctx context.Context, d RoomDraft) (Room, error) {
	return Room{}, ErrUnavailable
}

// Room returns the room with the given id, or [ErrRoomNotFound].
func (s *Store) Room(ctx context.Context, id string) (Room, error) {
	return Room{}, ErrUnavailable
}

// RoomQuery selects rooms. The zero value selects all of them.
type RoomQuery struct {
	MemberID string   // Only rooms this user is a member of.
	Type     RoomType // Only rooms of this type.
	After    string   // RoomPage.Next of the page before; empty for the first page.
	Limit    int      // Rooms per page. Defaults to 50, at most 200.
}

// RoomPage is a page of rooms, ascending by id.
type RoomPage struct {
	Rooms []Room
	Next  string // What to put into RoomQuery.After for the next page; empty on the last one.
}

// Rooms returns a page of rooms.
func (s *Store) Rooms(ctx context.Context, q RoomQuery) (RoomPage, error) {
	return RoomPage{}, ErrUnavailable
}
