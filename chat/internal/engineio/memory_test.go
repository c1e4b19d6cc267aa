package engineio

import (
	"io"
	"net/http/httptest"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"
)

// A connection costs two small stacks and little else, idle and in use. The heap holds the test's own end of it, too.
// The test does not run beside others, since it measures all of the process.
func TestMemoryOfAConnection(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector needs more")
	}
	const connections = 500
	ts := newTestServer(t, Config{OnSession: func(s *Session) Handler { return echoAll{s} }})
	measure := func() (heap, stack uint64) {
		for range 3 { // a stack shrinks by half with each
			runtime.GC()
		}
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc, m.StackInuse
	}
	heapBefore, stackBefore := measure()
	clients := make([]*rawClient, connections)
	for i := range clients {
		clients[i] = ts.rawWebSocket(t)
		clients[i].r = nil // its buffer is the test's
	}
	check := func(what string) {
		heap, stack := measure()
		heap, stack = (heap-heapBefore)/connections, (stack-stackBefore)/connections
		t.Logf("%s: %d bytes of stack and %d of heap per connection", what, stack, heap)
		require.Less(t, stack, uint64(8<<10), what)
		require.Less(t, heap, uint64(7<<10), what)
	}
	check("idle")
	for range 20 {
		for _, c := range clients {
			c.send(frame(0x81, "4"+string(repeat('x', 100))))
		}
	}
	echoes := make([]byte, 20*(2+1+100))
	for _, c := range clients {
		_, err := io.ReadFull(c.conn, echoes)
		require.NoError(t, err)
	}
	check("in use")
	runtime.KeepAlive(clients)
}

// Whatever a client wraps a small packet in, a handler that keeps the packet keeps no more.
func TestMemoryOfASmallPacket(t *testing.T) {
	const size, messages = 200_000, 50
	filler := strings.Repeat("6\x1e", size/2)
	for name, body := range map[string]string{
		"text before noops":   "4keep\x1e" + filler[:size-1],
		"text after noops":    filler + "4keep",
		"base64, line breaks": "b" + strings.Repeat("\n", size) + "AQID",
	} {
		kept := make(keeper, 2*messages)
		ts := newTestServer(t, Config{OnSession: func(*Session) Handler { return kept }})
		p := ts.openPolling(t)
		var c *client
		if name[0] == 'b' {
			c = ts.openWebSocket(t)
		}
		heap := func() uint64 {
			runtime.GC()
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before := heap()
		for len(kept) < messages {
			require.Equal(t, "ok", p.post(body).body, name)
		}
		if c != nil {
			for range messages {
				c.write(body)
			}
			c.write("2") // ends the session, so that all has been handled
			c.readClose()
		}
		grown := int64(heap()) - int64(before)
		t.Logf("%s: %d packets keep %d bytes", name, len(kept), grown)
		require.Less(t, grown, int64(messages*size/5), name)
		runtime.KeepAlive(kept)
	}
}

// keeper is a Handler that keeps what it is given.
type keeper chan []byte

func (k keeper) Text(data []byte)   { k <- data }
func (k keeper) Binary(data []byte) { k <- data }
func (k keeper) Closed(Reason)      {}

// A session that has ended holds nothing of what it did not deliver, should somebody keep it.
func TestMemoryOfAClosedSession(t *testing.T) {
	writers(t, func(t *testing.T, cfg Config, options ...func(*httptest.Server)) {
		cfg.linger = 50 * time.Millisecond
		ts := newTestServer(t, cfg, append(options, smallWriteBuffers)...)
		c := dialWith(t, ts, len(options) > 0, 4<<10)
		c.read()
		p := ts.peer(t)
		s := p.session
		for range 30 {
			require.True(t, s.Send(NewMessage(repeat('x', 30_000))))
		}
		eventually(t, "a full socket", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.wire.busy && s.queue.len > 0
		})
		// The server sees the client go, and would still send for a moment.
		require.NoError(t, c.WriteControl(websocket.CloseMessage, nil, time.Now().Add(patience)))
		require.Equal(t, ReasonTransportClose, receive(t, p.closed, "the close"))
		eventually(t, "an empty queue", func() bool {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.queue.len == 0 && s.packets == 0
		})
	})
}
