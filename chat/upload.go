package chat

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
)

// Storage keeps the files that users upload, see WithUploads. It is called concurrently.
type Storage interface {
	// Save stores a file under an id of letters and digits that is new. What was stored of it when r fails must go.
	Save(ctx context.Context, id string, u Upload, r io.Reader) error
	// Open returns a file that was saved, or an error that is fs.ErrNotExist. The caller closes it.
	Open(ctx context.Context, id string) (Upload, io.ReadSeekCloser, error)
}

// Upload is a file that a user has uploaded.
type Upload struct {
	ID   string `json:"id"`
	URL  string `json:"url"`  // where it is served, to whoever is signed in; for the url of an attachment
	Name string `json:"name"` // as the user has called it, without folders
	MIME string `json:"mime"` // what its content looks like, whatever the user says
	Size int64  `json:"size"` // bytes
}

// UploadResult is the answer to an upload.
type UploadResult struct {
	Upload Upload `json:"upload"`
}

const (
	uploadsPath      = "/uploads"
	uploadField      = "file" // of the form
	uploadCreate     = "upload.create"
	uploadRead       = "upload.read"
	maxUploadBytes   = 10 << 20
	maxUploadName    = 128
	uploadTime       = 5 * time.Minute
	multipartSpace   = 64 << 10 // what multipart/form-data takes besides the file
	sniffed          = 512      // bytes that tell a type
	uploadFileCache  = "private, max-age=86400"
	uploadFilePolicy = "default-src 'none'; sandbox"
)

// uploadRef is what the path of an upload says.
type uploadRef struct {
	ID   string `json:"id"`
	Name string `json:"name"` // for people: the id alone finds the file
}

// uploadOperations are the two routes of uploads. They are not in the table, and nothing performs them: one takes a form,
// the other answers with a file.
func uploadOperations() (create, read *operation) {
	const where = " The route is there where the app has set chat.WithUploads."
	create = define[nothing, UploadResult](nil, spec{
		name: uploadCreate, route: "POST " + uploadsPath, status: http.StatusCreated, action: ActionUpload,
		errors: []Code{CodeMessageTooLarge, CodeMessageRejected},
		doc:    "Uploads a file, for the url of an attachment." + where,
	})
	read = define[uploadRef, nothing](nil, spec{
		name: uploadRead, route: "GET " + uploadsPath + "/:id/:name", status: http.StatusOK, action: ActionUpload,
		doc: "Answers with a file that was uploaded, to whoever is signed in and has its url." + where,
	})
	return create, read
}

// mountUploads adds the routes of uploads.
func (c *Chat) mountUploads(r Router) {
	if c.cfg.uploads == nil {
		return
	}
	create, read := uploadOperations()
	c.routes.add(r.Add(create.method, apiPath+create.path, c.rest(c.uploadHandler(create, c.createUpload))))
	c.routes.add(r.Add(read.method, apiPath+read.path, c.rest(c.uploadHandler(read, c.readUpload))))
}

// uploadHandler has handle answer those who may.
func (c *Chat) uploadHandler(op *operation, handle func(context.Context, echo.Context) error) restHandler {
	return func(ctx context.Context, ec echo.Context, u User) error {
		q := &request{caller: caller{user: u}, op: op, counted: true}
		if err := c.limitRate(q); err != nil {
			return err
		}
		if _, err := c.permit(ctx, q.caller, op.action, target{}); err != nil {
			return err
		}
		return handle(context.WithoutCancel(ctx), ec)
	}
}

func (c *Chat) createUpload(ctx context.Context, ec echo.Context) error {
	r := ec.Request()
	// A server that the deadline cannot be set on has one of its own, or none.
	_ = http.NewResponseController(ec.Response()).SetReadDeadline(time.Now().Add(uploadTime))
	r.Body = http.MaxBytesReader(ec.Response(), r.Body, c.cfg.uploadBytes+multipartSpace)
	form, err := r.MultipartReader()
	if err != nil {
		e := invalid("Content-Type", "must be multipart/form-data")
		e.Status = http.StatusUnsupportedMediaType
		return e
	}
	part, err := form.NextPart()
	if err != nil || part.FormName() != uploadField {
		return invalid(uploadField, "is missing")
	}
	u := Upload{ID: strings.ToLower(rand.Text()), Name: uploadName(part.FileName())}
	head := make([]byte, sniffed)
	n, err := io.ReadFull(part, head)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return uploadError(err)
	}
	u.MIME = http.DetectContentType(head[:n])
	if !c.cfg.allowsUpload(u.MIME) {
		e := NewError(CodeMessageRejected, "Files of this type are not taken.")
		e.Details = map[string]string{"mime": u.MIME}
		return e
	}
	content := &limited{r: io.MultiReader(bytes.NewReader(head[:n]), part), left: c.cfg.uploadBytes}
	if err := c.guard("storage", CodeInternal, func() error {
		if err := c.cfg.uploads.Save(ctx, u.ID, u, content); content.err == nil {
			return err
		}
		return uploadError(content.err)
	}); err != nil {
		return err
	}
	u.Size = content.read
	u.URL = strings.TrimSuffix(r.URL.Path, "/") + "/" + u.ID + "/" + url.PathEscape(u.Name)
	return c.writeJSON(ec, http.StatusCreated, UploadResult{u})
}

