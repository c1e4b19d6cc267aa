package chat

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// REST is below /chat/api/v1. A route takes the same object as its event and answers with what the event's acknowledgement
// has besides "status"; what has failed is {"error":{…}}. Everybody signs in as for the events: with the app's own session
// (WithAuth), a bearer token (WithTokenAuth) or a guest's cookie. Bodies are JSON and say so in Content-Type.

// mountREST adds the routes of the operations.
func (c *Chat) mountREST(r Router) {
	for _, op := range c.operations {
		if op.route != "" {
			c.routes.add(r.Add(op.method, apiPath+op.path, c.rest(c.restHandler(op))))
		}
	}
	c.mountUploads(r)
	c.routes.add(r.Add(http.MethodGet, apiPath+openAPIPath, c.serveOpenAPI))
	for _, method := range anyMethod {
		h := c.rest(noRoute)
		if method == http.MethodOptions {
			h = c.preflight
		}
		c.routes.add(r.Add(method, apiPath+"/*", h))
	}
}

// restHandler makes an operation a route.
func (c *Chat) restHandler(op *operation) restHandler {
	return func(ctx context.Context, ec echo.Context, u User) error {
		r := &request{caller: caller{user: u}, op: op, counted: true}
		if err := c.limitRate(r); err != nil {
			return err
		}
		in := op.newIn()
		if err := c.bind(ec, op, in); err != nil {
			return err
		}
		out, err := c.perform(ctx, r, in)
		_ = c.settle(ctx, r) // logged; what has happened stands
		switch {
		case err != nil:
			return err
		case op.status == http.StatusNoContent:
			return ec.NoContent(op.status)
		default:
			return c.writeJSON(ec, op.status, out)
		}
	}
}

func noRoute(context.Context, echo.Context, User) error {
	e := invalid("path", "is not one of this API")
	e.Status = http.StatusNotFound
	return e
}

// restHandler answers a call of u. The error it returns becomes the answer.
type restHandler func(ctx context.Context, ec echo.Context, u User) error

// rest makes an Echo handler of h: origin, sign-in, errors and panics in one place. It returns no error to Echo, so
// that the app's error handler never answers for the chat.
func (c *Chat) rest(h restHandler) echo.HandlerFunc {
	return func(ec echo.Context) error {
		if !c.requests.TryRLock() { // Shutdown has it, or waits for it
			return c.writeError(ec, NewError(CodeServerDraining, "The server is shutting down."))
		}
		defer c.requests.RUnlock()
		header := ec.Response().Header()
		header.Set(echo.HeaderCacheControl, "no-store")
		header.Set(echo.HeaderXContentTypeOptions, "nosniff")
		if err := c.checkOrigin(ec); err != nil {
			return c.writeError(ec, err)
		}
		u, err := c.signInREST(ec)
		if err != nil {
			return c.writeError(ec, err)
		}
		ctx, cancel := context.WithTimeout(ec.Request().Context(), eventTimeout)
		defer cancel()
		if err := c.guard("REST", CodeInternal, func() error { return h(ctx, ec, u) }); err != nil {
			return c.writeError(ec, err)
		}
		return nil
	}
}

// checkOrigin refuses what the pages of other origins send, and lets those that are listed read the answer.
func (c *Chat) checkOrigin(ec echo.Context) error {
	r, header := ec.Request(), ec.Response().Header()
	header.Add(echo.HeaderVary, echo.HeaderOrigin)
	allow, ok := c.server.CheckOrigin(r)
	if !ok {
		c.refusedOrigin(r.Header.Get(echo.HeaderOrigin))
		return Forbidden("The pages of this origin may not use the chat.")
	}
	if allow != "" {
		header.Set(echo.HeaderAccessControlAllowOrigin, allow)
		if allow != "*" {
			header.Set(echo.HeaderAccessControlAllowCredentials, "true")
		}
	}
	return nil
}

// preflight answers the question that a browser asks before a call across origins.
func (c *Chat) preflight(ec echo.Context) error {
	if err := c.checkOrigin(ec); err != nil {
		return c.writeError(ec, err)
	}
	header := ec.Response().Header()
	header.Set(echo.HeaderAccessControlAllowMethods, "GET, POST, PUT, PATCH, DELETE")
	header.Set(echo.HeaderAccessControlAllowHeaders, "Authorization, Content-Type, Idempotency-Key")
	header.Set(echo.HeaderAccessControlMaxAge, "600")
	return ec.NoContent(http.StatusNoContent)
}

// writeError answers with the error object.
func (c *Chat) writeError(ec echo.Context, err error) error {
	if ec.Response().Committed {
		return nil
	}
	e := *c.errorOf(err)
	if e.Status == 0 {
		e.Status = e.Code.status()
	}
	if id := ec.Response().Header().Get(echo.HeaderXRequestID); id != "" && e.RequestID == "" {
		e.RequestID = id
	}
	if e.RetryAfter > 0 {
		ec.Response().Header().Set(echo.HeaderRetryAfter, strconv.FormatInt(int64((e.RetryAfter+time.Second-1)/time.Second), 10))
	}
	return c.writeJSON(ec, e.Status, struct {
		Error *Error `json:"error"`
	}{&e})
}

// writeJSON does not use the app's own serializer, which may write the contract differently.
func (c *Chat) writeJSON(ec echo.Context, status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return c.internal(err)
	}
	if err := ec.Blob(status, echo.MIMEApplicationJSON, body); err != nil {
		c.log.Debug("chat: an answer could not be written", "err", err)
	}
	return nil
}
