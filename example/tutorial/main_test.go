package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
)

// lines keeps a log, for whoever reads it while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// start runs the server on a free port until stop is called, or the test ends.
func start(t *testing.T) (base string, log *lines, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	log = &lines{}
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", io.MultiWriter(log, in)) }()
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	go func() { _, _ = io.Copy(io.Discard, out) }()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
		_ = in.Close()
	})
	t.Cleanup(stop)
	port := regexp.MustCompile(`url=http://localhost:(\d+)`).FindStringSubmatch(line)
	require.NotNil(t, port, line)
	return "http://127.0.0.1:" + port[1], log, stop
}

func TestPage(t *testing.T) {
	t.Parallel()
	base, _, _ := start(t)
	for path, want := range map[string]string{
		"/": `<script src="/socket.io/socket.io.js">`, "/chat.js": "io()", "/style.css": "body", "/socket.io/socket.io.js": "io",
	} {
		res, err := http.Get(base + path)
		require.NoError(t, err)
		body, err := io.ReadAll(res.Body)
		require.NoError(t, err)
		require.NoError(t, res.Body.Close())
		require.Equal(t, http.StatusOK, res.StatusCode, path)
		require.Contains(t, string(body), want, path)
	}
}

func TestTutorials(t *testing.T) {
	t.Parallel()
	for _, transport := range chattest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			base, _, _ := start(t)
			connect := func() *chattest.Socket {
				s := chattest.Connect(t, base, chattest.Options{
					Transport: transport, Header: http.Header{"Origin": {"http://elsewhere.example"}},
				})
				require.JSONEq(t, `"hello, world!"`, string(s.Expect(t, "message-sent").Raw(0)))
				return s
			}
			ann, bob, cid := connect(), connect(), connect()

			require.NoError(t, ann.Emit("chat message", "to all"))
			for _, s := range []*chattest.Socket{ann, bob, cid} {
				require.JSONEq(t, `"to all"`, string(s.Expect(t, "chat message").Raw(0)))
			}

			require.NoError(t, ann.Emit("send-message", "to the others", ""))
			for _, s := range []*chattest.Socket{bob, cid} {
				require.JSONEq(t, `"to the others"`, string(s.Expect(t, "receive-message").Raw(0)))
			}
			ann.ExpectNone(t, "receive-message")

			require.JSONEq(t, `"Joined red"`, string(bob.ExpectAck(t, "join-room", "red").Raw(0)))
			bob.ExpectAck(t, "join-room", "blue")
			ann.ExpectAck(t, "send-message", "to the red", "red")
			require.JSONEq(t, `"to the red"`, string(bob.Expect(t, "receive-message").Raw(0)))
			cid.ExpectNone(t, "receive-message")
			ann.ExpectNone(t, "receive-message")

			// Without a room at all, as the first tutorials send it.
			ann.ExpectAck(t, "send-message", "to the others")
			require.JSONEq(t, `"to the others"`, string(cid.Expect(t, "receive-message").Raw(0)))
		})
	}
}

func TestLog(t *testing.T) {
	t.Parallel()
	base, log, stop := start(t)
	s := chattest.Connect(t, base, chattest.Options{})
	id := s.ID()
	res, err := http.Get(base + "/socket.io/?EIO=4&transport=carrier-pigeon")
	require.NoError(t, err)
	require.NoError(t, res.Body.Close())
	stop()
	require.Regexp(t, `msg=connect id=`+id+` address=127.0.0.1:\d+\n`, log.String())
	require.Regexp(t, `level=ERROR msg=refused address=127.0.0.1:\d+ code=0 message="Transport unknown"`, log.String())
	require.Regexp(t, `msg=disconnect id=`+id+` address=127.0.0.1:\d+ reason="server shutting down"`, log.String())
}
