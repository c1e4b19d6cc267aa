package chat

import (
	"time"
)

// This page has the names of the events and what the server's carry; the table of operations has what clients say, by events and
// routes, and EVENTS.md has both for whoever writes a client. Every client event carries one object and is acknowledged, where
// the client asks for it, with one object: {"status":"ok", …} or {"status":"error","error":{…}} (see Error). A transient failure
// is not acknowledged at all, so that the stock client's "retries" option sends the event again.
//
// A page of messages may have fewer than limit where they are long; has_more_before and has_more_after tell.
//
// A message comes before the changes of it, and those of one message in the order in which they were made. With several
// processes a change made in one may overtake the message, or a change from another: each carries the whole message, so a client that
// knows a message already keeps what it has when message.new of it arrives, and of two versions the one with the later edited_at or
// deleted_at.
//
// Field names are snake_case, times RFC 3339 in UTC, ids strings. A position is a seq or a message id.

// Events from a client that the package itself names. The table of operations has them all.
const (
	EventRoomJoin    = "room.join"
	EventRoomLeave   = "room.leave"
	EventRoomHistory = "room.history"
	EventRoomRead    = "room.read"
	EventPresenceSet = "presence.set"
	EventMessageSend = "message.send"

	EventMessageUpdate  = "message.update"
	EventMessageDelete  = "message.delete"
	EventReactionAdd    = "reaction.add"
	EventReactionRemove = "reaction.remove"
)

// Events from the server. Each carries one Event. The comments list its fields besides type and created_at, those that may be
// absent with a question mark; the page of events and the TypeScript types are made of them.
const (
	EventMessageNew      = "message.new"                // room_id, seq, user?, message; to everyone in the room, the sender's sockets too
	EventMessageUpdated  = "message.updated"            // room_id, seq, user?, message; the user has edited, pinned or unpinned it
	EventMessageDeleted  = "message.deleted"            // room_id, seq, user?, message; the user has emptied it
	EventReactionNew     = "reaction.new"               // room_id, seq, user, message, reaction; the user has reacted to the message
	EventReactionDeleted = "reaction.deleted"           // room_id, seq, user, message, reaction; the user has taken the reaction back
	EventMentioned       = "notification.message_new"   // room_id, seq, user?, message; it names whoever gets this, on connections that are not in the room
	EventMessageRead     = "message.read"               // room_id, seq, user; the user has read up to there: to everyone in rooms of at most 100 members, and to the user
	EventMemberAdded     = "member.added"               // room_id, user, member; somebody became a member of the room: to everyone in rooms of at most 100 members, and to the user
	EventMemberRemoved   = "member.removed"             // room_id, user; a membership ended, also told to the user it belonged to
	EventMemberUpdated   = "member.updated"             // room_id, user, member; a member has another role, is muted or is not any more
	EventRoomCreated     = "room.created"               // room_id, user, room; to the user who has created it
	EventRoomUpdated     = "room.updated"               // room_id, user?, room; it is described differently, by the user
	EventRoomDeleted     = "room.deleted"               // room_id, user?; it is gone with everything in it
	EventUserBanned      = "user.banned"                // room_id?, user, sanction; the user is not let in any more, without room_id anywhere
	EventUserUnbanned    = "user.unbanned"              // room_id, user; the user may join the room again
	EventAddedToRoom     = "notification.added_to_room" // room_id, user?, room; the user has made a member of whoever gets this
	EventInvited         = "notification.invited"       // room_id, user?, room, invitation; the user has invited whoever gets this
	EventUninvited       = "invitation.removed"         // room_id, user; the user's invitation was declined or taken back
	EventTypingStart     = "typing.start"               // room_id, user, parent_id?; somebody else in the room types; clients send it too
	EventTypingStop      = "typing.stop"                // room_id, user, parent_id?; somebody else in the room types no more; clients send it too
	EventPresenceChanged = "user.presence.changed"      // user, status; somebody who shares a room of at most 100 members came, went, or wants to be shown differently
	EventSessionExpiring = "session.expiring"           // expires_at; the sign-in is about to expire: say auth.refresh, or be disconnected then
	EventSessionExpired  = "session.expired"            // the sign-in has expired, and the connection ends: connect again with a new one
	EventServerDraining  = "server.draining"            // the server is about to close the connection: reconnect
)

// Event is what the server sends: the same outer shape for every event, with Type repeating the event's name so that
// one catch-all listener can tell them apart.
type Event struct {
	Type      string    `json:"type"`
	RoomID    string    `json:"room_id,omitempty"`
	Seq       int64     `json:"seq,omitempty"` // message events: the position in the room
	CreatedAt time.Time `json:"created_at"`
	User      *User     `json:"user,omitempty"` // whom the event is about
	Message   *Message  `json:"message,omitempty"`
	Member    *Member   `json:"member,omitempty"`
	Room      *Room     `json:"room,omitempty"`
	ParentID  string    `json:"parent_id,omitempty"` // typing in a thread
	Status    Status    `json:"status,omitempty"`    // presence

	Invitation *Invitation `json:"invitation,omitempty"`
	ExpiresAt  time.Time   `json:"expires_at,omitzero"` // of the sign-in
	Sanction   *Sanction   `json:"sanction,omitempty"`
	Reaction   *Reaction   `json:"reaction,omitempty"`
}

// Status is a user's presence.
type Status string

// The states of presence.
const (
	StatusOnline    Status = "online"    // connected
	StatusAway      Status = "away"      // connected, and elsewhere, as the user has said
	StatusBusy      Status = "busy"      // connected, and not to be disturbed, as the user has said
	StatusOffline   Status = "offline"   // not connected
	StatusInvisible Status = "invisible" // to be shown as offline; only set, never shown
)

// errorAck answers what has failed for good.
type errorAck struct {
	Status string `json:"status"` // error
	Error  *Error `json:"error"`
}
