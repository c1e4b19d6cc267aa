// Command example is the quick start: a chat with rooms on one page, in an Echo server of its own, on a SQLite file.
//
//	go run ./example [-addr :8080] [-db chat.db]
//
// The page in folder static is plain HTML, CSS and JavaScript on the chat's own client script; nothing is built and
// nothing comes from elsewhere.
package main

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
	"github.com/echochat/echochat/store"
)

//go:embed static
var static embed.FS

func main() {
	addr := flag.String("addr", ":8080", "address to listen on")
	db := flag.String("db", "chat.db", "SQLite file with the rooms and messages")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *db, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "example:", err)
		os.Exit(1)
	}
}

// run serves until ctx ends, then lets everybody go in order.
func run(ctx context.Context, addr, db string, out io.Writer) (err error) {
	st, err := store.Open(db)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()

	c, err := chat.New(st,
		chat.WithTokenAuth(signIn),
		chat.WithOpenRooms(),
		chat.WithFilter(chatmw.RateLimit(20, 10*time.Second), chatmw.MaxLength(2000)),
	)
	if err != nil {
		return err
	}

	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	e.Use(middleware.Recover(), middleware.SecureWithConfig(middleware.SecureConfig{
		ContentSecurityPolicy: "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'",
		ContentTypeNosniff:    "nosniff",
		ReferrerPolicy:        "same-origin",
	}))
	e.StaticFS("/", echo.MustSubFS(static, "static"))
	if err := c.Mount(e); err != nil {
		return err
	}

	if e.Listener, err = net.Listen("tcp", addr); err != nil {
		return err
	}
	e.Server.ReadHeaderTimeout = 10 * time.Second
	failed := make(chan error, 1)
	go func() { failed <- e.Start("") }()
	fmt.Fprintf(out, "echochat: open http://localhost:%d\n", e.Listener.Addr().(*net.TCPAddr).Port)

	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, c.Shutdown(ctx), e.Shutdown(ctx))
}

// signIn believes whoever says a name: this is a demo. The same name is the same user, also after a restart. A real app
// checks a password, a session or a token here; see package middleware and folder existing-app.
//
// The page says {"name":"Ada"} when it connects. For REST it sends the name as a bearer token, which arrives as
// {"token":"Ada"}, percent-encoded because headers carry ASCII.
func signIn(_ context.Context, auth json.RawMessage) (chat.User, error) {
	var said struct{ Name, Token string }
	if json.Unmarshal(auth, &said) != nil {
		return chat.User{}, chat.ErrNoCredentials
	}
	name := said.Name
	if name == "" {
		name, _ = url.PathUnescape(said.Token)
	}
	switch name = strings.TrimSpace(name); {
	case name == "":
		return chat.User{}, chat.ErrNoCredentials
	case utf8.RuneCountInString(name) > 32:
		return chat.User{}, chat.Unauthorized("Please choose a name of at most 32 characters.")
	case strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return chat.User{}, chat.Unauthorized("Please choose a name that can be read.")
	}
	return chat.User{ID: strings.ToLower(name), Name: name}, nil
}
