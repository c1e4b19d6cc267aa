package chat

import (
	"context"
	"encoding/json"
	"errors"

	"github.com/echochat/echochat/store"
)

// RoomChange says what to change of a room; what is absent stays as it is.
type RoomChange struct {
	RoomID   string          `json:"room_id"`
	Type     *store.RoomType `json:"type,omitempty"` // public, private or channel; the owner's to say
	Name     *string         `json:"name,omitempty"`
	Topic    *string         `json:"topic,omitempty"`
	Metadata json.RawMessage `json:"metadata,omitempty"` // all of it anew; null for none
}

func (c *Chat) roomChangeOperations() []*operation {
	return []*operation{
		define(c.updateRoom, spec{
			name: "room.update", event: true, route: "PATCH /rooms/:room_id", action: ActionRoomUpdate,
			doc: "Changes what a room is called, what it is about, or who may join it.",
		}),
		define(c.deleteRoom, spec{
			name: "room.delete", event: true, route: "DELETE /rooms/:room_id", action: ActionRoomDelete,
			doc: "Deletes a room with everything in it, for good.",
		}),
		define(c.transferRoom, spec{
			name: "room.transfer", event: true, route: "PUT /rooms/:room_id/owner", action: ActionRoomTransfer,
			doc: "Makes another member the owner of a room; the owner before becomes a moderator.",
		}),
	}
}

// UpdateRoom changes what describes a room and tells everyone there.
func (a *Actor) UpdateRoom(ctx context.Context, ch RoomChange) (Room, error) {
	out, err := call[RoomResult](ctx, a, "room.update", ch)
	return out.Room, err
}

// DeleteRoom deletes a room: from then on it is not there for anybody, and its id stays taken. Its messages are removed in the
// background.
func (a *Actor) DeleteRoom(ctx context.Context, roomID string) error {
	_, err := call[nothing](ctx, a, "room.delete", RoomRef{roomID})
	return err
}

// TransferRoom makes a member the owner of a room.
func (a *Actor) TransferRoom(ctx context.Context, roomID, userID string) (Member, error) {
	out, err := call[MemberResult](ctx, a, "room.transfer", MemberRef{roomID, userID})
	return out.Member, err
}

func (c *Chat) updateRoom(ctx context.Context, r *request, in *RoomChange) (RoomResult, error) {
	ch, err := in.change()
	if err != nil {
		return RoomResult{}, err
	}
	if ch.Type != nil && *ch.Type != r.access.Room.Type {
		if _, err := c.permit(ctx, r.caller, ActionRoomRetype, target{roomID: in.RoomID}); err != nil {
			return RoomResult{}, err
		}
	}
	before, after, err := c.store.UpdateRoom(ctx, in.RoomID, ch, r.entry("", nil))
	if err != nil {
		return RoomResult{}, c.storeError("update room", err)
	}
	room := roomOf(after)
	if before.UpdatedAt == after.UpdatedAt { // nothing differs
		return RoomResult{room}, nil
	}
	c.emit(Event{Type: EventRoomUpdated, RoomID: room.ID, User: r.actor(), Room: &room}, c.server.To(roomKey(room.ID)))
	if before.Name != after.Name {
		c.notice(r, after, noticeOf{Kind: NoticeRoomRenamed, User: r.actor(), Name: after.Name})
	}
	return RoomResult{room}, nil
}

// change checks what a room is to become.
func (ch *RoomChange) change() (store.RoomChange, error) {
	out := store.RoomChange{Type: ch.Type, Name: ch.Name, Topic: ch.Topic}
	if ch.Type != nil && !settable(*ch.Type) {
		return out, badType()
	}
	if ch.Name != nil {
		if err := checkRoomName(*ch.Name); err != nil {
			return out, err
		}
	}
	if ch.Topic != nil {
		if err := checkTopic(*ch.Topic); err != nil {
			return out, err
		}
	}
	if ch.Metadata != nil {
		if err := checkMetadata(ch.Metadata, maxRoomMetadataBytes); err != nil {
			return out, err
		}
		metadata := store.RawJSON(ch.Metadata)
		if none(ch.Metadata) {
			metadata = nil
		}
		out.Metadata = &metadata
	}
	return out, nil
}

func (c *Chat) deleteRoom(ctx context.Context, r *request, in *RoomRef) (nothing, error) {
	if _, err := c.store.DeleteRoom(ctx, in.RoomID, r.entry("", map[string]string{"name": r.access.Room.Name})); err != nil {
		return nothing{}, c.storeError("delete room", err)
	}
	c.emit(Event{Type: EventRoomDeleted, RoomID: in.RoomID, User: r.actor()}, c.server.To(roomKey(in.RoomID)))
	// A join that read the room before has subscribed by then, or finds no room when it looks again.
	c.server.In(roomKey(in.RoomID)).SocketsLeave(roomKey(in.RoomID))
	return nothing{}, nil
}

func (c *Chat) transferRoom(ctx context.Context, r *request, in *MemberRef) (MemberResult, error) {
	changed, err := c.store.TransferOwnership(ctx, in.RoomID, in.UserID, r.entry(in.UserID, nil))
	if errors.Is(err, store.ErrNotMember) {
		return MemberResult{}, notTheirRoom()
	}
	if err != nil {
		return MemberResult{}, c.storeError("transfer room", err)
	}
	for _, row := range changed {
		if err := c.announceUpdated(ctx, row); err != nil {
			return MemberResult{}, err
		}
	}
	row, err := c.store.Member(ctx, in.RoomID, in.UserID)
	if err != nil {
		return MemberResult{}, c.storeError("read member", err)
	}
	return MemberResult{c.memberOf(row)}, nil
}

// notTheirRoom says that the user whom an operation names is no member.
func notTheirRoom() *Error { return NewError(CodeNotAMember, "This user is not a member of the room.") }

// settable reports whether a room can be made to be of that type.
func settable(t store.RoomType) bool {
	return t == store.RoomPublic || t == store.RoomPrivate || t == store.RoomChannel
}

func badType() *Error { return invalid("type", "must be public, private or channel") }

func checkRoomName(name string) error {
	if len(name) > maxRoomNameBytes || !printable(name) {
		return invalid("name", "must be at most 256 bytes of printable characters")
	}
	return nil
}

func checkTopic(topic string) error {
	if len(topic) > maxTopicBytes || !printable(topic) {
		return invalid("topic", "must be at most 1024 bytes of printable characters")
	}
	return nil
}
