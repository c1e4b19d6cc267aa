package socketio_test

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/socketio"
)

// TestTutorialPageInChromium opens the page of the Socket.IO tutorial in two tabs, with example/tutorial as its server:
// what one types appears in both.
func TestTutorialPageInChromium(t *testing.T) {
	t.Parallel()
	program := requireChromium(t)
	runNode(t, "chromium.mjs", "--chromium", program, "--page", "tutorial", "--url", startTutorial(t))
}

// TestClientInChromium uses the client as an ES module in a page with a strict Content-Security-Policy: the one of this
// module, and the official one, served from its package's folder.
func TestClientInChromium(t *testing.T) {
	t.Parallel()
	program := requireChromium(t)
	for name, opts := range map[string][]socketio.Option{
		"own":   nil,
		"stock": {socketio.WithClientFiles(os.DirFS(filepath.Join(interopFolder, "node_modules/socket.io-client/dist")))},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runNode(t, "chromium.mjs", "--chromium", program, "--page", "module", "--url", serveInterop(t, opts...))
		})
	}
}

// requireChromium returns the browser's program. It skips the test where that or Node is missing.
func requireChromium(t *testing.T) (program string) {
	t.Helper()
	requireNode(t)
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if program, err := exec.LookPath(name); err == nil {
			return program
		}
	}
	missing(t, "install Chromium to test in a browser")
	return ""
}

// startTutorial builds and starts example/tutorial and returns its address.
func startTutorial(t *testing.T) (url string) {
	t.Helper()
	program := filepath.Join(t.TempDir(), "tutorial")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	out, err := exec.Command("go", "build", "-o", program, "../../example/tutorial").CombinedOutput()
	require.NoError(t, err, "%s", out)

	cmd := exec.Command(program, "-addr", "127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	require.NoError(t, err)
	cmd.Stderr = os.Stderr
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	// The program says where it listens, and it blocks if nobody reads what else it says.
	found := make(chan string, 1)
	go func() {
		port := regexp.MustCompile(`url=http://localhost:(\d+)`)
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			if match := port.FindStringSubmatch(lines.Text()); match != nil {
				found <- "http://127.0.0.1:" + match[1]
			}
		}
	}()
	select {
	case url = <-found:
		return url
	case <-time.After(30 * time.Second):
		require.Fail(t, "example/tutorial does not say where it listens")
		return ""
	}
}
