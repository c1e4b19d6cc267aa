package main

import (
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Message is a row of the app's own table messages, the notes on its board. It has nothing to do with the chat's.
type Message struct {
	ID        uint
	UserID    uint
	User      User
	Text      string
	CreatedAt time.Time
}

const maxNote = 500

func (a *app) board(ec echo.Context) error { return a.showBoard(ec, http.StatusOK, "") }

func (a *app) showBoard(ec echo.Context, status int, problem string) error {
	var notes []Message
	if err := a.db.WithContext(ec.Request().Context()).Preload("User").Order("id desc").Limit(50).Find(&notes).Error; err != nil {
		return err
	}
	return ec.Render(status, "board", page{Title: "Board", Messages: notes, Error: problem})
}

func (a *app) post(ec echo.Context) error {
	text := strings.TrimSpace(ec.FormValue("text"))
	if text == "" || len(text) > maxNote {
		return a.showBoard(ec, http.StatusUnprocessableEntity, "A note has up to 500 characters, and at least one.")
	}
	note := Message{UserID: ec.Get("user").(User).ID, Text: text}
	if err := a.db.WithContext(ec.Request().Context()).Create(&note).Error; err != nil {
		return err
	}
	return ec.Redirect(http.StatusSeeOther, "/")
}
