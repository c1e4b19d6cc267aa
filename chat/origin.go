package chat

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// originPolicy says which origins' pages may call REST. The transport holds to the same list by itself.
type originPolicy struct {
	any  bool
	list map[string]bool
}

func newOriginPolicy(origins []string) (originPolicy, error) {
	p := originPolicy{list: make(map[string]bool, len(origins))}
	for _, o := range origins {
		if o == "*" {
			p.any = true
			continue
		}
		u, err := url.Parse(o)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || strings.Contains(o, "*") ||
			strings.TrimSuffix(o, "/") != u.Scheme+"://"+u.Host {
			return originPolicy{}, optionError("WithOrigins", fmt.Sprintf("%q is not an origin such as https://example.com", o))
		}
		p.list[canonicalOrigin(u)] = true
	}
	return p, nil
}

// verdict of an origin.
type verdict int

const (
	refused verdict = iota
	same            // the server's own pages, or no page at all
	listed          // with credentials
	open            // by "*", without credentials
)

// judge reports whether the page that sent r may do so. No Origin means that the page is of the same origin (browsers
// leave it out of plain GETs), or that no browser is at work, unless Sec-Fetch-Site tells otherwise.
func (p originPolicy) judge(r *http.Request) verdict {
	origin := r.Header.Get("Origin")
	if origin == "" {
		switch r.Header.Get("Sec-Fetch-Site") {
		case "", "same-origin", "none":
			return same
		}
		if p.any {
			return open
		}
		return refused
	}
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" || u.User != nil || origin != u.Scheme+"://"+u.Host {
		if p.any {
			return open
		}
		return refused
	}
	switch {
	case sameOrigin(u, r):
		return same
	case p.list[canonicalOrigin(u)]:
		return listed
	case p.any:
		return open
	default:
		return refused
	}
}

// sameOrigin compares with the host that the client asked for. Behind a proxy that ends TLS the scheme is not known here,
// so only an origin without TLS on a connection with TLS is another one.
func sameOrigin(u *url.URL, r *http.Request) bool {
	if r.TLS != nil && u.Scheme != "https" {
		return false
	}
	own := &url.URL{Scheme: u.Scheme, Host: r.Host}
	return canonicalOrigin(own) == canonicalOrigin(u)
}

// canonicalOrigin is an origin in lower case, without the scheme's own port.
func canonicalOrigin(u *url.URL) string {
	host := strings.ToLower(u.Host)
	switch u.Scheme {
	case "http":
		host = strings.TrimSuffix(host, ":80")
	case "https":
		host = strings.TrimSuffix(host, ":443")
	}
	return u.Scheme + "://" + host
}
