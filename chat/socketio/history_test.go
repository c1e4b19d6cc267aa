package socketio

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/internal/engineio"
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

// A diary says what the stays themselves say.
func TestDiary(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	v := &session{sid: "own"}
	for position := range uint64(500) {
		room := fmt.Sprint(random.IntN(5))
		switch random.IntN(3) {
		case 0:
			v.enter(room, position, 0)
		case 1:
			v.exit(room, position)
		}
	}
	wasIn := v.diary()
	for position := range uint64(502) {
		for room := range 6 {
			room := fmt.Sprint(room)
			require.Equal(t, v.wasIn(room, position), wasIn(room, position), "%s at %d", room, position)
		}
		require.True(t, wasIn("own", position))
	}
}

// Finding out what a client has missed holds up its namespace: it must be quick also for one that was in and out of
// rooms as often as it is remembered, and missed as many events as are kept.
func BenchmarkMissed(b *testing.B) {
	h := newHistory(Recovery{MaxDisconnection: time.Hour, MaxBytes: 16 << 20}, 0, &crowd{most: 10})
	s := &Socket{id: "a"}
	h.open(s, "")
	m := engineio.NewMessage([]byte(`2["x"]`))
	for i := range 50_000 {
		h.position++
		h.entries = append(h.entries, entry{h.position, time.Now(), m, to(fmt.Sprintf("room %d", 5000+i%1000))})
		if i%50 == 0 {
			room := fmt.Sprintf("room %d", 1000+i/50)
			s.session.enter(room, h.position, 0)
			s.session.exit(room, h.position)
		}
	}
	for b.Loop() {
		h.missed(s.session, 0, nil, 1<<20, 4096)
	}
}
