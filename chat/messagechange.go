package chat

import (
	"context"
	"encoding/json"

	"github.com/echochat/echochat/store"
)

// MessageRef is an operation's message, where that is all that there is to say.
type MessageRef struct {
	MessageID string `json:"message_id"`
}

// MessageChange is a new version of a message. What is absent stays as it is.
type MessageChange struct {
	MessageID   string          `json:"message_id"`
	Text        *string         `json:"text,omitempty"`        // names other users, too, see mentioned_user_ids
	Attachments []Attachment    `json:"attachments,omitempty"` // at most 10; an empty list for none
	Metadata    json.RawMessage `json:"metadata,omitempty"`    // the app's own, a JSON object of at most 32 KiB; empty for none

	// MentionedUserIDs are those that a new text names besides those whose id follows an @ in it. At most 50.
	MentionedUserIDs []string `json:"mentioned_user_ids,omitempty"`
}

// UpdateMessage changes what a message says; filters apply as they do to a new one. The system may change any message,
// users their own.
func (a *Actor) UpdateMessage(ctx context.Context, m MessageChange) (Message, error) {
	out, err := call[MessageResult](ctx, a, EventMessageUpdate, m)
	return out.Message, err
}

// DeleteMessage takes back what a message says. It keeps its place, its sender and its thread, and deleting it again changes nothing.
func (a *Actor) DeleteMessage(ctx context.Context, messageID string) (Message, error) {
	out, err := call[MessageResult](ctx, a, EventMessageDelete, MessageRef{messageID})
	return out.Message, err
}

func (c *Chat) updateMessage(ctx context.Context, r *request, in *MessageChange) (MessageResult, error) {
	row := *r.access.Message
	if row.Type == store.MessageSystem && !r.system {
		return MessageResult{}, Forbidden("This message is the chat's own.")
	}
	n := in.version(row)
	if err := c.checkSend(&n); err != nil {
		return MessageResult{}, err
	}
	if !r.system {
		if err := c.filter(ctx, r, &n); err != nil {
			return MessageResult{}, err
		}
	}
	e, err := n.edit(row.ID, r.user)
	if err != nil {
		return MessageResult{}, err
	}
	if in.Text == nil && in.MentionedUserIDs == nil {
		e.Mentions = nil
	}
	var audit []store.Audit
	if r.system {
		audit = append(audit, r.entry(row.SenderID, nil))
	}
	edited, _, err := c.store.EditMessage(ctx, e, audit...)
	return c.changed(ctx, r, edited, err)
}

// version is the message row with the changes in it.
func (m *MessageChange) version(row store.Message) NewMessage {
	old := messageOf(row)
	n := NewMessage{
		RoomID: old.RoomID, Text: old.Text, ParentID: old.ParentID, Attachments: old.Attachments, Metadata: old.Metadata,
		MentionedUserIDs: m.MentionedUserIDs,
	}
	if m.Text != nil {
		n.Text = *m.Text
	}
	if m.Attachments != nil {
		n.Attachments = m.Attachments
	}
	if !none(m.Metadata) {
		n.Metadata = m.Metadata
	}
	return n
}

// edit is what the store takes.
func (a NewMessage) edit(messageID string, by User) (store.Edit, error) {
	var attachments store.RawJSON
	if len(a.Attachments) > 0 {
		var err error
		if attachments, err = json.Marshal(a.Attachments); err != nil {
			return store.Edit{}, invalid("attachments", "cannot be encoded")
		}
	}
	metadata, mentions := store.RawJSON(a.Metadata), a.mentions()
	return store.Edit{
		MessageID: messageID, By: by.row(), Text: &a.Text, Attachments: &attachments, Metadata: &metadata, Mentions: &mentions,
	}, nil
}

func (c *Chat) deleteMessage(ctx context.Context, r *request, in *MessageRef) (MessageResult, error) {
	row := *r.access.Message
	own := row.SenderID == r.user.ID && !r.system
	if own && row.Type == store.MessageSystem { // what the chat has said of the user
		own = false
		if _, err := c.permit(ctx, r.caller, ActionMessageDeleteAny, target{messageID: row.ID}); err != nil {
			return MessageResult{}, err
		}
	}
	var audit []store.Audit
	if !own {
		audit = append(audit, r.entry(row.SenderID, nil))
	}
	deleted, _, err := c.store.DeleteMessage(ctx, in.MessageID, r.user.row(), audit...)
	return c.changed(ctx, r, deleted, err)
}

// changed is the answer to whoever has changed a message. Everyone in the room is told by deliverChange.
func (c *Chat) changed(ctx context.Context, r *request, row store.Message, err error) (MessageResult, error) {
	if err != nil {
		return MessageResult{}, c.storeError(r.op.name, err)
	}
	messages, err := c.messagesFor(ctx, r, []store.Message{row})
	if err != nil {
		return MessageResult{}, err
	}
	return MessageResult{messages[0]}, nil
}

// deliverChange tells everyone in its room of a change of a message. The store calls it after deliver for the message itself, and in
// the order of the changes.
func (c *Chat) deliverChange(ch store.Change) {
	m := messageOf(ch.Message)
	e := Event{RoomID: m.RoomID, Seq: m.Seq, Message: &m}
	if ch.By.ID != "" {
		u := userOf(ch.By, ch.By.ID)
		e.User = &u
	}
	switch ch.Kind {
	case store.MessageEdited, store.MessagePinned, store.MessageUnpinned:
		e.Type = EventMessageUpdated
	case store.MessageDeleted:
		e.Type = EventMessageDeleted
	case store.ReactionAdded:
		e.Type, e.Reaction = EventReactionNew, &Reaction{Emoji: ch.Emoji}
	case store.ReactionRemoved:
		e.Type, e.Reaction = EventReactionDeleted, &Reaction{Emoji: ch.Emoji}
	}
	c.emit(e, c.server.To(roomKey(m.RoomID)))
	c.notifyMentioned(m, ch.Mentioned)
}
