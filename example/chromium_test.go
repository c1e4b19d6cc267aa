package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// chromium is a browser, driven by its DevTools protocol.
type chromium struct {
	conn *websocket.Conn

	mu      sync.Mutex
	nextID  int
	waiting map[int]chan devtoolsReply
}

type devtoolsReply struct {
	ID     int
	Result json.RawMessage
	Error  *struct{ Message string }
}

// launch starts Chromium until the end of the test. It skips the test where there is none.
func launch(t *testing.T) *chromium {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		if os.Getenv("ECHOCHAT_REQUIRE_SERVICES") == "1" {
			t.Fatal("Chromium is missing")
		}
		t.Skip("install Chromium to test the page in a browser")
	}
	home, err := os.MkdirTemp("", "echochat-chromium-")
	require.NoError(t, err)
	cmd := exec.Command(program, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
		"--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
		"--remote-debugging-port=0", "--user-data-dir="+home, "about:blank")
	stderr, err := cmd.StderrPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	b := &chromium{waiting: map[int]chan devtoolsReply{}}
	t.Cleanup(func() {
		if b.conn != nil {
			_ = b.conn.WriteJSON(map[string]any{"id": 0, "method": "Browser.close"})
		}
		timer := time.AfterFunc(10*time.Second, func() { _ = cmd.Process.Kill() })
		_ = cmd.Wait()
		timer.Stop()
		_ = os.RemoveAll(home)
	})

	// The browser says on which port it listens, and goes on talking.
	address := make(chan string, 1)
	go func() {
		var said strings.Builder
		for buf := make([]byte, 4096); ; {
			n, err := stderr.Read(buf)
			said.Write(buf[:n])
			if _, rest, ok := strings.Cut(said.String(), "DevTools listening on "); ok && strings.Contains(rest, "\n") && cap(address) > len(address) {
				address <- strings.Fields(rest)[0]
			}
			if err != nil {
				return
			}
		}
	}()
	select {
	case url := <-address:
		b.conn, _, err = websocket.DefaultDialer.DialContext(t.Context(), url, nil)
		require.NoError(t, err)
	case <-time.After(30 * time.Second):
		require.NoError(t, cmd.Process.Kill())
		t.Fatal("Chromium does not say where it listens")
	}
	go b.read()
	return b
}

func (b *chromium) read() {
	for {
		var r devtoolsReply
		if b.conn.ReadJSON(&r) != nil {
			return
		}
		b.mu.Lock()
		waiting := b.waiting[r.ID]
		delete(b.waiting, r.ID)
		b.mu.Unlock()
		if waiting != nil {
			waiting <- r
		}
	}
}

// call sends a command to a session of a tab ("" for the browser) and decodes its result.
func (b *chromium) call(t *testing.T, session, method string, params object, result any) {
	t.Helper()
	reply := make(chan devtoolsReply, 1)
	b.mu.Lock()
	b.nextID++
	b.waiting[b.nextID] = reply
	err := b.conn.WriteJSON(map[string]any{"id": b.nextID, "method": method, "params": params, "sessionId": session})
	b.mu.Unlock()
	require.NoError(t, err)
	select {
	case r := <-reply:
		require.Nil(t, r.Error, method)
		if result != nil {
			require.NoError(t, json.Unmarshal(r.Result, result))
		}
	case <-time.After(30 * time.Second):
		t.Fatalf("no answer to %s", method)
	}
}

// person returns the id of cookies and storage that are one person's.
func (b *chromium) person(t *testing.T) string {
	t.Helper()
	var person struct{ BrowserContextID string }
	b.call(t, "", "Target.createBrowserContext", object{}, &person)
	return person.BrowserContextID
}

// tab is a page that a person has open.
type tab struct {
	*chromium
	session string
}

func (b *chromium) open(t *testing.T, person, url string, width, height int) *tab {
	t.Helper()
	var target struct{ TargetID string }
	b.call(t, "", "Target.createTarget", object{"url": url, "browserContextId": person, "newWindow": true, "width": width, "height": height}, &target)
	var attached struct{ SessionID string }
	b.call(t, "", "Target.attachToTarget", object{"targetId": target.TargetID, "flatten": true}, &attached)
	p := &tab{b, attached.SessionID}
	p.until(t, `document.readyState === "complete"`)
	return p
}

// run evaluates an expression in the page.
func (p *tab) run(t *testing.T, expression string, result any) {
	t.Helper()
	var r struct {
		Result           struct{ Value json.RawMessage }
		ExceptionDetails json.RawMessage
	}
	p.call(t, p.session, "Runtime.evaluate", object{"expression": expression, "awaitPromise": true, "returnByValue": true}, &r)
	require.Empty(t, r.ExceptionDetails, expression)
	if result != nil {
		require.NoError(t, json.Unmarshal(r.Result.Value, result), expression)
	}
}

// until waits, in the page itself, for an expression to become true.
func (p *tab) until(t *testing.T, expression string) {
	t.Helper()
	var ok bool
	p.run(t, fmt.Sprintf(`new Promise((resolve) => {
		const began = Date.now();
		const look = () => (%s) ? resolve(true) : Date.now() - began > 20000 ? resolve(false) : setTimeout(look, 20);
		look();
	})`, expression), &ok)
	if !ok {
		var body string
		p.run(t, "document.body.innerText", &body)
		t.Fatalf("never true: %s\n%s", expression, body)
	}
}

// write types into the field that has the focus, and presses Enter.
func (p *tab) write(t *testing.T, text string) {
	t.Helper()
	p.call(t, p.session, "Input.insertText", object{"text": text}, nil)
	p.press(t, "Enter", 13, "\r")
}

