package chat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// Code names what went wrong, in the one word that clients branch on. It is the same in an event's acknowledgement, in
// connect_error and in a REST answer.
type Code string

// The codes of the client contract.
const (
	CodeUnauthorized    Code = "unauthorized"      // not signed in, or the sign-in was refused
	CodeTokenExpired    Code = "token_expired"     // the sign-in has expired; get a new one and connect again
	CodeForbidden       Code = "forbidden"         // signed in, and still not allowed
	CodeNotAMember      Code = "not_a_member"      // the room is known to the user, who has not joined it
	CodeRoomNotFound    Code = "room_not_found"    // no such room, or none this user may know of
	CodeMessageNotFound Code = "message_not_found" // no such message in that room
	CodeMessageTooLarge Code = "message_too_large" // the text is over WithMaxTextBytes, the request over WithMaxPayload or the file over WithUploadLimits
	CodeMuted           Code = "muted"             // may not speak here; retry_after_ms says for how long, 0 for good
	CodeBanned          Code = "banned"            // may not be here; retry_after_ms as for muted
	CodeMessageRejected Code = "message_rejected"  // a filter refused the message, or files of this type are not taken
	CodeDuplicate       Code = "duplicate"         // the same was said a moment ago; retry_after_ms says when it may be said again
	CodeSlowMode        Code = "slow_mode"         // the room is slowed down; retry_after_ms says how long to wait
	CodeRateLimited     Code = "rate_limited"      // too many of these; retry_after_ms says how long to wait
	CodeInvalidArgument Code = "invalid_argument"  // the request itself is wrong; details name the field
	CodeConflict        Code = "conflict"          // it exists already
	CodeIDConflict      Code = "id_conflict"       // this client_id was used for another message
	CodeServerBusy      Code = "server_busy"       // transient: the database cannot be reached or is behind
	CodeStorageFull     Code = "storage_full"      // transient: the database has no space left
	CodeServerDraining  Code = "server_draining"   // transient: this server is shutting down
	CodeInternal        Code = "internal"          // a fault of the server; request_id finds it in the log
)

// status is the HTTP status of each code.
func (c Code) status() int {
	switch c {
	case CodeUnauthorized, CodeTokenExpired:
		return http.StatusUnauthorized
	case CodeForbidden, CodeNotAMember, CodeMuted, CodeBanned:
		return http.StatusForbidden
	case CodeRoomNotFound, CodeMessageNotFound:
		return http.StatusNotFound
	case CodeMessageTooLarge:
		return http.StatusRequestEntityTooLarge
	case CodeMessageRejected:
		return http.StatusUnprocessableEntity
	case CodeRateLimited, CodeSlowMode:
		return http.StatusTooManyRequests
	case CodeInvalidArgument:
		return http.StatusBadRequest
	case CodeConflict, CodeIDConflict, CodeDuplicate:
		return http.StatusConflict
	case CodeServerBusy, CodeServerDraining:
		return http.StatusServiceUnavailable
	case CodeStorageFull:
		return http.StatusInsufficientStorage
	default:
		return http.StatusInternalServerError
	}
}

// transient reports whether the same request may succeed a little later without anybody changing anything. An event
// that fails so is not acknowledged, because to the stock client an acknowledgement means "do not send this again".
func (c Code) transient() bool {
	return c == CodeServerBusy || c == CodeStorageFull || c == CodeServerDraining
}

// Error is a failure in the words of the client contract. It is the only error text that reaches a browser: whatever
// else a hook, a filter or the database returns is logged and becomes CodeInternal.
//
// Errors compare by code: errors.Is(err, &chat.Error{Code: chat.CodeRoomNotFound}).
type Error struct {
	Code       Code
	Message    string            // one sentence for people
	Status     int               // HTTP status; 0 stands for the code's own
	Retryable  bool              // the same request may be sent again after RetryAfter
	RetryAfter time.Duration     // 0 where nothing is known
	Details    map[string]string // such as "field": "room_id"; may be nil
	RequestID  string            // finds the failure in the log
	cause      error
	panicked   bool // code of the app has panicked: the connection that caused it ends
}

