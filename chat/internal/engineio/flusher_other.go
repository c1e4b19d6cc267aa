//go:build !unix

package engineio

import (
	"errors"
	"net"
	"syscall"
)

// rawConn returns nil: where a write cannot be attempted without waiting, every busy connection has a goroutine.
func rawConn(net.Conn) syscall.RawConn { return nil }

func writeOnce(uintptr, []byte) (int, error) { return 0, errors.ErrUnsupported }
