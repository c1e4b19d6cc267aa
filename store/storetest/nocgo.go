//go:build !cgo

package storetest

// withCgo says which SQLite the store uses. The C driver is registered without it, too, and opens nothing.
const withCgo = false
