package chattest

import (
	"fmt"
	"net"
)

// Reset cuts every TCP connection of the client at once, with an RST.
func (c *Conn) Reset() {
	c.fail(ErrCut)
	c.wire.reset()
}

// Vanish makes the client disappear without a word: for the client the
// connection is over, but nothing is closed, so that only the server's own clock
// can notice. [Conn.Close] frees what is left.
func (c *Conn) Vanish() {
	c.wire.vanish()
	c.end(ErrCut)
}

// HalfClose closes the sending side of every TCP connection and goes on
// reading.
func (c *Conn) HalfClose() { c.wire.each(false, (*wireConn).closeWrite) }

// CutAfterReading cuts as [Conn.Reset] does after n more bytes have come in,
// most likely in the middle of a frame or a response.
func (c *Conn) CutAfterReading(n int) {
	c.wire.cutAfter(&c.wire.toRead, n)
}

// CutAfterWriting cuts as [Conn.Reset] does after n more bytes have gone out.
func (c *Conn) CutAfterWriting(n int) {
	c.wire.cutAfter(&c.wire.toWrite, n)
}

// CutMidFrame sends the beginning of a frame, or of a POST while polling, that
// announces more than follows, and then cuts as [Conn.Reset] does.
func (c *Conn) CutMidFrame() {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	ws := c.ws
	c.mu.Unlock()
	if ws != nil {
		// A final text frame, masked, 1,000 bytes long, of which 5 follow.
		_, _ = ws.NetConn().Write([]byte{0x81, 0xfe, 0x03, 0xe8, 0, 0, 0, 0, '4', '2', '[', '"', 'c'})
	} else if nc, err := c.dialTCP(c.ctx, "tcp", hostPort(c.url.Host, c.url.Scheme)); err == nil {
		_, _ = fmt.Fprintf(nc, "POST %s HTTP/1.1\r\nHost: %s\r\nContent-Type: text/plain\r\nContent-Length: 1000\r\n\r\n42[\"c",
			c.address(Polling)[len(c.url.Scheme+"://"+c.url.Host):], c.url.Host)
	}
	c.Reset()
}

func hostPort(host, scheme string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(host, map[string]string{"http": "80", "https": "443"}[scheme])
}

// StopReading makes a slow reader: what the server sends stays in the kernel's
// buffers, then in the server's. Pings are not seen any more either.
func (c *Conn) StopReading() { c.wire.pause() }

// ResumeReading undoes [Conn.StopReading].
func (c *Conn) ResumeReading() { c.wire.resume() }

// LimitReading makes a reader that takes so many bytes a second, on each TCP
// connection; 0 lifts the limit.
func (c *Conn) LimitReading(bytesPerSecond int) {
	c.wire.mu.Lock()
	defer c.wire.mu.Unlock()
	c.wire.rate = bytesPerSecond
}
