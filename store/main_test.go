package store_test

import (
	"testing"

	"go.uber.org/goleak"
)

// No test may leave a goroutine behind: Close waits for all of a store's.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
