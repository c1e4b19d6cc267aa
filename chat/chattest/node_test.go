package chattest_test

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
)

// node starts Node's own Socket.IO server and returns its URL. The client of
// this package is proven against it, not only against the server of this
// module.
func node(t *testing.T, args ...string) string {
	t.Helper()
	const folder = "testdata/node"
	if _, err := os.Stat(filepath.Join(folder, "node_modules")); err != nil {
		skipOrFail(t, "run `npm ci --prefix chat/chattest/testdata/node` to test against Node's server")
	}
	cmd := exec.Command("node", append([]string{"server.js"}, args...)...)
	cmd.Dir = folder
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	require.NoError(t, err)
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = cmd.Wait()
	})
	port, err := bufio.NewReader(stdout).ReadString('\n')
	require.NoError(t, err)
	return "http://127.0.0.1:" + strings.TrimSpace(port)
}

func skipOrFail(t *testing.T, message string) {
	t.Helper()
	if os.Getenv("ECHOCHAT_REQUIRE_SERVICES") != "" {
		t.Fatal(message)
	}
	t.Skip(message)
}

func onEachTransport(t *testing.T, test func(t *testing.T, transport chattest.Transport)) {
	t.Helper()
	for _, transport := range chattest.Transports() {
		t.Run(string(transport), func(t *testing.T) {
			t.Parallel()
			chattest.CheckLeaks(t)
			test(t, transport)
		})
	}
}

func TestNodeEvents(t *testing.T) {
	t.Parallel()
	url := node(t)
	onEachTransport(t, func(t *testing.T, transport chattest.Transport) {
		s := chattest.Connect(t, url, chattest.Options{Transport: transport, Auth: map[string]any{"token": "right"}})
		auth := s.Expect(t, "auth")
		require.JSONEq(t, `{"token":"right"}`, string(auth.Raw(0)))

		require.NoError(t, s.Emit("echo", "ünïcode \x1e", 1.5, map[string]any{"deep": []any{[]byte{0, 1, 0x1e, 255}}}, []byte("raw")))
		echo := s.Expect(t, "echo")
		require.Equal(t, 4, echo.Len())
		var text string
		require.NoError(t, echo.Decode(0, &text))
		require.Equal(t, "ünïcode \x1e", text)
		var deep struct{ Deep [][]byte }
		require.NoError(t, echo.Decode(2, &deep))
		require.Equal(t, []byte{0, 1, 0x1e, 255}, deep.Deep[0])
		require.Equal(t, []byte("raw"), echo.Bytes(3))
		require.Nil(t, echo.Bytes(2))

		ack := s.ExpectAck(t, "echo", "a", []byte("b"))
		require.Equal(t, []byte("b"), ack.Bytes(1))

		require.NoError(t, s.Emit("ask me", "why?"))
		question := s.Expect(t, "question")
		require.True(t, question.WantsAck())
		require.NoError(t, question.Ack("because", []byte{1}))
		require.Equal(t, `["because",{"_placeholder":true,"num":0}]`, s.Expect(t, "answered").String()[len("answered"):])
		s.ExpectNone(t)
	})
}

func TestNodeOrderAcrossUpgrade(t *testing.T) {
	t.Parallel()
	url := node(t)
	for i := range 20 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			s := chattest.Connect(t, url, chattest.Options{})
			const n = 200
			s.ExpectAck(t, "count", n)
			s.Conn().ExpectUpgrade(t)
			require.Equal(t, chattest.WebSocket, s.Conn().Transport())
			for want := range n {
				var got int
				require.NoError(t, s.Expect(t, "number").Decode(0, &got))
				require.Equal(t, want, got)
			}
		})
	}
}

func TestNodeNamespaces(t *testing.T) {
	t.Parallel()
	url := node(t)
	onEachTransport(t, func(t *testing.T, transport chattest.Transport) {
		o := chattest.Options{Transport: transport}
		s := chattest.Connect(t, url, o)
		admin, err := s.Conn().Connect(t.Context(), "/admin", map[string]any{"a": 1})
		require.NoError(t, err)
		require.Equal(t, `["x"]`, admin.ExpectAck(t, "echo", "x").String())
		require.NoError(t, s.Emit("leave me", false))
		require.ErrorIs(t, s.ExpectEnd(t), chattest.ErrDisconnected)
		require.ErrorIs(t, s.Emit("echo"), chattest.ErrDisconnected)
		require.Equal(t, `["y"]`, admin.ExpectAck(t, "echo", "y").String())
		require.NoError(t, admin.Disconnect())

		refusal := chattest.ExpectRefused(t, url, chattest.Options{Transport: transport, Auth: map[string]any{"token": "wrong"}})
		require.Equal(t, "unauthorized", refusal.Message)
		require.JSONEq(t, `{"code":7}`, string(refusal.Data))
		o.Namespace = "/nowhere"
		require.Equal(t, "Invalid namespace", chattest.ExpectRefused(t, url, o).Message)
	})
}

