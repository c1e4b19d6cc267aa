package engineio

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

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

// String returns the message that goes with the code.
func (c ErrorCode) String() string {
	switch c {
	case CodeUnknownTransport:
		return "Transport unknown"
	case CodeUnknownSID:
		return "Session ID unknown"
	case CodeBadHandshakeMethod:
		return "Bad handshake method"
	case CodeForbidden:
		return "Forbidden"
	case CodeUnsupportedProtocolVersion:
		return "Unsupported protocol version"
	}
	return "Bad request"
}

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

	chosen bool // Status was chosen by a hook
}

// Error returns the message and the name of the cause, never anything that the client sent.
func (e ConnectionError) Error() string {
	if name := e.Context["name"]; name != "" {
		return "engineio: " + e.Message + " (" + name + ")"
	}
	return "engineio: " + e.Message
}

// Unwrap returns Err.
func (e ConnectionError) Unwrap() error { return e.Err }

// maxContextBytes bounds each value of a ConnectionError's context.
const maxContextBytes = 128

// refusal starts a ConnectionError from alternating keys and values of its context.
func refusal(code ErrorCode, context ...string) *ConnectionError {
	e := &ConnectionError{Code: code, Message: code.String(), Status: http.StatusBadRequest}
	if code == CodeForbidden {
		e.Status = http.StatusForbidden
	}
	if len(context) > 0 {
		e.Context = make(map[string]string, len(context)/2)
		for i := 0; i+1 < len(context); i += 2 {
			value := context[i+1]
			if len(value) > maxContextBytes {
				value = strings.ToValidUTF8(value[:maxContextBytes], "")
			}
			e.Context[context[i]] = value
		}
	}
	return e
}

func (e *ConnectionError) withStatus(status int) *ConnectionError {
	e.Status = status
	return e
}

// gateRefusal is the refusal for an error of Config.Gate.
func gateRefusal(err error) *ConnectionError {
	e := refusal(CodeForbidden, "name", "GATE")
	e.Err = err
	var answer interface{ HTTPStatus() int }
	if errors.As(err, &answer) {
		e.Message = err.Error()
		if status := answer.HTTPStatus(); status >= 400 && status <= 599 { // else it would be no refusal, or no status at all
			e.Status, e.chosen = status, true
		}
	}
	return e
}

// refuse reports a refused request and answers it with a protocol error. The body is JSON as the reference implementation
// sends it; a refused upgrade gets the bare message and, as there, 400 where no hook asked for another status.
func (srv *Server) refuse(w http.ResponseWriter, r *http.Request, e *ConnectionError) {
	h := w.Header()
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	var body []byte
	if websocket.IsWebSocketUpgrade(r) {
		if e.Status == http.StatusForbidden && !e.chosen {
			e.Status = http.StatusBadRequest
		}
		h.Set("Content-Type", "text/plain; charset=UTF-8")
		h.Set("Connection", "close")
		h.Set("Sec-WebSocket-Version", "13") // RFC 6455, section 4.4: what would have been understood
		body = []byte(e.Message)
	} else {
		h.Set("Content-Type", "application/json")
		body, _ = json.Marshal(struct {
			Code    ErrorCode `json:"code"`
			Message string    `json:"message"`
		}{e.Code, e.Message})
	}
	srv.report(r, e)
	srv.spurn(w, r)
	_ = srv.write(w, e.Status, body) // nothing is left to do for a client that is gone
}

// spurn limits the time that net/http takes for a body that was not read.
func (srv *Server) spurn(w http.ResponseWriter, r *http.Request) {
	if r.ContentLength != 0 {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(srv.cfg.linger))
	}
}

// report tells Config.OnError.
func (srv *Server) report(r *http.Request, e *ConnectionError) {
	if srv.cfg.OnError == nil {
		return
	}
	e.Method, e.URL, e.RemoteAddr, e.Header = r.Method, r.URL.RequestURI(), r.RemoteAddr, r.Header.Clone()
	defer srv.recovered("OnError", nil)
	srv.cfg.OnError(*e)
}
