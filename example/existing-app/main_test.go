package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"path/filepath"
	"regexp"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// start runs the app on a free port until the test ends.
func start(t *testing.T) (base, db string) {
	t.Helper()
	db = filepath.Join(t.TempDir(), "toolshed.db")
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := run(ctx, "127.0.0.1:0", db, in)
		in.CloseWithError(io.EOF)
		done <- err
	}()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-done)
	})
	ready := make(chan string, 1)
	var once sync.Once
	go func() {
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			if port := regexp.MustCompile(`url=http://localhost:(\d+)`).FindStringSubmatch(lines.Text()); port != nil {
				once.Do(func() { ready <- port[1] })
			}
		}
		once.Do(func() { close(ready) })
	}()
	port := <-ready
	require.NotEmpty(t, port, "the app did not start")
	return "http://127.0.0.1:" + port, db
}

// browser keeps cookies, and reads the token out of forms.
type browser struct {
	http.Client
	base string
}

func newBrowser(t *testing.T, base string) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	require.NoError(t, err)
	return &browser{http.Client{Jar: jar}, base}
}

func (b *browser) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	res, err := b.Get(b.base + path)
	require.NoError(t, err)
	return read(t, res)
}

// submit opens the page of a form and sends it, with its token.
func (b *browser) submit(t *testing.T, page, action string, form url.Values) (status int, body string) {
	t.Helper()
	_, html := b.get(t, page)
	token := regexp.MustCompile(`name="_csrf" value="([^"]+)"`).FindStringSubmatch(html)
	require.NotNil(t, token, html)
	form.Set("_csrf", token[1])
	res, err := b.PostForm(b.base+action, form)
	require.NoError(t, err)
	return read(t, res)
}

func read(t *testing.T, res *http.Response) (int, string) {
	t.Helper()
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	return res.StatusCode, string(body)
}

func signedIn(t *testing.T, base, login string) *browser {
	t.Helper()
	b := newBrowser(t, base)
	status, page := b.submit(t, "/sign-in", "/sign-in", url.Values{"login": {login}, "password": {"demo"}})
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, page, "<h1>Board</h1>")
	return b
}

func TestAppItself(t *testing.T) {
	t.Parallel()
	base, _ := start(t)
	stranger := newBrowser(t, base)
	_, page := stranger.get(t, "/chat")
	require.Contains(t, page, "<h1>Sign in</h1>")
	status, page := stranger.submit(t, "/sign-in", "/sign-in", url.Values{"login": {"Ada@example.com"}, "password": {"guess"}})
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, page, "not the right password")

	ada := signedIn(t, base, "Ada@example.com")
	_, page = ada.submit(t, "/", "/", url.Values{"text": {"The <b>long</b> ladder is back."}})
	require.Contains(t, page, "The &lt;b&gt;long&lt;/b&gt; ladder is back.")
	res, err := ada.PostForm(base+"/", url.Values{"text": {"without the token"}})
	require.NoError(t, err)
	status, _ = read(t, res)
	require.Equal(t, http.StatusBadRequest, status, "CSRF still guards the app's own forms")
	_, page = ada.get(t, "/chat")
	require.Contains(t, page, `data-room="neighbours"`)
}

type object map[string]any

type reply struct {
	Status  string
	Message chat.Message
	Members []chat.Member
}

func TestChatWithTheAppsSession(t *testing.T) {
	t.Parallel()
	base, db := start(t)
	for _, transport := range chattest.Transports() {
		stranger := chattest.ExpectRefused(t, base, chattest.Options{Transport: transport})
		require.Equal(t, string(chat.CodeUnauthorized), stranger.Message)
	}
	ada, ben := signedIn(t, base, "Ada@example.com"), signedIn(t, base, "Ben@example.com")
	ada.submit(t, "/", "/", url.Values{"text": {"a note of the app's own"}})

	one := chattest.Connect(t, base, chattest.Options{Jar: ada.Jar})
	two := chattest.Connect(t, base, chattest.Options{Jar: ben.Jar, Transport: chattest.Polling})
	one.ExpectAck(t, chat.EventRoomJoin, object{"room_id": "neighbours"})
	var r reply
	require.NoError(t, two.ExpectAck(t, chat.EventRoomJoin, object{"room_id": "neighbours"}).Decode(0, &r))
	require.Len(t, r.Members, 2)
	require.NoError(t, two.ExpectAck(t, chat.EventMessageSend, object{"room_id": "neighbours", "text": "Who has the darn drill?"}).Decode(0, &r))
	require.Equal(t, "ok", r.Status)
	var e chat.Event
	require.NoError(t, one.Expect(t, chat.EventMessageNew).Decode(0, &e))
	require.Equal(t, "Who has the **** drill?", e.Message.Text)
	require.Equal(t, "Ben", e.User.Name)

	// REST takes the session too, through the app's CSRF, which leaves the chat's routes alone.
	status, body := ben.get(t, "/chat/api/v1/me")
	require.Equal(t, http.StatusOK, status)
	require.Contains(t, body, `"name":"Ben"`)

	// Signing out of the app ends the chat.
	three := chattest.Connect(t, base, chattest.Options{Jar: ben.Jar, Transport: chattest.WebSocket})
	ben.submit(t, "/", "/sign-out", url.Values{})
	two.ExpectEnd(t)
	three.ExpectEnd(t)
	require.Equal(t, string(chat.CodeUnauthorized), chattest.ExpectRefused(t, base, chattest.Options{Jar: ben.Jar}).Message)
	require.NoError(t, one.Err(), "the others stay")

	requireTables(t, db)
}

// requireTables looks at the file itself: the app's messages and the chat's are two tables.
func requireTables(t *testing.T, path string) {
	t.Helper()
	db, err := openDB(path)
	require.NoError(t, err)
	pool, err := db.DB()
	require.NoError(t, err)
	defer func() { _ = pool.Close() }()
	var own []string
	require.NoError(t, db.Table("messages").Pluck("text", &own).Error)
	require.Equal(t, []string{"a note of the app's own"}, own)
	var chats []string
	require.NoError(t, db.Table("chat_messages").Pluck("text", &chats).Error)
	require.Equal(t, []string{"Who has the **** drill?"}, chats)
}
