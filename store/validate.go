package store

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits in bytes. They fit the columns of every dialect: MySQL's have a length, and lengths in characters there.
const (
	maxID        = 128
	maxRoomID    = 64
	maxMessageID = 36
	maxName      = 256
	maxTopic     = 1024
	maxReason    = 1024
	maxURL       = 2048
	maxText      = 1 << 20
	maxJSON      = 64 << 10
	maxEmoji     = 64
	maxRoomJSON  = 16 << 10 // SQLite rewrites a room's row, metadata and all, with each batch of messages.
)

// checkText refuses what some database would refuse or change: PostgreSQL takes no U+0000, and none takes broken UTF-8.
func checkText(field, s string, limit int) error {
	switch {
	case len(s) > limit:
		return fmt.Errorf("%w: %s is %d bytes long, at most %d are allowed", ErrInvalidArgument, field, len(s), limit)
	case !utf8.ValidString(s):
		return fmt.Errorf("%w: %s is not valid UTF-8", ErrInvalidArgument, field)
	case strings.IndexByte(s, 0) >= 0:
		return fmt.Errorf("%w: %s contains U+0000", ErrInvalidArgument, field)
	}
	return nil
}

func checkID(field, s string) error {
	if s == "" {
		return fmt.Errorf("%w: %s is empty", ErrInvalidArgument, field)
	}
	return checkText(field, s, maxID)
}

func checkJSON(field string, r RawJSON, limit int) error {
	if len(r) == 0 {
		return nil
	}
	if err := checkText(field, string(r), limit); err != nil {
		return err
	}
	if !json.Valid(r) {
		return fmt.Errorf("%w: %s is not JSON", ErrInvalidArgument, field)
	}
	return nil
}

// findable reports whether ids may be looked up at all: PostgreSQL refuses to compare with what it could not store.
func findable(ids ...string) bool {
	for _, id := range ids {
		if len(id) > maxID || !utf8.ValidString(id) || strings.IndexByte(id, 0) >= 0 {
			return false
		}
	}
	return true
}

func checkRoomID(s string) error {
	if s == "" || len(s) > maxRoomID || strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" {
		return fmt.Errorf("%w: room id %q: want 1 to %d of a-z 0-9 . _ -", ErrInvalidArgument, s, maxRoomID)
	}
	return nil
}

// checkRoomType refuses direct rooms, which are made in one way and stay what they are.
func checkRoomType(t RoomType) error {
	switch t {
	case RoomPublic, RoomPrivate, RoomChannel:
		return nil
	}
	return fmt.Errorf("%w: room type %q: want %s, %s or %s", ErrInvalidArgument, t, RoomPublic, RoomPrivate, RoomChannel)
}

func checkRole(r Role) error {
	switch r {
	case RoleOwner, RoleModerator, RoleMember, RoleReadOnly:
		return nil
	}
	return fmt.Errorf("%w: role %q: want %s, %s, %s or %s", ErrInvalidArgument, r, RoleOwner, RoleModerator, RoleMember, RoleReadOnly)
}

func (u User) validate() error {
	if err := checkID("user id", u.ID); err != nil {
		return err
	}
	if err := checkText("user name", u.Name, maxName); err != nil {
		return err
	}
	return checkText("avatar URL", u.AvatarURL, maxURL)
}

// limit is the page size asked for, within its bounds.
func limit(n int) (int, error) {
	const standard, most = 50, 200
	switch {
	case n == 0:
		return standard, nil
	case n < 0 || n > most:
		return 0, fmt.Errorf("%w: limit %d: want 1 to %d, or 0 for %d", ErrInvalidArgument, n, most, standard)
	}
	return n, nil
}
