//go:build cgo

package store_test

// sqliteName is the driver that Open uses in this build.
const sqliteName = "sqlite3"
