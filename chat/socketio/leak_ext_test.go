package socketio_test

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// Nothing is left of clients that have gone, in whatever way and state, over polling, WebSocket and upgrades: no socket, no
// room, and exactly as many goroutines as before. It does not run beside other tests, since it counts all of them.
// ECHOCHAT_PROOF=1 makes it 10,000 clients, otherwise it is 300.
func TestProofNothingIsLeft(t *testing.T) {
	clients := 300
	if os.Getenv("ECHOCHAT_PROOF") != "" {
		clients = 10_000
	}
	before := goroutines()
	t.Run("clients", func(t *testing.T) { comeAndGo(t, clients) })
	for deadline := time.Now().Add(patience); goroutines() != before && time.Now().Before(deadline); {
		t.Log("some goroutines have not ended yet")
	}
	require.Equal(t, before, goroutines())
}

// goroutines returns how many there are, once those that are about to end have had the time to.
func goroutines() int {
	least := runtime.NumGoroutine()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for range 20 {
		<-tick.C
		least = min(least, runtime.NumGoroutine())
	}
	return least
}

func comeAndGo(t *testing.T, clients int) {
	srv, url := serve(t, socketio.WithPingInterval(patience), socketio.WithPingTimeout(patience))
	srv.Of("/other")
	var here, ever atomic.Int64
	for _, nsp := range []*socketio.Namespace{srv.Namespace, srv.Of("/other")} {
		nsp.OnConnection(func(_ context.Context, s *socketio.Socket) {
			here.Add(1)
			ever.Add(1)
			s.Join("room")
			s.OnDisconnect(func(socketio.Reason) { here.Add(-1) })
		})
		nsp.Handle("wait", func(ctx context.Context, s *socketio.Socket, _ socketio.Args, _ socketio.Ack) {
			_, _ = s.EmitWithAck(ctx, "never")
		})
	}
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 2))
			for n := worker; n < clients; n += 16 {
				transports := chattest.Transports()
				live(t, url, transports[n/16%len(transports)], random)
			}
		})
	}
	group.Wait()
	require.NoError(t, srv.Shutdown(ctx(t)))
	require.Zero(t, here.Load())
	require.Greater(t, ever.Load(), int64(clients/2))
	require.Zero(t, srv.Connections())
	require.Empty(t, srv.Sockets())
	require.Empty(t, srv.Rooms())
}

// What waits for its attachments goes with the connection.
func TestNothingIsLeftOfAttachments(t *testing.T) {
	t.Parallel()
	srv, url := serve(t)
	connected := connections(srv)
	conn := raw(t, url)
	require.NoError(t, conn.SendText(t.Context(), "40"))
	ended := make(chan socketio.Reason, 1)
	s := receive(t, connected)
	s.OnDisconnect(func(reason socketio.Reason) { ended <- reason })
	server := socketio.WeakConn(s)
	require.NoError(t, conn.SendText(t.Context(), `452-["a",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]`))
	require.NoError(t, conn.SendBinary(t.Context(), make([]byte, 1000)))
	conn.Close()
	require.Equal(t, socketio.ReasonTransportClose, receive(t, ended))
	require.Eventually(t, func() bool { runtime.GC(); return server.Value() == nil }, patience, time.Millisecond)
}

// live is the life of one client.
func live(t *testing.T, url string, transport chattest.Transport, random *rand.Rand) {
	conn, err := chattest.Dial(t.Context(), url, chattest.Options{Transport: transport})
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close()
	c := ctx(t)
	if random.IntN(10) == 0 { // gone before it was anywhere
		conn.Reset()
		return
	}
	s, err := conn.Connect(c, "/", nil)
	if err != nil {
		t.Error(err)
		return
	}
	if random.IntN(5) == 0 {
		if _, err := conn.Connect(c, "/other", nil); err != nil {
			t.Error(err)
		}
	}
	if random.IntN(2) == 0 {
		_ = s.Emit("wait")
	}
	if transport == chattest.Upgrade && random.IntN(2) == 0 { // else it ends in the middle of it, perhaps
		if err := conn.WaitUpgrade(c); err != nil {
			t.Error(err)
		}
	}
	switch random.IntN(6) {
	case 0:
		conn.Reset()
	case 1:
		conn.CutMidFrame()
	case 2:
		_ = s.Disconnect()
	case 3:
		_ = conn.SendText(c, "4x")
	case 4: // the server's middle of something
		conn.CutAfterReading(random.IntN(100))
		_ = s.Emit("wait")
	}
}