// NewError returns an Error with the status that belongs to code.
func NewError(code Code, message string) *Error {
	return &Error{Code: code, Message: message, Status: code.status(), Retryable: code.transient()}
}

// Reject refuses a message from a Filter. The reason is shown to its sender.
func Reject(reason string) *Error { return NewError(CodeMessageRejected, reason) }

// RateLimited refuses a request that may be sent again after wait.
func RateLimited(wait time.Duration) *Error {
	e := NewError(CodeRateLimited, "Too many requests; please wait a moment.")
	e.Retryable, e.RetryAfter = true, max(wait, 0)
	return e
}

// Forbidden refuses a request from an authenticator or a hook. The reason is shown to the user.
func Forbidden(reason string) *Error { return NewError(CodeForbidden, reason) }

// Unauthorized refuses a sign-in. The reason is shown to the user.
func Unauthorized(reason string) *Error { return NewError(CodeUnauthorized, reason) }

// ErrNoCredentials is returned by an authenticator that found nothing to judge. The request goes on unsigned: another
// authenticator, or WithGuests, may still say who it is, and what stays unsigned is refused with CodeUnauthorized.
var ErrNoCredentials = errors.New("chat: no credentials")

// Error implements error.
func (e *Error) Error() string {
	if e.cause != nil {
		return fmt.Sprintf("chat: %s: %s: %v", e.Code, e.Message, e.cause)
	}
	return fmt.Sprintf("chat: %s: %s", e.Code, e.Message)
}

// Is reports whether target is an Error with the same code.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Unwrap returns what caused the failure, for the server's own eyes, or nil.
func (e *Error) Unwrap() error {
	if e == nil { // which a function of the app may return by mistake
		return nil
	}
	return e.cause
}

// asError finds the *Error in err. A nil one, which a function of the app may return by mistake, does not count.
func asError(err error) (e *Error, ok bool) {
	return e, errors.As(err, &e) && e != nil
}

// wireError is a failure as clients get to see it.
type wireError struct {
	Code         Code              `json:"code"`
	Message      string            `json:"message"`              // one sentence for people
	Status       int               `json:"status"`               // of HTTP
	Retryable    bool              `json:"retryable"`            // the same request may be sent again after RetryAfterMS
	RetryAfterMS int64             `json:"retry_after_ms"`       // 0 where nothing is known
	Details      map[string]string `json:"details"`              // such as "field": "room_id"
	RequestID    string            `json:"request_id,omitempty"` // finds the failure in the server's log
}

// MarshalJSON writes the error object of the client contract; the cause stays on the server.
func (e *Error) MarshalJSON() ([]byte, error) {
	w := wireError{
		Code: e.Code, Message: e.Message, Status: e.Status, Retryable: e.Retryable,
		RetryAfterMS: e.RetryAfter.Milliseconds(), Details: e.Details, RequestID: e.RequestID,
	}
	if w.Status == 0 {
		w.Status = e.Code.status()
	}
	if w.Details == nil {
		w.Details = map[string]string{}
	}
	return json.Marshal(w)
}

// UnmarshalJSON reads the error object of the client contract.
func (e *Error) UnmarshalJSON(data []byte) error {
	var w wireError
	if err := json.Unmarshal(data, &w); err != nil {
		return fmt.Errorf("chat: decode error object: %w", err)
	}
	*e = Error{
		Code: w.Code, Message: w.Message, Status: w.Status, Retryable: w.Retryable,
		RetryAfter: time.Duration(w.RetryAfterMS) * time.Millisecond, Details: w.Details, RequestID: w.RequestID,
	}
	return nil
}

// invalid says which field of a request is wrong and why.
func invalid(field, why string) *Error {
	e := NewError(CodeInvalidArgument, field+" "+why)
	e.Details = map[string]string{"field": field}
	return e
}

func roomNotFound() *Error { return NewError(CodeRoomNotFound, "There is no such room.") }

func messageNotFound() *Error {
	return NewError(CodeMessageNotFound, "There is no such message in this room.")
}

func notAMember() *Error { return NewError(CodeNotAMember, "You are not a member of this room.") }
