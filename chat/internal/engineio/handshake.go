package engineio

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxHeaderBytes bounds what is kept of a handshake's headers.
const maxHeaderBytes = 16 << 10

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

	headers string // "Name:value\n" for each, a tenth of the memory of a map
}

func newHandshake(r *http.Request, scheme string) *Handshake {
	return &Handshake{
		URL:        r.URL.RequestURI(),
		Host:       r.Host,
		RemoteAddr: r.RemoteAddr,
		Secure:     scheme == "https",
		XDomain:    len(r.Header["Origin"]) > 0,
		Time:       time.Now(),
		headers:    packHeader(r.Header, maxHeaderBytes),
	}
}

// Header returns the request's headers as a new map. Of a request with more than 16 KiB of headers, those that fit in
// alphabetical order are kept.
func (h *Handshake) Header() http.Header {
	header := make(http.Header)
	for line := range strings.Lines(h.headers) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		header[name] = append(header[name], value)
	}
	return header
}

// Query returns the request's query parameters as a new map.
func (h *Handshake) Query() url.Values {
	_, query, _ := strings.Cut(h.URL, "?")
	values, _ := url.ParseQuery(query) // what is malformed is left out, as net/http does
	return values
}

// packHeader writes the headers that fit into limit bytes as one string.
func packHeader(header http.Header, limit int) string {
	names := make([]string, 0, len(header))
	for name := range header {
		names = append(names, name)
	}
	slices.Sort(names)
	var b strings.Builder
	for _, name := range names {
		for _, value := range header[name] {
			if b.Len()+len(name)+len(value)+2 <= limit {
				b.WriteString(name)
				b.WriteByte(':')
				b.WriteString(value)
				b.WriteByte('\n')
			}
		}
	}
	return b.String()
}

// newID returns a session id of 144 random bits.
func newID() string {
	var b [18]byte
	_, _ = rand.Read(b[:]) // never fails, see crypto/rand
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// openPacket returns the packet that answers a handshake (Engine.IO protocol v4, section "Handshake").
func (srv *Server) openPacket(id string, t Transport) *Message {
	open := struct {
		SID          string      `json:"sid"`
		Upgrades     []Transport `json:"upgrades"`
		PingInterval int64       `json:"pingInterval"`
		PingTimeout  int64       `json:"pingTimeout"`
		MaxPayload   int         `json:"maxPayload"`
	}{id, srv.upgrades(t), srv.cfg.PingInterval.Milliseconds(), srv.cfg.PingTimeout.Milliseconds(), srv.cfg.MaxPayload}
	data, _ := json.Marshal(open) // strings and numbers only
	return newMessage(packetOpen, data)
}

// upgrades lists the transports that a session on t may move to.
func (srv *Server) upgrades(t Transport) []Transport {
	if t == Polling && !srv.cfg.DisableUpgrades && srv.offers(WebSocket) {
		return []Transport{WebSocket}
	}
	return []Transport{}
}

func (srv *Server) offers(t Transport) bool { return slices.Contains(srv.cfg.Transports, t) }
