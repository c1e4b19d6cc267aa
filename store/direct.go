package store

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/google/uuid"
	"gorm.io/gorm"
)

// directPrefix begins the ids of direct rooms and of no others.
const directPrefix = "dm-"

// DirectID is the id of the direct room of two users, whether it exists or not and in whichever order they are given.
func DirectID(userID, otherID string) string {
	if userID > otherID {
		userID, otherID = otherID, userID
	}
	sum := sha256.Sum256([]byte(userID + "\x00" + otherID)) // no id has a U+0000 in it
	return directPrefix + hex.EncodeToString(sum[:24])
}

// DirectRoom returns the room of two users, which it creates when they have none yet; created says so. Both are members of it
// afterwards, also one who had left. It returns [ErrBanned] when one of them is banned.
func (s *Store) DirectRoom(ctx context.Context, u, other User) (room Room, created bool, err error) {
	const op = "direct room"
	if err = errors.Join(u.validate(), other.validate()); err == nil && u.ID == other.ID {
		err = fmt.Errorf("%w: a direct room is between two users", ErrInvalidArgument)
	}
	if err != nil {
		return Room{}, false, wrap(op, err)
	}
	at := now()
	fresh := Room{
		ID: DirectID(u.ID, other.ID), Epoch: uuid.NewString(), Type: RoomDirect, CreatedBy: u.ID, CreatedAt: at, UpdatedAt: at,
	}
	for range 2 { // twice when somebody else has created it in between
		err = s.writing(ctx, op, func(tx *gorm.DB, _ int) error {
			room, err = lockRoom(tx, fresh.ID)
			if errors.Is(err, ErrRoomNotFound) {
				room = fresh
				err = tx.Create(&room).Error
			}
			if err != nil {
				return err
			}
			created = room.Epoch == fresh.Epoch
			for _, who := range []User{u, other} {
				_, added, err := addMember(tx, room, Member{UserID: who.ID, Role: RoleMember, JoinedAt: at, User: who})
				if err != nil {
					return err
				}
				if added {
					room.MemberCount++
				}
			}
			return nil
		})
		if !isUnique(err) {
			break
		}
	}
	if err != nil {
		return Room{}, false, err
	}
	return room, created, nil
}
