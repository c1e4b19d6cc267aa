package chat

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// Chat is a chat on a store. Make one with New, put it on a router with Mount, end it with Shutdown. All methods are safe
// for concurrent use.
type Chat struct {
	cfg      config
	log      *slog.Logger
	store    *store.Store
	server   *socketio.Server
	presence *presence
	typing   *typing
	expiries *expiries[*socketio.Socket]
	budgets  budgets
	tutorial *tutorial // nil without its events
	routes   routes

	operations []*operation
	byName     map[string]*operation
	rules      map[Action]rule // who may do what

	advised sync.Map // what the operator was told, once each

	draining atomic.Bool
	stopping sync.Once
	requests sync.RWMutex  // REST calls under way hold it for reading; Shutdown takes it for good
	idle     chan struct{} // closed when none is left
}

// New makes a chat on st, which stays the caller's to close, after Shutdown. One store serves one chat. The error
// names the option that is wrong, or says which one is missing.
func New(st *store.Store, opts ...Option) (*Chat, error) {
	if st == nil {
		return nil, errors.New("chat: New: the store is nil")
	}
	cfg, err := newConfig(opts)
	if err != nil {
		return nil, err
	}
	c := &Chat{cfg: cfg, log: cfg.logger, store: st, budgets: newBudgets(), idle: make(chan struct{})}
	c.operations, c.rules = c.table(), permissions()
	c.byName = make(map[string]*operation, len(c.operations))
	for _, op := range c.operations {
		c.byName[op.name] = op
	}
	for name := range cfg.rates.Operations {
		if _, ok := c.byName[name]; !ok && name != uploadCreate && name != uploadRead {
			return nil, optionError("WithRateLimits", fmt.Sprintf("there is no operation %q", name))
		}
	}
	if c.server, err = socketio.New(c.transport()...); err != nil {
		return nil, fmt.Errorf("chat: WithTransport: %w", err)
	}
	c.presence = newPresence(cfg.presenceGrace, c.announcePresence, c.noteSeen)
	c.typing = newTyping(cfg.typingExpiry, c.announceStopped)
	c.expiries = newExpiries(cfg.expiryNotice, c.sessionExpiring, c.sessionExpired)
	c.server.OnConnectionError(func(e socketio.ConnectionError) {
		if origin := e.Header.Get("Origin"); origin != "" && e.Status == http.StatusForbidden {
			c.refusedOrigin(origin)
		}
	})
	c.listen()
	st.OnChange(c.deliverChange)
	st.OnAppendTx(c.deliveredTx)
	st.OnCommit(c.deliver)
	return c, nil
}

// transport returns the settings of the Socket.IO server: what the app passes on, then what is the chat's to say.
func (c *Chat) transport() []socketio.Option {
	// Who has not said in time who they are is not kept waiting for the transport's own 45 seconds.
	opts := []socketio.Option{socketio.WithConnectTimeout(c.cfg.authTimeout + connectTime)}
	opts = append(opts, c.cfg.transport...)
	opts = append(opts,
		socketio.WithLogger(c.log),
		socketio.WithMaxPayload(c.cfg.maxPayload),
		socketio.WithIdentity(func(r *http.Request) any { return identityOf(r) }),
		socketio.WithVerify(verify),
		socketio.WithErrorAck(c.errorAck),
		socketio.WithoutRecovery(), // it would give back rooms whose membership has ended in the meantime
	)
	if len(c.cfg.origins) > 0 {
		opts = append(opts, socketio.WithOrigins(c.cfg.origins...))
	}
	if c.cfg.tlsProxy {
		opts = append(opts, socketio.WithTrustForwardedProto())
	}
	return opts
}

// connectTime is how long a connection may exist without a CONNECT, besides what the authenticator takes.
const connectTime = 10 * time.Second

// verify reports whether a later request of a transport session comes from whom its handshake came from.
func verify(h *socketio.Handshake, r *http.Request) bool {
	id, ok := h.Identity.(*identity)
	return ok && id.owns(identityOf(r))
}

// refusedOrigin tells the operator how to let a page in that was refused. The first one will do: the rest may be anybody's.
func (c *Chat) refusedOrigin(origin string) {
	c.advise("a page of another origin was refused: list its origin with WithOrigins, or, behind a proxy that ends TLS, use WithTLSProxy",
		"origin", origin)
}

// advise logs what an operator can do about something, once.
func (c *Chat) advise(what string, args ...any) {
	if _, told := c.advised.LoadOrStore(what, struct{}{}); !told {
		c.log.Warn("chat: advice", append([]any{"what", what}, args...)...)
	}
}

// Server returns the Socket.IO server beneath, for events and namespaces of the app's own. The chat lives in the main
// namespace, where UserOf tells who a socket is; whoever connects to another namespace has passed WithAuth at most.
func (c *Chat) Server() *socketio.Server { return c.server }

// OnConnection calls fn for each user who connects, before the connection's first event: the place to register events
// of the app's own beside the chat's. Call it before Mount.
func (c *Chat) OnConnection(fn func(ctx context.Context, u User, s *socketio.Socket)) {
	c.server.OnConnection(func(ctx context.Context, s *socketio.Socket) {
		if u, ok := UserOf(s); ok {
			fn(ctx, u, s)
		}
	})
}

// Online reports whether others see a user as connected to this process: who is, or was less than the grace period ago, and does
// not want to be invisible.
func (c *Chat) Online(userID string) bool { return c.presence.online(userID) }

