//go:build cgo

package storetest

const withCgo = true
