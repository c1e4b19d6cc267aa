package store

import "context"

// MessageType tells apart what people wrote from what the chat says itself.
type MessageType string

const (
	MessageRegular MessageType = "regular" // Somebody's message.
	MessageReply   MessageType = "reply"   // Somebody's message with a ParentID.
	MessageSystem  MessageType = "system"  // Appended with Draft.System.
)

// Message is a stored message. It never changes its ID, RoomID, Seq or SenderID.
type Message struct {
	ID          string // UUIDv7.
	RoomID      string
	Seq         int64  // Place in the room: 1, 2, 3 … without gaps.
	SenderID    string // Empty for a system message that was sent by nobody.
	ClientID    string // The sender's own id of it; the same as ID when the sender gave none.
	Type        MessageType
	Text        string
	ParentID    string // Id of the message it replies to. Empty when it is not a reply.
	Attachments RawJSON
	Metadata    RawJSON
	CreatedAt   Millis // Never earlier than that of the message before it in the room.
	Sender      User   `gorm:"-"` // How to show the sender.
}

// Draft is a message to be appended.
type Draft struct {
	RoomID string
	Sender User // The ID is required unless System is set; the rest is what OnCommit gets to see.

	// ClientID names the message on the sender's side, 1 to 128 bytes, so that sending it again after a lost answer does not
	// store it again. Without one each Append is a message of its own.
	ClientID string

	Text        string  // Valid UTF-8 without U+0000, at most 1 MiB. May be empty.
	ParentID    string  // Id of a message in the same room. Defaults to none.
	Attachments RawJSON // A JSON value of at most 64 KiB. Defaults to none.
	Metadata    RawJSON // A JSON value of at most 64 KiB. Defaults to none.

	// System marks a message of the chat itself: the sender need not be a member and may be nobody.
	System bool
}

// Append stores a message and returns it as stored, after the commit. For a ClientID that its sender has used in the room
// before, it returns the message stored then, and duplicate is true.
//
// It blocks until the message is committed: for about one fsync, up to 5 seconds while the database is away, and longer
// only while the queue is full. When ctx ends while the message is still waiting for a place in the queue, it is not stored; when ctx
// ends later, the message is stored nevertheless, and Append returns [ErrUnavailable] together with ctx's error.
//
// Errors: [ErrInvalidArgument], [ErrRoomNotFound], [ErrNotMember], [ErrMessageNotFound] for the ParentID, [ErrIDConflict],
// [ErrStorageFull], [ErrUnavailable], [ErrClosed]. Safe for concurrent use.
func (s *Store) Append(ctx context.Context, d Draft) (m Message, duplicate bool, err error) {
	return Message{}, false, ErrUnavailable
}

// OnCommit sets the function that gets what this store's Append has committed: each message once, per room in the order of
// Seq, duplicates left out. Calls follow one another on one goroutine, beside the next commit; one that takes long
// therefore ends up slowing the appends. It must not wait for an Append. The slice and its messages are shared: do not change them.
// A panic in it is logged and ends that call only. Set it before the first Append; messages committed without it are not delivered later.
func (s *Store) OnCommit(fn func([]Message)) {
}

// Message returns the message with the given id, or [ErrMessageNotFound].
func (s *Store) Message(ctx context.Context, id string) (Message, error) {
	return Message{}, ErrUnavailable
}
