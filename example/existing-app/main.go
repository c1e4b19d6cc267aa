// Command existing-app is an ordinary small Echo app, a tool shed that neighbours share, to which a chat was added. What
// that took is in one marked place of this file; the rest is the app as it was, with its own login, session,
// templates, tables and middleware.
//
//	go run ./example/existing-app [-addr :8081] [-db toolshed.db]
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"github.com/gorilla/sessions"
	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
	"github.com/echochat/echochat/store"
)

func main() {
	addr := flag.String("addr", ":8081", "address to listen on")
	db := flag.String("db", "toolshed.db", "SQLite file of the app")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, *db, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "existing-app:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, addr, path string, out io.Writer) (err error) {
	log := slog.New(slog.NewTextHandler(out, nil))
	db, err := openDB(path)
	if err != nil {
		return err
	}
	a, err := newApp(db, sessionKey(log))
	if err != nil {
		return err
	}
	e := echo.New()
	e.HideBanner, e.HidePort = true, true

	// ---- The chat begins ----------------------------------------------------------------------------------------------

	st, err := store.New(db) // the app's own database: the chat's tables are called chat_…
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	c, err := chat.New(st,
		chat.WithLogger(log),
		// Whoever is signed in to the app is signed in to the chat.
		chat.WithAuth(chatmw.Session(a.sessions, sessionName, func(ctx context.Context, s *sessions.Session) (chat.User, error) {
			u, err := a.signedIn(ctx, s)
			if errors.Is(err, errNobody) {
				return chat.User{}, chat.ErrNoCredentials
			}
			return chat.User{ID: strconv.FormatUint(uint64(u.ID), 10), Name: u.Name}, err
		})),
		chat.WithFilter(chatmw.RateLimit(10, 10*time.Second), chatmw.MaxLength(2000), chatmw.Words([]string{"darn"})),
	)
	if err != nil {
		return err
	}
	if err := c.Mount(e); err != nil {
		return err
	}
	room := chat.NewRoom{ID: "neighbours", Name: "Neighbours"}
	if _, err := c.System().CreateRoom(ctx, room); err != nil && !errors.Is(err, &chat.Error{Code: chat.CodeConflict}) {
		return err
	}
	// Whoever signs out of the app is gone from the chat at once, in all tabs.
	a.onSignOut = func(u User) {
		c.Server().In("user:" + strconv.FormatUint(uint64(u.ID), 10)).DisconnectSockets(true)
	}

	// ---- The chat ends: below, only CSRF's Skipper and Shutdown know of it --------------------------------------------

	e.Use(
		requestLog(log),
		middleware.Recover(),
		middleware.SecureWithConfig(middleware.SecureConfig{
			ContentSecurityPolicy: "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
			ContentTypeNosniff:    "nosniff",
		}),
		middleware.BodyLimit("2M"),
		middleware.Gzip(),
		middleware.CSRFWithConfig(middleware.CSRFConfig{
			Skipper: c.Skipper, TokenLookup: "form:_csrf", CookiePath: "/", CookieHTTPOnly: true,
		}),
	)
	a.routes(e)
	return serve(ctx, e, addr, log, c.Shutdown)
}

// serve runs e until ctx ends, then calls shutdown and lets the requests under way come to their end.
func serve(ctx context.Context, e *echo.Echo, addr string, log *slog.Logger, shutdown func(context.Context) error) (err error) {
	if e.Listener, err = net.Listen("tcp", addr); err != nil {
		return err
	}
	e.Server.ReadHeaderTimeout = 10 * time.Second
	failed := make(chan error, 1)
	go func() { failed <- e.Start("") }()
	log.Info("listening", "url", fmt.Sprintf("http://localhost:%d", e.Listener.Addr().(*net.TCPAddr).Port))
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, shutdown(ctx), e.Shutdown(ctx))
}

// requestLog logs paths without their query, in which a transport's session ids and other people's tokens are.
func requestLog(log *slog.Logger) echo.MiddlewareFunc {
	return middleware.RequestLoggerWithConfig(middleware.RequestLoggerConfig{
		LogMethod: true, LogURIPath: true, LogStatus: true, LogLatency: true, HandleError: true,
		LogValuesFunc: func(_ echo.Context, v middleware.RequestLoggerValues) error {
			log.Info("request", "method", v.Method, "path", v.URIPath, "status", v.Status, "took", v.Latency)
			return nil
		},
	})
}
