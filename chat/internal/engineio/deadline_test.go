package engineio

import (
	"context"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A client on polling that does not come back for what is queued is closed before its heartbeat fails.
func TestClientThatStopsPolling(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		b.peer.session.Send(message("x"))
		b.closedAfter(20*time.Second, ReasonSlowClient) // 10 to 20 s: it is looked for every 10 s
	})
}

func TestClientThatNeverPolls(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		b.closedAfter(40*time.Second, ReasonSlowClient) // the ping at 25 s is what it does not fetch
	})
}

// A closed session is remembered for its last packets, but not for long.
func TestLastPollDoesNotCome(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		b.peer.session.Close(ReasonForcedClose)
		b.closedAfter(0, ReasonForcedClose)
		time.Sleep(9 * time.Second)
		require.NotNil(t, b.srv.lookup(b.sid))
		time.Sleep(2 * time.Second)
		require.Nil(t, b.srv.lookup(b.sid))
	})
}

// A probe that takes too long is closed, and the session stays where it is.
func TestUpgradeTimeout(t *testing.T) {
	for _, send := range []string{"", frame(0x81, "2probe"), frame(0x81, "2probe")[:4]} {
		t.Run(fmt.Sprintf("%q", send), func(t *testing.T) {
			inBubble(t, Config{}, func(b *bubble) {
				b.openPolling()
				conn, r := b.dial(wsQuery + "&sid=" + b.sid)
				start := time.Now()
				go func() { _, _ = conn.Write([]byte(send)) }()
				_, err := io.Copy(io.Discard, r)
				require.NoError(t, err)
				b.about(10*time.Second, time.Since(start))
				require.Equal(t, "ok", b.post("4still here").body)
				require.Equal(t, "still here", <-b.peer.texts)
				conn, r = b.dial(wsQuery + "&sid=" + b.sid)
				_, _ = conn.Write([]byte(frame(0x81, "2probe")))
				_, content, err := readFrame(r)
				require.NoError(t, err)
				require.Equal(t, "3probe", string(content), "another attempt may succeed")
				_ = conn.Close()
			})
		})
	}
}

// A message may take its time, but not for ever, however it is dripped.
func TestMessageThatIsDripped(t *testing.T) {
	inBubble(t, Config{PingInterval: time.Hour}, func(b *bubble) {
		conn, r := b.openWebSocket()
		go func() { _, _ = io.Copy(io.Discard, r) }()

		slow := frame(0x81, "4slow message")
		for i := range slow { // in 26 s
			_, _ = conn.Write([]byte{slow[i]})
			time.Sleep(26 * time.Second / time.Duration(len(slow)))
		}
		require.Equal(t, "slow message", <-b.peer.texts)
		time.Sleep(time.Minute)
		_, _ = conn.Write([]byte(frame(0x01, "4begun")))
		go func() { // pongs and fragments show that the client lives, and do not help it
			for {
				time.Sleep(time.Second)
				if _, err := conn.Write([]byte(frame(0x8A, "") + frame(0x00, "x"))); err != nil {
					return
				}
			}
		}()
		b.closedAfter(30*time.Second, ReasonTransportError)
		_ = conn.Close()
	})
}

// A client that takes nothing is closed, and so is one that takes so little that it never catches up.
func TestClientThatStopsReading(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, _ := b.openWebSocket()
		for range 10 {
			b.peer.session.Send(message("x"))
		}
		require.False(t, func() bool { synctest.Wait(); return b.peer.session.SendVolatile(message("volatile")) }())
		b.closedAfter(10*time.Second, ReasonSlowClient)
		_ = conn.Close()
	})
}

func TestClientThatReadsTooSlowly(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, _ := b.openWebSocket()
		for range 100 {
			b.peer.session.Send(NewMessage(repeat('x', 10000)))
		}
		go func() { // a message every 2 s; 100 would take 200 s
			buf := make([]byte, 10000)
			for {
				if _, err := io.ReadFull(conn, buf); err != nil {
					return
				}
				time.Sleep(2 * time.Second)
			}
		}()
		b.closedAfter(12*time.Second, ReasonSlowClient) // 10 s from when the first was gone, which found no queue
		_ = conn.Close()
	})
}

