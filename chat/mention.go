package chat

import (
	"strings"
	"unicode"

	"github.com/echochat/echochat/store"
)

// mentions are the ids of users that a message may name; the store keeps those of members.
func (a NewMessage) mentions() store.UserIDs {
	ids := append(store.UserIDs(nil), a.MentionedUserIDs...)
	rest := a.Text
	for range maxMentions {
		_, after, found := strings.Cut(rest, "@")
		if !found {
			break
		}
		end := strings.IndexFunc(after, func(r rune) bool { return unicode.IsSpace(r) || r == '@' })
		if end < 0 {
			end = len(after)
		}
		if id := strings.TrimRight(after[:end], ".,;:!?)]}'\"…"); id != "" && len(id) <= maxUserIDBytes {
			ids = append(ids, id)
		}
		rest = after[end:]
	}
	return ids
}

// notifyMentioned tells users that a message names them, on those of their connections that do not hear the room.
func (c *Chat) notifyMentioned(m Message, userIDs []string) {
	for _, id := range userIDs {
		if m.User != nil && m.User.ID == id {
			continue
		}
		c.emit(Event{Type: EventMentioned, RoomID: m.RoomID, Seq: m.Seq, CreatedAt: m.CreatedAt, User: m.User, Message: &m},
			c.server.To(userKey(id)).Except(roomKey(m.RoomID)))
	}
}
