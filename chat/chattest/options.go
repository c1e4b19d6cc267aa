package chattest

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"net/url"
	"time"
)

// Transport says how a client reaches the server.
type Transport string

// The transports. The zero value of [Options] means Upgrade, as in the stock
// client: polling first, then WebSocket.
const (
	Upgrade   Transport = "upgrade"
	Polling   Transport = "polling"
	WebSocket Transport = "websocket"
)

// Transports returns all three, for tests that run on each.
func Transports() []Transport { return []Transport{Upgrade, Polling, WebSocket} }

// Options says how a client connects. The zero value is what the stock client
// does.
type Options struct {
	// Path of the Engine.IO route. Defaults to "/socket.io/".
	Path string
	// Transport defaults to Upgrade.
	Transport Transport
	// Namespace that [Connect] connects to. Defaults to "/".
	Namespace string
	// Auth is the payload of CONNECT: anything that encodes to a JSON object.
	// Defaults to none.
	Auth any
	// Header is sent with every request. Defaults to none.
	Header http.Header
	// Query is added to every URL and wins over the protocol's own parameters
	// (EIO, transport, sid). Defaults to none.
	Query url.Values
	// Jar holds cookies between requests, as a browser does. Defaults to none.
	Jar http.CookieJar
	// NoPong leaves pings unanswered from the start; see [Conn.AnswerPings].
	NoPong bool
	// Raw hands every packet to [Conn.Next], pings included, and answers
	// nothing.
	Raw bool
	// ReadBufferBytes is the receive buffer of the TCP connections. A small
	// one (4096) lets the server notice a slow reader early. Defaults to the
	// system's.
	ReadBufferBytes int
	// DialContext makes the TCP connections. Defaults to a net.Dialer.
	DialContext func(ctx context.Context, network, addr string) (net.Conn, error)
	// TLS is for https URLs. Defaults to the system's roots.
	TLS *tls.Config
	// Timeout bounds each expectation and each request but polls. Defaults to
	// 10 seconds.
	Timeout time.Duration
}

func (o Options) withDefaults() Options {
	if o.Path == "" {
		o.Path = "/socket.io/"
	}
	if o.Transport == "" {
		o.Transport = Upgrade
	}
	if o.Namespace == "" {
		o.Namespace = "/"
	}
	if o.Timeout == 0 {
		o.Timeout = 10 * time.Second
	}
	return o
}
