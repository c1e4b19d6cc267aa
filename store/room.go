package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// RoomType says who may find and join a room. The store keeps it, package chat decides by it.
type RoomType string

const (
	RoomPublic  RoomType = "public"  // Anyone signed in may join.
	RoomPrivate RoomType = "private" // Members are invited or added by others.
	RoomDirect  RoomType = "direct"  // Between two users, see [Store.DirectRoom].
	RoomChannel RoomType = "channel" // Like a public room, but few write and many read.
)

// Room is a conversation with its own numbering of messages.
type Room struct {
	ID            string   `gorm:"primaryKey"` // 1 to 64 of a-z 0-9 . _ -
	Epoch         string   // Random, made with the room: positions of another epoch mean nothing in this room.
	Type          RoomType // Defaults to RoomPublic.
	Name          string   // At most 256 bytes.
	Topic         string   // At most 1,024 bytes.
	CreatedBy     string   // Id of the user who created it; empty for the system.
	LastSeq       int64    // Seq of the latest message, 0 while there is none.
	LastMessageAt Millis   // CreatedAt of the latest message.
	MemberCount   int64    // How many members the room has.
	Metadata      RawJSON  // The application's own, a JSON value of at most 16 KiB.
	CreatedAt     Millis   `gorm:"autoCreateTime:false"`
	UpdatedAt     Millis   `gorm:"autoUpdateTime:false"` // When what describes the room last changed.
	DeletedAt     Millis   // Always 0 in what the store returns: a deleted room is not found.
}

// RoomDraft is a room to be created.
type RoomDraft struct {
	ID       string   // Defaults to a generated id. It must not begin with "dm-", which is kept for direct rooms.
	Type     RoomType // Defaults to RoomPublic. Not RoomDirect: see [Store.DirectRoom].
	Name     string
	Topic    string
	Metadata RawJSON

	// Creator becomes the room's owner and first member. Zero: the room is the system's and has no members yet.
	Creator User
}

func (d RoomDraft) validate() error {
	if err := checkRoomID(d.ID); err != nil {
		return err
	}
	if strings.HasPrefix(d.ID, directPrefix) {
		return fmt.Errorf("%w: room id %q: %s is kept for direct rooms", ErrInvalidArgument, d.ID, directPrefix)
	}
	if err := checkRoomType(d.Type); err != nil {
		return err
	}
	if err := checkText("room name", d.Name, maxName); err != nil {
		return err
	}
	if err := checkText("room topic", d.Topic, maxTopic); err != nil {
		return err
	}
	if err := checkJSON("room metadata", d.Metadata, maxRoomJSON); err != nil {
		return err
	}
	if d.Creator == (User{}) {
		return nil
	}
	return d.Creator.validate()
}

// CreateRoom creates a room, together with its creator's membership. It returns [ErrRoomExists] when the id is taken, also by a room that
// was deleted, and [ErrBanned] for a creator who is banned everywhere.
func (s *Store) CreateRoom(ctx context.Context, d RoomDraft) (Room, error) {
	const op = "create room"
	if d.ID == "" {
		d.ID = uuid.NewString()
	}
	if d.Type == "" {
		d.Type = RoomPublic
	}
	if err := d.validate(); err != nil {
		return Room{}, wrap(op, err)
	}
	at := now()
	room := Room{
		ID: d.ID, Epoch: uuid.NewString(), Type: d.Type, Name: d.Name, Topic: d.Topic, Metadata: d.Metadata,
		CreatedBy: d.Creator.ID, CreatedAt: at, UpdatedAt: at,
	}
	if d.Creator.ID != "" {
		room.MemberCount = 1
	}
	err := s.writing(ctx, op, func(tx *gorm.DB, _ int) error {
		// The epoch tells a room made by an attempt whose commit went unanswered from somebody else's.
		old, err := lockRoom(tx, d.ID)
		switch {
		case err == nil && old.Epoch == room.Epoch:
			return nil
		case err == nil:
			return ErrRoomExists
		case !errors.Is(err, ErrRoomNotFound):
			return err
		}
		if err := tx.Create(&room).Error; err != nil {
			return err
		}
		if d.Creator.ID == "" {
			return nil
		}
		_, err = insertMember(tx, Member{RoomID: d.ID, UserID: d.Creator.ID, Role: RoleOwner, JoinedAt: at, User: d.Creator})
		return err
	})
	if isUnique(err) { // created in between by somebody else
		err = wrap(op, ErrRoomExists)
	}
	if err != nil {
		return Room{}, err
	}
	return room, nil
}

