package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// TestProofRecovery cuts 50 clients 300 times under traffic (3,000 times with
// ECHOCHAT_PROOF=1): resets, black holes, cuts in the middle of a frame, of a
// response and of an upgrade, and attempts to come back that fail themselves.
// Whoever is told "recovered" must have every event once and in order; whoever
// is not may begin anew.
func TestProofRecovery(t *testing.T) {
	t.Parallel()
	const clients = 50
	cuts := 6 // of each client
	if os.Getenv("ECHOCHAT_PROOF") != "" {
		cuts = 60
	}
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)

	p := newRecoveryProof(t)
	stop := p.emit(clients)
	var group sync.WaitGroup
	errs := make([]error, clients)
	for i := range clients {
		group.Go(func() {
			c := &cutClient{proof: p, number: i, cuts: cuts, rand: rand.New(rand.NewPCG(seed, uint64(i)))}
			errs[i] = c.run(t.Context())
		})
	}
	p.allCut.Wait()
	stored := stop()
	close(p.quiet)
	group.Wait()
	require.NoError(t, errors.Join(errs...), "seed %d", seed)

	for _, wrong := range p.history.Check(stored) {
		t.Errorf("%s (seed %d)", wrong, seed)
	}
	recovered, anew, failed := p.recovered.Load(), p.anew.Load(), p.failed.Load()
	t.Logf("%d cuts, %d events: %d recovered, %d not, %d attempts failed", p.cut.Load(), len(stored), recovered, anew, failed)
	require.GreaterOrEqual(t, p.cut.Load(), int64(clients*cuts))
	require.NotZero(t, failed, "no attempt to come back was cut")
	require.Greater(t, recovered, 5*anew, "too few clients were recovered: one in twenty does not ask for it")
	require.NotZero(t, anew)
}

// recoveryProof is the server, the traffic and what was seen of it.
type recoveryProof struct {
	server  *socketio.Server
	url     string
	history chattest.History
	allCut  sync.WaitGroup // one for each client that is still being cut
	quiet   chan struct{}  // closed when nothing is sent any more

	cut, recovered, anew, failed atomic.Int64
}

func newRecoveryProof(t *testing.T) *recoveryProof {
	t.Helper()
	chattest.CheckLeaks(t)
	srv, err := socketio.New(quiet(),
		socketio.WithRecovery(socketio.Recovery{}),
		socketio.WithPingInterval(time.Second), socketio.WithPingTimeout(time.Second),
	)
	require.NoError(t, err)
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		if s.Recovered() {
			return // it is in its rooms
		}
		var who struct{ Number int }
		if err := s.Handshake().DecodeAuth(&who); err != nil {
			t.Errorf("auth: %v", err)
		}
		s.Join(streams(who.Number)...)
	})
	return &recoveryProof{server: srv, url: chattest.Serve(t, srv).URL, quiet: make(chan struct{})}
}

// streams are the rooms whose events a client gets: one that all are in, one
// that ten are in, and one of its own.
func streams(number int) []string {
	return []string{"all", fmt.Sprintf("group %d", number%5), fmt.Sprintf("client %d", number)}
}

// emit sends events to the rooms from three goroutines until it is stopped, and
// returns everything that was sent.
func (p *recoveryProof) emit(clients int) (stop func() []chattest.Entry) {
	p.allCut.Add(clients)
	done := make(chan struct{})
	var group sync.WaitGroup
	var sent [3][]chattest.Entry
	for e := range sent {
		group.Go(func() {
			seqs := map[string]int64{}
			tick := time.NewTicker(4 * time.Millisecond)
			defer tick.Stop()
			for n := 0; ; n++ {
				room := streams(n % clients)[e]
				seqs[room]++
				sent[e] = append(sent[e], p.send(room, seqs[room]))
				_ = p.server.To(room).Volatile().Emit("noise", room) // may be lost, and must not disturb
				select {
				case <-tick.C:
				case <-done:
					// One last event in each room, so that also who has just begun
					// anew must have one.
					for room := range seqs {
						sent[e] = append(sent[e], p.send(room, seqs[room]+1))
					}
					return
				}
			}
		})
	}
	return func() []chattest.Entry {
		close(done)
		group.Wait()
		return slices.Concat(sent[:]...)
	}
}

func (p *recoveryProof) send(room string, seq int64) chattest.Entry {
	body := fmt.Sprintf("%d of %s", seq, room)
	e := entry(room, seq, body)
	p.history.Send("", e).OK(seq)
	_ = p.server.To(room).Emit("event", room, seq, body) // what goes missing, the history tells
	return e
}

func entry(room string, seq int64, body string) chattest.Entry {
	return chattest.Entry{Room: room, Seq: seq, Sender: "server", ClientID: body, Hash: chattest.Hash([]byte(body))}
}

// cutClient is one client, cut again and again.
type cutClient struct {
	proof  *recoveryProof
	number int
	cuts   int
	rand   *rand.Rand
	tails  map[string]*chattest.Tail
	gone   []*chattest.Conn // vanished, to be closed at the end

	settled bool // no more cuts
}

