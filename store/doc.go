// Package store keeps a chat's rooms, members and messages in a SQL database: SQLite, PostgreSQL, MySQL or MariaDB.
//
// [Open] opens a SQLite file, [New] works on the *gorm.DB the application already has. Both bring the schema up to date
// with the numbered migrations of package migrations; every table is named chat_…, so the application's own tables are
// never touched.
//
// # Promises
//
//   - [Store.Append] returns after the database committed, with fsync. Nothing it returned is lost when the process is killed.
//   - One ClientID of one sender in one room is stored once, for as long as the message exists. A repeated Append returns
//     the first one's message.
//   - The messages of a room are numbered 1, 2, 3 … in [Message.Seq], without gaps, in the order in which they were
//     committed, whatever number of processes writes to the database.
//   - Only a member may append: the check is part of the transaction that stores the message.
//
// # How messages are written
//
// One goroutine collects what concurrent callers append and commits it together: it locks the rooms' rows in the order of
// their ids, drops what is stored already, numbers the rest, inserts it and commits once. Under load this costs one fsync for
// a hundred messages, and a lone message waits for nobody: there is no timer. What was committed is passed to the function set
// with [Store.OnCommit], per room in the order of Seq.
//
// Read positions and when users were last seen go another way: a second goroutine commits them, fewer times than they come, and never
// in the way of messages.
//
// Times are UTC with millisecond precision, see [Millis].
package store
