//go:build race

package socketio_test

// raceEnabled tells that what has no Go in it need not run.
const raceEnabled = true
