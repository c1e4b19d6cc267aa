package chat

import (
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// Option is a setting of New. Each is checked there, and the error names the option.
type Option func(*config) error

// config is what the options add up to.
type config struct {
	auth      Authenticator
	tokenAuth TokenAuthenticator
	guests    bool
	openRooms bool
	filters   []Filter
	hooks     []Hooks
	before    []Before
	after     []After
	path      string
	origins   []string
	tlsProxy  bool
	logger    *slog.Logger
	transport []socketio.Option

	authorizer Authorizer

	authTimeout    time.Duration
	maxTextBytes   int
	maxPayload     int
	roomsPerSocket int
	notices        []store.RoomType
	rates          RateLimits
	tutorial       bool
	typingExpiry   time.Duration
	presenceGrace  time.Duration
	expiryNotice   time.Duration

	uploads     Storage
	uploadBytes int64
	uploadTypes []string
}

func defaults() config {
	return config{
		path:           "/socket.io",
		logger:         slog.Default(),
		authTimeout:    10 * time.Second,
		maxTextBytes:   64 << 10,
		maxPayload:     1_000_000,
		roomsPerSocket: 128,
		notices:        []store.RoomType{store.RoomPrivate},
		rates:          defaultRateLimits(),
		typingExpiry:   6 * time.Second,
		presenceGrace:  5 * time.Second,
		expiryNotice:   time.Minute,
		uploadBytes:    maxUploadBytes,
	}
}

// WithAuth says who is asking, from the request itself: the app's own cookie session, a header, what a middleware put
// into the context. It is asked at the transport's handshake, again with each later HTTP request of that session (which
// must come from the same user), and for each REST call. It must not keep the context.
func WithAuth(fn Authenticator) Option {
	return func(c *config) error {
		if fn == nil {
			return optionError("WithAuth", "the authenticator is nil")
		}
		c.auth = fn
		return nil
	}
}

// WithTokenAuth says who is connecting from the "auth" payload that a Socket.IO client sends with its CONNECT, and for
// REST from the bearer token of the Authorization header, which arrives as {"token":"…"}. It goes before WithAuth: what
// a client says on purpose outweighs the cookie its browser sends by itself.
func WithTokenAuth(fn TokenAuthenticator) Option {
	return func(c *config) error {
		if fn == nil {
			return optionError("WithTokenAuth", "the authenticator is nil")
		}
		c.tokenAuth = fn
		return nil
	}
}

// WithGuests lets people in whom no authenticator knows. A guest is a random id in an HttpOnly cookie, and has the
// display name that the client's "auth" payload asks for: {"name":"Ada"}.
func WithGuests() Option {
	return func(c *config) error { c.guests = true; return nil }
}

// WithOpenRooms lets everybody who is signed in create rooms: joining an unknown room creates it as a public one, and
// POST /rooms takes an id. Without it, ids are given out by the app (Chat.System) alone.
func WithOpenRooms() Option {
	return func(c *config) error { c.openRooms = true; return nil }
}

// WithFilter adds filters. Each message passes all of them, in the order given, before it is stored.
func WithFilter(filters ...Filter) Option {
	return func(c *config) error {
		for i, f := range filters {
			if f == nil {
				return optionError("WithFilter", fmt.Sprintf("filter %d is nil", i+1))
			}
		}
		c.filters = append(c.filters, filters...)
		return nil
	}
}

// WithHooks adds hooks. Given more than once, they run in the order given.
func WithHooks(hooks Hooks) Option {
	return func(c *config) error { c.hooks = append(c.hooks, hooks); return nil }
}

// WithBefore adds functions that see every operation before it runs, and may refuse or rewrite it. They run in the order given.
func WithBefore(fns ...Before) Option {
	return func(c *config) error {
		for i, fn := range fns {
			if fn == nil {
				return optionError("WithBefore", fmt.Sprintf("function %d is nil", i+1))
			}
		}
		c.before = append(c.before, fns...)
		return nil
	}
}

// WithAfter adds functions that see every operation and what became of it. They run in the order given.
func WithAfter(fns ...After) Option {
	return func(c *config) error {
		for i, fn := range fns {
			if fn == nil {
				return optionError("WithAfter", fmt.Sprintf("function %d is nil", i+1))
			}
		}
		c.after = append(c.after, fns...)
		return nil
	}
}

// WithAuthorizer lets the app narrow or widen who may do what, room by room: fn gets what the chat would decide and
// decides instead. It is asked at each operation of a user, several at a time, and never about a room that is not there. A refusal
// is answered as the chat's own: what the user may not see (ActionRoomRead) looks as if it were not there. Mutes and bans
// hold whatever it says. An error refuses. It is not asked about each event: who hears a room has joined it under ActionHistoryRead,
// and members hear of messages that mention them. What it begins to forbid ends with the connection; to end it at once, remove the member.
func WithAuthorizer(fn Authorizer) Option {
	return func(c *config) error {
		if fn == nil {
			return optionError("WithAuthorizer", "the authorizer is nil")
		}
		c.authorizer = fn
		return nil
	}
}

// WithUploads lets users upload files for their attachments, POST /uploads, and keeps them in s, such as a Folder. Whoever is signed in
// and has a file's address, with its random id, may read it. Defaults to none: attachments are links to somewhere else.
func WithUploads(s Storage) Option {
	return func(c *config) error {
		if s == nil {
			return optionError("WithUploads", "nil storage")
		}
		c.uploads = s
		return nil
	}
}

// WithUploadLimits sets how large an upload may be, and what it may look like: types such as "image/*". Defaults to 10 MiB of any type;
// whatever it is, nothing that could be a page is served as one.
func WithUploadLimits(maxBytes int64, types ...string) Option {
	return func(c *config) error {
		if maxBytes < 1 {
			return optionError("WithUploadLimits", fmt.Sprintf("%d is not a number of bytes", maxBytes))
		}
		c.uploadBytes, c.uploadTypes = maxBytes, types
		return nil
	}
}

// WithPath sets the route of the transport below whatever the chat is mounted on. Defaults to /socket.io, where stock
// clients look.
func WithPath(path string) Option {
	return func(c *config) error {
		clean := "/" + strings.Trim(path, "/")
		if clean == "/" || strings.ContainsAny(clean, ":*?# \\%") || strings.Contains(clean, "//") || !printable(clean) {
			return optionError("WithPath", fmt.Sprintf("%q is not a plain path such as /socket.io", path))
		}
		c.path = clean
		return nil
	}
}

// WithOrigins lets pages of other origins ("https://shop.example", scheme and port included) use the chat, with
// credentials. "*" lets every page do so without: WithAuth is not asked about them and their cookies do not count, so they
// sign in by WithTokenAuth, or are guests for the length of a connection. Defaults to the same origin; see WithTLSProxy.
func WithOrigins(origins ...string) Option {
	return func(c *config) error {
		if len(origins) == 0 {
			return optionError("WithOrigins", "no origin is given")
		}
		if _, err := socketio.New(socketio.WithOrigins(origins...)); err != nil { // which starts nothing
			return fmt.Errorf("chat: WithOrigins: %w", err)
		}
		c.origins = append(c.origins, origins...)
		return nil
	}
}

// WithTLSProxy says that the chat is behind a proxy that ends TLS and sets X-Forwarded-Proto, overwriting what a client has
// sent. Without it, the pages of https://example.com are of another origin than a server that sees plain HTTP, and
// need WithOrigins.
func WithTLSProxy() Option {
	return func(c *config) error { c.tlsProxy = true; return nil }
}

// WithLogger sets where the chat logs. No message text, token or session id is ever logged. Defaults to slog.Default().
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return optionError("WithLogger", "the logger is nil")
		}
		c.logger = logger
		return nil
	}
}

