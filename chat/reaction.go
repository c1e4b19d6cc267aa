package chat

import (
	"context"
	"strings"
	"unicode"
)

// Reaction is what a user has reacted to a message with.
type Reaction struct {
	Emoji string `json:"emoji"`
}

// ReactionRef names a reaction of the caller's.
type ReactionRef struct {
	MessageID string `json:"message_id"`
	Emoji     string `json:"emoji"` // at most 64 bytes without spaces; a message may have 20 different ones
}

const maxEmojiBytes = 64

func (c *Chat) reactionOperations() []*operation {
	return []*operation{
		define(c.addReaction, spec{
			name: EventReactionAdd, event: true, route: "PUT /messages/:message_id/reactions/:emoji", action: ActionReactionAdd,
			errors: []Code{CodeConflict},
			doc:    "Reacts to a message with an emoji.",
		}),
		define(c.removeReaction, spec{
			name: EventReactionRemove, event: true, route: "DELETE /messages/:message_id/reactions/:emoji", action: ActionReactionRemove,
			doc: "Takes a reaction back.",
		}),
	}
}

// React reacts to a message with an emoji. Doing it again changes nothing.
func (a *Actor) React(ctx context.Context, messageID, emoji string) (Message, error) {
	out, err := call[MessageResult](ctx, a, EventReactionAdd, ReactionRef{messageID, emoji})
	return out.Message, err
}

// Unreact takes a reaction back. Where there is none, nothing changes.
func (a *Actor) Unreact(ctx context.Context, messageID, emoji string) (Message, error) {
	out, err := call[MessageResult](ctx, a, EventReactionRemove, ReactionRef{messageID, emoji})
	return out.Message, err
}

func (c *Chat) addReaction(ctx context.Context, r *request, in *ReactionRef) (MessageResult, error) {
	if err := checkEmoji(in.Emoji); err != nil {
		return MessageResult{}, err
	}
	row, _, err := c.store.AddReaction(ctx, in.MessageID, r.user.row(), in.Emoji)
	return c.changed(ctx, r, row, err)
}

func (c *Chat) removeReaction(ctx context.Context, r *request, in *ReactionRef) (MessageResult, error) {
	if err := checkEmoji(in.Emoji); err != nil {
		return MessageResult{}, err
	}
	row, _, err := c.store.RemoveReaction(ctx, in.MessageID, r.user.row(), in.Emoji)
	return c.changed(ctx, r, row, err)
}

func checkEmoji(s string) error {
	if s == "" || len(s) > maxEmojiBytes || !printable(s) || strings.ContainsFunc(s, unicode.IsSpace) {
		return invalid("emoji", "must be 1 to 64 bytes of printable characters without spaces")
	}
	return nil
}
