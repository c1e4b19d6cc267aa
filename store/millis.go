package store

import "time"

// Millis is a moment in milliseconds since 1970-01-01 UTC, as it is stored. Zero means never.
type Millis int64

// MillisOf returns the moment t, cut to milliseconds. The zero time is 0.
func MillisOf(t time.Time) Millis {
	if t.IsZero() {
		return 0
	}
	return Millis(t.UnixMilli())
}

// Time returns m in UTC; the zero time for 0.
func (m Millis) Time() time.Time {
	if m == 0 {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}
