//go:build unix

package engineio

import (
	"net"
	"syscall"
)

// rawConn returns access to the socket of a plain connection, whose writes can be attempted without waiting, or nil.
func rawConn(conn net.Conn) syscall.RawConn {
	switch conn.(type) {
	case *net.TCPConn, *net.UnixConn:
		if raw, err := conn.(syscall.Conn).SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// writeOnce writes what the socket takes at once, which may be nothing.
func writeOnce(fd uintptr, b []byte) (int, error) {
	for {
		n, err := syscall.Write(int(fd), b)
		switch err { //nolint:errorlint // a bare errno by contract
		case nil:
			return n, nil
		case syscall.EINTR:
			continue
		case syscall.EAGAIN:
			return 0, nil
		}
		return 0, err
	}
}
