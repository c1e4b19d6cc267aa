package engineio

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
)

// originRules decide which web pages may talk to the server. They hold for every request of every transport: browsers
// do not apply CORS to WebSockets, and a poll is answered before a page may read it.
type originRules struct {
	any                 bool
	listed              map[origin]struct{}
	trustForwardedProto bool
}

// origin is an origin in the sense of RFC 6454, with the scheme's default port filled in.
type origin struct{ scheme, host, port string }

// verdict is what the rules say about one request.
type verdict struct {
	allowed bool
	// cross is the value for Access-Control-Allow-Origin, empty if the request needs none.
	cross string
}

func newOriginRules(list []string, trustForwardedProto bool) (originRules, error) {
	rules := originRules{listed: make(map[origin]struct{}), trustForwardedProto: trustForwardedProto}
	for _, entry := range list {
		if entry == "*" {
			if len(list) > 1 {
				return rules, errors.New(`engineio: Config.Origins: "*" must be the only entry`)
			}
			rules.any = true
			continue
		}
		o, ok := parseOrigin(entry)
		if !ok {
			return rules, fmt.Errorf(
				`engineio: Config.Origins: %q is not an origin like "https://example.com" or "http://localhost:3000"`, entry)
		}
		rules.listed[o] = struct{}{}
	}
	return rules, nil
}

// check judges a request by its Origin header. Without one (native clients, and browsers' own GETs to the same origin)
// it is allowed unless Sec-Fetch-Site, which only a browser sends and no page can forge, says that another site asked.
func (rules originRules) check(r *http.Request) verdict {
	headers := r.Header["Origin"]
	if len(headers) == 0 {
		site := r.Header.Get("Sec-Fetch-Site")
		return verdict{allowed: rules.any || site != "cross-site" && site != "same-site"}
	}
	foreign := verdict{}
	if rules.any {
		foreign = verdict{allowed: true, cross: "*"}
	}
	if len(headers) > 1 {
		return foreign
	}
	o, ok := parseOrigin(headers[0])
	if !ok {
		return foreign
	}
	if own, ok := parseOrigin(rules.scheme(r) + "://" + strings.ToLower(r.Host)); ok && o == own {
		return verdict{allowed: true}
	}
	if _, ok := rules.listed[o]; ok {
		return verdict{allowed: true, cross: headers[0]}
	}
	return foreign
}

// scheme returns the scheme by which the client reached the server.
func (rules originRules) scheme(r *http.Request) string {
	if rules.trustForwardedProto {
		// The last value is that of the nearest proxy, the only one that is trusted.
		if forwarded := r.Header.Values("X-Forwarded-Proto"); len(forwarded) > 0 {
			last := forwarded[len(forwarded)-1]
			if i := strings.LastIndexByte(last, ','); i >= 0 {
				last = last[i+1:]
			}
			return strings.ToLower(strings.TrimSpace(last))
		}
	}
	if r.TLS != nil {
		return "https"
	}
	return "http"
}

// parseOrigin accepts the serialization that browsers send (RFC 6454, section 6.2) and nothing else: no upper case, no
// user information, no path, no trailing dot, no "null", host names in ASCII.
func parseOrigin(s string) (origin, bool) {
	scheme, rest, ok := strings.Cut(s, "://")
	if !ok || scheme == "" || !consistsOf(scheme, isSchemeByte) {
		return origin{}, false
	}
	o := origin{scheme: scheme, host: rest}
	if strings.HasPrefix(rest, "[") { // IPv6
		end := strings.IndexByte(rest, ']')
		if end < 0 || !consistsOf(rest[1:end], isIPv6Byte) {
			return origin{}, false
		}
		o.host, rest = rest[:end+1], rest[end+1:]
	} else {
		end := strings.IndexByte(rest, ':')
		if end < 0 {
			end = len(rest)
		}
		o.host, rest = rest[:end], rest[end:]
		if !consistsOf(o.host, isHostByte) || o.host[len(o.host)-1] == '.' || o.host[0] == '.' {
			return origin{}, false
		}
	}
	if rest != "" {
		o.port = rest[1:]
		if rest[0] != ':' || !consistsOf(o.port, isDigit) || len(o.port) > 5 || o.port[0] == '0' {
			return origin{}, false
		}
	} else {
		o.port = defaultPort(scheme)
	}
	return o, true
}

func defaultPort(scheme string) string {
	switch scheme {
	case "http":
		return "80"
	case "https":
		return "443"
	}
	return ""
}

// consistsOf tells whether s has at least one byte and ok holds for each.
func consistsOf(s string, ok func(byte) bool) bool {
	for i := range len(s) {
		if !ok(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool      { return c >= '0' && c <= '9' }
func isLower(c byte) bool      { return c >= 'a' && c <= 'z' }
func isSchemeByte(c byte) bool { return isLower(c) || isDigit(c) || c == '+' || c == '-' || c == '.' }

func isHostByte(c byte) bool { return isLower(c) || isDigit(c) || c == '-' || c == '.' || c == '_' }
func isIPv6Byte(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'f' || c == ':' || c == '.' }

// setCORS sets the headers by which a page of another origin may read the answer.
func (v verdict) setCORS(h http.Header) {
	if v.cross == "" {
		return
	}
	h.Set("Access-Control-Allow-Origin", v.cross)
	if v.cross != "*" {
		h.Set("Access-Control-Allow-Credentials", "true")
		h.Add("Vary", "Origin")
	}
}

// preflight answers an OPTIONS request of an allowed origin (Fetch standard, section "CORS-preflight request").
func (srv *Server) preflight(w http.ResponseWriter, r *http.Request, v verdict) {
	h := w.Header()
	v.setCORS(h)
	h.Set("Allow", "GET, POST, OPTIONS")
	if v.cross != "" && r.Header.Get("Access-Control-Request-Method") != "" {
		h.Set("Access-Control-Allow-Methods", "GET, POST")
		if asked := r.Header.Get("Access-Control-Request-Headers"); len(asked) <= 1024 && consistsOf(asked, isHeaderListByte) {
			h.Set("Access-Control-Allow-Headers", asked)
		}
		h.Set("Access-Control-Max-Age", "600")
	}
	srv.spurn(w, r)
	_ = srv.write(w, http.StatusNoContent, nil)
}

func isHeaderListByte(c byte) bool {
	return isLower(c) || isDigit(c) || c >= 'A' && c <= 'Z' || c == '-' || c == '_' || c == ',' || c == ' '
}
