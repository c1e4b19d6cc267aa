package store

import (
	"context"
	"slices"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"
)

// User is somebody who talks, as last seen: the application owns its users, the store remembers how to show them
// beside their old messages.
type User struct {
	ID         string `gorm:"primaryKey"` // The application's id of the user, 1 to 128 bytes.
	Name       string // Display name, at most 256 bytes.
	AvatarURL  string // At most 2,048 bytes. Empty when there is none.
	UpdatedAt  Millis `gorm:"autoUpdateTime:false"` // When name or avatar last changed. Set by the store.
	LastSeenAt Millis // When they were last connected, see [Store.PutLastSeen]; 0 when they never were. Set by the store.
}

// PutUser remembers how to show a user. It writes only when something has changed, so it may be called at each sign-in.
func (s *Store) PutUser(ctx context.Context, u User) error {
	const op = "put user"
	if err := u.validate(); err != nil {
		return wrap(op, err)
	}
	var same bool
	err := s.reading(ctx, op, func(tx *gorm.DB) (err error) {
		same, err = sameUser(tx, u)
		return err
	})
	if err != nil || same {
		return err
	}
	return s.writing(ctx, op, func(tx *gorm.DB, _ int) error { return putUser(tx, u) })
}

// Users returns the users with the given ids that are known, by id.
func (s *Store) Users(ctx context.Context, ids ...string) (users map[string]User, err error) {
	err = s.reading(ctx, "users", func(tx *gorm.DB) error {
		users, err = usersByID(tx, ids)
		return err
	})
	return users, err
}

func sameUser(tx *gorm.DB, u User) (bool, error) {
	known, err := usersByID(tx, []string{u.ID})
	old, ok := known[u.ID]
	return ok && old.Name == u.Name && old.AvatarURL == u.AvatarURL, err
}

func putUser(tx *gorm.DB, u User) error {
	same, err := sameUser(tx, u)
	if err != nil || same {
		return err
	}
	u.UpdatedAt, u.LastSeenAt = now(), 0
	return tx.Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "id"}},
		DoUpdates: clause.AssignmentColumns([]string{"name", "avatar_url", "updated_at"}),
	}).Create(&u).Error
}

// usersByID asks in portions of the same few sizes, so that the database sees few different statements.
func usersByID(tx *gorm.DB, ids []string) (map[string]User, error) {
	users := make(map[string]User, len(ids))
	ids = slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return !findable(id) })
	for part := range portions(ids) {
		var found []User
		if err := tx.Find(&found, "id IN ?", part).Error; err != nil {
			return nil, err
		}
		for _, u := range found {
			users[u.ID] = u
		}
	}
	return users, nil
}
