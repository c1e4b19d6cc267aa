package socketio

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"time"
)

// Option configures a [Server]. Options that are not given leave the defaults of the Node server in place, save that
// only pages of the same origin may connect and that everything a client can make the server hold is bounded.
type Option func(*config) error

// config holds the settings of a server; see the options for what they mean.
type config struct {
	pingInterval, pingTimeout time.Duration
	upgradeTimeout            time.Duration
	connectTimeout            time.Duration
	maxPayload                int
	maxAttachments            int
	maxEventBytes             int
	maxQueuedBytes            int
	maxBufferBytes            int
	maxBufferPackets          int
	maxAcks                   int
	maxNamespaces             int
	maxConnections            int
	transports                []string
	noUpgrades                bool
	origins                   []string
	trustForwardedProto       bool
	cookie                    *http.Cookie
	gate                      func(*http.Request) error
	verify                    func(*Handshake, *http.Request) bool
	identity                  func(*http.Request) any
	middleware                []func(http.Handler) http.Handler
	errorAck                  ErrorAck
	recovery                  *Recovery
	clientFiles               fs.FS
	noClient                  bool
	logger                    *slog.Logger
}

func newConfig(opts []Option) (config, error) {
	c := config{
		pingInterval:     25 * time.Second,
		pingTimeout:      20 * time.Second,
		upgradeTimeout:   10 * time.Second,
		connectTimeout:   45 * time.Second,
		maxPayload:       1_000_000,
		maxAttachments:   10,
		maxQueuedBytes:   1 << 20,
		maxBufferBytes:   1 << 20,
		maxBufferPackets: 4096,
		maxAcks:          1024,
		maxNamespaces:    32,
		transports:       []string{"polling", "websocket"},
		errorAck:         defaultErrorAck,
		logger:           slog.Default(),
	}
	for _, opt := range opts {
		if err := opt(&c); err != nil {
			return config{}, fmt.Errorf("socketio: %w", err)
		}
	}
	if c.maxEventBytes == 0 {
		c.maxEventBytes = (c.maxAttachments + 1) * c.maxPayload
	}
	return c, nil
}

// positive makes an option of a setting that must be above zero.
func positive[T int | time.Duration](name string, v T, field func(*config) *T) Option {
	return func(c *config) error {
		if v <= 0 {
			return fmt.Errorf("%s: %v is not positive", name, v)
		}
		*field(c) = v
		return nil
	}
}

// WithPingInterval sets how often the server asks each client whether it is still there. Defaults to 25 seconds.
func WithPingInterval(d time.Duration) Option {
	return positive("WithPingInterval", d, func(c *config) *time.Duration { return &c.pingInterval })
}

// WithPingTimeout sets how long a client may take to answer. Defaults to 20 seconds.
func WithPingTimeout(d time.Duration) Option {
	return positive("WithPingTimeout", d, func(c *config) *time.Duration { return &c.pingTimeout })
}

// WithUpgradeTimeout sets how long the change from long-polling to WebSocket may take. Defaults to 10 seconds.
func WithUpgradeTimeout(d time.Duration) Option {
	return positive("WithUpgradeTimeout", d, func(c *config) *time.Duration { return &c.upgradeTimeout })
}

// WithConnectTimeout sets how long a connection may exist without having joined a namespace, connect middleware
// included. Defaults to 45 seconds.
func WithConnectTimeout(d time.Duration) Option {
	return positive("WithConnectTimeout", d, func(c *config) *time.Duration { return &c.connectTimeout })
}

// WithMaxPayload limits what a client may send at once, in bytes: one WebSocket message, or the body of one HTTP
// request. Clients are told in the handshake. Defaults to 1,000,000.
func WithMaxPayload(bytes int) Option {
	return positive("WithMaxPayload", bytes, func(c *config) *int { return &c.maxPayload })
}

// WithMaxAttachments limits how many binary attachments one incoming event or acknowledgement may have. Defaults to 10,
// which is what stock clients take themselves. An outgoing one may have as many, but at least 10: raise the limit only
// if the clients do.
func WithMaxAttachments(n int) Option {
	return positive("WithMaxAttachments", n, func(c *config) *int { return &c.maxAttachments })
}

// WithMaxEventBytes limits one incoming event or acknowledgement with all of its attachments, in bytes. Defaults to
// what the two limits above allow together.
func WithMaxEventBytes(bytes int) Option {
	return positive("WithMaxEventBytes", bytes, func(c *config) *int { return &c.maxEventBytes })
}

// WithMaxQueuedBytes limits the events of one socket that wait for a handler, in bytes, of which each event counts for
// 256 more than it has, and each argument for 24. When it is reached, the server stops reading from that connection
// until there is room again; a single event is always taken. Defaults to 1 MiB.
func WithMaxQueuedBytes(bytes int) Option {
	return positive("WithMaxQueuedBytes", bytes, func(c *config) *int { return &c.maxQueuedBytes })
}

// WithSendBuffer limits what waits to be sent on one connection, in bytes and in packets. A client that reads too
// slowly and reaches either limit is disconnected. Defaults to 1 MiB and 4096 packets.
func WithSendBuffer(bytes, packets int) Option {
	return func(c *config) error {
		if bytes <= 0 || packets <= 0 {
			return fmt.Errorf("WithSendBuffer: %d bytes, %d packets: both must be positive", bytes, packets)
		}
		c.maxBufferBytes, c.maxBufferPackets = bytes, packets
		return nil
	}
}

// WithMaxAcks limits how many acknowledgements one client may owe at a time. Defaults to 1024.
func WithMaxAcks(n int) Option {
	return positive("WithMaxAcks", n, func(c *config) *int { return &c.maxAcks })
}

