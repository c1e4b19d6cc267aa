package socketio_test

import (
	"context"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

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
