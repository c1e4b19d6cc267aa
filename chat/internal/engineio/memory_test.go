package engineio

import (
	"io"
	"runtime"
	"runtime/debug"
	"testing"

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