func (p *tab) press(t *testing.T, key string, code int, text string) {
	t.Helper()
	p.call(t, p.session, "Input.dispatchKeyEvent", object{"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text}, nil)
	p.call(t, p.session, "Input.dispatchKeyEvent", object{"type": "keyUp", "key": key, "code": key, "windowsVirtualKeyCode": code}, nil)
}

// said are the texts of the open room, in order.
func (p *tab) said(t *testing.T) (texts []string) {
	t.Helper()
	p.run(t, `[...document.querySelectorAll("#messages .text")].map((node) => node.textContent)`, &texts)
	return texts
}

func (p *tab) hears(t *testing.T, text string) {
	t.Helper()
	encoded, err := json.Marshal(text)
	require.NoError(t, err)
	p.until(t, fmt.Sprintf(`[...document.querySelectorAll("#messages .message:not([data-state=waiting]) .text")].some((node) => node.textContent === %s)`, encoded))
}

func (p *tab) signIn(t *testing.T, name string) {
	t.Helper()
	p.until(t, `document.activeElement?.id === "name"`)
	p.write(t, name)
	p.until(t, `document.activeElement?.id === "text" && document.getElementById("my-state").textContent === "Connected"`)
}

func TestPageInChromium(t *testing.T) {
	t.Parallel()
	browser := launch(t)
	t.Run("talk", func(t *testing.T) { testTalk(t, browser) })
	t.Run("scroll back", func(t *testing.T) { testScrollBack(t, browser) })
}

// testTalk has two people talk over a restart of the server, with the keyboard alone.
func testTalk(t *testing.T, browser *chromium) {
	db := newDB(t)
	base, stop := start(t, db)
	her := browser.person(t)
	ada, ben := browser.open(t, her, base, 1200, 800), browser.open(t, browser.person(t), base, 1200, 800)
	ada.signIn(t, "Ada")
	ben.signIn(t, "Ben")

	const hostile = `<img src=x onerror="document.title='owned'"> & <b>bold</b>`
	ada.write(t, "Hello, Ben")
	ben.hears(t, "Hello, Ben")
	ben.call(t, ben.session, "Input.insertText", object{"text": hostile}, nil)
	ada.until(t, `document.getElementById("typing").textContent === "Ben is typing"`)
	ben.press(t, "Enter", 13, "\r")
	ada.hears(t, hostile)
	ada.until(t, `document.getElementById("typing").textContent === "" && !document.querySelector("#messages img, #messages b")`)
	ada.until(t, `document.getElementById("room-people").textContent === "2 people, 2 here"`)

	stop()
	ada.until(t, `document.getElementById("my-state").textContent === "Not connected"`)
	ada.write(t, "written while the server was away")
	ada.write(t, "and one more")
	startOn(t, strings.TrimPrefix(base, "http://"), db)
	ben.hears(t, "and one more")
	ada.hears(t, "and one more")
	want := []string{"Hello, Ben", hostile, "written while the server was away", "and one more"}
	require.Equal(t, want, ada.said(t))
	require.Equal(t, want, ben.said(t))

	// The name is remembered, and the history comes from the server.
	again := browser.open(t, her, base, 1200, 800)
	again.until(t, `document.querySelectorAll("#messages .text").length === 4`)
	require.Equal(t, want, again.said(t))
}

// testScrollBack reads a long history from its end to its beginning. What is in sight never jumps.
func testScrollBack(t *testing.T, browser *chromium) {
	base, _ := start(t, newDB(t))
	const total = 170
	fill(t, base, total)
	reader := browser.open(t, browser.person(t), base, 500, 700)
	reader.signInOnPhone(t, "Ada")

	var moved float64
	reader.run(t, `(async () => {
		const log = document.getElementById("log");
		const frame = () => new Promise((done) => setTimeout(done, 20));
		let worst = 0;
		for (let i = 0; i < 400 && document.querySelectorAll(".message").length < `+fmt.Sprint(total)+`; i++) {
			const edge = log.getBoundingClientRect().top;
			const seen = [...document.querySelectorAll(".message")].find((node) => node.getBoundingClientRect().bottom > edge);
			const before = seen.getBoundingClientRect().top;
			const from = log.scrollTop;
			log.scrollTop = Math.max(0, from - 300);
			const by = from - log.scrollTop;
			await frame();
			worst = Math.max(worst, Math.abs(seen.getBoundingClientRect().top - before - by));
		}
		return worst;
	})()`, &moved)
	require.Less(t, moved, 2.0, "pixels that the text in sight has moved by itself")
	said := reader.said(t)
	require.Len(t, said, total)
	for i, text := range said {
		require.Equal(t, fmt.Sprintf("line %d", i+1), text)
	}
}

// signInOnPhone ends in the list of rooms, from which it opens the first.
func (p *tab) signInOnPhone(t *testing.T, name string) {
	t.Helper()
	p.until(t, `document.activeElement?.id === "name"`)
	p.write(t, name)
	p.until(t, `document.querySelector("#room-list button")`)
	p.run(t, `document.querySelector("#room-list button").click()`, nil)
	p.until(t, `document.querySelectorAll("#messages .text").length >= 50`)
}

// fill writes a history, as eleven people: each may write 20 messages at once.
func fill(t *testing.T, base string, total int) {
	t.Helper()
	people := make([]*chattest.Socket, 11)
	for i := range people {
		people[i] = chattest.Connect(t, base, as(fmt.Sprintf("Person %d", i)))
		join(t, people[i])
	}
	for i := range total {
		r := ask(t, people[i%len(people)], chat.EventMessageSend, object{"room_id": "general", "text": fmt.Sprintf("line %d", i+1)})
		require.Equal(t, "ok", r.Status, r.Error)
	}
}
