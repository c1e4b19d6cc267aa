package chattest

import (
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// Proxy is a TCP proxy in front of a server, for clients that cannot cut their
// connections by themselves: browsers, the stock JavaScript client. A cut hits
// the connections that are open; later ones pass, unless [Proxy.Refuse] says
// otherwise. All methods are safe for concurrent use.
type Proxy struct {
	URL      string // "http://127.0.0.1:port"
	target   string
	listener net.Listener
	work     sync.WaitGroup

	mu      sync.Mutex
	links   map[*link]struct{}
	refuse  bool
	closing bool
}

// link is one client's connection and the one to the server that belongs to it,
// each a wire of its own: the budgets of a cut count the client's side alone.
type link struct {
	client, server *wire
}

func (l *link) reset() {
	l.client.reset()
	l.server.reset()
}

// NewProxy starts a proxy in front of the server at base, an http URL. It ends
// with the test.
func NewProxy(t testing.TB, base string) *Proxy {
	t.Helper()
	target, err := url.Parse(base)
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("proxy: %v", err)
	}
	p := &Proxy{
		URL:      "http://" + listener.Addr().String(),
		target:   hostPort(target.Host, target.Scheme),
		listener: listener,
		links:    map[*link]struct{}{},
	}
	p.work.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// Reset cuts every open connection, on both sides, with an RST.
func (p *Proxy) Reset() { p.each((*link).reset) }

// Vanish makes every open connection a black hole: it stays open, and nothing
// passes in either direction any more.
func (p *Proxy) Vanish() {
	p.each(func(l *link) {
		l.client.vanish()
		l.server.vanish()
	})
}

// CutAfterReading resets each open connection after n more bytes from the
// client.
func (p *Proxy) CutAfterReading(n int) {
	p.each(func(l *link) { l.client.cutAfter(&l.client.toRead, n) })
}

// CutAfterWriting resets each open connection after n more bytes to the client.
func (p *Proxy) CutAfterWriting(n int) {
	p.each(func(l *link) { l.client.cutAfter(&l.client.toWrite, n) })
}

// Refuse says whether new connections are reset at once, as if the server were
// gone.
func (p *Proxy) Refuse(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refuse = on
}

// Connections returns the number of open connections.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

func (p *Proxy) each(f func(*link)) {
	p.mu.Lock()
	links := make([]*link, 0, len(p.links))
	for l := range p.links {
		links = append(links, l)
	}
	p.mu.Unlock()
	for _, l := range links {
		f(l)
	}
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.work.Go(func() { p.forward(client) })
	}
}

func (p *Proxy) forward(client net.Conn) {
	l := &link{}
	l.server = newWire(func() {})
	l.client = newWire(l.server.reset)
	clientSide, _ := l.client.add(client) // a new wire is not cut yet
	p.mu.Lock()
	refuse := p.refuse || p.closing
	if !refuse {
		p.links[l] = struct{}{}
	}
	p.mu.Unlock()
	defer l.reset()
	if refuse {
		return
	}
	defer func() {
		p.mu.Lock()
		delete(p.links, l)
		p.mu.Unlock()
	}()
	server, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	serverSide, err := l.server.add(server)
	if err != nil { // cut while it was dialled
		return
	}
	var both sync.WaitGroup
	both.Go(func() { l.pass(serverSide, clientSide) })
	both.Go(func() { l.pass(clientSide, serverSide) })
	both.Wait()
}

// pass copies until the source ends, and passes the end on: a FIN as a FIN,
// anything else as a reset.
func (l *link) pass(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		l.reset()
		return
	}
	if c, ok := to.(*wireConn); ok {
		c.closeWrite()
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closing = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.each((*link).reset)
	p.work.Wait()
}
