package chat

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/echochat/echochat/store"
)

// Message is a message as clients see it.
type Message struct {
	ID          string            `json:"id"`
	RoomID      string            `json:"room_id"`
	Seq         int64             `json:"seq"`                 // place in the room: 1, 2, 3 … without gaps
	ClientID    string            `json:"client_id,omitempty"` // the sender's own id of it
	Type        store.MessageType `json:"type"`
	Text        string            `json:"text"`
	User        *User             `json:"user,omitempty"` // the sender; absent when the system said it
	ParentID    string            `json:"parent_id,omitempty"`
	Attachments []Attachment      `json:"attachments,omitempty"`
	Metadata    json.RawMessage   `json:"metadata,omitempty"`
	CreatedAt   time.Time         `json:"created_at"`

	QuotedMessageID  string   `json:"quoted_message_id,omitempty"`
	MentionedUserIDs []string `json:"mentioned_user_ids,omitempty"` // members of the room who are named in it

	ReplyCount     int64                `json:"reply_count,omitempty"`     // replies to it that are not deleted
	ReactionCounts store.ReactionCounts `json:"reaction_counts,omitempty"` // how many users have reacted, by emoji
	OwnReactions   []string             `json:"own_reactions,omitempty"`   // of whoever asks for a page of messages or for one; absent elsewhere
	PinnedAt       time.Time            `json:"pinned_at,omitzero"`        // absent: it is not pinned
	PinnedBy       string               `json:"pinned_by,omitempty"`       // the id of the user who has pinned it
	EditedAt       time.Time            `json:"edited_at,omitzero"`        // absent: it never was
	DeletedAt      time.Time            `json:"deleted_at,omitzero"`       // of a message of type deleted, which says nothing any more
	DeletedBy      string               `json:"deleted_by,omitempty"`      // the id of the user who has deleted it
}

func messageOf(m store.Message) Message {
	out := Message{
		ID: m.ID, RoomID: m.RoomID, Seq: m.Seq, ClientID: m.ClientID, Type: m.Type, Text: m.Text,
		ParentID: m.ParentID, Metadata: json.RawMessage(m.Metadata), CreatedAt: m.CreatedAt.Time(),
		QuotedMessageID: m.QuotedID, MentionedUserIDs: m.Mentions, ReplyCount: m.ReplyCount, ReactionCounts: m.Reactions,
		PinnedAt: m.PinnedAt.Time(), PinnedBy: m.PinnedBy, EditedAt: m.EditedAt.Time(), DeletedAt: m.DeletedAt.Time(), DeletedBy: m.DeletedBy,
	}
	if m.DeletedAt != 0 {
		out.Type = store.MessageTombstone
	}
	if out.ClientID == out.ID { // the store's stand-in for none
		out.ClientID = ""
	}
	if m.SenderID != "" {
		u := userOf(m.Sender, m.SenderID)
		out.User = &u
	}
	if len(m.Attachments) > 0 {
		// What is stored was encoded by send; a row that somebody else wrote is shown without.
		_ = json.Unmarshal(m.Attachments, &out.Attachments)
	}
	return out
}

// Attachment is a link that belongs to a message. The chat neither fetches nor checks what is behind it.
type Attachment struct {
	Type     string `json:"type,omitempty"` // such as image, file, audio
	URL      string `json:"url"`            // http or https, or the url of an upload
	Name     string `json:"name,omitempty"`
	MIME     string `json:"mime,omitempty"`
	Size     int64  `json:"size,omitempty"` // bytes
	Width    int    `json:"width,omitempty"`
	Height   int    `json:"height,omitempty"`
	ThumbURL string `json:"thumb_url,omitempty"`
}

const (
	maxClientIDBytes = 128
	maxMessageID     = 64
	maxAttachments   = 10
	maxMetadataBytes = 32 << 10
	maxMentions      = 50 // given, and as many in the text
)

// NewMessage is a message to be sent.
type NewMessage struct {
	RoomID      string          `json:"room_id"`
	Text        string          `json:"text"`                  // may be empty where there are attachments
	ClientID    string          `json:"client_id,omitempty"`   // names the message, so that sending it again stores it once; defaults to none
	ParentID    string          `json:"parent_id,omitempty"`   // the message it replies to; defaults to none
	Attachments []Attachment    `json:"attachments,omitempty"` // at most 10
	Metadata    json.RawMessage `json:"metadata,omitempty"`    // the app's own, a JSON object of at most 32 KiB; defaults to none

	QuotedMessageID string `json:"quoted_message_id,omitempty"` // a message of the same room; defaults to none

	// MentionedUserIDs are users who are named in the text, besides those whose id follows an @ there. Only members of the room
	// count. At most 50.
	MentionedUserIDs []string `json:"mentioned_user_ids,omitempty"`
}

