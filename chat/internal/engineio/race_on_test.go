//go:build race

package engineio

// raceEnabled tells that sync.Pool drops things at random, which makes counting allocations pointless.
const raceEnabled = true