// WithAuthTimeout bounds the context that an authenticator gets. Defaults to 10 seconds.
func WithAuthTimeout(d time.Duration) Option {
	return duration("WithAuthTimeout", d, time.Millisecond, func(c *config) { c.authTimeout = d })
}

// WithMaxTextBytes limits the text of one message, in bytes of UTF-8. Defaults to 64 KiB; 1 MiB and WithMaxPayload are
// its ceilings.
func WithMaxTextBytes(n int) Option {
	return func(c *config) error {
		if n < 1 || n > 1<<20 {
			return optionError("WithMaxTextBytes", "must be from 1 to 1048576")
		}
		c.maxTextBytes = n
		return nil
	}
}

// WithMaxPayload limits one packet of the transport and one REST body, in bytes. Defaults to 1,000,000, which is what
// the handshake announces in Socket.IO's own server.
func WithMaxPayload(n int) Option {
	return func(c *config) error {
		if n < 1024 {
			return optionError("WithMaxPayload", "must be at least 1024")
		}
		c.maxPayload = n
		return nil
	}
}

// WithRoomsPerSocket limits in how many rooms one connection may be at a time. Defaults to 128.
func WithRoomsPerSocket(n int) Option {
	return func(c *config) error {
		if n < 1 {
			return optionError("WithRoomsPerSocket", "must be at least 1")
		}
		c.roomsPerSocket = n
		return nil
	}
}

