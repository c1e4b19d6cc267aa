package store

import (
	"context"
	"errors"
	"slices"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// MessageType tells apart what people wrote from what the chat says itself.
type MessageType string

const (
	MessageRegular MessageType = "regular" // Somebody's message.
	MessageReply   MessageType = "reply"   // Somebody's message with a ParentID.
	MessageSystem  MessageType = "system"  // Appended with Draft.System.

	// MessageTombstone is how package chat shows a deleted message of any type. It is not stored.
	MessageTombstone MessageType = "deleted"
)

// Message is a stored message. It never changes its ID, RoomID, Seq, SenderID, ClientID, ParentID or CreatedAt.
type Message struct {
	ID          string `gorm:"primaryKey"` // UUIDv7.
	RoomID      string
	Seq         int64  // Place in the room: 1, 2, 3 … without gaps.
	SenderID    string // Empty for a system message that was sent by nobody.
	ClientID    string // The sender's own id of it; the same as ID when the sender gave none.
	Type        MessageType
	Text        string
	ParentID    string  // Id of the message it replies to. Empty when it is not a reply.
	QuotedID    string  // Id of the message it quotes. Empty when it quotes none.
	Mentions    UserIDs // Who is named in it: members of the room at that time.
	Attachments RawJSON
	Metadata    RawJSON
	CreatedAt   Millis `gorm:"autoCreateTime:false"` // Never earlier than that of the message before it in the room.
	Sender      User   `gorm:"-"`                    // How to show the sender.

	// What happens to it later.
	Reactions  ReactionCounts `gorm:"<-:update"`
	ReplyCount int64          `gorm:"<-:update"` // Replies to it that are not deleted.
	PinnedAt   Millis         `gorm:"<-:update"` // When it was pinned; 0 when it is not.
	PinnedBy   string         `gorm:"<-:update"` // Id of who pinned it; empty for the system.
	EditedAt   Millis         `gorm:"<-:update"` // When it was last edited; 0 when it never was.
	DeletedAt  Millis         `gorm:"<-:update"` // When it was deleted; 0 when it is not. See [Store.DeleteMessage].
	DeletedBy  string         `gorm:"<-:update"` // Id of who deleted it; empty for the system.
}

// Draft is a message to be appended.
type Draft struct {
	RoomID string
	Sender User // The ID is required unless System is set; the rest is what OnCommit gets to see.

	// ClientID names the message on the sender's side, 1 to 128 bytes, so that sending it again after a lost answer does not
	// store it again. Without one each Append is a message of its own.
	ClientID string

	Text        string  // Valid UTF-8 without U+0000, at most 1 MiB. May be empty.
	ParentID    string  // Id of a message in the same room, which may be deleted. Defaults to none.
	QuotedID    string  // The same.
	Mentions    UserIDs // At most 100. Only members of the room are stored. Defaults to none.
	Attachments RawJSON // A JSON value of at most 64 KiB. Defaults to none.
	Metadata    RawJSON // A JSON value of at most 64 KiB. Defaults to none.

	// System marks a message of the chat itself: the sender need not be a member and may be nobody.
	System bool

	// Outsider says that the sender need not be a member: whoever appends has decided so.
	Outsider bool

	// Speaks says that a mute of the sender, if there is one when the message is about to be stored, keeps it from being.
	Speaks bool
}

func (d Draft) validate() error {
	if !findable(d.RoomID) {
		return ErrRoomNotFound
	}
	if !d.System || d.Sender.ID != "" {
		if err := checkID("sender id", d.Sender.ID); err != nil {
			return err
		}
	}
	if err := checkText("client id", d.ClientID, maxID); err != nil {
		return err
	}
	if err := checkText("text", d.Text, maxText); err != nil {
		return err
	}
	if err := checkMentions(d.Mentions); err != nil {
		return err
	}
	if err := checkJSON("attachments", d.Attachments, maxJSON); err != nil {
		return err
	}
	return checkJSON("metadata", d.Metadata, maxJSON)
}

// newMessageID returns ids that ascend within the process.
func newMessageID() (string, error) {
	id, err := uuid.NewV7()
	return id.String(), err
}

// message is the draft as it will be stored; the writer gives it its Seq and CreatedAt.
func (d Draft) message(id string) Message {
	m := Message{
		ID: id, RoomID: d.RoomID, SenderID: d.Sender.ID, ClientID: d.ClientID, Type: MessageRegular, Text: d.Text,
		ParentID: d.ParentID, QuotedID: d.QuotedID, Mentions: d.Mentions, Attachments: d.Attachments, Metadata: d.Metadata,
		Sender: d.Sender,
	}
	if m.ClientID == "" {
		m.ClientID = m.ID
	}
	switch {
	case d.System:
		m.Type = MessageSystem
	case d.ParentID != "":
		m.Type = MessageReply
	}
	return m
}

// Message returns the message with the given id, or [ErrMessageNotFound].
func (s *Store) Message(ctx context.Context, id string) (Message, error) {
	return s.message(ctx, "message", "id = ?", id)
}

// MessageByClientID returns the message that a sender has stored in a room under a ClientID, or [ErrMessageNotFound]: what
// Append would return for a repetition, for a caller that has reasons not to append.
func (s *Store) MessageByClientID(ctx context.Context, roomID, senderID, clientID string) (Message, error) {
	return s.message(ctx, "message by client id", "room_id = ? AND sender_id = ? AND client_id = ?", roomID, senderID, clientID)
}

// MessagesByID returns the messages with the given ids that exist, by id.
func (s *Store) MessagesByID(ctx context.Context, ids ...string) (messages map[string]Message, err error) {
	err = s.reading(ctx, "messages by id", func(tx *gorm.DB) error {
		messages = make(map[string]Message, len(ids))
		for part := range portions(slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !findable(id) })) {
			var found []Message
			if err := tx.Where("id IN ?", part).Where(inRoom).Find(&found).Error; err != nil {
				return err
			}
			if err := addSenders(tx, found); err != nil {
				return err
			}
			for _, m := range found {
				messages[m.ID] = m
			}
		}
		return nil
	})
	return messages, err
}

func (s *Store) message(ctx context.Context, op, where string, ids ...string) (m Message, err error) {
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(ids...) {
			return ErrMessageNotFound
		}
		page := make([]Message, 0, 1)
		if err := tx.Where(where, args...).Where(inRoom).Limit(1).Find(&page).Error; err != nil {
			return err
		}
		if len(page) == 0 {
			return ErrMessageNotFound
		}
		err := addSenders(tx, page)
		m = page[0]
		return err
	})
	return m, err
}

// seqOf returns the place of a message in a room.
func seqOf(tx *gorm.DB, roomID, id string) (int64, error) {
	if !findable(roomID, id) {
		return 0, ErrMessageNotFound
	}
	var m Message
	err := tx.Select("seq").Take(&m, "id = ? AND room_id = ?", id, roomID).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return 0, ErrMessageNotFound
	}
	return m.Seq, err
}

// addSenders fills in how to show the senders.
func addSenders(tx *gorm.DB, messages []Message) error {
	var ids []string
	seen := make(map[string]bool)
	for _, m := range messages {
		if m.SenderID != "" && !seen[m.SenderID] {
			seen[m.SenderID] = true
			ids = append(ids, m.SenderID)
		}
	}
	users, err := usersByID(tx, ids)
	if err != nil {
		return err
	}
	for i := range messages {
		if u, ok := users[messages[i].SenderID]; ok {
			messages[i].Sender = u
		} else {
			messages[i].Sender = User{ID: messages[i].SenderID}
		}
	}
	return nil
}