// Room returns the room with the given id, or [ErrRoomNotFound].
func (s *Store) Room(ctx context.Context, id string) (Room, error) {
	var room Room
	err := s.reading(ctx, "room", func(tx *gorm.DB) error {
		if !findable(id) {
			return ErrRoomNotFound
		}
		err := tx.Take(&room, "id = ? AND deleted_at = 0", id).Error
		if errors.Is(err, gorm.ErrRecordNotFound) {
			return ErrRoomNotFound
		}
		return err
	})
	return room, err
}

// RoomsByID returns the rooms with the given ids that exist, by id.
func (s *Store) RoomsByID(ctx context.Context, ids ...string) (rooms map[string]Room, err error) {
	err = s.reading(ctx, "rooms by id", func(tx *gorm.DB) error {
		rooms = make(map[string]Room, len(ids))
		for part := range portions(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !findable(id) })) {
			var found []Room
			if err := tx.Find(&found, "id IN ? AND deleted_at = 0", part).Error; err != nil {
				return err
			}
			for _, r := range found {
				rooms[r.ID] = r
			}
		}
		return nil
	})
	return rooms, err
}

// ShareRoom reports whether two users are members of the same room. It costs what the number of the first one's rooms does.
func (s *Store) ShareRoom(ctx context.Context, userID, otherID string) (share bool, err error) {
	err = s.reading(ctx, "share room", func(tx *gorm.DB) error {
		if !findable(userID, otherID) {
			share = false
			return nil
		}
		var found []string
		err := sharedRooms(tx, userID, otherID).Limit(1).Pluck("m.room_id", &found).Error
		share = len(found) > 0
		return err
	})
	return share, err
}

func sharedRooms(tx *gorm.DB, userID, otherID string) *gorm.DB {
	return tx.Table("chat_members m").
		Joins("JOIN chat_members o ON o.room_id = m.room_id AND o.user_id = ?", otherID).
		Joins("JOIN chat_rooms r ON r.id = m.room_id AND r.deleted_at = 0").
		Where("m.user_id = ?", userID)
}

// roomExists is true for the id of a room that is not deleted, inRoom for a message in such a room. No database makes a join of them.
const (
	roomExists = "(SELECT r.deleted_at FROM chat_rooms r WHERE r.id = ?) = 0"
	inRoom     = "(SELECT r.deleted_at FROM chat_rooms r WHERE r.id = chat_messages.room_id) = 0"
)

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
	const op = "rooms"
	n, err := limit(q.Limit)
	if err != nil {
		return RoomPage{}, wrap(op, err)
	}
	q.Limit = n
	var page RoomPage
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.MemberID, q.After, string(q.Type)) {
			return nil
		}
		return q.scope(tx).Find(&page.Rooms).Error
	})
	if len(page.Rooms) > n {
		page.Rooms = page.Rooms[:n]
		page.Next = page.Rooms[n-1].ID
	}
	return page, err
}

// scope selects one room more than a page holds, which tells whether there is a next page.
func (q RoomQuery) scope(tx *gorm.DB) *gorm.DB {
	id := "chat_rooms.id"
	if q.MemberID != "" {
		id = "m.room_id"
		tx = tx.Joins("JOIN chat_members m ON m.room_id = chat_rooms.id").Where("m.user_id = ?", q.MemberID)
	}
	if q.Type != "" {
		tx = tx.Where("chat_rooms.type = ?", q.Type)
	}
	return tx.Where(id+" > ? AND chat_rooms.deleted_at = 0", q.After).Order(id).Limit(q.Limit + 1)
}