// MessageResult is the answer of operations that return a message.
type MessageResult struct {
	Message Message `json:"message"`
}

func (c *Chat) messageOperations() []*operation {
	return []*operation{
		define(c.sendMessage, spec{
			name: EventMessageSend, event: true, route: "POST /rooms/:room_id/messages", status: 201, action: ActionMessageSend, outlives: true,
			errors: []Code{CodeMessageNotFound, CodeMessageTooLarge, CodeMessageRejected, CodeDuplicate, CodeSlowMode, CodeIDConflict},
			doc:    "Sends a message to a room.",
		}),
		define(c.readMessage, spec{
			name: "message.get", route: "GET /messages/:message_id", action: ActionMessageRead,
			doc: "Returns a message.",
		}),
		define(c.readReplies, spec{
			name: "message.replies", route: "GET /messages/:message_id/replies", action: ActionMessageRead,
			doc: "Returns a page of the replies to a message.",
		}),
		define(c.updateMessage, spec{
			name: EventMessageUpdate, event: true, route: "PATCH /messages/:message_id", outlives: true,
			action: ActionMessageUpdate, others: ActionMessageUpdateAny,
			errors: []Code{CodeMessageTooLarge, CodeMessageRejected},
			doc:    "Changes what a message says; what is absent stays as it is.",
		}),
		define(c.deleteMessage, spec{
			name: EventMessageDelete, event: true, route: "DELETE /messages/:message_id", outlives: true,
			action: ActionMessageDelete, others: ActionMessageDeleteAny,
			doc: "Empties a message, which keeps its place in the room.",
		}),
	}
}

// Send sends a message; filters apply as they do to those of clients. As the system, it is a message in nobody's name, and
// filters do not apply. It returns when the message is committed. For a ClientID that was used in the room before it
// returns the message stored then. An error with Retryable set may be tried again with the same ClientID.
func (a *Actor) Send(ctx context.Context, n NewMessage) (Message, error) {
	out, err := call[MessageResult](ctx, a, EventMessageSend, n)
	return out.Message, err
}

func (c *Chat) sendMessage(ctx context.Context, r *request, in *NewMessage) (MessageResult, error) {
	m, stored, err := c.send(ctx, r, *in)
	if err != nil {
		return MessageResult{}, err
	}
	if stored {
		r.then(func(ctx context.Context) error { return c.hookMessage(ctx, m) })
	}
	return MessageResult{m}, nil
}

// send stores a message of the caller. Stored is false when it was there already. Everyone in the room is told by deliver.
func (c *Chat) send(ctx context.Context, r *request, n NewMessage) (m Message, stored bool, err error) {
	if err := c.checkSend(&n); err != nil {
		return Message{}, false, err
	}
	if !r.system {
		if err := c.filter(ctx, r, &n); err != nil {
			if m, ok := c.sentBefore(ctx, r.user, n, err); ok {
				return m, false, nil
			}
			return Message{}, false, err
		}
	}
	d := store.Draft{
		RoomID: n.RoomID, Sender: r.user.row(), ClientID: n.ClientID, Text: n.Text, ParentID: n.ParentID,
		QuotedID: n.QuotedMessageID, Mentions: n.mentions(), Metadata: store.RawJSON(n.Metadata), System: r.system, Outsider: r.access.Member == nil,
		Speaks: !r.system && !r.user.Admin,
	}
	if len(n.Attachments) > 0 {
		if d.Attachments, err = json.Marshal(n.Attachments); err != nil {
			return Message{}, false, invalid("attachments", "cannot be encoded")
		}
	}
	if r.tx != nil {
		id, err := c.store.AppendTx(ctx, r.tx, d)
		if err != nil {
			return Message{}, false, c.sendError(ctx, r, n.RoomID, err)
		}
		return Message{ID: id}, false, nil
	}
	row, duplicate, err := c.store.Append(ctx, d)
	if err != nil {
		return Message{}, false, c.sendError(ctx, r, n.RoomID, err)
	}
	c.typing.stop(n.RoomID, r.user.ID)
	return messageOf(row), !duplicate, nil
}

