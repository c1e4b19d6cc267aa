package chattest

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"runtime/pprof"
	"strings"
	"testing"
	"time"
)

// CheckLeaks fails the test if a goroutine that was started by it is still
// there when its cleanups are through. Call it first, from the test's own
// goroutine. It works in parallel tests too: it marks the test's goroutine with
// a pprof label, which every goroutine inherits from the one that starts it, so
// the goroutines of other tests do not count.
func CheckLeaks(t testing.TB) {
	t.Helper()
	checkLeaks(t, 5*time.Second)
}

func checkLeaks(t testing.TB, timeout time.Duration) {
	t.Helper()
	mark := t.Name() // no two tests of a process run under one name at once
	pprof.SetGoroutineLabels(pprof.WithLabels(context.Background(), pprof.Labels(leakLabel, mark)))
	t.Cleanup(func() {
		pprof.SetGoroutineLabels(context.Background()) // the test itself does not count
		if shared, ok := http.DefaultTransport.(*http.Transport); ok {
			shared.CloseIdleConnections()
		}
		if stacks := awaitNone(mark, timeout); stacks != "" {
			t.Errorf("goroutines are left over:\n%s", stacks)
		}
	})
}

const leakLabel = "chattest"

// awaitNone returns "" as soon as no goroutine has the mark, or what is left
// when time is up. The runtime has no event for the end of a goroutine, so this
// looks again and again.
func awaitNone(mark string, timeout time.Duration) string {
	deadline := time.Now().Add(timeout)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		stacks := marked(mark)
		if stacks == "" || time.Now().After(deadline) {
			return stacks
		}
		<-time.After(pause)
	}
}

// marked returns the stacks of the goroutines with the mark.
func marked(mark string) string {
	var profile bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&profile, 1); err != nil {
		return err.Error()
	}
	label := fmt.Sprintf("%q:%q", leakLabel, mark)
	var found []string
	for stack := range strings.SplitSeq(profile.String(), "\n\n") {
		if strings.Contains(stack, label) {
			found = append(found, stack)
		}
	}
	return strings.Join(found, "\n\n")
}
