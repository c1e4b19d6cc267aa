//go:build cgo

package store

import (
	"database/sql/driver"
	"errors"

	"github.com/mattn/go-sqlite3"
)

// sqliteDriver is the usual driver, which needs a C compiler.
func sqliteDriver() driver.Driver { return &sqlite3.SQLiteDriver{} }

// keepsStatements reports whether a driver keeps prepared statements by itself, as _stmt_cache_size in the DSN says.
func keepsStatements(d driver.Driver) bool {
	_, ok := d.(*sqlite3.SQLiteDriver)
	return ok
}

func mattnCode(err error) (int, bool) {
	e, ok := errors.AsType[sqlite3.Error](err)
	return int(e.ExtendedCode), ok
}
