package chat_test

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// killEnv makes the test binary a chat server on the database it names.
const killEnv = "ECHOCHAT_TEST_SERVE"

func TestMain(m *testing.M) {
	if path := os.Getenv(killEnv); path != "" {
		fmt.Fprintln(os.Stderr, serveUntilKilled(path))
		os.Exit(1)
	}
	status := m.Run()
	all := flag.Lookup("test.run").Value.String()+flag.Lookup("test.skip").Value.String() == ""
	if status == 0 && all && !everythingSeen() {
		status = 1
	}
	os.Exit(status)
}

// everythingSeen says whether the tests have used the whole API, and what they have left out.
func everythingSeen() bool {
	c, err := theContract()
	if err != nil {
		return false
	}
	missing := c.unseen()
	for _, what := range missing {
		fmt.Fprintf(os.Stderr, "no test has seen %s succeed\n", what)
	}
	return len(missing) == 0
}

func serveUntilKilled(path string) error {
	st, err := store.Open(path)
	if err != nil {
		return err
	}
	c, err := chat.New(st, chat.WithTokenAuth(byName), chat.WithOpenRooms())
	if err != nil {
		return err
	}
	e := echo.New()
	if err := c.Mount(e); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(os.Stdout, listener.Addr()); err != nil {
		return err
	}
	return http.Serve(listener, e)
}

// startServer starts a server process and returns how to reach it, and how to kill it.
func startServer(t testing.TB, path string) (url string, kill func()) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), killEnv+"="+path)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err, "the server did not start")
	var once sync.Once
	kill = func() {
		once.Do(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
		})
	}
	t.Cleanup(kill)
	return "http://" + strings.TrimSpace(line), kill
}

// Whatever was acknowledged before a kill -9 is stored exactly once afterwards, and nothing is missing in between.
func TestKill(t *testing.T) {
	t.Parallel()
	killMany(t, 3)
}

func TestProofKill(t *testing.T) {
	if os.Getenv("ECHOCHAT_PROOF") == "" {
		t.Skip("a longer run of TestKill; set ECHOCHAT_PROOF=1 or run `make proof`")
	}
	killMany(t, 20)
}

func killMany(t *testing.T, kills int) {
	const senders = 12
	path := filepath.Join(t.TempDir(), "chat.db")
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var history chattest.History
	var unknown atomic.Int64
	acked := 0
	oks := make(chan struct{}, senders)
	unsure := make([]*outbox, senders)
	for i := range unsure {
		unsure[i] = &outbox{name: fmt.Sprintf("s%d", i), room: fmt.Sprintf("room%d", i%3), history: &history}
	}
	readers := make([]*reader, 3)
	for i := range readers {
		room := fmt.Sprintf("room%d", i)
		readers[i] = &reader{name: "r" + room, room: room, tail: history.Tail("reader", room)}
	}
	for round := range kills {
		url, kill := startServer(t, path)
		ctx, stop := context.WithTimeout(t.Context(), time.Minute)
		var group sync.WaitGroup
		for i, o := range unsure {
			transport := chattest.Transports()[i%3]
			group.Go(func() {
				if o.sendUntilCut(ctx, url, transport, round, oks) {
					unknown.Add(1)
				}
			})
		}
		for i, r := range readers {
			group.Go(func() { _ = r.follow(ctx, url, chattest.Transports()[i], nil) }) // until it is cut
		}
		// Not before there is something to lose, and then at any moment.
		for range 3 * senders {
			select {
			case <-oks:
				acked++
			case <-ctx.Done():
				t.Fatal("the server does not get to work")
			}
		}
		moment := time.After(time.Duration(random.IntN(300_000)) * time.Microsecond)
		for dead := false; !dead; {
			select {
			case <-oks:
				acked++
			case <-moment:
				dead = true
			}
		}
		kill()
		go func() { group.Wait(); stop() }()
		for ctx.Err() == nil {
			select {
			case <-oks:
				acked++
			case <-ctx.Done():
			}
		}
		require.ErrorIs(t, ctx.Err(), context.Canceled, "all senders have noticed")
	}
	// The last server: what was in doubt is sent again, and must turn out to be stored once.
	url, _ := startServer(t, path)
	for _, o := range unsure {
		require.NoError(t, o.settle(t.Context(), url))
	}
	for _, r := range readers {
		ctx, stop := context.WithTimeout(t.Context(), 20*time.Second)
		require.NoError(t, r.follow(ctx, url, chattest.WebSocket, stop))
	}
	st, err := store.Open(path)
	require.NoError(t, err)
	defer func() { require.NoError(t, st.Close()) }()
	var stored []chattest.Entry
	for r := range 3 {
		stored = append(stored, storedIn(t, st, fmt.Sprintf("room%d", r))...)
	}
	for _, wrong := range history.Check(stored) {
		t.Error(wrong)
	}
	t.Logf("%d kills: %d messages acknowledged, %d in doubt when the server died, %d stored", kills, acked, unknown.Load(), len(stored))
}

