//go:build !cgo

package store

import (
	"database/sql/driver"

	"modernc.org/sqlite"
)

// sqliteDriver is SQLite translated to Go, for builds without a C compiler.
func sqliteDriver() driver.Driver { return &sqlite.Driver{} }

func keepsStatements(driver.Driver) bool { return false }

func mattnCode(error) (int, bool) { return 0, false }
