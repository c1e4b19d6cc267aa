package web

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
)

// An Asset is a file ready to be served. Its slices are shared by all callers and must not be changed.
type Asset struct {
	Body        []byte // The file.
	Gzip        []byte // Body, compressed with gzip as far as it goes.
	ETag        string // A strong validator of Body, with its quotes. Gzip is another representation: it needs one of its own.
	ContentType string // The Content-Type, with its charset.
}

//go:embed client/*.js client/*.d.ts
var sources embed.FS

// parts are the files of the client script, each before those that need it while loading.
var parts = [...]string{"emitter", "parser", "transport", "engine", "manager", "socket", "io"}

const (
	banner = "// Socket.IO client of echochat. MIT licence.\n"

	classicHead = banner + "(() => {\n\"use strict\";\n"
	classicTail = "if (typeof module === \"object\" && module.exports) module.exports = io;\n" +
		"else if (typeof define === \"function\" && define.amd) define(() => io);\n" +
		"else globalThis.io = io;\n})();\n"
	moduleTail = "export { io, io as connect, io as default, Manager, Socket, protocol };\n"

	javaScript = "text/javascript; charset=utf-8"
	// TypeScript has no media type of its own, and its file extension belongs to a video format.
	typeScript = "text/plain; charset=utf-8"
)

// Client returns a file of the Socket.IO client by the name under which Socket.IO servers offer it. It knows these:
//
//   - socket.io.js and socket.io.min.js, the same classic script, which defines the global io;
//   - socket.io.esm.min.js, an ES module that exports io, connect, Manager, Socket and, as its default, io;
//   - socket.io.d.ts, TypeScript declarations of that module;
//   - echochat.d.ts, TypeScript declarations of the chat's events, for that module and for the stock client.
//
// It reports false for any other name. It is safe for concurrent use; the first call assembles and compresses the files.
func Client(name string) (Asset, bool) {
	asset, ok := assets()[name]
	return asset, ok
}

var assets = sync.OnceValue(func() map[string]Asset {
	var script strings.Builder
	for _, part := range parts {
		script.WriteString(squeeze(read(part + ".js")))
	}
	classic := newAsset(classicHead+script.String()+classicTail, javaScript)
	return map[string]Asset{
		"socket.io.js":         classic,
		"socket.io.min.js":     classic,
		"socket.io.esm.min.js": newAsset(banner+script.String()+moduleTail, javaScript),
		"socket.io.d.ts":       newAsset(read("socket.io.d.ts"), typeScript),
		"echochat.d.ts":        newAsset(read("echochat.d.ts"), typeScript),
	}
})

// read returns an embedded file. It was there when the program was compiled.
func read(name string) string {
	data, err := sources.ReadFile("client/" + name)
	if err != nil {
		panic(fmt.Sprintf("web: embedded file: %v", err))
	}
	return string(data)
}

// squeeze leaves out comments that have a line of their own, blank lines and indentation. It knows nothing of JavaScript: the
// parts have no strings over several lines, and a test holds them to that.
func squeeze(source string) string {
	var out strings.Builder
	for line := range strings.Lines(source) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "//") {
			out.WriteString(line + "\n")
		}
	}
	return out.String()
}

func newAsset(body, contentType string) Asset {
	sum := sha256.Sum256([]byte(body))
	return Asset{
		Body:        []byte(body),
		Gzip:        compress([]byte(body)),
		ETag:        `"` + hex.EncodeToString(sum[:16]) + `"`,
		ContentType: contentType,
	}
}

// compress cannot fail: it writes to memory, at a level that exists.
func compress(body []byte) []byte {
	var out bytes.Buffer
	writer, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err == nil {
		_, err = writer.Write(body)
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		panic(fmt.Sprintf("web: compress in memory: %v", err))
	}
	return out.Bytes()
}
