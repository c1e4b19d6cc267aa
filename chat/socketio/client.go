package socketio

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/echochat/echochat/chat/web"
)

// clientNames are the names under which Socket.IO servers offer the client script.
func clientNames() []string {
	return []string{
		"socket.io.js", "socket.io.js.map",
		"socket.io.min.js", "socket.io.min.js.map",
		"socket.io.esm.min.js", "socket.io.esm.min.js.map",
		"socket.io.msgpack.min.js", "socket.io.msgpack.min.js.map",
		"socket.io.d.ts", "echochat.d.ts",
	}
}

// clientFiles are the files of the client script by their names.
type clientFiles map[string]clientFile

// newClientFiles loads the files: those of a folder, or those that come with the package.
func newClientFiles(cfg config) (clientFiles, error) {
	files := make(clientFiles)
	if cfg.noClient {
		return files, nil
	}
	for _, name := range clientNames() {
		if cfg.clientFiles == nil {
			if asset, ok := web.Client(name); ok {
				files[name] = clientFile(asset)
			}
			continue
		}
		body, err := fs.ReadFile(cfg.clientFiles, name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		files[name] = newClientFile(name, body)
	}
	if len(files) == 0 {
		return nil, errors.New("no client script in the folder")
	}
	return files, nil
}

// clientFile is one of them.
type clientFile web.Asset

func newClientFile(name string, body []byte) clientFile {
	sum := sha256.Sum256(body)
	f := clientFile{Body: body, ETag: `"` + hex.EncodeToString(sum[:16]) + `"`}
	switch path.Ext(name) {
	case ".map":
		f.ContentType = "application/json; charset=utf-8"
	case ".js":
		f.ContentType = "text/javascript; charset=utf-8"
	default:
		f.ContentType = "text/plain; charset=utf-8"
	}
	var zipped bytes.Buffer
	w, _ := gzip.NewWriterLevel(&zipped, gzip.BestCompression)
	_, _ = w.Write(body)
	_ = w.Close()
	f.Gzip = zipped.Bytes()
	return f
}

// serve answers a request for the file.
func (f clientFile) serve(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	body, etag := f.Body, f.ETag
	h := w.Header()
	if len(f.Gzip) > 0 && acceptsGzip(r) {
		body, etag = f.Gzip, strings.TrimSuffix(f.ETag, `"`)+`-gzip"`
		h.Set("Content-Encoding", "gzip")
	}
	h.Add("Vary", "Accept-Encoding")
	h.Set("ETag", etag)
	h.Set("Cache-Control", "public, max-age=0") // a new version of the server has a new script
	h.Set("X-Content-Type-Options", "nosniff")
	if matches(r.Header.Get("If-None-Match"), etag) {
		h.Del("Content-Encoding")
		w.WriteHeader(http.StatusNotModified)
		return
	}
	h.Set("Content-Type", f.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method == http.MethodGet {
		_, _ = w.Write(body)
	}
}

// matches reports whether an If-None-Match header names the tag; strength does not matter (RFC 9110, section 13.1.2).
func matches(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimSpace(candidate)
		if candidate == "*" || strings.TrimPrefix(candidate, "W/") == etag {
			return true
		}
	}
	return false
}

// acceptsGzip reports whether the client takes gzip (RFC 9110, section 12.5.3).
func acceptsGzip(r *http.Request) bool {
	for coding := range strings.SplitSeq(r.Header.Get("Accept-Encoding"), ",") {
		name, params, _ := strings.Cut(coding, ";")
		if strings.EqualFold(strings.TrimSpace(name), "gzip") {
			_, quality, found := strings.Cut(params, "q=")
			q, err := strconv.ParseFloat(strings.TrimSpace(quality), 64)
			return !found || err == nil && q > 0
		}
	}
	return false
}
