package engineio

import "net/http"

// ErrorCode is an error code of the Engine.IO server, as in the body of a refused request.
type ErrorCode int

// The error codes as the reference implementation (engine.io 6, lib/server.ts) numbers them.
const (
	CodeUnknownTransport           ErrorCode = iota // "Transport unknown"
	CodeUnknownSID                                  // "Session ID unknown"
	CodeBadHandshakeMethod                          // "Bad handshake method"
	CodeBadRequest                                  // "Bad request"
	CodeForbidden                                   // "Forbidden"
	CodeUnsupportedProtocolVersion                  // "Unsupported protocol version"
)

// ConnectionError describes a request that was refused. It is what Config.OnError is told.
type ConnectionError struct {
	// Code is the protocol's code and Message the text that the client was sent with it.
	Code    ErrorCode
	Message string
	// Status is the HTTP status of the answer.
	Status int
	// Context says more, in words of the reference implementation where it has them: "name", "transport", "sid",
	// "method", "protocol", "origin". Values come from the client and are cut to 128 bytes.
	Context map[string]string
	// Err is what Gate returned, if that was the cause.
	Err error

	// Method, URL, RemoteAddr and Header are copied from the request.
	Method     string
	URL        string
	RemoteAddr string
	Header     http.Header
}
