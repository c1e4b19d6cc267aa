package socketio

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// Handshake is what a client said when it connected: the facts of the HTTP request that opened the connection, and
// the payload of its CONNECT packet. It is shared and must not be changed.
type Handshake struct {
	// URL is the first request's path and query.
	URL string
	// Host is its Host header.
	Host string
	// Address is the peer's address, host and port, as net/http saw it: behind a proxy, the proxy's.
	Address string
	// Secure reports whether the request came over TLS.
	Secure bool
	// XDomain reports whether the request named an origin, as browsers do for requests across origins.
	XDomain bool
	// Time is when the connection was made.
	Time time.Time
	// Identity is what the function given to [WithIdentity] returned for the first request, or nil.
	Identity any
	// Auth is the payload of the CONNECT packet, a JSON object: what the client was given as its auth option. Nil when
	// there is none. It differs from namespace to namespace, unlike all of the above.
	Auth json.RawMessage

	request *engineio.Handshake
}

func newHandshake(h *engineio.Handshake, auth json.RawMessage) *Handshake {
	return &Handshake{
		URL:      h.URL,
		Host:     h.Host,
		Address:  h.RemoteAddr,
		Secure:   h.Secure,
		XDomain:  h.XDomain,
		Time:     h.Time,
		Identity: h.Identity,
		Auth:     auth,
		request:  h,
	}
}

// Headers returns the headers of the first request as a new map, cookies and credentials among them: do not log it.
func (h *Handshake) Headers() http.Header { return h.request.Header() }

// Query returns the query parameters of the first request as a new map: those that the client was given as its query
// option, and the protocol's own (EIO, transport, …).
func (h *Handshake) Query() url.Values { return h.request.Query() }

// DecodeAuth decodes the client's auth payload into the value that v points to. Without a payload v stays as it is.
func (h *Handshake) DecodeAuth(v any) error {
	if len(h.Auth) == 0 {
		return nil
	}
	if err := json.Unmarshal(h.Auth, v); err != nil {
		return fmt.Errorf("socketio: decode auth payload: %w", err)
	}
	return nil
}
