package chat

import (
	"context"
	"net/http"

	"github.com/labstack/echo/v4"
)

func (c *Chat) getMessages(ctx context.Context, ec echo.Context, u User) error {
	limit, err := limitOf(ec)
	if err != nil {
		return err
	}
	a := historyArgs{RoomID: ec.Param("room"), Cursor: ec.QueryParam("cursor"), Limit: limit}
	for name, p := range map[string]*position{"before": &a.Before, "after": &a.After, "around": &a.Around} {
		if p.at, err = parsePosition(name, ec.QueryParam(name)); err != nil {
			return err
		}
	}
	if checkRoomID(a.RoomID) != nil {
		return roomNotFound()
	}
	page, err := c.history(ctx, u, a)
	if err != nil {
		return err
	}
	return c.writeJSON(ec, http.StatusOK, page)
}

func (c *Chat) postMessage(ctx context.Context, ec echo.Context, u User) error {
	var a sendArgs
	if err := c.readJSON(ec, &a); err != nil {
		return err
	}
	roomID := ec.Param("room")
	if checkRoomID(roomID) != nil {
		return roomNotFound()
	}
	if a.RoomID != "" && a.RoomID != roomID {
		return invalid("room_id", "is another room than the path's")
	}
	a.RoomID = roomID
	if key := ec.Request().Header.Get("Idempotency-Key"); key != "" {
		if a.ClientID != "" && a.ClientID != key {
			return invalid("Idempotency-Key", "and client_id differ")
		}
		a.ClientID = key
	}
	m, stored, err := c.send(ctx, u, a, false)
	if err != nil {
		return err
	}
	if stored {
		_ = c.hookMessage(ctx, m) // logged; the message is sent all the same
	}
	return c.writeJSON(ec, http.StatusCreated, struct {
		Message Message `json:"message"`
	}{m})
}
