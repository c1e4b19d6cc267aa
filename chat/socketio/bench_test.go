package socketio

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// poller is a client that polls when told to, without a network.
type poller struct {
	srv   *Server
	query string
}

func newPoller(tb testing.TB, srv *Server) *poller {
	tb.Helper()
	p := &poller{srv: srv, query: "/socket.io/?EIO=4&transport=polling"}
	var open struct{ SID string }
	require.NoError(tb, json.Unmarshal([]byte(p.do("GET", "")[1:]), &open))
	p.query += "&sid=" + open.SID
	p.do("POST", "40")
	p.do("GET", "") // the server's CONNECT
	return p
}

// recorder is a ResponseWriter that can do what net/http's can, or says so.
type recorder struct{ *httptest.ResponseRecorder }

func (recorder) SetReadDeadline(time.Time) error  { return nil }
func (recorder) SetWriteDeadline(time.Time) error { return nil }
func (recorder) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, errors.ErrUnsupported
}

func (p *poller) do(method, body string) string {
	w := recorder{httptest.NewRecorder()}
	p.srv.ServeHTTP(w, httptest.NewRequest(method, p.query, strings.NewReader(body)))
	return w.Body.String()
}

// benchServer is a server with so many clients, all in one room.
func benchServer(tb testing.TB, clients int, opts ...Option) (*Server, []*poller) {
	tb.Helper()
	srv, err := New(append(opts, WithSendBuffer(1<<40, 1<<40), WithPingInterval(time.Hour),
		WithLogger(slog.New(slog.NewTextHandler(io.Discard, nil))))...)
	require.NoError(tb, err)
	srv.OnConnection(func(_ context.Context, s *Socket) { s.Join("room") })
	pollers := make([]*poller, clients)
	for i := range pollers {
		pollers[i] = newPoller(tb, srv)
	}
	require.Eventually(tb, func() bool { return srv.Rooms()["room"] == clients }, 10*time.Second, time.Millisecond)
	tb.Cleanup(func() {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_ = srv.Shutdown(ctx)
	})
	return srv, pollers
}

type benchMessage struct {
	ID     string `json:"id"`
	RoomID string `json:"room_id"`
	Seq    int64  `json:"seq"`
	Text   string `json:"text"`
}

func newBenchMessage() benchMessage {
	return benchMessage{"0193a2c1-7d5e-7c3a-9f40-2f1f6f0e8d11", "general", 12345, strings.Repeat("x", 100)}
}

func BenchmarkEncode(b *testing.B) {
	var e encoders
	m := newBenchMessage()
	for name, args := range map[string][]any{
		"struct": {m},
		"map":    {map[string]any{"id": m.ID, "text": m.Text}},
		"text":   {m.Text},
		"binary": {struct{ Data []byte }{[]byte(m.Text)}},
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				out, err := e.event("/", nil, "message.new", args, "")
				if err != nil {
					b.Fatal(err)
				}
				out.message()
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	text := []byte(`212["message.send",{"room_id":"general","text":"` + strings.Repeat("x", 100) + `"}]`)
	b.ReportAllocs()
	for b.Loop() {
		p, err := parsePacket(text, limits{attachments: 10, bytes: 1 << 20})
		if err != nil {
			b.Fatal(err)
		}
		var in benchMessage
		if err := p.args.Decode(0, &in); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBroadcast sends an event to a room. The work of the transports is not in it, and nobody reads: what is allocated are the
// pages of the queues, one for 31 messages of a receiver. BenchmarkFanOut of package engineio has readers, and no such pages.
func BenchmarkBroadcast(b *testing.B) {
	for _, clients := range []int{10, 1_000, 10_000} {
		for name, opts := range map[string][]Option{
			"": nil, "/recovery": {WithRecovery(Recovery{MaxBytes: 1 << 20})},
		} {
			b.Run(fmt.Sprint(clients, name), func(b *testing.B) {
				srv, pollers := benchServer(b, clients, opts...)
				m, to := newBenchMessage(), srv.To("room")
				b.ReportAllocs()
				n := 0
				for b.Loop() {
					if err := to.Emit("message.new", m); err != nil {
						b.Fatal(err)
					}
					if n++; n%1000 == 0 { // or the queues grow without end
						b.StopTimer()
						for _, p := range pollers {
							p.do("GET", "")
						}
						b.StartTimer()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*clients), "ns/receiver")
			})
		}
	}
}

// BenchmarkRoundTrip is an event with an acknowledgement, from the decoder to the queue.
func BenchmarkRoundTrip(b *testing.B) {
	srv, pollers := benchServer(b, 1)
	done := make(chan struct{})
	On(srv, "message.send", func(_ context.Context, _ *Socket, in benchMessage) (benchMessage, error) {
		return in, nil
	})
	srv.Handle("done", func(context.Context, *Socket, Args, Ack) { done <- struct{}{} })
	c := srv.Sockets()[0].conn
	text := []byte(`212["message.send",{"room_id":"general","text":"` + strings.Repeat("x", 100) + `"}]`)
	b.ReportAllocs()
	n := 0
	for b.Loop() {
		c.Text(text)
		if n++; n%1000 == 0 {
			c.Text([]byte(`2["done"]`))
			<-done
			b.StopTimer()
			pollers[0].do("GET", "")
			b.StartTimer()
		}
	}
}

// BenchmarkIdleSocket measures what one connected client costs above its transport's session.
func BenchmarkIdleSocket(b *testing.B) {
	const clients = 2_000
	for b.Loop() {
		before := heapInUse()
		srv, pollers := benchServer(b, clients)
		after := heapInUse()
		b.ReportMetric(float64(after-before)/clients, "B/client")
		runtime.KeepAlive(srv)
		runtime.KeepAlive(pollers)
	}
}

func heapInUse() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc + m.StackInuse
}

// Nothing is allocated per receiver of a broadcast.
func TestBroadcastAllocations(t *testing.T) {
	few, _ := benchServer(t, 10)
	many, _ := benchServer(t, 1_000)
	allocations := func(srv *Server) float64 {
		m, to := newBenchMessage(), srv.To("room")
		return testing.AllocsPerRun(100, func() { to.Emit("message.new", m) }) //nolint:errcheck // it can be encoded
	}
	require.InDelta(t, allocations(few), allocations(many), 1000.0/31+10, "but for the pages of the queues")
}
