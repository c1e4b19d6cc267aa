package socketio_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/chat/web"
)

const interopFolder = "testdata/interop"

// TestInterop lets the stock clients, the newest and the oldest of the protocol, and the client of this module show
// their behaviours with this server.
func TestInterop(t *testing.T) {
	t.Parallel()
	requireNode(t)
	for _, client := range []string{"stock", "stock-4.0", "own"} {
		for _, transport := range []string{"default", "polling", "websocket"} {
			t.Run(client+"/"+transport, func(t *testing.T) {
				t.Parallel()
				url := serveInterop(t)
				recoveryURL := serveInterop(t, socketio.WithRecovery(socketio.Recovery{MaxDisconnection: time.Minute}))
				runNode(t, "run.mjs", "--client", client, "--transport", transport, "--url", url, "--recovery-url", recoveryURL,
					"--own", url+"/socket.io/socket.io.esm.min.js")
			})
		}
	}
}

// TestInteropReference proves the behaviours themselves, and the client of this module, with Node's own server.
func TestInteropReference(t *testing.T) {
	t.Parallel()
	if raceEnabled {
		t.Skip("Node talks to Node here: run it without the race detector, as `make interop` does")
	}
	requireNode(t)
	script, _ := web.Client("socket.io.esm.min.js")
	own := filepath.Join(t.TempDir(), "client.mjs")
	require.NoError(t, os.WriteFile(own, script.Body, 0o600))
	for _, client := range []string{"stock", "stock-4.0", "own"} {
		for _, transport := range []string{"default", "polling", "websocket"} {
			t.Run(client+"/"+transport, func(t *testing.T) {
				t.Parallel()
				runNode(t, "run.mjs", "--client", client, "--transport", transport, "--reference", "--own", own)
			})
		}
	}
}

// TestInteropTutorial lets them use example/tutorial as the clients of the Socket.IO tutorials do.
func TestInteropTutorial(t *testing.T) {
	t.Parallel()
	requireNode(t)
	url := startTutorial(t)
	for _, client := range []string{"stock", "stock-4.0", "own"} {
		runNode(t, "run.mjs", "--suite", "tutorial", "--client", client, "--transport", "all", "--url", url, "--own", url+"/socket.io/socket.io.esm.min.js")
	}
}

// serveInterop starts a server for the behaviours and returns its address.
func serveInterop(t *testing.T, opts ...socketio.Option) (url string) {
	t.Helper()
	srv, err := newInteropServer(opts...)
	require.NoError(t, err)
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	mux.Handle("/socket.io", srv)
	host := httptest.NewServer(mux)
	t.Cleanup(host.Close)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		require.NoError(t, srv.Shutdown(ctx))
	})
	return host.URL
}

// runNode runs a script of the folder; its output tells which behaviours hold.
func runNode(t *testing.T, script string, args ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", append([]string{script}, args...)...)
	cmd.Dir = interopFolder
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	t.Logf("%s", out)
}

// requireNode skips the test where Node or its packages are missing.
func requireNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		missing(t, "install Node to test with the stock clients")
	}
	if _, err := os.Stat(filepath.Join(interopFolder, "node_modules")); err != nil {
		missing(t, "run `npm ci --prefix chat/socketio/"+interopFolder+"` to test with the stock clients")
	}
}

// missing skips a test that needs what is not there, or fails it where all has to be there.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("ECHOCHAT_REQUIRE_SERVICES") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}
