package chattest

import (
	"net"
	"sync"
	"time"
)

// wire is a set of connections that share one fate: all TCP connections of one
// client, or one that passes through a proxy.
type wire struct {
	onCut func() // called before a cut that a budget causes

	mu       sync.Mutex
	conns    map[*wireConn]struct{}
	paused   chan struct{} // not nil while nothing is read; closed to go on
	vanished bool          // bytes out are dropped, bytes in never arrive
	cut      bool          // no connection may be made any more
	toRead   int64         // bytes left until the cut; negative for no cut
	toWrite  int64
	rate     int // bytes read per second; 0 for no limit
}

func newWire(onCut func()) *wire {
	return &wire{onCut: onCut, conns: map[*wireConn]struct{}{}, toRead: -1, toWrite: -1}
}

// add takes a connection into the set.
func (w *wire) add(nc net.Conn) (net.Conn, error) {
	c := &wireConn{Conn: nc, wire: w, closed: make(chan struct{})}
	w.mu.Lock()
	cut := w.cut
	if !cut {
		w.conns[c] = struct{}{}
	}
	w.mu.Unlock()
	if cut {
		_ = nc.Close()
		return nil, ErrCut
	}
	return c, nil
}

// pause stops all reading, after the bytes that are on their way up already.
func (w *wire) pause() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused == nil {
		w.paused = make(chan struct{})
	}
}

func (w *wire) resume() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.paused != nil && !w.vanished {
		close(w.paused)
		w.paused = nil
	}
}

func (w *wire) isPaused() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.paused != nil
}

func (w *wire) vanish() {
	w.mu.Lock()
	w.vanished = true
	w.mu.Unlock()
	w.pause()
}

// cutAfter sets a budget of bytes, in or out.
func (w *wire) cutAfter(budget *int64, n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	*budget = int64(n)
}

// each calls f on every open connection, and refuses new ones if cut is set.
func (w *wire) each(cut bool, f func(*wireConn)) {
	w.mu.Lock()
	w.cut = w.cut || cut
	conns := make([]*wireConn, 0, len(w.conns))
	for c := range w.conns {
		conns = append(conns, c)
	}
	w.mu.Unlock()
	for _, c := range conns {
		f(c)
	}
}

func (w *wire) reset() { w.each(true, (*wireConn).reset) }

func (w *wire) close() { w.each(true, func(c *wireConn) { _ = c.Close() }) }

// slice returns the part of b that one read may fill.
func (w *wire) slice(b []byte) []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rate == 0 {
		return b
	}
	return b[:min(len(b), max(1, w.rate/20))]
}

// duration returns how long n bytes take at the rate.
func (w *wire) duration(n int) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.rate == 0 {
		return 0
	}
	return time.Duration(n) * time.Second / time.Duration(w.rate)
}

// spend takes n bytes from a budget and says how many of them may pass, and
// whether the connection is cut after them.
func (w *wire) spend(budget *int64, n int) (pass int, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if *budget < 0 {
		return n, false
	}
	if int64(n) < *budget {
		*budget -= int64(n)
		return n, false
	}
	pass = int(*budget)
	*budget = 0
	return pass, true
}

// wireConn is one of the connections.
type wireConn struct {
	net.Conn
	wire   *wire
	once   sync.Once
	closed chan struct{}
}

// Read waits while reading is stopped, and again before it hands over what came
// in meanwhile.
func (c *wireConn) Read(b []byte) (int, error) {
	if err := c.wait(); err != nil {
		return 0, err
	}
	n, err := c.Conn.Read(c.wire.slice(b))
	if n == 0 {
		return n, err
	}
	if err := c.pass(c.wire.duration(n)); err != nil {
		return 0, err
	}
	if err := c.wait(); err != nil {
		return 0, err
	}
	pass, cut := c.wire.spend(&c.wire.toRead, n)
	if cut {
		c.wire.onCut()
		c.wire.reset()
		return pass, ErrCut
	}
	return n, err
}

// pass lets time pass.
func (c *wireConn) pass(d time.Duration) error {
	if d == 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *wireConn) wait() error {
	c.wire.mu.Lock()
	paused := c.wire.paused
	c.wire.mu.Unlock()
	if paused == nil {
		return nil
	}
	select {
	case <-paused:
		return nil
	case <-c.closed:
		return net.ErrClosed
	}
}

func (c *wireConn) Write(b []byte) (int, error) {
	c.wire.mu.Lock()
	vanished := c.wire.vanished
	c.wire.mu.Unlock()
	if vanished {
		return len(b), nil
	}
	pass, cut := c.wire.spend(&c.wire.toWrite, len(b))
	n, err := c.Conn.Write(b[:pass])
	if cut {
		c.wire.onCut()
		c.wire.reset()
		return n, ErrCut
	}
	return n, err
}

func (c *wireConn) Close() error {
	err := net.ErrClosed
	c.once.Do(func() {
		close(c.closed)
		c.wire.mu.Lock()
		delete(c.wire.conns, c)
		c.wire.mu.Unlock()
		err = c.Conn.Close()
	})
	return err
}

// reset closes with an RST instead of a FIN where the connection is TCP.
func (c *wireConn) reset() {
	if tcp, ok := c.Conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = c.Close()
}

func (c *wireConn) closeWrite() {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}