// outbox sends messages one after another and remembers the one whose fate it does not know.
type outbox struct {
	name, room string
	history    *chattest.History
	n          int
	text, id   string
	sent       *chattest.Sent // in doubt
}

// sendUntilCut sends until the connection ends, and reports whether the fate of a message is unknown then.
func (o *outbox) sendUntilCut(ctx context.Context, url string, transport chattest.Transport, round int, oks chan<- struct{}) (unsure bool) {
	s, err := o.join(ctx, url, transport)
	if err != nil {
		return false
	}
	defer s.Close()
	for {
		if o.sent == nil {
			o.n++
			o.id, o.text = fmt.Sprintf("%s-%d", o.name, o.n), fmt.Sprintf("message %d of %s", o.n, o.name)
			o.sent = o.history.Send(fmt.Sprintf("%s/%d", o.name, round), o.entry())
		}
		if err := o.try(ctx, s); err != nil {
			return true
		}
		oks <- struct{}{}
	}
}

func (o *outbox) entry() chattest.Entry {
	return chattest.Entry{Room: o.room, Sender: o.name, ClientID: o.id, Hash: chattest.Hash([]byte(o.text))}
}

func (o *outbox) join(ctx context.Context, url string, transport chattest.Transport) (*chattest.Socket, error) {
	conn, err := chattest.Dial(ctx, url, chattest.Options{Transport: transport})
	if err != nil {
		return nil, err
	}
	s, err := conn.Connect(ctx, "/", object{"name": o.name})
	if err == nil {
		_, err = s.EmitWithAck(ctx, "room.join", object{"room_id": o.room})
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// try sends what is in doubt, once.
func (o *outbox) try(ctx context.Context, s *chattest.Socket) error {
	args, err := s.EmitWithAck(ctx, "message.send", object{"room_id": o.room, "text": o.text, "client_id": o.id})
	if err != nil {
		return err
	}
	var r reply
	if err := args.Decode(0, &r); err != nil {
		return err
	}
	if r.Status != "ok" {
		return fmt.Errorf("%s: %w", o.id, r.Error)
	}
	o.sent.OK(r.Message.Seq)
	o.sent = nil
	return nil
}

func (o *outbox) settle(ctx context.Context, url string) error {
	if o.sent == nil {
		return nil
	}
	s, err := o.join(ctx, url, chattest.WebSocket)
	if err != nil {
		return err
	}
	defer s.Close()
	return errors.Join(o.try(ctx, s), s.Err())
}

// reader follows a room, across all ends of the server.
type reader struct {
	name, room, epoch string
	last              int64
	tail              *chattest.Tail
}

// follow takes in what was missed and then what comes, until the connection ends, or with caughtUp only what was missed.
func (r *reader) follow(ctx context.Context, url string, transport chattest.Transport, caughtUp func()) error {
	conn, err := chattest.Dial(ctx, url, chattest.Options{Transport: transport})
	if err != nil {
		return err
	}
	defer conn.Close()
	s, err := conn.Connect(ctx, "/", object{"name": r.name})
	if err != nil {
		return err
	}
	arg, event := object{"room_id": r.room, "after": r.last, "epoch": r.epoch, "limit": 50}, "room.join"
	for more := true; more; {
		args, err := s.EmitWithAck(ctx, event, arg)
		if err != nil {
			return err
		}
		var page reply
		if err := args.Decode(0, &page); err != nil || page.Status != "ok" || page.Resync {
			return fmt.Errorf("%s: %s", event, args)
		}
		if event == "room.join" {
			r.epoch = page.Room.Epoch
		}
		for _, m := range page.Messages {
			r.receive(m)
		}
		more, event, arg = page.HasMoreAfter, "room.history", object{"room_id": r.room, "after": r.last}
	}
	if caughtUp != nil {
		caughtUp()
		return nil
	}
	for {
		e, err := s.NextNamed(ctx, "message.new")
		if err != nil {
			return err
		}
		var event chat.Event
		if err := e.Decode(0, &event); err != nil {
			return err
		}
		r.receive(*event.Message)
	}
}

func (r *reader) receive(m chat.Message) {
	if m.Seq <= r.last { // in the page and in an event
		return
	}
	r.last = m.Seq
	r.tail.Receive(chattest.Entry{
		Room: r.room, Seq: m.Seq, Sender: m.User.ID, ClientID: m.ClientID, Hash: chattest.Hash([]byte(m.Text)),
	})
}

func storedIn(t testing.TB, st *store.Store, room string) (entries []chattest.Entry) {
	t.Helper()
	q := store.HistoryQuery{RoomID: room, After: store.AtSeq(0), Limit: 200}
	for {
		page, err := st.History(t.Context(), q)
		require.NoError(t, err)
		for _, m := range page.Messages {
			entries = append(entries, chattest.Entry{
				Room: room, Seq: m.Seq, Sender: m.SenderID, ClientID: m.ClientID, Hash: chattest.Hash([]byte(m.Text)),
			})
			q.After = store.AtSeq(m.Seq)
		}
		if !page.HasMoreAfter {
			return entries
		}
	}
}
