package chat

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/echochat/echochat/store"
)

// The kinds of notices: messages of type system that the chat itself puts into a room, see WithNotices. The kind, and whom and
// what it is about, stand in the message's metadata, {"notice":"member.joined","user":{…}}, for clients with words of their own.
const (
	NoticeMemberJoined  = "member.joined"
	NoticeMemberAdded   = "member.added" // by somebody else
	NoticeMemberLeft    = "member.left"
	NoticeMemberRemoved = "member.removed" // by somebody else
	NoticeRoomRenamed   = "room.renamed"
)

// noticeOf is what a notice says, as it stands in its metadata.
type noticeOf struct {
	Kind string `json:"notice"`
	User *User  `json:"user,omitempty"` // whom it is about, or who has renamed the room; nil for the system
	Name string `json:"name,omitempty"` // of the room
}

// text says it in English.
func (n noticeOf) text() string {
	who := "The system"
	if n.User != nil {
		who = n.User.Name
	}
	switch n.Kind {
	case NoticeMemberJoined:
		return who + " has joined."
	case NoticeMemberAdded:
		return who + " was added."
	case NoticeMemberLeft:
		return who + " has left."
	case NoticeMemberRemoved:
		return who + " was removed."
	case NoticeRoomRenamed:
		return fmt.Sprintf("%s has named the room %q.", who, n.Name)
	default:
		return ""
	}
}

// notice puts a message of the chat's own into a room, once the caller has been answered, if the room is of a type that gets
// notices. A notice that cannot be stored is left out.
func (c *Chat) notice(r *request, room store.Room, n noticeOf) {
	if !slices.Contains(c.cfg.notices, room.Type) {
		return
	}
	r.then(func(ctx context.Context) error {
		ctx, cancel := afterwards(ctx)
		defer cancel()
		metadata, err := json.Marshal(n)
		if err != nil {
			return c.internal(err)
		}
		d := store.Draft{RoomID: room.ID, Text: n.text(), Metadata: metadata, System: true}
		if n.User != nil {
			d.Sender = n.User.row() // whose own doing is nothing unread
		}
		row, _, err := c.store.Append(ctx, d)
		if err != nil {
			c.log.Warn("chat: a notice was left out", "notice", n.Kind, "err", err)
			return nil
		}
		return c.hookMessage(ctx, messageOf(row))
	})
}