// A client that reads slowly but keeps up is left alone.
func TestClientThatKeepsUp(t *testing.T) {
	inBubble(t, Config{PingInterval: time.Hour}, func(b *bubble) {
		conn, r := b.openWebSocket()
		for range 100 {
			for range 5 {
				b.peer.session.Send(message("x"))
			}
			time.Sleep(4 * time.Second)
			for range 5 {
				_, _, err := readFrame(r)
				require.NoError(t, err)
			}
		}
		require.Equal(t, 1, b.srv.Sessions())
		_ = conn.Close()
		<-b.peer.closed
	})
}

func TestShutdownOnAFakeClock(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, r := b.openWebSocket()
		b.peer.session.Send(message("last"))
		done := make(chan error, 1)
		go func() { done <- b.srv.Shutdown(context.Background()) }()
		_, content, err := readFrame(r)
		require.NoError(t, err)
		require.Equal(t, "4last", string(content))
		first, content, err := readFrame(r)
		require.NoError(t, err)
		require.Equal(t, byte(0x88), first)
		require.Equal(t, "\x03\xf4server shutting down", string(content))
		require.Equal(t, ReasonServerShutdown, <-b.peer.closed)
		require.Equal(t, 503, b.do("GET", pollQuery, "").status)
		start := time.Now()
		require.NoError(t, <-done)
		require.LessOrEqual(t, time.Since(start), lingerTime, "a client that does not answer the close is not waited for")
		_ = conn.Close()
	})
}

// When the context ends, what is left is cut.
func TestShutdownIsCutShort(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, _ := b.openWebSocket()
		b.peer.session.Send(NewMessage(repeat('x', 1000)))
		synctest.Wait()
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, b.srv.Shutdown(ctx), context.DeadlineExceeded)
		synctest.Wait()
		_, err := io.Copy(io.Discard, conn)
		require.NoError(t, err, "end of file")
		require.NoError(t, b.srv.Shutdown(context.Background()), "all are gone now")
	})
}

// The time that a handler takes is not time that the next message takes, of which some may have come already.
func TestHandlerThatOutlastsTheReadTimeout(t *testing.T) {
	inBubble(t, Config{PingInterval: time.Hour}, func(b *bubble) {
		conn, r := b.openWebSocket()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		release := make(chan struct{})
		b.peer.onText = func(p *peer, data []byte) {
			if string(data) == "block" {
				<-release
			}
			p.texts <- string(data)
		}
		next := frame(0x81, "4next")
		_, _ = conn.Write([]byte(frame(0x81, "4block") + next[:8]))
		time.Sleep(10 * time.Minute)
		release <- struct{}{}
		time.Sleep(29 * time.Second)
		_, _ = conn.Write([]byte(next[8:]))
		require.Equal(t, "block", <-b.peer.texts)
		require.Equal(t, "next", <-b.peer.texts)

		_, _ = conn.Write([]byte(frame(0x81, "4x") + next[:8]))
		b.closedAfter(30*time.Second, ReasonTransportError)
		_ = conn.Close()
	})
}

// A control frame may come in pieces like any other. Once it is complete there is nothing to wait for.
func TestPingInPieces(t *testing.T) {
	inBubble(t, Config{PingInterval: time.Hour}, func(b *bubble) {
		conn, r := b.openWebSocket()
		go func() { _, _ = io.Copy(io.Discard, r) }()
		ping := frame(0x89, "ping")
		for i := range ping {
			_, _ = conn.Write([]byte{ping[i]})
		}
		synctest.Wait()
		require.Zero(t, b.srv.inbound.used.Load())
		time.Sleep(30 * time.Minute)
		_, err := conn.Write([]byte(frame(0x81, "4x")))
		require.NoError(t, err)
		require.Equal(t, "x", <-b.peer.texts)

		_, _ = conn.Write([]byte(ping[:3])) // and a part of one may not stay that for ever
		b.closedAfter(30*time.Second, ReasonTransportError)
		_ = conn.Close()
	})
}

