package store

import "context"

// User is somebody who talks, as last seen: the application owns its users, the store remembers how to show them
// beside their old messages.
type User struct {
	ID        string // The application's id of the user, 1 to 128 bytes.
	Name      string // Display name, at most 256 bytes.
	AvatarURL string // At most 2,048 bytes. Empty when there is none.
	UpdatedAt Millis // When name or avatar last changed. Set by the store.
}

// PutUser remembers how to show a user. It writes only when something has changed, so it may be called at each sign-in.
func (s *Store) PutUser(ctx context.Context, u User) error {
	return ErrUnavailable
}

// Users returns the users with the given ids that are known, by id.
func (s *Store) Users(ctx context.Context, ids ...string) (map[string]User, error) {
	return nil, ErrUnavailable
}