func (c *cutClient) run(ctx context.Context) error {
	settle := sync.OnceFunc(c.proof.allCut.Done)
	defer settle()
	defer func() {
		for _, conn := range c.gone {
			conn.Close()
		}
	}()
	c.tails = map[string]*chattest.Tail{}
	for _, room := range streams(c.number) {
		c.tails[room] = c.proof.history.Tail(fmt.Sprintf("client %d", c.number), room)
	}
	s, err := c.connect(ctx, nil)
	if err != nil {
		return err
	}
	for range c.cuts {
		if err := c.readSome(ctx, s); err != nil {
			return err
		}
		c.cut(s)
		if s, err = c.comeBack(ctx, s); err != nil {
			return err
		}
	}
	c.settled = true
	settle()
	return c.finish(ctx, s)
}

// finish reads what is left when nothing more is sent.
func (c *cutClient) finish(ctx context.Context, s *chattest.Socket) error {
	<-c.proof.quiet
	for {
		err := s.Barrier(ctx)
		if readErr := c.readAll(s); readErr != nil {
			return readErr
		}
		if err == nil {
			s.Close()
			return nil
		}
		if s, err = c.comeBack(ctx, s); err != nil { // a false alarm of the heartbeat
			return err
		}
	}
}

// connect connects for the first time, or again as before.
func (c *cutClient) connect(ctx context.Context, before *chattest.Socket) (*chattest.Socket, error) {
	transport := chattest.Transports()[c.rand.IntN(3)]
	conn, err := chattest.Dial(ctx, c.proof.url, chattest.Options{Transport: transport})
	if err != nil {
		return nil, err
	}
	s, err := c.connectOn(ctx, conn, before)
	if err != nil {
		conn.Close()
	}
	return s, err
}

func (c *cutClient) connectOn(ctx context.Context, conn *chattest.Conn, before *chattest.Socket) (*chattest.Socket, error) {
	n := c.rand.IntN(20)
	if before == nil || n == 0 && !c.settled { // it has forgotten who it was, as a page that is loaded again
		return conn.Connect(ctx, "/", map[string]any{"number": c.number})
	}
	if n < 7 && !c.settled { // the attempt is cut, perhaps
		conn.CutAfterReading(c.rand.IntN(600))
	}
	return before.Resume(ctx, conn)
}

// readSome reads up to fifty events, or until the socket ends.
func (c *cutClient) readSome(ctx context.Context, s *chattest.Socket) error {
	for range c.rand.IntN(50) {
		e, err := s.Next(ctx)
		if err != nil {
			return ctx.Err() // else cut already
		}
		if err := c.record(e); err != nil {
			return err
		}
	}
	return nil
}

// readAll reads what has arrived.
func (c *cutClient) readAll(s *chattest.Socket) error {
	ended, cancel := context.WithCancel(context.Background())
	cancel() // takes what is there and does not wait
	for {
		e, err := s.Next(ended)
		if err != nil {
			return nil
		}
		if err := c.record(e); err != nil {
			return err
		}
	}
}

func (c *cutClient) record(e chattest.Event) error {
	if e.Name != "event" {
		return nil
	}
	var room, body string
	var seq int64
	if err := errors.Join(e.Decode(0, &room), e.Decode(1, &seq), e.Decode(2, &body)); err != nil {
		return err
	}
	tail := c.tails[room]
	if tail == nil {
		return fmt.Errorf("client %d got an event of %s", c.number, room)
	}
	tail.Receive(entry(room, seq, body))
	return nil
}

// cut breaks the connection in one of the ways in which networks do.
func (c *cutClient) cut(s *chattest.Socket) {
	c.proof.cut.Add(1)
	conn := s.Conn()
	switch c.rand.IntN(6) {
	case 0:
		conn.Reset()
	case 1: // the server notices nothing for now
		conn.Vanish()
		c.gone = append(c.gone, conn)
		return
	case 2:
		conn.CutMidFrame()
	case 3:
		conn.CutAfterReading(c.rand.IntN(300))
	case 4:
		conn.CutAfterWriting(c.rand.IntN(100))
		_ = s.Emit("anything", "to be cut")
		_ = conn.SendText(context.Background(), "3")
	case 5:
		conn.HalfClose()
	}
	timer := time.NewTimer(2 * time.Second)
	defer timer.Stop()
	select {
	case <-conn.Done():
	case <-timer.C:
	}
	conn.Close()
}

// comeBack tries until the server takes the client again.
func (c *cutClient) comeBack(ctx context.Context, before *chattest.Socket) (*chattest.Socket, error) {
	for {
		if away := c.rand.IntN(200); away > 100 {
			<-time.After(time.Duration(away) * time.Millisecond)
		}
		s, err := c.connect(ctx, before)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			c.proof.failed.Add(1)
			continue
		}
		// The application has handled what came before it reconnected.
		if err := c.readAll(before); err != nil {
			return nil, err
		}
		if s.Recovered() {
			c.proof.recovered.Add(1)
			return s, nil
		}
		c.proof.anew.Add(1)
		for _, tail := range c.tails {
			tail.Resync()
		}
		return s, nil
	}
}