// WithNotices sets in which types of rooms the chat says who has come or gone and how the room is called now, in messages of
// type system (see NoticeMemberJoined); without a type, nowhere. Defaults to private rooms: in those that everybody may join,
// people come and go without being looked for.
func WithNotices(types ...store.RoomType) Option {
	return func(c *config) error {
		for _, t := range types {
			if !settable(t) {
				return optionError("WithNotices", fmt.Sprintf("%q is not public, private or channel", t))
			}
		}
		c.notices = types
		return nil
	}
}

// WithTypingExpiry sets after how long without another typing.start a user is taken to have stopped typing. Defaults to
// 6 seconds.
func WithTypingExpiry(d time.Duration) Option {
	return duration("WithTypingExpiry", d, time.Millisecond, func(c *config) { c.typingExpiry = d })
}

// WithPresenceGrace sets how long a user whose last connection ended stays online, so that a reload or a short loss of
// the network shows nothing. Defaults to 5 seconds; 0 announces at once.
func WithPresenceGrace(d time.Duration) Option {
	return duration("WithPresenceGrace", d, 0, func(c *config) { c.presenceGrace = d })
}

// WithExpiryNotice sets how long before the end of its sign-in (User.ExpiresAt) a connection is told of it, so that its client
// gets a new token in time; one that is shorter is told of at once. Defaults to 1 minute; 0 gives no notice.
func WithExpiryNotice(d time.Duration) Option {
	return duration("WithExpiryNotice", d, 0, func(c *config) { c.expiryNotice = d })
}

// WithTransport passes settings on to the Socket.IO server, such as its heartbeat. Origins, logger and payload limit have
// options here, which REST follows too; identity, verification and the acknowledgement of errors are the chat's own.
// Recovery stays off: a client that comes back says room.join with its position, and its membership is looked up.
func WithTransport(opts ...socketio.Option) Option {
	return func(c *config) error { c.transport = append(c.transport, opts...); return nil }
}

func duration(name string, d, least time.Duration, set func(*config)) Option {
	return func(c *config) error {
		if d < least {
			return optionError(name, fmt.Sprintf("must be at least %s", least))
		}
		set(c)
		return nil
	}
}

func optionError(name, why string) error { return fmt.Errorf("chat: %s: %s", name, why) }

// newConfig applies opts to the defaults and checks what only the whole can tell.
func newConfig(opts []Option) (config, error) {
	c := defaults()
	for _, o := range opts {
		if o == nil {
			return config{}, fmt.Errorf("chat: an Option is nil")
		}
		if err := o(&c); err != nil {
			return config{}, err
		}
	}
	if c.auth == nil && c.tokenAuth == nil && !c.guests {
		return config{}, fmt.Errorf("chat: nobody could sign in: add WithAuth (the app's own session), WithTokenAuth (a token " +
			"from the client), or WithGuests() for a chat that is open to everybody")
	}
	if c.maxTextBytes > c.maxPayload {
		return config{}, optionError("WithMaxTextBytes", fmt.Sprintf("%d is over the %d bytes of WithMaxPayload", c.maxTextBytes, c.maxPayload))
	}
	return c, nil
}
