package main

import (
	"crypto/rand"
	"embed"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"os"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	_ "modernc.org/sqlite" // the driver "sqlite", which needs no C compiler
)

//go:embed templates static
var files embed.FS

const sessionName = "toolshed"

// app is the app without its chat.
type app struct {
	db        *gorm.DB
	sessions  *sessions.CookieStore
	templates map[string]*template.Template
	onSignOut func(User)
}

func openDB(path string) (*gorm.DB, error) {
	dsn := "file:" + path + "?_pragma=busy_timeout(5000)&_pragma=foreign_keys(1)"
	db, err := gorm.Open(sqlite.New(sqlite.Config{DriverName: "sqlite", DSN: dsn}), &gorm.Config{
		Logger: logger.Default.LogMode(logger.Silent),
	})
	if err != nil {
		return nil, fmt.Errorf("open database: %w", err)
	}
	return db, nil
}

// sessionKey is TOOLSHED_KEY or, to try the app out, a random one, with which a restart signs everybody out.
func sessionKey(log *slog.Logger) []byte {
	if key := os.Getenv("TOOLSHED_KEY"); key != "" {
		return []byte(key)
	}
	log.Warn("TOOLSHED_KEY is not set: a restart will sign everybody out")
	return []byte(rand.Text() + rand.Text())
}

func newApp(db *gorm.DB, key []byte) (*app, error) {
	if err := db.AutoMigrate(&User{}, &Message{}); err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	if err := seed(db); err != nil {
		return nil, fmt.Errorf("seed: %w", err)
	}
	a := &app{db: db, sessions: sessions.NewCookieStore(key), templates: map[string]*template.Template{}, onSignOut: func(User) {}}
	a.sessions.Options.HttpOnly = true
	a.sessions.Options.SameSite = http.SameSiteLaxMode
	for _, page := range []string{"sign-in", "board", "chat"} {
		t, err := template.ParseFS(files, "templates/layout.html", "templates/"+page+".html")
		if err != nil {
			return nil, fmt.Errorf("parse templates: %w", err)
		}
		a.templates[page] = t
	}
	return a, nil
}

func (a *app) routes(e *echo.Echo) {
	e.Renderer = a
	e.StaticFS("/static", echo.MustSubFS(files, "static"))
	e.GET("/sign-in", a.signInPage)
	e.POST("/sign-in", a.signIn)
	members := e.Group("", a.membersOnly)
	members.GET("/", a.board)
	members.POST("/", a.post)
	members.GET("/chat", a.chatPage)
	members.POST("/sign-out", a.signOut)
}

// page is what every template gets.
type page struct {
	Title    string
	User     *User
	CSRF     string
	Error    string
	Messages []Message
}

// Render implements echo.Renderer.
func (a *app) Render(w io.Writer, name string, data any, ec echo.Context) error {
	p := data.(page)
	p.CSRF, _ = ec.Get("csrf").(string)
	if u, ok := ec.Get("user").(User); ok {
		p.User = &u
	}
	return a.templates[name].ExecuteTemplate(w, "layout", p)
}

func (a *app) chatPage(ec echo.Context) error {
	return ec.Render(http.StatusOK, "chat", page{Title: "Chat"})
}