// sendError is storeError for a message of a caller who was permitted to send it, and perhaps is not any more.
func (c *Chat) sendError(ctx context.Context, r *request, roomID string, err error) error {
	e := c.storeError("send", err)
	if e.Code == CodeNotAMember || e.Code == CodeRoomNotFound || e.Code == CodeMuted {
		if _, denied := c.permit(ctx, r.caller, ActionMessageSend, target{roomID: roomID}); denied != nil {
			return denied
		}
	}
	return e
}

// sentBefore finds the message of a client that sends again what a filter refuses the second time. A refusal for the
// moment, such as a rate limit's, says nothing about the text; any other stands if the text is a new one.
func (c *Chat) sentBefore(ctx context.Context, u User, a NewMessage, refusal error) (Message, bool) {
	if a.ClientID == "" {
		return Message{}, false
	}
	row, err := c.store.MessageByClientID(ctx, a.RoomID, u.ID, a.ClientID)
	if err != nil {
		return Message{}, false
	}
	e, ok := asError(refusal)
	return messageOf(row), row.Text == a.Text || ok && e.Retryable
}

func (c *Chat) checkSend(a *NewMessage) error {
	if err := checkRoomID(a.RoomID); err != nil {
		return err
	}
	switch {
	case len(a.Text) > c.cfg.maxTextBytes:
		e := NewError(CodeMessageTooLarge, "The message is too long.")
		e.Details = map[string]string{"max_bytes": strconv.Itoa(c.cfg.maxTextBytes)}
		return e
	case !storable(a.Text):
		return invalid("text", "must be valid UTF-8 without U+0000")
	case strings.TrimSpace(a.Text) == "" && len(a.Attachments) == 0:
		return invalid("text", "is empty")
	case len(a.ClientID) > maxClientIDBytes || !printable(a.ClientID):
		return invalid("client_id", "must be at most 128 bytes of printable characters")
	case len(a.ParentID) > maxMessageID || !printable(a.ParentID):
		return invalid("parent_id", "is not a message id")
	case len(a.QuotedMessageID) > maxMessageID || !printable(a.QuotedMessageID):
		return invalid("quoted_message_id", "is not a message id")
	case len(a.MentionedUserIDs) > maxMentions:
		return invalid("mentioned_user_ids", "has more than 50 entries")
	}
	if none(a.Metadata) {
		a.Metadata = nil
	}
	if err := checkAttachments(a.Attachments); err != nil {
		return err
	}
	return checkMetadata(a.Metadata, maxMetadataBytes)
}

func checkAttachments(list []Attachment) error {
	if len(list) > maxAttachments {
		return invalid("attachments", "has more than 10 entries")
	}
	for _, a := range list {
		if !attachable(a.URL) || a.ThumbURL != "" && !attachable(a.ThumbURL) {
			return invalid("attachments", "must have http or https links of at most 2048 bytes, or uploads")
		}
		if len(a.Type) > 64 || len(a.Name) > 256 || len(a.MIME) > 128 || !printable(a.Type+a.Name+a.MIME) {
			return invalid("attachments", "has a type, name or mime that is too long or cannot be shown")
		}
		if a.Size < 0 || a.Width < 0 || a.Height < 0 {
			return invalid("attachments", "has a negative size")
		}
	}
	return nil
}

// attachable reports whether s may be the link of an attachment.
func attachable(s string) bool { return webURL(s) || uploadedLink(s) }

// webURL reports whether s is an absolute http or https link, so that no client is handed a javascript: one.
func webURL(s string) bool {
	if len(s) > maxURLBytes || !printable(s) {
		return false
	}
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != ""
}

func checkMetadata(m json.RawMessage, most int) error {
	if len(m) > most {
		return invalid("metadata", fmt.Sprintf("is larger than %d KiB", most>>10))
	}
	if none(m) {
		return nil
	}
	if m[0] != '{' || !json.Valid(m) || !storable(string(m)) || escapesNUL(m) {
		return invalid("metadata", "must be a JSON object of valid UTF-8 without U+0000")
	}
	return nil
}

// storable reports whether every database takes s as text.
func storable(s string) bool { return utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 }

// escapesNUL reports whether the JSON text m spells a U+0000, which PostgreSQL's JSON does not take.
func escapesNUL(m []byte) bool {
	for i := 0; i < len(m)-1; i++ {
		if m[i] != '\\' {
			continue
		}
		if bytes.HasPrefix(m[i+1:], []byte("u0000")) {
			return true
		}
		i++ // whatever is escaped, it is not the start of another escape
	}
	return false
}
