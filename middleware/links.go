package chatmw

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/echochat/echochat/chat"
)

// link finds what people and programs take for a link: an address with a scheme, one that begins with www, and the name of a host
// with a path behind it. A backslash is as good as a slash to a browser.
var link = regexp.MustCompile(`[a-z][a-z0-9+.-]*:[/\\]{2,}[^\s<>"]+|\bwww\.[^\s<>"]+|(?:[\pL\pN_-]+\.)+\pL{2,}(?::\d+)?/[^\s<>"]*`)

// Links refuses messages with more than n links, and with hosts given, messages with a link to any other host: Links(0) allows
// none, Links(2) two, Links(2, "example.com") two to example.com and what is below it, such as www.example.com. It looks at
// the text as it is meant to be read: capitals, width and invisible characters hide nothing. It does not look at attachments.
// It panics if n is negative or a host is not the plain name of one.
func Links(n int, hosts ...string) chat.Filter {
	if n < 0 {
		panic("chatmw: Links: n must not be negative")
	}
	for i, host := range hosts {
		if host == "" || strings.ContainsAny(host, "/\\:@ *") {
			panic(fmt.Sprintf("chatmw: Links: host %d is not the plain name of a host", i+1))
		}
	}
	allowed := make([]string, len(hosts))
	for i, host := range hosts {
		allowed[i] = string(fold(host).runes)
	}
	return func(_ context.Context, d *chat.Draft) error {
		found := link.FindAllString(string(fold(d.Text).runes), -1)
		switch {
		case len(found) > 0 && n == 0:
			return chat.Reject("Links are not allowed here.")
		case len(found) > n:
			return chat.Reject(fmt.Sprintf("The message has %d links, and at most %d are allowed.", len(found), n))
		}
		for _, l := range found {
			if host := hostOf(l); len(allowed) > 0 && !slices.ContainsFunc(allowed, func(a string) bool {
				return host == a || strings.HasSuffix(host, "."+a)
			}) {
				return chat.Reject(fmt.Sprintf("Links to %s are not allowed here.", host))
			}
		}
		return nil
	}
}

// hostOf returns the host that a browser would go to.
func hostOf(link string) string {
	if at := strings.IndexAny(link, `/\`); at > 0 && link[at-1] == ':' { // behind the scheme
		link = strings.TrimLeft(link[at:], `/\`)
	}
	if end := strings.IndexAny(link, `/\?#`); end >= 0 {
		link = link[:end]
	}
	link = link[strings.LastIndexByte(link, '@')+1:] // behind the user, who may look like a host
	if port := strings.LastIndexByte(link, ':'); port >= 0 && !strings.HasSuffix(link, "]") {
		link = link[:port]
	}
	return strings.TrimRight(link, ".,;!)'")
}
