package chat_test

import (
	"bytes"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// upload posts a form with one file, as somebody, and returns the status and the answer.
func (a *app) upload(t testing.TB, as, field, name string, content []byte) (int, string) {
	t.Helper()
	var form bytes.Buffer
	w := multipart.NewWriter(&form)
	part, err := w.CreateFormFile(field, name)
	require.NoError(t, err)
	_, err = part.Write(content)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, a.URL+"/chat/api/v1/uploads", &form)
	require.NoError(t, err)
	req.Header.Set("Content-Type", w.FormDataContentType())
	if as != "" {
		req.Header.Set("Authorization", "Bearer "+as)
	}
	return do(t, req)
}

// fetch reads an address of the server, or a part of what is there: such as "bytes=0-9".
func (a *app) fetch(t testing.TB, as, path string, part ...string) *http.Response {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, a.URL+path, nil)
	require.NoError(t, err)
	if as != "" {
		req.Header.Set("Authorization", "Bearer "+as)
	}
	req.Header["Range"] = part
	res, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

// Ada shows Bob a picture. Pages, scripts and drawings with scripts in them are only ever saved.
func TestUploads(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "uploads")
	a := newApp(t, chat.WithUploads(chat.Folder(dir)), chat.WithUploadLimits(100_000))
	ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
	call(t, ada, "room.join", object{"room_id": "team"})
	call(t, bob, "room.join", object{"room_id": "team"})

	png := append([]byte("\x89PNG\x0D\x0A\x1A\x0A"), bytes.Repeat([]byte("x"), 5000)...)
	for _, c := range []struct {
		name, stored  string
		content       []byte
		kind, display string
	}{
		{"cat.png", "cat.png", png, "image/png", "inline; filename=cat.png"},
		{`C:\fakepath\cät.png`, "cät.png", png, "image/png", "inline; filename*=utf-8''c%C3%A4t.png"},
		{"../../etc/page.html", "page.html", []byte("<html><script>alert(1)</script>"), "application/octet-stream", "attachment; filename=page.html"},
		{"cat.png", "cat.png", []byte("<!DOCTYPE html><script>alert(1)</script>"), "application/octet-stream", "attachment; filename=cat.png"},
		{"x.svg", "x.svg", []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`), "application/octet-stream", "attachment; filename=x.svg"},
		{"\u202egnp.exe", "file", []byte("text"), "application/octet-stream", "attachment; filename=file"},
		{"empty", "empty", nil, "application/octet-stream", "attachment; filename=empty"},
	} {
		status, body := a.upload(t, "Ada", "file", c.name, c.content)
		require.Equal(t, 201, status, body)
		var out chat.UploadResult
		require.NoError(t, json.Unmarshal([]byte(body), &out))
		require.Equal(t, c.stored, out.Upload.Name)
		require.EqualValues(t, len(c.content), out.Upload.Size)

		sent := call(t, ada, "message.send", object{"room_id": "team", "text": "", "attachments": []object{{"url": out.Upload.URL, "name": out.Upload.Name}}})
		require.Equal(t, out.Upload.URL, sent.Message.Attachments[0].URL)
		res := a.fetch(t, "Bob", expect(t, bob, "message.new").Message.Attachments[0].URL)
		require.Equal(t, 200, res.StatusCode)
		var got bytes.Buffer
		_, err := got.ReadFrom(res.Body)
		require.NoError(t, err)
		require.Equal(t, string(c.content), got.String())
		require.Equal(t, c.kind, res.Header.Get("Content-Type"))
		require.Equal(t, c.display, res.Header.Get("Content-Disposition"))
		require.Equal(t, "nosniff", res.Header.Get("X-Content-Type-Options"))
		require.Equal(t, "default-src 'none'; sandbox", res.Header.Get("Content-Security-Policy"))
		require.Equal(t, 401, a.fetch(t, "", out.Upload.URL).StatusCode, "only for who is signed in")
	}

	before, err := os.ReadDir(dir)
	require.NoError(t, err)
	status, _ := a.upload(t, "", "file", "a", png)
	require.Equal(t, 401, status)
	status, _ = a.upload(t, "Ada", "other", "a", png)
	require.Equal(t, 400, status)
	status, _ = a.upload(t, "Ada", "file", "a", make([]byte, 100_001))
	require.Equal(t, 413, status)
	status, _ = a.upload(t, "Ada", "file", "a", make([]byte, 300_000))
	require.Equal(t, 413, status)
	require.Equal(t, 415, a.status(t, "Ada", "POST", "/uploads", object{"file": "x"}))
	after, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Len(t, after, len(before), "what is refused leaves nothing behind")
	for _, id := range []string{"missing", strings.Repeat("a", 26), "..%2F..%2Fetc", "%00"} {
		require.Equal(t, 404, a.fetch(t, "Bob", "/chat/api/v1/uploads/"+id+"/x").StatusCode, id)
	}
	file := "/chat/api/v1/uploads/" + strings.Repeat("a", 26) + "/x"
	for _, link := range []string{
		"/chat/api/v1/uploads/x/y", "//evil" + file, "/other", "javascript:alert(1)", "/logout?x=" + file, `/\evil` + file,
	} {
		require.Equal(t, chat.CodeInvalidArgument,
			refused(t, ada, "message.send", object{"room_id": "team", "text": "", "attachments": []object{{"url": link}}}).Code, link)
	}
}

// Who jumps to the middle of a film loads no more than that.
func TestUploadRange(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithUploads(chat.Folder(t.TempDir())))
	status, body := a.upload(t, "Ada", "file", "film", []byte("0123456789"))
	require.Equal(t, 201, status, body)
	var out chat.UploadResult
	require.NoError(t, json.Unmarshal([]byte(body), &out))
	res := a.fetch(t, "Ada", out.Upload.URL, "bytes=3-5")
	require.Equal(t, 206, res.StatusCode)
	got, err := io.ReadAll(res.Body)
	require.NoError(t, err)
	require.Equal(t, "345", string(got))
	require.Equal(t, 416, a.fetch(t, "Ada", out.Upload.URL, "bytes=20-").StatusCode)
}

func TestUploadTypes(t *testing.T) {
	t.Parallel()
	a := newApp(t, chat.WithUploads(chat.Folder(t.TempDir())), chat.WithUploadLimits(1000, "image/*"))
	status, _ := a.upload(t, "Ada", "file", "a.png", []byte("\x89PNG\x0D\x0A\x1A\x0A"))
	require.Equal(t, 201, status)
	status, body := a.upload(t, "Ada", "file", "a.png", []byte("text"))
	require.Contains(t, body, "message_rejected")
	require.GreaterOrEqual(t, status, 400)
	plain := newApp(t)
	status, _ = plain.upload(t, "Ada", "file", "a.png", nil)
	require.Equal(t, 404, status, "not without WithUploads")
}
