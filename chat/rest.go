package chat

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// The routes of REST, below /chat/api/v1. They say and take the same objects as the events, without "status"; what
// has failed is {"error":{…}}. Everybody signs in as for the events: with the app's own session (WithAuth), a bearer
// token (WithTokenAuth) or a guest's cookie. Bodies are JSON and say so in Content-Type.
//
//	GET  /me                                                             -> {user}
//	GET  /rooms?cursor=&limit=&type=public                               -> {rooms, next_cursor?}; one's own, or all public ones
//	POST /rooms {id?, type?, name?, topic?, metadata?}                   -> 201 {room}
//	GET  /rooms/{room}                                                   -> {room}
//	GET  /rooms/{room}/members?cursor=&limit=                            -> {members, next_cursor?}
//	POST /rooms/{room}/join                                              -> {room}
//	POST /rooms/{room}/leave                                             -> 204
//	GET  /rooms/{room}/messages?before= | after= | around= | cursor= &limit= -> {messages, has_more_before, has_more_after, next_cursor?}
//	POST /rooms/{room}/messages {text, client_id?, parent_id?, …}        -> 201 {message}; Idempotency-Key may stand for client_id
func (c *Chat) mountREST(r Router) {
	for _, route := range []struct {
		method, path string
		h            restHandler
	}{
		{http.MethodGet, "/me", c.getMe},
		{http.MethodGet, "/rooms", c.getRooms},
		{http.MethodPost, "/rooms", c.postRoom},
		{http.MethodGet, "/rooms/:room", c.getRoom},
		{http.MethodGet, "/rooms/:room/members", c.getMembers},
		{http.MethodPost, "/rooms/:room/join", c.postJoin},
		{http.MethodPost, "/rooms/:room/leave", c.postLeave},
		{http.MethodGet, "/rooms/:room/messages", c.getMessages},
		{http.MethodPost, "/rooms/:room/messages", c.postMessage},
	} {
		c.routes.add(r.Add(route.method, apiPath+route.path, c.rest(route.h)))
	}
	for _, method := range anyMethod {
		h := c.rest(noRoute)
		if method == http.MethodOptions {
			h = c.preflight
		}
		c.routes.add(r.Add(method, apiPath+"/*", h))
	}
}

func noRoute(context.Context, echo.Context, User) error {
	e := invalid("path", "is not one of this API")
	e.Status = http.StatusNotFound
	return e
}

// restHandler answers a call of u. The error it returns becomes the answer.
type restHandler func(ctx context.Context, ec echo.Context, u User) error

// bodyTimeout is how long a request's body may take to arrive.
const bodyTimeout = 30 * time.Second

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
	header.Set(echo.HeaderAccessControlAllowMethods, "GET, POST")
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

// readJSON decodes the body of a write. It wants to be told that it is JSON: a form of another site cannot say that.
func (c *Chat) readJSON(ec echo.Context, v any) error {
	r := ec.Request()
	if kind, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || kind != echo.MIMEApplicationJSON {
		e := invalid("Content-Type", "must be application/json")
		e.Status = http.StatusUnsupportedMediaType
		return e
	}
	// A server that the deadline cannot be set on has one of its own, or none.
	_ = http.NewResponseController(ec.Response()).SetReadDeadline(time.Now().Add(bodyTimeout))
	data, err := io.ReadAll(http.MaxBytesReader(ec.Response(), r.Body, int64(c.cfg.maxPayload)))
	if err != nil {
		var tooLarge *http.MaxBytesError
		var he *echo.HTTPError
		if errors.As(err, &tooLarge) || errors.As(err, &he) && he.Code == http.StatusRequestEntityTooLarge {
			return NewError(CodeMessageTooLarge, "The request is too large.")
		}
		return invalid("body", "could not be read")
	}
	if err := json.Unmarshal(data, v); err != nil {
		return invalid("body", "must be a JSON object with the fields of this call")
	}
	return nil
}

// limitOf reads ?limit=.
func limitOf(ec echo.Context) (int, error) {
	text := ec.QueryParam("limit")
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > maxPage {
		return 0, invalid("limit", "must be from 1 to 200")
	}
	return n, nil
}
