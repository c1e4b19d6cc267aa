package chat

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/labstack/echo/v4"

	"github.com/echochat/echochat/store"
)

type roomBody struct {
	Room Room `json:"room"`
}

func (c *Chat) getMe(_ context.Context, ec echo.Context, u User) error {
	return c.writeJSON(ec, http.StatusOK, struct {
		User User `json:"user"`
	}{u})
}

// getRooms lists the rooms of the user, or with type=public those that anybody may join.
func (c *Chat) getRooms(ctx context.Context, ec echo.Context, u User) error {
	limit, err := limitOf(ec)
	if err != nil {
		return err
	}
	q := store.RoomQuery{MemberID: u.ID, After: ec.QueryParam("cursor"), Limit: limit}
	switch ec.QueryParam("type") {
	case "":
	case string(store.RoomPublic):
		q.MemberID, q.Type = "", store.RoomPublic
	default:
		return invalid("type", "must be public or absent")
	}
	if q.After != "" && checkRoomID(q.After) != nil {
		return invalid("cursor", "is not one of this list")
	}
	page, err := c.store.Rooms(ctx, q)
	if err != nil {
		return c.storeError("read rooms", err)
	}
	out := RoomPage{Rooms: make([]Room, len(page.Rooms)), NextCursor: page.Next}
	for i, r := range page.Rooms {
		out.Rooms[i] = roomOf(r)
	}
	return c.writeJSON(ec, http.StatusOK, out)
}

// postRoom creates a room of the user. Its id is generated: ids are links and keys of the app's own, which a user must not
// take in advance, unless the rooms are open. Guests create rooms only there.
func (c *Chat) postRoom(ctx context.Context, ec echo.Context, u User) error {
	var body struct {
		ID       string          `json:"id"`
		Type     store.RoomType  `json:"type"`
		Name     string          `json:"name"`
		Topic    string          `json:"topic"`
		Metadata json.RawMessage `json:"metadata"`
	}
	if err := c.readJSON(ec, &body); err != nil {
		return err
	}
	if !c.cfg.openRooms && (u.Guest || body.ID != "") {
		return Forbidden("You may not create this room.")
	}
	n := NewRoom{ID: body.ID, Type: body.Type, Name: body.Name, Topic: body.Topic, Metadata: body.Metadata, Creator: u}
	if err := checkNewRoom(&n); err != nil {
		return err
	}
	room, err := c.createRoom(ctx, n)
	if err != nil {
		return err
	}
	return c.writeJSON(ec, http.StatusCreated, roomBody{room})
}

func (c *Chat) getRoom(ctx context.Context, ec echo.Context, u User) error {
	room, _, err := c.roomFor(ctx, u, ec.Param("room"))
	if err != nil {
		return err
	}
	return c.writeJSON(ec, http.StatusOK, roomBody{room})
}

func (c *Chat) getMembers(ctx context.Context, ec echo.Context, u User) error {
	limit, err := limitOf(ec)
	if err != nil {
		return err
	}
	cursor := ec.QueryParam("cursor")
	if len(cursor) > maxUserIDBytes || !printable(cursor) {
		return invalid("cursor", "is not one of this list")
	}
	if _, _, err := c.memberRoom(ctx, u, ec.Param("room")); err != nil {
		return err
	}
	page, err := c.Members(ctx, ec.Param("room"), cursor, limit)
	if err != nil {
		return err
	}
	return c.writeJSON(ec, http.StatusOK, page)
}

func (c *Chat) postJoin(ctx context.Context, ec echo.Context, u User) error {
	if err := checkRoomID(ec.Param("room")); err != nil {
		return roomNotFound()
	}
	if err := c.enter(ctx, u, ec.Param("room")); err != nil {
		return err
	}
	room, _, err := c.memberRoom(ctx, u, ec.Param("room"))
	if err != nil {
		return err
	}
	return c.writeJSON(ec, http.StatusOK, roomBody{room})
}

func (c *Chat) postLeave(ctx context.Context, ec echo.Context, u User) error {
	room, err := c.leave(ctx, u, ec.Param("room"))
	if err != nil {
		return err
	}
	_ = c.hookLeave(ctx, u, room) // logged; the membership has ended all the same
	return ec.NoContent(http.StatusNoContent)
}