func TestNodeHeartbeat(t *testing.T) {
	t.Parallel()
	url := node(t)
	onEachTransport(t, func(t *testing.T, transport chattest.Transport) {
		raw := chattest.Open(t, url, chattest.Options{Transport: transport, Raw: true})
		require.Equal(t, 200, raw.Handshake().PingInterval)
		require.NoError(t, raw.SendText(t.Context(), "40"))
		for pongs := 0; pongs < 4; { // four intervals outlive interval + timeout
			if p := raw.Expect(t); p.Type == chattest.PacketPing {
				require.NoError(t, raw.SendText(t.Context(), "3"))
				pongs++
			}
		}
		silent := chattest.Open(t, url, chattest.Options{Transport: transport, NoPong: true})
		require.Error(t, silent.ExpectEnd(t))
	})
}

func TestNodeRefusals(t *testing.T) {
	t.Parallel()
	url := node(t)
	c := chattest.Open(t, url, chattest.Options{Transport: chattest.Polling, Raw: true})
	var refused *chattest.HTTPError
	require.ErrorAs(t, c.SendText(t.Context(), "4"+strings.Repeat("x", 100001)), &refused)
	require.Equal(t, 413, refused.Status)

	_, err := chattest.Dial(t.Context(), url, chattest.Options{Query: map[string][]string{"transport": {"pigeon"}}})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, 400, refused.Status)
	require.Equal(t, 0, refused.Code)
	require.Equal(t, "Transport unknown", refused.Message)
	_, err = chattest.Dial(t.Context(), url, chattest.Options{Transport: "pigeon"})
	require.ErrorContains(t, err, "Options.Transport")

	ws := chattest.Open(t, url, chattest.Options{Transport: chattest.WebSocket, Raw: true})
	require.NoError(t, ws.SendText(t.Context(), "4"+strings.Repeat("x", 100001)))
	var closed *websocket.CloseError
	require.ErrorAs(t, ws.ExpectEnd(t), &closed)
	require.Equal(t, websocket.CloseMessageTooBig, closed.Code)
}

func TestNodeCutsAndRecovery(t *testing.T) {
	t.Parallel()
	url := node(t, "--recovery")
	cuts := map[string]func(*chattest.Conn){
		"reset":         (*chattest.Conn).Reset,
		"mid frame":     (*chattest.Conn).CutMidFrame,
		"vanish":        (*chattest.Conn).Vanish,
		"while reading": func(c *chattest.Conn) { c.CutAfterReading(1) },
		"while writing": func(c *chattest.Conn) {
			c.CutAfterWriting(1)
			_ = c.SendText(context.Background(), "3")
		},
	}
	for name, cut := range cuts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEachTransport(t, func(t *testing.T, transport chattest.Transport) {
				s := chattest.Connect(t, url, chattest.Options{Transport: transport})
				require.NotEmpty(t, s.PID())
				room := s.ID()
				require.NoError(t, s.Emit("room", room))
				witness := chattest.Connect(t, url, chattest.Options{Transport: transport})
				s.ExpectAck(t, "to room", room, "one")
				s.Expect(t, "room message")
				require.NotEmpty(t, s.Offset())

				cut(s.Conn())
				require.ErrorIs(t, s.ExpectEnd(t), chattest.ErrCut)
				witness.ExpectAck(t, "to room", room, "two")
				witness.ExpectAck(t, "await end", s.ID())
				again := s.ExpectReconnect(t)
				require.True(t, again.Recovered())
				require.Equal(t, s.ID(), again.ID())
				var text string
				require.NoError(t, again.Expect(t, "room message").Decode(0, &text))
				require.Equal(t, "two", text)
			})
		})
	}
}
