// Package chatmw holds ready-made pieces for [chat.New]: authenticators that say who somebody is, and filters that
// rewrite or refuse a message before it is stored. Each is one line where it is used:
//
//	chat.New(st,
//		chat.WithTokenAuth(chatmw.JWT(secret)),
//		chat.WithFilter(chatmw.RateLimit(5, 10*time.Second), chatmw.MaxLength(2000), chatmw.Words(list)),
//	)
//
// Filters run in the order given, so cheap ones and those that refuse go first. All are safe for concurrent use. A piece
// that is set up wrongly panics at once, as Echo's own middleware does: the app fails at its start, never at a user.
package chatmw
