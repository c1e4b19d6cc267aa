package chat

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
)

// FuzzSend holds what gets as far as the store to what every database takes.
func FuzzSend(f *testing.F) {
	for _, seed := range []string{
		`{"room_id":"r","text":"hi","client_id":"c","parent_id":"p","attachments":[{"url":"https://x.example/a"}],"metadata":{"a":1}}`,
		`{"room_id":"r","text":"\u0000"}`, `{"room_id":"r","text":"\ud800"}`, `{"room_id":"r","text":"x","metadata":{"\u0000":1}}`,
		`{"room_id":"..","text":"x"}`, `{"room_id":"r","text":"x","attachments":[{"url":"javascript:1"}]}`, `[]`, `null`, `{"room_id":1e9}`,
	} {
		f.Add([]byte(seed))
	}
	c := &Chat{cfg: defaults()}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a NewMessage
		if json.Unmarshal(data, &a) != nil || c.checkSend(&a) != nil {
			return
		}
		for _, text := range []string{a.RoomID, a.Text, a.ClientID, a.ParentID, string(a.Metadata)} {
			if !utf8.ValidString(text) || !storable(text) {
				t.Errorf("%q is let through", text)
			}
		}
		if len(a.Text) > c.cfg.maxTextBytes || len(a.RoomID) > maxRoomIDBytes {
			t.Error("a limit is not held")
		}
		var metadata map[string]any
		if !none(a.Metadata) && json.Unmarshal(a.Metadata, &metadata) != nil {
			t.Errorf("metadata %q", a.Metadata)
		}
		for _, x := range a.Attachments {
			if _, err := json.Marshal(x); err != nil || !webURL(x.URL) {
				t.Errorf("attachment %q", x.URL)
			}
		}
	})
}

// FuzzHistory holds the positions of a history request to at most one, whatever a client or a URL says.
func FuzzHistory(f *testing.F) {
	for _, seed := range []string{
		`{"room_id":"r","before":1}`, `{"room_id":"r","cursor":"after:1"}`, `{"room_id":"r","around":"019822b0-0000-7000-8000-000000000000"}`,
		`{"room_id":"r","before":"%"}`, `{"room_id":"r","cursor":"before:before:1"}`, `{"room_id":"r","limit":1e3}`, `{"room_id":"r","after":-0}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var a HistoryQuery
		if json.Unmarshal(data, &a) != nil {
			return
		}
		q, err := a.query()
		if err != nil {
			return
		}
		given := 0
		for _, p := range []bool{!q.Before.IsZero(), !q.After.IsZero(), !q.Around.IsZero()} {
			if p {
				given++
			}
		}
		if given > 1 || q.Limit < 0 || q.Limit > maxPage {
			t.Errorf("%s: %+v", data, q)
		}
	})
}

// FuzzBind holds REST to arguments or an error of the contract, whatever an address, a header and a body say.
func FuzzBind(f *testing.F) {
	f.Add(uint8(0), "r", "limit=1&after=2", `{"text":"x"}`, "key")
	f.Add(uint8(3), "%2e%2e", "limit=1&limit=2&before=%00", `[]`, "")
	f.Add(uint8(7), "a/b", "after=-1&cursor=after%3A", `{"room_id":"s","after":1e3}`, "\x00")
	f.Add(uint8(9), "R", "limit=99999999999999999999", `{"room_id":null,"metadata":[]}`, "k")
	c := &Chat{cfg: defaults()}
	operations := c.table()
	e := echo.New()
	f.Fuzz(func(t *testing.T, which uint8, param, query, body, key string) {
		op := operations[int(which)%len(operations)]
		req := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		req.Header = http.Header{echo.HeaderContentType: {echo.MIMEApplicationJSON}, idempotencyKey: {key}}
		req.URL.RawQuery = query
		ec := e.NewContext(req, httptest.NewRecorder())
		var names, values []string
		for _, name := range slices.Sorted(maps.Keys(op.fields)) {
			names, values = append(names, name), append(values, param)
		}
		ec.SetParamNames(names...)
		ec.SetParamValues(values...)
		in := op.newIn()
		err := c.bind(ec, op, in)
		if own, ok := asError(err); err != nil && (!ok || own.Code.status() >= http.StatusInternalServerError) {
			t.Errorf("%s: %v", op, err)
		}
		if err == nil && op.text(in, "room_id") != "" && checkRoomID(op.text(in, "room_id")) != nil {
			t.Errorf("%s: room_id %q is let through", op, op.text(in, "room_id"))
		}
	})
}

// FuzzName holds display names to what can be shown, and to one form.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"Ada", "Jose\u0301", "\u202e", "👩\u200d💻", "\xff", "a\u0300\u0301\u0302", "ﷺ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, err := cleanName(name)
		if err != nil {
			return
		}
		if again, err := cleanName(clean); err != nil || again != clean {
			t.Errorf("%q becomes %q becomes %q, %v", name, clean, again, err)
		}
		if n := utf8.RuneCountInString(clean); n == 0 || n > maxNameRunes || !printable(clean) {
			t.Errorf("%q is let through", clean)
		}
	})
}
