package engineio

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"
)

// Transport is the name of an Engine.IO transport as it stands in the query.
type Transport string

// The transports of Engine.IO v4 that the server offers.
const (
	Polling   Transport = "polling"
	WebSocket Transport = "websocket"
)

// Config holds the settings of a [Server]. The zero value is usable once OnSession is set. A Config must not be changed
// after it was given to [New]. Hooks may be called from many goroutines at once; a panic in one is recovered, logged and
// ends the request or the session it belongs to.
type Config struct {
	// PingInterval is the time between a pong and the server's next ping. Defaults to 25 s.
	PingInterval time.Duration
	// PingTimeout is how long the client may take to answer a ping. Defaults to 20 s.
	PingTimeout time.Duration
	// UpgradeTimeout is how long a WebSocket may probe before it is closed and the session stays on polling. Defaults
	// to 10 s.
	UpgradeTimeout time.Duration
	// ReadTimeout is how long one message, or the body of one POST, may take to arrive. Defaults to 30 s.
	ReadTimeout time.Duration
	// SendTimeout is how long a queued packet may wait for a client that does not take it. Defaults to 10 s.
	SendTimeout time.Duration

	// MaxPayload limits one incoming message or POST body, in bytes, and is announced to the client. Defaults to 1e6.
	MaxPayload int
	// MaxBufferBytes limits what may be queued for one session; exceeding it closes the session with
	// [ReasonSlowClient]. The one answer to a poll that the client is taking does not count any more. Defaults to 1 MiB.
	MaxBufferBytes int
	// MaxBufferPackets limits the packets queued for one session like MaxBufferBytes. Defaults to 4096.
	MaxBufferPackets int
	// MaxInboundBytes limits the memory of all incoming messages that are larger than a read buffer and not yet
	// handled, over all sessions. Beyond it a message is refused. Defaults to 256 MiB.
	MaxInboundBytes int64
	// MaxSessions limits the open sessions; beyond it a handshake is answered with 503. Defaults to 0, no limit.
	MaxSessions int

	// Transports are the transports offered. Defaults to polling and websocket.
	Transports []Transport
	// DisableUpgrades keeps polling sessions on polling.
	DisableUpgrades bool

	// Origins are the origins of web pages that may connect besides the server's own, as "https://example.com" or
	// "https://example.com:8443". The single entry "*" admits any origin, without credentials. Defaults to the same
	// origin only.
	Origins []string
	// TrustForwardedProto takes the scheme of the server's own origin from X-Forwarded-Proto. Set it only behind a
	// proxy that overwrites that header.
	TrustForwardedProto bool
	// Cookie, if set, is sent with the handshake for load balancers that route by cookie; its value becomes the session
	// id. Name defaults to "io", Path to "/", SameSite to Lax; HttpOnly is always set.
	Cookie *http.Cookie

	// Gate, if set, is asked before each handshake and may block. An error refuses it with 403 and code 4; an error
	// with a method HTTPStatus() int chooses the status and its text reaches the client.
	Gate func(*http.Request) error
	// Verify, if set, is asked on every later request of a session and may block. False is answered as if the session
	// did not exist.
	Verify func(*Handshake, *http.Request) bool
	// Identity, if set, computes Handshake.Identity after Gate has passed.
	Identity func(*http.Request) any
	// OnSession is called once for each new session, before anything of it is sent or received. It must not block.
	// Required.
	OnSession func(*Session) Handler
	// OnError, if set, is told of every request that was refused with one of the protocol's error codes.
	OnError func(ConnectionError)

	// Logger receives what an operator should know. Defaults to slog.Default().
	Logger *slog.Logger

	blockingWrites bool          // for tests: write as for TLS
	linger         time.Duration // for tests of busy machines: lingerTime
}

// withDefaults returns a copy of c with every unset field at its default, or an error that names the field at fault.
func (c Config) withDefaults() (Config, error) {
	if c.OnSession == nil {
		return c, errors.New("engineio: Config.OnSession is required")
	}
	for _, d := range []struct {
		name  string
		value *time.Duration
		def   time.Duration
	}{
		{"PingInterval", &c.PingInterval, 25 * time.Second},
		{"PingTimeout", &c.PingTimeout, 20 * time.Second},
		{"UpgradeTimeout", &c.UpgradeTimeout, 10 * time.Second},
		{"ReadTimeout", &c.ReadTimeout, 30 * time.Second},
		{"SendTimeout", &c.SendTimeout, 10 * time.Second},
	} {
		if *d.value < 0 {
			return c, fmt.Errorf("engineio: Config.%s must not be negative", d.name)
		}
		if *d.value == 0 {
			*d.value = d.def
		}
	}
	for _, n := range []struct {
		name  string
		value *int
		def   int
	}{
		{"MaxPayload", &c.MaxPayload, 1_000_000},
		{"MaxBufferBytes", &c.MaxBufferBytes, 1 << 20},
		{"MaxBufferPackets", &c.MaxBufferPackets, 4096},
		{"MaxSessions", &c.MaxSessions, 0},
	} {
		if *n.value < 0 {
			return c, fmt.Errorf("engineio: Config.%s must not be negative", n.name)
		}
		if *n.value == 0 {
			*n.value = n.def
		}
	}
	if c.MaxInboundBytes < 0 {
		return c, errors.New("engineio: Config.MaxInboundBytes must not be negative")
	}
	if c.MaxInboundBytes == 0 {
		c.MaxInboundBytes = 256 << 20
	}
	if len(c.Transports) == 0 {
		c.Transports = []Transport{Polling, WebSocket}
	}
	for _, t := range c.Transports {
		if t != Polling && t != WebSocket {
			return c, fmt.Errorf("engineio: Config.Transports: unknown transport %q", t)
		}
	}
	c.Transports = slices.Clone(c.Transports)
	if c.linger == 0 {
		c.linger = lingerTime
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return c, nil
}