// WithMaxNamespaces limits how many namespaces one connection may be in. Defaults to 32.
func WithMaxNamespaces(n int) Option {
	return positive("WithMaxNamespaces", n, func(c *config) *int { return &c.maxNamespaces })
}

// WithMaxConnections limits the connections that are open at a time: further handshakes are answered with status 503.
// Defaults to no limit.
func WithMaxConnections(n int) Option {
	return positive("WithMaxConnections", n, func(c *config) *int { return &c.maxConnections })
}

// WithTransports sets the transports that clients may use, out of "polling" and "websocket". Defaults to both.
func WithTransports(names ...string) Option {
	return func(c *config) error {
		if len(names) == 0 {
			return errors.New("WithTransports: none given")
		}
		for _, name := range names {
			if name != "polling" && name != "websocket" {
				return fmt.Errorf("WithTransports: unknown transport %q", name)
			}
		}
		c.transports = append([]string(nil), names...)
		return nil
	}
}

// WithoutUpgrades keeps clients on the transport that they start with.
func WithoutUpgrades() Option {
	return func(c *config) error { c.noUpgrades = true; return nil }
}

// WithOrigins lists the origins whose pages may connect, besides the server's own: "https://example.com", or "*" for
// any. A wildcard lets any website act for a user who is signed in by cookie; list origins where that matters.
// Defaults to the same origin alone.
func WithOrigins(origins ...string) Option {
	return func(c *config) error { c.origins = append([]string(nil), origins...); return nil }
}

// WithTrustForwardedProto takes the scheme of the server's own origin from X-Forwarded-Proto. It is for a server behind a
// proxy that ends TLS and overwrites that header: without it, the pages of https://example.com are of another origin
// than the server, which sees plain HTTP, and need [WithOrigins].
func WithTrustForwardedProto() Option {
	return func(c *config) error { c.trustForwardedProto = true; return nil }
}

// WithCookie makes the server set a cookie with the connection's id in the answer to the handshake, for load
// balancers that route by cookie. Name defaults to "io", Path to "/", SameSite to Lax, and HttpOnly is always set.
// Off by default.
func WithCookie(cookie http.Cookie) Option {
	return func(c *config) error { c.cookie = &cookie; return nil }
}

// WithGate sets a function that decides about every handshake, before anything is kept of it. An error refuses it with
// status 403, or with the status that the error's HTTPStatus() int method names.
func WithGate(gate func(*http.Request) error) Option {
	return func(c *config) error { c.gate = gate; return nil }
}

// WithVerify sets a function that looks at every later request of a connection, polls and upgrades: whether it comes
// from whoever made the handshake. One that is refused gets the answer of a connection that does not exist.
func WithVerify(verify func(*Handshake, *http.Request) bool) Option {
	return func(c *config) error { c.verify = verify; return nil }
}

// WithIdentity sets a function that takes from the handshake's request what is to be kept as [Handshake.Identity].
// It runs after the gate. It must not keep the request.
func WithIdentity(identity func(*http.Request) any) Option {
	return func(c *config) error { c.identity = identity; return nil }
}

// WithMiddleware wraps the handling of every HTTP request of the server, WebSocket upgrades and the client script
// included; the first given is the outermost. Headers that it sets go out with the answer; of those of a WebSocket
// upgrade, cookies alone. A middleware that hides http.Hijacker breaks WebSocket.
func WithMiddleware(middleware ...func(http.Handler) http.Handler) Option {
	return func(c *config) error { c.middleware = append(c.middleware, middleware...); return nil }
}

// ErrorAck turns the error of a typed handler into what the client's acknowledgement gets. With ok false nothing is
// acknowledged, so that a client with the retries option sends the event again. It is called for events without an
// acknowledgement too, and its result is dropped then.
type ErrorAck func(ctx context.Context, s *Socket, event string, err error) (payload any, ok bool)

// WithErrorAck sets what clients are told about errors of typed handlers ([On]) and of per-packet middleware. By
// default that is {"status":"error","error":{"message":"…"}}, where the message is "invalid arguments" for an
// [ArgumentError] and "internal error" for all others, which are logged.
func WithErrorAck(f ErrorAck) Option {
	return func(c *config) error {
		if f == nil {
			return errors.New("WithErrorAck: function is nil")
		}
		c.errorAck = f
		return nil
	}
}

// WithClientFiles serves the client script from a folder, such as the dist folder of the socket.io-client package or an
// embed.FS of it, in place of the script that comes with this package.
func WithClientFiles(files fs.FS) Option {
	return func(c *config) error { c.clientFiles = files; return nil }
}

// WithoutClient turns off the serving of the client script.
func WithoutClient() Option {
	return func(c *config) error { c.noClient = true; return nil }
}

// WithLogger sets where the server logs. Defaults to slog.Default() at the time of [New].
func WithLogger(logger *slog.Logger) Option {
	return func(c *config) error {
		if logger == nil {
			return errors.New("WithLogger: logger is nil")
		}
		c.logger = logger
		return nil
	}
}

// errorReply is the default form of an error in an acknowledgement.
type errorReply struct {
	Status string `json:"status"`
	Error  struct {
		Message string `json:"message"`
	} `json:"error"`
}

func defaultErrorAck(ctx context.Context, s *Socket, event string, err error) (any, bool) {
	reply := errorReply{Status: "error"}
	var bad *ArgumentError
	if errors.As(err, &bad) {
		reply.Error.Message = "invalid arguments"
	} else {
		reply.Error.Message = "internal error"
		s.nsp.server.config.logger.ErrorContext(ctx, "socketio: event handler failed",
			"namespace", s.nsp.name, "socket", s.id, "event", event, "error", err)
	}
	return reply, true
}
