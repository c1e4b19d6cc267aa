package web

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// TestClientInNode runs the client against servers, networks and applications that misbehave. It needs Node and no package.
func TestClientInNode(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		const what = "install Node to test the client script"
		if os.Getenv("ECHOCHAT_REQUIRE_SERVICES") != "" {
			t.Fatal(what)
		}
		t.Skip(what)
	}
	folder := t.TempDir()
	save := func(name, as string) string {
		asset, ok := Client(name)
		require.True(t, ok)
		path := filepath.Join(folder, as)
		require.NoError(t, os.WriteFile(path, asset.Body, 0o600))
		return path
	}

	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "client_test.mjs", save("socket.io.esm.min.js", "client.mjs"), save("socket.io.js", "client.cjs"))
	cmd.Dir = "testdata"
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
