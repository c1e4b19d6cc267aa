package chat_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/store"
)

// The contract notices what differs from the document: what it lets pass would otherwise say nothing.
func TestContractNotices(t *testing.T) {
	t.Parallel()
	c := agreement(t)
	const user = `"user":{"id":"ada","name":"Ada"}`
	const upload = `{"upload":{"id":"a","url":"/a","name":"a","mime":"a/b","size":1}}`
	form := func(field string) string {
		return "--b\r\nContent-Disposition: form-data; name=" + field + "; filename=a\r\n\r\nx\r\n--b--\r\n"
	}
	cat := "/uploads/" + strings.Repeat("a", 26) + "/cat.png"
	for name, tc := range map[string]struct {
		method, path, query, request string
		status                       int
		kind, answer                 string
		wrong                        string // "" for nothing
	}{
		"all is well":        {"GET", "/me", "", "", 200, "application/json", `{` + user + `}`, ""},
		"another field":      {"GET", "/me", "", "", 200, "application/json", `{` + user + `,"more":1}`, "additional properties 'more' not allowed"},
		"a field is missing": {"GET", "/me", "", "", 200, "application/json", `{"user":{"id":"ada"}}`, "missing property 'name'"},
		"another status":     {"GET", "/me", "", "", 201, "application/json", `{` + user + `}`, "the table says 200"},
		"another type":       {"GET", "/me", "", "", 200, "text/html", `{` + user + `}`, `the answer is "text/html"`},
		"a body too much":    {"POST", "/rooms/r/leave", "", "", 204, "application/json", `{}`, "there is a body"},
		"a bad limit":        {"GET", "/rooms/r/members", "limit=1000", "", 200, "application/json", `{"members":[]}`, "maximum"},
		"a body of nothing":  {"POST", "/rooms/r/messages", "", "", 201, "application/json", `{}`, "without a body"},
		"a bad body":         {"POST", "/rooms", "", `{"name":7}`, 201, "application/json", `{}`, "got number, want string"},
		"a form":             {"POST", "/uploads", "", form("file"), 201, "application/json", upload, ""},
		"another form":       {"POST", "/uploads", "", form("other"), 201, "application/json", upload, "missing property 'file'"},
		"no form":            {"POST", "/uploads", "", "", 201, "application/json", upload, "without a body"},
		"a file":             {"GET", cat, "", "", 200, "image/png", "PNG", ""},
		"a part of a file":   {"GET", cat, "", "", 206, "image/png", "N", ""},
		"a file of no type":  {"GET", cat, "", "", 200, "", "PNG", `the answer is ""`},
		"an id of no file":   {"GET", "/uploads/a/cat.png", "", "", 200, "image/png", "PNG", "does not match pattern"},
		"a part of no file":  {"GET", "/me", "", "", 206, "application/json", `{` + user + `}`, "the table says 200"},
		"an error announced": {
			"GET", "/rooms/r", "", "", 404, "application/json",
			`{"error":{"code":"room_not_found","message":"","status":404,"retryable":false,"retry_after_ms":0,"details":{}}}`, "",
		},
		"an error that is not": {
			"GET", "/me", "", "", 404, "application/json",
			`{"error":{"code":"room_not_found","message":"","status":404,"retryable":false,"retry_after_ms":0,"details":{}}}`,
			"name the code in the errors of its entry",
		},
		"half an error": {"GET", "/me", "", "", 401, "application/json", `{"error":{"code":"unauthorized","status":401}}`, "missing properties"},
	} {
		op, ok := c.route(tc.method, tc.path)
		require.True(t, ok, name)
		query, err := url.ParseQuery(tc.query)
		require.NoError(t, err)
		e := &exchange{ResponseWriter: httptest.NewRecorder(), op: op, path: tc.path, query: query, kind: "multipart/form-data; boundary=b", status: tc.status}
		e.Header().Set("Content-Type", tc.kind)
		e.request.WriteString(tc.request)
		e.answer.WriteString(tc.answer)
		if err := c.judge(e); tc.wrong == "" {
			require.NoError(t, err, name)
		} else {
			require.ErrorContains(t, err, tc.wrong, name)
		}
	}
	require.Error(t, c.text("events", []byte(`{"type":"message.new","created_at":"yesterday"}`), "components", "schemas", "event:message.new"))
	_, ok := c.route(http.MethodGet, "/rooms/r/nothing")
	require.False(t, ok)
}

// What the document says of a limit holds: one more than allowed is refused.
func TestDocumentedLimits(t *testing.T) {
	t.Parallel()
	a := newPermissionApp(t)
	arguments := expectations()
	sc := a.stage(t, store.RoomPublic, admin, true)
	tried := 0
	for _, op := range chat.Operations(a.chat) {
		if _, ok := op.Fields["limit"]; !ok {
			continue
		}
		tried++
		arg := merge(op, arguments[op.Name].arg, sc)
		for limit, want := range map[int]bool{-1: false, 201: false, 200: true, 1: true} {
			arg["limit"] = limit
			got := a.try(t, byGo, op, admin, nil, arg)
			if want {
				require.NotEqual(t, chat.CodeInvalidArgument, got.code, "%s with limit %d: %s", op.Name, limit, got.text)
			} else {
				require.Equal(t, chat.CodeInvalidArgument, got.code, "%s with limit %d: %s", op.Name, limit, got.text)
			}
		}
	}
	require.GreaterOrEqual(t, tried, 4)
}
