package chattest

import (
	"context"
	"net"
	"syscall"
)

// dialTCP makes a connection that the client's cuts and pauses reach.
func (c *Conn) dialTCP(ctx context.Context, network, addr string) (net.Conn, error) {
	dial := c.opts.DialContext
	if dial == nil {
		d := net.Dialer{Control: receiveBuffer(c.opts.ReadBufferBytes)}
		dial = d.DialContext
	}
	nc, err := dial(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return c.wire.add(nc)
}

// receiveBuffer sets SO_RCVBUF before the connection is made: only then does it
// bound the window that the peer is offered.
func receiveBuffer(size int) func(network, address string, c syscall.RawConn) error {
	if size <= 0 {
		return nil
	}
	return func(_, _ string, c syscall.RawConn) error {
		var err error
		if controlErr := c.Control(func(fd uintptr) { err = setReceiveBuffer(fd, size) }); controlErr != nil {
			return controlErr
		}
		return err
	}
}
