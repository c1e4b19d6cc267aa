package chat

import (
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"github.com/echochat/echochat/store"
)

// User is somebody who talks. ID is what the app's own tables know the person by: it is what memberships and messages
// belong to, so it must never be handed to somebody else. Name is shown beside what they write and may change.
type User struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	AvatarURL string `json:"avatar_url,omitempty"` // http or https link to a picture, or a path on the app's own; may be empty
	Guest     bool   `json:"-"`                    // signed in by WithGuests; set by the chat alone
	Admin     bool   `json:"-"`                    // may do everywhere what a room's owner may; set by the app's authenticator

	// ExpiresAt ends the sign-in that the app's authenticator has judged: connections are told a while before (see
	// WithExpiryNotice), and end then; calls are refused with CodeTokenExpired. Zero is never. What the app does from Go as
	// this user goes on.
	ExpiresAt time.Time `json:"-"`
}

const (
	maxUserIDBytes = 128
	maxNameRunes   = 64
	maxURLBytes    = 2048
)

// checkUser returns u as it may be stored and shown, or says what is wrong with it. It judges what the app's
// authenticator returned, so the answer is meant for a log.
func checkUser(u User) (User, error) {
	if u.ID == "" {
		return User{}, invalid("user.id", "is empty")
	}
	if len(u.ID) > maxUserIDBytes || !printable(u.ID) {
		return User{}, invalid("user.id", "must be at most 128 bytes of printable characters")
	}
	if u.AvatarURL != "" && !pictureURL(u.AvatarURL) {
		return User{}, invalid("user.avatar_url", "must be an http or https link, or a path, of at most 2048 bytes")
	}
	if u.Name == "" {
		u.Name = u.ID
	}
	name, err := cleanName(u.Name)
	if err != nil {
		return User{}, err
	}
	u.Name = name
	return u, nil
}

// cleanName returns a display name in Unicode normal form C without surrounding space. Control characters and those that
// turn the direction of text are refused: with them one person can look like another, or like a part of the page.
func cleanName(name string) (string, error) {
	if !utf8.ValidString(name) {
		return "", invalid("name", "is not valid UTF-8")
	}
	if len(name) > 16*maxNameRunes { // before normalising, which costs time
		return "", invalid("name", "is longer than 64 characters")
	}
	name = strings.TrimSpace(norm.NFC.String(name))
	switch {
	case name == "":
		return "", invalid("name", "is empty")
	case utf8.RuneCountInString(name) > maxNameRunes:
		return "", invalid("name", "is longer than 64 characters")
	case !printable(name), !strings.ContainsFunc(name, visible):
		return "", invalid("name", "has characters that cannot be shown")
	}
	return name, nil
}

// printable reports whether s is valid UTF-8 without control characters, bidirectional controls, line separators, or the
// invisible formatting characters (the zero width joiners excepted, which some scripts and emoji need).
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if r == '\u200c' || r == '\u200d' {
			continue
		}
		if unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Co, unicode.Cs) {
			return false
		}
	}
	return true
}

// visible reports whether r leaves a mark of its own.
func visible(r rune) bool { return unicode.In(r, unicode.L, unicode.N, unicode.P, unicode.S) }

// row is u as the store remembers it.
func (u User) row() store.User { return store.User{ID: u.ID, Name: u.Name, AvatarURL: u.AvatarURL} }

// userOf is the user that the store remembers as row; one it has forgotten is shown by the id.
func userOf(row store.User, id string) User {
	if row.Name == "" {
		row.Name = id
	}
	return User{ID: id, Name: row.Name, AvatarURL: row.AvatarURL}
}

// pictureURL reports whether s is a web link, or a path on the server that the page came from.
func pictureURL(s string) bool {
	if strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") {
		return len(s) <= maxURLBytes && printable(s)
	}
	return webURL(s)
}
