// Package chatmw holds ready-made pieces for [chat.New]: authenticators that say who somebody is, and filters that
// rewrite or refuse a message before it is stored. Each is one line where it is used:
//
//	chat.New(st,
//		chat.WithTokenAuth(chatmw.JWT(secret)),
//		chat.WithFilter(chatmw.MaxLength(2000), chatmw.Links(2), chatmw.Words(list), chatmw.SlowMode(5*time.Second)),
//	)
//
// Filters run in the order given, so cheap ones and those that refuse go first, and last those that count (Duplicates, SlowMode,
// RateLimit): what a later filter refuses they have counted already. All are safe for concurrent use. A piece
// that is set up wrongly panics at once, as Echo's own middleware does: the app fails at its start, never at a user.
package chatmw
