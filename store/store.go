package store

import (
	"log/slog"

	"gorm.io/gorm"
)

// Store is a chat's database. Make one with [Open] or [New]; it is safe for concurrent use.
type Store struct {
	log *slog.Logger
}

// Open opens the SQLite database in the file at path, which is created when it does not exist, and brings its schema up to date. The
// folder must exist. The file is used in WAL mode with synchronous=FULL, so that a commit is on disk when it returns.
//
// Several processes may open one file, on one machine; a network file system does not do. An in-memory database (":memory:") is
// refused: use a file in a temporary folder.
func Open(path string, opts ...Option) (*Store, error) {
	return nil, ErrUnavailable
}

// New works on the database that the application has opened with GORM, and brings the chat's tables there up to date.
//
// PostgreSQL, MySQL and MariaDB: the store shares db's connection pool and takes one connection while it writes and one for
// each read. It checks the settings that the promises need, and the error says what to change.
//
// SQLite: the store opens connections of its own on the same file, with the same driver, in WAL mode with synchronous=FULL.
// It does not change the application's connections.
//
// None of db's plugins, callbacks and naming rules apply to the store.
func New(db *gorm.DB, opts ...Option) (*Store, error) {
	return nil, ErrUnavailable
}

// Close stores what has been accepted by Append, delivers it to OnCommit, and closes the connections that the store opened; the
// application's *gorm.DB stays open. Later calls return [ErrClosed].
func (s *Store) Close() error { return nil }
