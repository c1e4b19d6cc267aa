package socketio_test

import (
	"context"
	"math/rand/v2"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// Nothing is left of clients that have gone, in whatever way and state, on whatever transport: no goroutine, no socket,
// no room. ECHOCHAT_PROOF=1 makes it 10,000 clients, otherwise it is 3,000.
func TestProofNothingIsLeft(t *testing.T) {
	t.Parallel()
	clients := 3_000
	if os.Getenv("ECHOCHAT_PROOF") != "" {
		clients = 10_000
	}
	srv, url := serve(t, socketio.WithPingInterval(patience), socketio.WithPingTimeout(patience))
	srv.Of("/other")
	var mu sync.Mutex
	here := 0
	count := func(n int) {
		mu.Lock()
		defer mu.Unlock()
		here += n
	}
	for _, nsp := range []*socketio.Namespace{srv.Namespace, srv.Of("/other")} {
		nsp.OnConnection(func(_ context.Context, s *socketio.Socket) {
			count(1)
			s.Join("room")
			s.OnDisconnect(func(socketio.Reason) { count(-1) })
		})
		nsp.Handle("wait", func(ctx context.Context, s *socketio.Socket, _ socketio.Args, _ socketio.Ack) {
			_, _ = s.EmitWithAck(ctx, "never")
		})
	}
	var group sync.WaitGroup
	for worker := range 16 {
		group.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 2))
			for range clients / 16 {
				comeAndGo(t, url, random)
			}
		})
	}
	group.Wait()
	require.NoError(t, srv.Shutdown(ctx(t)))
	require.Zero(t, here)
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

// comeAndGo is the life of one client.
func comeAndGo(t *testing.T, url string, random *rand.Rand) {
	transports := chattest.Transports()
	conn, err := chattest.Dial(t.Context(), url, chattest.Options{Transport: transports[random.IntN(len(transports))]})
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
	switch random.IntN(5) {
	case 0:
		conn.Reset()
	case 1:
		conn.CutMidFrame()
	case 2:
		_ = s.Disconnect()
	case 3:
		_ = conn.SendText(c, "4x")
	}
}