func (c *Chat) readUpload(ctx context.Context, ec echo.Context) error {
	id := ec.Param("id")
	var u Upload
	var file io.ReadSeekCloser
	err := fs.ErrNotExist
	if uploadID(id) {
		u, file, err = c.cfg.uploads.Open(ctx, id)
	}
	if errors.Is(err, fs.ErrNotExist) {
		e := invalid("id", "is not that of an upload")
		e.Status = http.StatusNotFound
		return e
	}
	if err != nil {
		return c.internal(fmt.Errorf("open upload: %w", err))
	}
	defer func() { _ = file.Close() }()
	kind, shown := "application/octet-stream", "attachment"
	if slices.Contains(shownTypes(), u.MIME) {
		kind, shown = u.MIME, "inline"
	}
	h := ec.Response().Header()
	h.Set(echo.HeaderContentType, kind)
	h.Set(echo.HeaderContentDisposition, mime.FormatMediaType(shown, map[string]string{"filename": u.Name}))
	h.Set(echo.HeaderContentSecurityPolicy, uploadFilePolicy)
	h.Set(echo.HeaderCacheControl, uploadFileCache)
	http.ServeContent(ec.Response(), ec.Request(), "", time.Time{}, file)
	return nil
}

// shownTypes are the types that a browser may show in its window: none of them can hold a script. All others are saved.
func shownTypes() []string {
	return []string{
		"image/png", "image/jpeg", "image/gif", "image/webp", "audio/mpeg", "audio/wave", "application/ogg", "video/mp4", "video/webm",
	}
}

// allowsUpload reports whether files that look like a type are taken.
func (c config) allowsUpload(kind string) bool {
	kind, _, _ = strings.Cut(kind, ";")
	return len(c.uploadTypes) == 0 || slices.ContainsFunc(c.uploadTypes, func(t string) bool {
		ok, _ := path.Match(t, kind)
		return ok
	})
}

// uploadName is the name of a file without folders, and one that can be shown.
func uploadName(name string) string {
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	if name == "." || name == "/" || name == ".." || len(name) > maxUploadName || !printable(name) {
		return "file"
	}
	return name
}

// uploadID reports whether s may be the id of an upload, which is also the name of a file.
func uploadID(s string) bool {
	return len(s) == 26 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789") == ""
}

// uploadedLink reports whether s is where an upload is served.
func uploadedLink(s string) bool {
	_, rest, found := strings.Cut(s, apiPath+uploadsPath+"/")
	id, name, _ := strings.Cut(rest, "/")
	if strings.ContainsAny(s, `?#\`) { // then it may be any page of this server, which takes the request for the user's own
		return false
	}
	return found && strings.HasPrefix(s, "/") && pictureURL(s) && uploadID(id) && name != "" && !strings.Contains(name, "/")
}

func uploadError(err error) error {
	var tooLarge *http.MaxBytesError
	if errors.As(err, &tooLarge) || errors.Is(err, errTooLarge) {
		return NewError(CodeMessageTooLarge, "The file is too large.")
	}
	return invalid(uploadField, "could not be read")
}

var errTooLarge = errors.New("file too large")

// limited fails where the content has more bytes than it may, and remembers why reading has failed.
type limited struct {
	r          io.Reader
	left, read int64
	err        error
}

func (l *limited) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	l.read += int64(n)
	if l.left -= int64(n); l.left < 0 {
		err = errTooLarge
	}
	if err != nil && !errors.Is(err, io.EOF) {
		l.err = err
	}
	return n, err
}
