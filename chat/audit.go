package chat

import (
	"encoding/json"

	"github.com/echochat/echochat/store"
)

// actor is who asks, for events that say so; nil for the system.
func (r *request) actor() *User {
	if r.system {
		return nil
	}
	u := r.user
	return &u
}

// entry is what the audit log says of an operation on a user, or on none. The store writes it together with what the operation
// changes.
func (r *request) entry(userID string, details any) store.Audit {
	a := store.Audit{ActorID: r.user.ID, Action: r.op.name, RoomID: r.access.Room.ID, UserID: userID}
	if r.access.Message != nil {
		a.MessageID = r.access.Message.ID
	}
	if details != nil {
		// Of strings and numbers, which can be encoded.
		a.Details, _ = json.Marshal(details)
	}
	return a
}
