package chattest

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// witness takes what a helper says about a test instead of failing this one.
type witness struct {
	testing.TB
	cleanups []func()
	said     []string
}

func (w *witness) Helper()                        {}
func (w *witness) Cleanup(f func())               { w.cleanups = append(w.cleanups, f) }
func (w *witness) Errorf(format string, _ ...any) { w.said = append(w.said, format) }
func (w *witness) end() (said string) {
	for _, f := range w.cleanups {
		f()
	}
	return strings.Join(w.said, "\n")
}

func TestCheckLeaks(t *testing.T) {
	t.Parallel()
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() { <-stop; close(stopped) }() // from before: does not count

	clean := &witness{TB: t}
	checkLeaks(clean, time.Minute)
	done := make(chan struct{})
	go close(done)
	<-done
	require.Empty(t, clean.end())

	leaking := &witness{TB: t}
	checkLeaks(leaking, 10*time.Millisecond)
	started := make(chan struct{})
	go func() {
		go func() { close(started); <-stop }() // a grandchild is found as well
	}()
	<-started
	require.Contains(t, leaking.end(), "left over")
	close(stop)
	<-stopped
}
