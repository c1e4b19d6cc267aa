package engineio

import "sync/atomic"

// budget bounds the memory of incoming messages over all sessions.
type budget struct {
	used atomic.Int64
	max  int64
}

// take counts n bytes, or returns false if they are too many.
func (b *budget) take(n int64) bool {
	if b.used.Add(n) > b.max {
		b.used.Add(-n)
		return false
	}
	return true
}

func (b *budget) give(n int64) {
	if n != 0 {
		b.used.Add(-n)
	}
}
