package socketio

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A pong confirms what was sent before the ping, and nothing that was sent when the socket had gone.
func TestMarkOfSocketThatHasGone(t *testing.T) {
	t.Parallel()
	h := newHistory(Recovery{MaxDisconnection: time.Minute, MaxBytes: 1000}, 0, &crowd{most: 10})
	s := &Socket{id: "a"}
	h.open(s, "")
	m := &mark{history: h, session: s.session, socket: s}
	h.settled.Store(5)
	m.pinged()
	m.ponged()
	require.Equal(t, uint64(5), s.session.confirmed.Load())
	h.leave(s, ReasonTransportClose)
	h.settled.Store(9)
	m.pinged()
	m.ponged()
	require.Equal(t, uint64(5), s.session.confirmed.Load())
}
