package web

import (
	"bytes"
	"compress/gzip"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestClient(t *testing.T) {
	t.Parallel()
	for name, contentType := range map[string]string{
		"socket.io.js":         "text/javascript; charset=utf-8",
		"socket.io.min.js":     "text/javascript; charset=utf-8",
		"socket.io.esm.min.js": "text/javascript; charset=utf-8",
		"socket.io.d.ts":       "text/plain; charset=utf-8",
		"echochat.d.ts":        "text/plain; charset=utf-8",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			asset, ok := Client(name)
			require.True(t, ok)
			require.Equal(t, contentType, asset.ContentType)
			require.Regexp(t, `^"[0-9a-f]{32}"$`, asset.ETag)
			require.NotEmpty(t, asset.Body)
			require.Less(t, len(asset.Gzip), 12_000, "the budget of the client script")
			unzipped, err := gzip.NewReader(bytes.NewReader(asset.Gzip))
			require.NoError(t, err)
			body, err := io.ReadAll(unzipped)
			require.NoError(t, err)
			require.True(t, bytes.Equal(asset.Body, body), "Gzip is Body")
		})
	}
}

func TestClientKnowsNoOtherNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "socket.io", "socket.io.js.map", "/socket.io.js", "../client.go", "client/io.js", "SOCKET.IO.JS"} {
		_, ok := Client(name)
		require.False(t, ok, name)
	}
}

func TestClientETagsTellScriptsApart(t *testing.T) {
	t.Parallel()
	classic, _ := Client("socket.io.js")
	minified, _ := Client("socket.io.min.js")
	module, _ := Client("socket.io.esm.min.js")
	require.Equal(t, classic.ETag, minified.ETag)
	require.NotEqual(t, classic.ETag, module.ETag)
}

// A page with a strict Content-Security-Policy runs the script only if it neither compiles text nor writes markup.
func TestScriptKeepsToAStrictPolicy(t *testing.T) {
	t.Parallel()
	script, _ := Client("socket.io.js")
	require.NotRegexp(t, `\beval\b|\bFunction\(|\binnerHTML\b|document\.write|setTimeout\("|\bimport\(`, string(script.Body))
}

// squeeze works line by line, which would change a string that goes over several.
func TestPartsHaveNoStringsOverSeveralLines(t *testing.T) {
	t.Parallel()
	for _, part := range parts {
		for number, line := range strings.Split(read(part+".js"), "\n") {
			if strings.HasPrefix(strings.TrimSpace(line), "//") {
				continue
			}
			require.Zero(t, strings.Count(line, "`")%2, "%s.js:%d", part, number+1)
			require.NotContains(t, line, "/*", "%s.js:%d: squeeze knows line comments only", part, number+1)
			require.False(t, strings.HasSuffix(line, `\`), "%s.js:%d", part, number+1)
		}
	}
}

func TestSqueeze(t *testing.T) {
	t.Parallel()
	require.Equal(t, "a(\"// b\"); // c\nd\n", squeeze("  // comment\n\n\ta(\"// b\"); // c  \n  d"))
}
