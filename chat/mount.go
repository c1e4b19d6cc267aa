package chat

import (
	"bufio"
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"sync/atomic"

	"github.com/labstack/echo/v4"
)

// Router is what a chat is mounted on: an *echo.Echo or an *echo.Group, with whatever middleware it has.
type Router interface {
	Add(method, path string, handler echo.HandlerFunc, middleware ...echo.MiddlewareFunc) *echo.Route
}

var (
	_ Router = (*echo.Echo)(nil)
	_ Router = (*echo.Group)(nil)
)

// apiPath is where REST is, below whatever the chat is mounted on.
const apiPath = "/chat/api/v1"

// anyMethod are the methods that Echo routes: the transport itself answers for those it does not speak.
var anyMethod = [...]string{
	http.MethodGet, http.MethodPost, http.MethodOptions, http.MethodHead, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodTrace, echo.PROPFIND, echo.REPORT,
}

// routes knows the routes that were mounted.
type routes struct {
	mounted atomic.Bool
	paths   sync.Map // route pattern of Echo -> struct{}
}

// Mount adds the chat's routes to r: the transport and its client script under WithPath, and REST under /chat/api/v1. A
// chat is mounted once.
//
// Of Echo's own middleware, Logger, Recover, Gzip, CORS, BodyLimit and ContextTimeout may be in front of it as they are.
// CSRF needs Skipper, because a stock client outside of a browser cannot send its token; so does Timeout, which takes
// away what a WebSocket needs. Without it the handshake answers with an error that says so.
func (c *Chat) Mount(r Router) error {
	if r == nil {
		return errors.New("chat: Mount: the router is nil")
	}
	if c.routes.mounted.Swap(true) {
		return errors.New("chat: Mount: the chat is mounted already")
	}
	for _, path := range []string{c.cfg.path, c.cfg.path + "/", c.cfg.path + "/*"} {
		for _, method := range anyMethod {
			c.routes.add(r.Add(method, path, c.serveTransport))
		}
	}
	c.mountREST(r)
	return nil
}

func (r *routes) add(route *echo.Route) { r.paths.Store(route.Path, struct{}{}) }

// Skipper reports whether a request is for a route of the chat: the Skipper for middleware that must leave it alone.
//
//	e.Use(middleware.CSRFWithConfig(middleware.CSRFConfig{Skipper: c.Skipper}))
//
// Skipping CSRF is safe here. The transport and REST check the origin of every request by themselves, and a REST body must
// be JSON. It goes by the route that Echo has found, so that no other address looks like the chat's; before
// routing (Echo.Pre) it is always false.
func (c *Chat) Skipper(ec echo.Context) bool {
	_, ok := c.routes.paths.Load(ec.Path())
	return ok && ec.Path() != ""
}

// serveTransport answers the requests of the Socket.IO transport and serves its client script.
func (c *Chat) serveTransport(ec echo.Context) error {
	r := ec.Request()
	w := &response{Response: ec.Response()}
	if ec.Param("*") != "" && ec.QueryParam("EIO") == "" {
		c.server.ServeHTTP(w, scriptRequest(ec))
		return nil
	}
	if r.Method != http.MethodGet && r.Method != http.MethodPost {
		c.server.ServeHTTP(w, r)
		return nil
	}
	if _, ok := c.server.CheckOrigin(r); !ok {
		c.server.ServeHTTP(w, r) // refuses it in the protocol's words; the authenticator need not be asked
		return nil
	}
	handshake := r.URL.Query().Get("sid") == ""
	if handshake {
		if err := c.checkMiddleware(ec); err != nil {
			return c.writeError(ec, err)
		}
	}
	id, err := c.identify(ec, handshake)
	if err != nil {
		_ = c.checkOrigin(ec) // lets the page of a listed origin read why
		return c.writeError(ec, err)
	}
	ctx, cancel := withoutDeadline(withIdentity(r.Context(), id))
	defer cancel()
	c.server.ServeHTTP(w, r.WithContext(ctx))
	// After the connection was taken over there is nobody to answer to: neither the error handler nor a middleware that
	// looks at Committed may try.
	if w.hijacked {
		ec.Response().Committed = true
	}
	return nil
}

// withoutDeadline returns a context that ends when the client goes away, and not because a middleware (ContextTimeout)
// gives every request a deadline: a poll waits for as long as there is nothing to say.
func withoutDeadline(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); !ok {
		return context.WithCancel(ctx)
	}
	free, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if !errors.Is(ctx.Err(), context.DeadlineExceeded) {
			cancel(context.Cause(ctx))
		}
	})
	return free, func() { stop(); cancel(nil) }
}

// scriptRequest is the request for the client script. Where a middleware has wrapped the response, such as Gzip, the
// script goes out as it is, or it would be compressed twice.
func scriptRequest(ec echo.Context) *http.Request {
	r := ec.Request()
	if _, wrapped := ec.Response().Writer.(interface{ Unwrap() http.ResponseWriter }); wrapped {
		r = r.Clone(r.Context())
		r.Header.Del(echo.HeaderAcceptEncoding)
	}
	return r
}

// response is Echo's response, which remembers whether the connection was taken over.
type response struct {
	*echo.Response
	hijacked bool
}

// Hijack implements http.Hijacker.
func (r *response) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := r.Response.Hijack()
	r.hijacked = err == nil
	return conn, rw, err
}

// checkMiddleware looks for middleware in front of the transport that it does not work behind, and says so in words.
func (c *Chat) checkMiddleware(ec echo.Context) error {
	r := ec.Request()
	if r.ProtoMajor == 1 && !hijackable(ec.Response().Writer) {
		const why = "a middleware in front of the chat takes the connection away, which WebSocket needs; " +
			"with Echo's middleware.Timeout set its Skipper to the chat's Skipper, or use ContextTimeout in its place"
		c.advise(why)
		return NewError(CodeInternal, why)
	}
	// CSRF lets GET through and leaves its token in the context; the POSTs of polling would be refused. Browsers of today
	// pass it by Sec-Fetch-Site, and a WebSocket does not POST.
	if ec.Get("csrf") != nil && r.Header.Get(echo.HeaderSecFetchSite) == "" &&
		r.Header.Get(echo.HeaderXCSRFToken) == "" && ec.QueryParam("transport") == "polling" {
		const why = "Echo's CSRF middleware is in front of the chat and would refuse what this client sends by polling, " +
			"because the client cannot send its token; set CSRFConfig.Skipper to the chat's Skipper, which checks origins itself"
		c.advise(why)
		return NewError(CodeInternal, why)
	}
	return nil
}

// hijackable reports whether http.ResponseController would find a Hijacker behind w.
func hijackable(w http.ResponseWriter) bool {
	for {
		switch t := w.(type) {
		case http.Hijacker:
			return true
		case interface{ Unwrap() http.ResponseWriter }:
			w = t.Unwrap()
		default:
			return false
		}
	}
}
