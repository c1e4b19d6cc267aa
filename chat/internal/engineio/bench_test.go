package engineio

import (
	"context"
	"fmt"
	"net"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkNewMessage(b *testing.B) {
	text := repeat('x', 100)
	b.ReportAllocs()
	for b.Loop() {
		NewMessage(text)
	}
}

// BenchmarkFanOut encodes one event, sends it to n sessions and waits until all of them have written it, to a device that
// takes everything, or answered their poll. Allocations must not depend on n.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{10, 1_000, 10_000} {
		for _, transport := range []Transport{WebSocket, Polling} {
			b.Run(fmt.Sprintf("%s/%d", transport, n), func(b *testing.B) {
				srv, sessions := benchmarkSessions(b, n, transport)
				text, body := repeat('x', 100), make([]byte, 0, 1024)
				deliver := func() {
					m := NewMessage(text)
					for _, s := range sessions {
						if !s.Send(m) {
							b.Fatal("session closed")
						}
					}
					if transport == WebSocket {
						srv.flushed()
						return
					}
					for _, s := range sessions {
						s.mu.Lock()
						q, _ := s.await(b.Context())
						s.mu.Unlock()
						body = q.pop(&srv.chunks).appendPayload(body[:0])
					}
				}
				for range 3 { // let the pools fill
					deliver()
				}
				b.ReportAllocs()
				for b.Loop() {
					deliver()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/receiver")
			})
		}
	}
}

// TestSendDoesNotAllocate is what the benchmark shows, as a test.
func TestSendDoesNotAllocate(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector makes pools forget")
	}
	for _, transport := range []Transport{WebSocket, Polling} {
		srv, sessions := benchmarkSessions(t, 100, transport)
		m := message("x")
		perReceiver := testing.AllocsPerRun(100, func() {
			for _, s := range sessions {
				s.Send(m)
			}
			srv.flushed()
			for _, s := range sessions {
				s.mu.Lock()
				s.drop()
				s.mu.Unlock()
			}
		}) / 100
		require.Less(t, perReceiver, 0.05, transport) // the garbage collector may empty a pool
	}
}

// flushed waits until no shard has anything to write.
func (srv *Server) flushed() {
	for i := range srv.shards {
		for srv.shards[i].dirty.Load() != nil {
			runtime.Gosched()
		}
	}
}

// benchmarkSessions returns open sessions without clients: those on WebSocket write to the null device, those on polling
// have an open GET.
func benchmarkSessions(t testing.TB, n int, transport Transport) (*Server, []*Session) {
	t.Helper()
	srv, err := New(Config{OnSession: func(s *Session) Handler { return newPeer(s) }})
	require.NoError(t, err)
	null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
	require.NoError(t, err)
	raw, err := null.SyscallConn()
	require.NoError(t, err)
	idle, _ := net.Pipe()
	sessions := make([]*Session, n)
	for i := range sessions {
		s := srv.newSession(&Handshake{})
		var w *wire
		if transport == WebSocket {
			w = newWire(idle, s, true)
			w.raw, w.framed = raw, true
		} else {
			s.polling.wake = make(chan struct{}, 1)
			s.polling.get = true
		}
		require.True(t, s.open(w))
		s.mu.Lock()
		s.drop()
		s.mu.Unlock()
		sessions[i] = s
	}
	t.Cleanup(func() {
		for _, s := range sessions {
			s.end(ReasonForcedClose, endDrop)
		}
		require.NoError(t, srv.Shutdown(context.Background()))
		_ = null.Close()
		_ = idle.Close()
	})
	return srv, sessions
}