// Shutdown stops the chat: it refuses whoever comes, tells the clients (server.draining), sends what is waiting for them,
// closes their connections and waits until nothing of the chat runs any more. When ctx ends first, what is left is cut
// off and ctx's error returned. It leaves the HTTP server and the store alone: shut the HTTP server down beside it
// (hijacked connections are not net/http's to close), and close the store afterwards.
func (c *Chat) Shutdown(ctx context.Context) error {
	c.stopping.Do(func() {
		c.draining.Store(true)
		c.emit(Event{Type: EventServerDraining}, c.server.Local())
		go func() { c.requests.Lock(); close(c.idle) }()
	})
	err := c.server.Shutdown(ctx)
	c.expiries.close()
	c.typing.close()
	c.presence.close()
	select {
	case <-c.idle:
	case <-ctx.Done():
		err = errors.Join(err, fmt.Errorf("chat: shut down: %w", ctx.Err()))
	}
	c.store.OnCommit(func([]store.Message) {})
	c.store.OnChange(func(store.Change) {})
	c.store.OnAppendTx(func(store.Message) {})
	return err
}

// emit sends an event to receivers, to each of their sockets once.
func (c *Chat) emit(e Event, receivers socketio.Broadcast) {
	if e.CreatedAt.IsZero() {
		e.CreatedAt = time.Now().UTC().Truncate(time.Millisecond)
	}
	if err := receivers.Emit(e.Type, e); err != nil {
		c.log.Error("chat: an event could not be sent", "event", e.Type, "err", err)
	}
}

// everyone are the connections in a room and, wherever they are, those of a user whom the event is about.
func (c *Chat) everyone(roomID, userID string) socketio.Broadcast {
	return c.server.To(roomKey(roomID), userKey(userID))
}

// companyMembers is the size of room up to which its members are company to one another: everyone is told who has come, who is
// online and who has read what. In a larger one that would be as many events as the square of its members; there only the user's own
// connections are told, and member.list, presence.get and message.readers answer who asks.
const companyMembers = 100

// company is everyone in a room of so many members as are company, and the connections of the user whom the event is about.
func (c *Chat) company(roomID string, members int64, userID string) socketio.Broadcast {
	if members > companyMembers {
		return c.server.To(userKey(userID))
	}
	return c.everyone(roomID, userID)
}

// deliver tells everyone in its room about each committed message. The store calls it in the order of seq.
func (c *Chat) deliver(rows []store.Message) {
	for _, row := range rows {
		m := messageOf(row)
		c.emit(Event{Type: EventMessageNew, RoomID: m.RoomID, Seq: m.Seq, CreatedAt: m.CreatedAt, User: m.User, Message: &m}, c.server.To(roomKey(m.RoomID)))
		c.notifyMentioned(m, m.MentionedUserIDs)
		if c.tutorial != nil {
			c.tutorial.deliver(m)
		}
	}
}

// Rooms of the transport. The app may use others, without these prefixes.
const (
	roomPrefix = "room:"
	userPrefix = "user:"
)

func roomKey(roomID string) string { return roomPrefix + roomID }
func userKey(userID string) string { return userPrefix + userID }

// storeError turns what the store says into the words of the client contract.
func (c *Chat) storeError(op string, err error) *Error {
	var e *Error
	switch {
	case errors.Is(err, store.ErrRoomNotFound):
		e = roomNotFound()
	case errors.Is(err, store.ErrNotMember):
		e = notAMember()
	case errors.Is(err, store.ErrMessageNotFound):
		e = messageNotFound()
	case errors.Is(err, store.ErrNotInvited):
		e = Forbidden("There is no invitation to this room.")
	case errors.Is(err, store.ErrMuted):
		e = NewError(CodeMuted, "You are muted.")
	case errors.Is(err, store.ErrBanned):
		e = NewError(CodeBanned, "You are banned from this room.")
	case errors.Is(err, store.ErrRoomExists):
		e = NewError(CodeConflict, "There is a room with that id already.")
	case errors.Is(err, store.ErrIDConflict):
		e = NewError(CodeIDConflict, "This client_id belongs to another message.")
	case errors.Is(err, store.ErrTooMany):
		e = NewError(CodeConflict, "There are too many already.")
	case errors.Is(err, store.ErrInvalidArgument):
		e = NewError(CodeInvalidArgument, "The request has a value that cannot be stored.")
	case errors.Is(err, store.ErrStorageFull):
		c.log.Error("chat: the database is full", "op", op)
		e = NewError(CodeStorageFull, "The server has no space left.")
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrClosed),
		errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		c.log.Warn("chat: the database did not answer", "op", op, "err", err)
		e = NewError(CodeServerBusy, "The server is busy; please try again.")
	default:
		e = c.internal(fmt.Errorf("%s: %w", op, err))
	}
	e.cause = err
	return e
}

// internal logs a fault of the server under a new request id and returns what the client is told of it.
func (c *Chat) internal(err error) *Error {
	e := fault()
	e.cause = err
	c.log.Error("chat: internal error", "request_id", e.RequestID, "err", err)
	return e
}

// panicked logs a panic of the app's own code and returns what the user gets instead.
func (c *Chat) panicked(where string, p any) *Error {
	e := fault()
	e.panicked = true
	c.log.Error("chat: panic", "in", where, "panic", fmt.Sprint(p), "request_id", e.RequestID, "stack", string(debug.Stack()))
	return e
}

func fault() *Error {
	e := NewError(CodeInternal, "Something went wrong on the server.")
	e.RequestID = rand.Text()
	return e
}
