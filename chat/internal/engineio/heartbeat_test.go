package engineio

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func TestHeartbeatOnPolling(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		for range 5 {
			start := time.Now()
			require.Equal(t, "2", b.get().body)
			b.about(25*time.Second, time.Since(start))
			require.Equal(t, "ok", b.post("3").body)
		}
		require.Equal(t, "2", b.get().body)
		go b.get()
		b.closedAfter(20*time.Second, ReasonPingTimeout)
		require.Equal(t, 400, b.get().status)
	})
}

// A pong that nobody asked for proves nothing.
func TestPulse(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		require.Equal(t, "ok", b.post("3").body)
		for n := range int32(3) {
			require.Equal(t, n, b.peer.pings.Load())
			require.Equal(t, "2", b.get().body)
			require.Equal(t, n+1, b.peer.pings.Load())
			require.Equal(t, n, b.peer.pongs.Load())
			require.Equal(t, "ok", b.post("3").body)
			require.Equal(t, "ok", b.post("3").body)
			require.Equal(t, n+1, b.peer.pongs.Load())
		}
	})
}

func TestHeartbeatOnWebSocket(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, r := b.openWebSocket()
		for range 5 {
			start := time.Now()
			_, content, err := readFrame(r)
			require.NoError(t, err)
			require.Equal(t, "2", string(content))
			b.about(25*time.Second, time.Since(start))
			_, _ = conn.Write([]byte(frame(0x81, "3")))
		}
		_, _, err := readFrame(r)
		require.NoError(t, err)
		go func() { _, _ = io.Copy(io.Discard, r) }()
		b.closedAfter(20*time.Second, ReasonPingTimeout)
		_ = conn.Close()
	})
}

// Another packet while a pong is outstanding extends the wait, once per ping, as in Node's server.
func TestOtherPacketsExtendTheWaitOnce(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		require.Equal(t, "2", b.get().body)
		go b.get()
		for range 3 {
			time.Sleep(5 * time.Second)
			require.Equal(t, "ok", b.post("4x").body)
		}
		b.closedAfter(10*time.Second, ReasonPingTimeout) // 5 s after the ping, plus 20 s
	})
}

// While the handler runs nothing is read, a pong neither, and the clock stands still.
func TestHeartbeatWhileTheHandlerBlocks(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, r := b.openWebSocket()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		release := make(chan struct{})
		b.peer.onText = func(*peer, []byte) { <-release }

		_, _ = conn.Write([]byte(frame(0x81, "4block")))
		time.Sleep(10 * time.Minute)
		require.Equal(t, 1, b.srv.Sessions())
		release <- struct{}{}
		time.Sleep(19 * time.Second)
		require.Equal(t, 1, b.srv.Sessions(), "the client has its time to answer again")
		_, _ = conn.Write([]byte(frame(0x81, "3")))
		time.Sleep(24 * time.Second)
		require.Equal(t, 1, b.srv.Sessions())

		time.Sleep(2 * time.Second) // a ping is out, for 1 s
		_, _ = conn.Write([]byte(frame(0x81, "4block")))
		time.Sleep(time.Minute)
		release <- struct{}{}
		b.closedAfter(20*time.Second, ReasonPingTimeout) // the packet has extended the wait
		_ = conn.Close()
	})
}

// What a panic in a Pulse ends is its session. The heartbeat runs in a goroutine of its own, where nobody else would
// recover it.
func TestPulseThatPanics(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"Pinged", "Ponged"} {
		for _, transport := range []Transport{Polling, WebSocket} {
			t.Run(when+" on "+string(transport), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					closed := make(chan Reason, 1)
					srv, err := New(Config{
						Logger:    slog.New(slog.DiscardHandler),
						OnSession: func(*Session) Handler { return panickyPulse{when, closed} },
					})
					require.NoError(t, err)
					b := &bubble{t: t, srv: srv}
					if transport == Polling {
						b.openPolling()
						go func() {
							if b.get().body == "2" {
								b.post("3")
							}
						}()
					} else {
						conn, _ := b.openWebSocket()
						defer conn.Close()
						go func() { _, _ = io.Copy(io.Discard, conn) }()
						time.Sleep(26 * time.Second)
						_, _ = conn.Write([]byte(frame(0x81, "3")))
					}
					require.Equal(t, ReasonForcedClose, <-closed)
					time.Sleep(time.Minute)
					require.Zero(t, srv.melody.Len(), "Melody forgets the connection, too")
					require.NoError(t, srv.Shutdown(context.Background()))
				})
			})
		}
	}
}

type panickyPulse struct {
	when   string
	closed chan Reason
}

func (p panickyPulse) Text([]byte)          {}
func (p panickyPulse) Binary([]byte)        {}
func (p panickyPulse) Closed(reason Reason) { p.closed <- reason }
func (p panickyPulse) Pinged()              { p.panicIn("Pinged") }
func (p panickyPulse) Ponged()              { p.panicIn("Ponged") }
func (p panickyPulse) panicIn(when string) {
	if p.when == when {
		panic(when)
	}
}