// However a session ends, its connection has a limited time to go, whatever the client still sends.
func TestConnectionOutlivesItsSession(t *testing.T) {
	inBubble(t, Config{PingInterval: time.Hour}, func(b *bubble) {
		conn, _ := b.openWebSocket()
		b.peer.session.end(ReasonTransportClose, endGone)
		for _, part := range []string{frame(0x81, "4x")[:4], frame(0x81, "4x")[4:]} {
			_, err := conn.Write([]byte(part))
			require.NoError(t, err)
		}
		synctest.Wait()
		start := time.Now()
		_, err := io.Copy(io.Discard, conn)
		require.NoError(t, err)
		require.LessOrEqual(t, time.Since(start), lingerTime)
	})
}

// The client hears nothing of a session before OnSession has returned.
func TestOnSessionComesFirst(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		admit := make(chan struct{})
		srv, err := New(Config{OnSession: func(s *Session) Handler { <-admit; return newPeer(s) }})
		require.NoError(t, err)
		b := &bubble{t: t, srv: srv}
		conn, r := b.dial(wsQuery)
		defer conn.Close()
		open := make(chan string)
		go func() {
			_, content, _ := readFrame(r)
			open <- string(content)
			_, _ = io.Copy(io.Discard, r)
		}()
		synctest.Wait()
		select {
		case early := <-open:
			require.Fail(t, "too early", early)
		default:
		}
		close(admit)
		sidOf(t, <-open)
		_ = conn.Close()
		require.NoError(t, srv.Shutdown(context.Background()))
	})
}

// A poll that came before the answer to the one before it was known to be taken gets what comes next.
func TestPollsInQuickSuccession(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		s := b.peer.session
		taken := make(chan struct{})
		s.Send(message("first"))
		go b.srv.ServeHTTP(slowWriter{writer{ResponseRecorder: httptest.NewRecorder()}, taken},
			httptest.NewRequest("GET", "/?"+pollQuery+"&sid="+b.sid, nil))
		synctest.Wait()
		second := make(chan answer, 1)
		go func() { second <- b.get() }()
		synctest.Wait()
		require.False(t, s.SendVolatile(message("volatile")))
		s.Send(message("second"))
		synctest.Wait()
		require.Empty(t, second)
		close(taken)
		require.Equal(t, "4second", (<-second).body)
	})
}

// slowWriter is a ResponseWriter whose client takes its time.
type slowWriter struct {
	writer
	taken chan struct{}
}

func (w slowWriter) FlushError() error { <-w.taken; return nil }

// A client that makes the server answer pings and does not read the answers is closed before they add up.
func TestPongsThatAreNotRead(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		conn, _ := b.openWebSocket()
		start := time.Now()
		ping := frame(0x89, strings.Repeat("x", 125))
		for err := error(nil); err == nil && time.Since(start) < time.Minute; time.Sleep(100 * time.Millisecond) {
			_, err = conn.Write([]byte(ping))
			b.peer.session.mu.Lock()
			require.LessOrEqual(t, len(b.peer.session.wire.control), maxControlBytes)
			b.peer.session.mu.Unlock()
		}
		require.Equal(t, ReasonTransportError, <-b.peer.closed)
		require.Less(t, time.Since(start), 5*time.Second)
		_ = conn.Close()
	})
}

// A session that waits for its last poll is not waited for either, once the context has ended.
func TestShutdownDoesNotWaitForAPoll(t *testing.T) {
	inBubble(t, Config{}, func(b *bubble) {
		b.openPolling()
		b.peer.session.Send(message("last"))
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		require.ErrorIs(t, b.srv.Shutdown(ctx), context.Canceled)
		start := time.Now()
		require.NoError(t, b.srv.Shutdown(context.Background()))
		require.Zero(t, time.Since(start))
		require.Empty(t, b.srv.all())
		require.Equal(t, 400, b.get().status)
	})
}
