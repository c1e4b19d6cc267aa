package chattest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

var (
	// ErrClosed is what a client reports after its own Close.
	ErrClosed = errors.New("chattest: closed by the client")
	// ErrCut is what a client reports after one of its own cuts.
	ErrCut = errors.New("chattest: connection cut by the test")
	// ErrServerClosed means that the server sent an Engine.IO close packet.
	ErrServerClosed = errors.New("chattest: the server sent a close packet")
	// ErrDisconnected means that the server sent a Socket.IO DISCONNECT.
	ErrDisconnected = errors.New("chattest: the server disconnected the namespace")
)

// HTTPError is an answer of the Engine.IO route other than 200 or 101.
type HTTPError struct {
	Status  int    // HTTP status
	Code    int    // code of Engine.IO's error object, -1 if there is none
	Message string // message of that object, or the body
	Header  http.Header
}

// Error implements error.
func (e *HTTPError) Error() string {
	return fmt.Sprintf("chattest: the server answered %d, code %d: %s", e.Status, e.Code, e.Message)
}

func newHTTPError(res *http.Response, body []byte) *HTTPError {
	e := &HTTPError{Status: res.StatusCode, Code: -1, Message: string(body), Header: res.Header}
	var object struct {
		Code    *int   `json:"code"`
		Message string `json:"message"`
	}
	if json.Unmarshal(body, &object) == nil && object.Code != nil {
		e.Code, e.Message = *object.Code, object.Message
	}
	return e
}

// ConnectError is the server's refusal of a namespace (CONNECT_ERROR).
type ConnectError struct {
	Message string          `json:"message"`
	Data    json.RawMessage `json:"data"` // nil if the server sent none
}

// Error implements error.
func (e *ConnectError) Error() string { return "chattest: connect_error: " + e.Message }
