package main

import (
	"context"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	"gorm.io/gorm"
)

// User is a row of the app's own table users.
type User struct {
	ID        uint
	Login     string `gorm:"uniqueIndex"`
	Name      string
	Salt      []byte
	Password  []byte // PBKDF2 of the password and the salt
	CreatedAt time.Time
}

// errNobody says that nobody is signed in.
var errNobody = errors.New("nobody is signed in")

// seed makes the accounts that the sign-in page names.
func seed(db *gorm.DB) error {
	for _, name := range []string{"Ada", "Ben", "Chris"} {
		u := User{Login: fmt.Sprintf("%s@example.com", name), Name: name}
		var count int64
		if err := db.Model(&u).Where("login = ?", u.Login).Count(&count).Error; err != nil || count > 0 {
			return err
		}
		u.Salt = []byte(rand.Text())
		var err error
		if u.Password, err = hash("demo", u.Salt); err != nil {
			return err
		}
		if err := db.Create(&u).Error; err != nil {
			return err
		}
	}
	return nil
}

func hash(password string, salt []byte) ([]byte, error) {
	return pbkdf2.Key(sha256.New, password, salt, 100_000, 32)
}

// signedIn returns whose session s is, or errNobody.
func (a *app) signedIn(ctx context.Context, s *sessions.Session) (u User, err error) {
	id, ok := s.Values["user"].(uint)
	if !ok {
		return u, errNobody
	}
	if err = a.db.WithContext(ctx).Take(&u, id).Error; errors.Is(err, gorm.ErrRecordNotFound) {
		return u, errNobody
	}
	return u, err
}

// membersOnly lets in who is signed in, and puts the user into the context.
func (a *app) membersOnly(next echo.HandlerFunc) echo.HandlerFunc {
	return func(ec echo.Context) error {
		s, _ := a.sessions.Get(ec.Request(), sessionName) // of a cookie that is no good it makes a new session
		u, err := a.signedIn(ec.Request().Context(), s)
		if errors.Is(err, errNobody) {
			return ec.Redirect(http.StatusSeeOther, "/sign-in")
		}
		if err != nil {
			return err
		}
		ec.Set("user", u)
		return next(ec)
	}
}

func (a *app) signInPage(ec echo.Context) error {
	return ec.Render(http.StatusOK, "sign-in", page{Title: "Sign in"})
}

func (a *app) signIn(ec echo.Context) error {
	var u User
	err := a.db.WithContext(ec.Request().Context()).Where("login = ?", ec.FormValue("login")).Take(&u).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return err
	}
	key, err := hash(ec.FormValue("password"), u.Salt)
	if err != nil {
		return err
	}
	if u.ID == 0 || subtle.ConstantTimeCompare(key, u.Password) != 1 {
		return ec.Render(http.StatusUnauthorized, "sign-in", page{Title: "Sign in", Error: "This is not the right password."})
	}
	return a.saveSession(ec, map[any]any{"user": u.ID})
}

func (a *app) signOut(ec echo.Context) error {
	a.onSignOut(ec.Get("user").(User))
	return a.saveSession(ec, map[any]any{})
}

func (a *app) saveSession(ec echo.Context, values map[any]any) error {
	s, _ := a.sessions.Get(ec.Request(), sessionName)
	s.Values = values
	if err := s.Save(ec.Request(), ec.Response()); err != nil {
		return err
	}
	return ec.Redirect(http.StatusSeeOther, "/")
}
