package store

import "errors"

// What the methods of [Store] return, wrapped with the operation; compare with [errors.Is].
var (
	// ErrInvalidArgument: an argument is missing, too long, malformed, or contains text that is not valid UTF-8 or
	// has a U+0000 in it. The message says which one. Retrying does not help.
	ErrInvalidArgument = errors.New("invalid argument")

	// ErrRoomNotFound: there is no room with that id.
	ErrRoomNotFound = errors.New("room not found")

	// ErrRoomExists: a room with that id is there already.
	ErrRoomExists = errors.New("room exists")

	// ErrMessageNotFound: there is no message with that id, or not in that room.
	ErrMessageNotFound = errors.New("message not found")

	// ErrNotMember: the user is not a member of the room.
	ErrNotMember = errors.New("not a member of the room")

	// ErrIsMember: who is to be invited is a member of the room already.
	ErrIsMember = errors.New("a member of the room already")

	// ErrNotInvited: the user has no invitation to the room.
	ErrNotInvited = errors.New("not invited to the room")

	// ErrBanned: the user is banned from the room, or everywhere.
	ErrBanned = errors.New("banned")

	// ErrMuted: the user is muted in the room, or everywhere.
	ErrMuted = errors.New("muted")

	// ErrNotSanctioned: the user is not muted or banned there.
	ErrNotSanctioned = errors.New("no such sanction")

	// ErrFlagNotFound: there is no flag with that id.
	ErrFlagNotFound = errors.New("flag not found")

	// ErrIDConflict: the sender has used that ClientID in that room for a message with another text or parent.
	ErrIDConflict = errors.New("client id used for another message")

	// ErrTooMany: a message has as many different reactions as it may have, or a room as many pins.
	ErrTooMany = errors.New("too many")

	// ErrUnavailable: the database did not answer in time, or is away. The message may or may not be stored: neither
	// confirm nor refuse it; whoever sent it should send it again with the same ClientID, which cannot store it twice.
	ErrUnavailable = errors.New("database unavailable")

	// ErrStorageFull: the database has no space left. The message is not stored. Writing works again
	// as soon as there is space; nothing needs to be restarted.
	ErrStorageFull = errors.New("storage full")

	// ErrClosed: the store was closed before the operation began.
	ErrClosed = errors.New("store closed")
)

// errUnanswered is part of every error of a COMMIT: whatever the driver calls it, the transaction may be committed.
var errUnanswered = errors.New("commit without an answer")
