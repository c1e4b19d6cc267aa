package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// start runs the example on a free port and returns its address, and what stops it, as a signal does. The end of the
// test does that too.
func start(t *testing.T, db string) (base string, stop func()) {
	t.Helper()
	return startOn(t, "127.0.0.1:0", db)
}

func startOn(t *testing.T, addr, db string) (base string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, addr, db, in)
		in.CloseWithError(io.EOF)
		done <- err
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		require.NoError(t, <-done)
	})
	t.Cleanup(stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	require.NoError(t, err)
	port := regexp.MustCompile(`^echochat: open http://localhost:(\d+)\n$`).FindStringSubmatch(line)
	require.NotNil(t, port, line)
	return "http://127.0.0.1:" + port[1], stop
}

func newDB(t *testing.T) string { return filepath.Join(t.TempDir(), "chat.db") }

func get(t *testing.T, url string) (*http.Response, string) {
	t.Helper()
	res, err := http.Get(url)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, res.StatusCode, url)
	return res, string(body)
}

// TestPage follows every link of the page and of its scripts.
func TestPage(t *testing.T) {
	t.Parallel()
	base, _ := start(t, newDB(t))
	res, page := get(t, base)
	require.Contains(t, res.Header.Get("Content-Type"), "text/html")
	require.Contains(t, res.Header.Get("Content-Security-Policy"), "default-src 'self'")
	require.Contains(t, page, "This is a demo.")
	require.NotRegexp(t, `(?i)\sstyle=|\son\w+=|<style|<script>|https?://`, page, "the policy forbids what is inline, and nothing comes from elsewhere")

	kinds := map[string]string{".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
	for _, link := range regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1) {
		res, body := get(t, base+"/"+strings.TrimPrefix(link[1], "/"))
		require.Contains(t, res.Header.Get("Content-Type"), kinds[filepath.Ext(link[1])], link[1])
		for _, imported := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(body, -1) {
			get(t, base+"/js/"+imported[1])
		}
	}
}

type object map[string]any

func as(name string) chattest.Options { return chattest.Options{Auth: object{"name": name}} }

// reply is what the acknowledgements of the chat have in common.
type reply struct {
	Status   string
	Message  chat.Message
	Messages []chat.Message
	Members  []chat.Member
	Error    *chat.Error
}

func ask(t *testing.T, s *chattest.Socket, event string, arg object) (r reply) {
	t.Helper()
	require.NoError(t, s.ExpectAck(t, event, arg).Decode(0, &r))
	return r
}

func join(t *testing.T, s *chattest.Socket) reply {
	t.Helper()
	r := ask(t, s, chat.EventRoomJoin, object{"room_id": "general"})
	require.Equal(t, "ok", r.Status)
	return r
}

func TestTalkAndRestart(t *testing.T) {
	t.Parallel()
	db := newDB(t)
	base, stop := start(t, db)
	ada, ben := chattest.Connect(t, base, as("Ada")), chattest.Connect(t, base, as("Ben"))
	join(t, ada)
	require.Len(t, join(t, ben).Members, 2)

	sent := ask(t, ada, chat.EventMessageSend, object{"room_id": "general", "client_id": "one", "text": "Hello, Ben"})
	require.Equal(t, "ok", sent.Status)
	var event chat.Event
	require.NoError(t, ben.Expect(t, chat.EventMessageNew).Decode(0, &event))
	require.Equal(t, sent.Message, *event.Message)
	require.NoError(t, ben.Emit(chat.EventTypingStart, object{"room_id": "general"}))
	require.NoError(t, ada.Expect(t, chat.EventTypingStart).Decode(0, &event))
	require.Equal(t, chat.User{ID: "ben", Name: "Ben"}, *event.User)

	stop()
	ada.ExpectEnd(t)
	base, _ = start(t, db)
	again := chattest.Connect(t, base, as("ada"))
	history := join(t, again)
	require.Len(t, history.Messages, 1)
	require.Equal(t, "Hello, Ben", history.Messages[0].Text)
	require.Equal(t, "ada", history.Messages[0].User.ID, "the same name is the same user")
	require.Len(t, history.Members, 2)
	repeated := ask(t, again, chat.EventMessageSend, object{"room_id": "general", "client_id": "one", "text": "Hello, Ben"})
	require.Equal(t, history.Messages[0].ID, repeated.Message.ID, "sent again, stored once")
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	base, _ := start(t, newDB(t))
	for _, auth := range []any{nil, object{}, object{"name": "  "}, object{"name": strings.Repeat("x", 33)}, object{"name": "a\u202eb"}, object{"name": 7}} {
		require.NotEmpty(t, chattest.ExpectRefused(t, base, chattest.Options{Auth: auth}).Message, auth)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, base+"/chat/api/v1/me", nil)
	require.NoError(t, err)
	req.Header.Set("Authorization", "Bearer J%C3%BCrgen%20M%C3%BCller")
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.JSONEq(t, `{"user":{"id":"jürgen müller","name":"Jürgen Müller"}}`, string(body))
}

func TestRefusals(t *testing.T) {
	t.Parallel()
	base, _ := start(t, newDB(t))
	ada := chattest.Connect(t, base, as("Ada"))
	join(t, ada)
	long := ask(t, ada, chat.EventMessageSend, object{"room_id": "general", "text": strings.Repeat("ü", 2001)})
	require.Equal(t, chat.CodeMessageRejected, long.Error.Code)
	for range 30 {
		if r := ask(t, ada, chat.EventMessageSend, object{"room_id": "general", "text": "again"}); r.Status == "error" {
			require.Equal(t, chat.CodeRateLimited, r.Error.Code)
			require.Positive(t, r.Error.RetryAfter)
			return
		}
	}
	t.Fatal("30 messages at once were not too many")
}

func TestAddressInUse(t *testing.T) {
	t.Parallel()
	base, _ := start(t, newDB(t))
	require.Error(t, run(t.Context(), strings.TrimPrefix(base, "http://"), newDB(t), io.Discard))
}
