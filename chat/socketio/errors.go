package socketio

import (
	"errors"
	"fmt"
)

var (
	// ErrDisconnected is returned by whatever needs a connected socket, when it is not connected yet or no longer.
	ErrDisconnected = errors.New("socketio: socket is not connected")
	// ErrReservedEvent is returned for the event names that Socket.IO keeps for itself: connect, connect_error,
	// disconnect, disconnecting, newListener and removeListener.
	ErrReservedEvent = errors.New("socketio: reserved event name")
	// ErrTooManyAttachments is returned for an event or an acknowledgement with more binary data in it than clients take,
	// which is 10 attachments for the stock ones: they would close the connection. See also [WithMaxAttachments].
	ErrTooManyAttachments = errors.New("socketio: too many attachments")
	// ErrTooManyAcks is returned when a client owes as many acknowledgements as [WithMaxAcks] allows.
	ErrTooManyAcks = errors.New("socketio: too many acknowledgements outstanding")
	// ErrAckSent is returned by the second call of [Ack.Send] for one event.
	ErrAckSent = errors.New("socketio: acknowledgement already sent")
)

// ConnectError is an error of a connect middleware that carries data for the client. A client sees the message of
// any error that a middleware returns; of a ConnectError, also wrapped in another error, it sees Message and Data.
//
//	socket.on("connect_error", (err) => console.log(err.message, err.data));
type ConnectError struct {
	// Message is err.message at the client.
	Message string
	// Data is err.data at the client, encoded as JSON. Left out when nil.
	Data any
}

// Error returns the message.
func (e *ConnectError) Error() string { return e.Message }

// ArgumentError is what a typed handler's caller ([WithErrorAck]) and [Args.Decode] get for arguments that are not of
// the wanted type: the client's mistake, not the server's.
type ArgumentError struct {
	// Index is the position of the argument, the event's name not counted.
	Index int
	// Err says what is wrong.
	Err error
}

// Error describes the mistake.
func (e *ArgumentError) Error() string { return fmt.Sprintf("argument %d: %v", e.Index, e.Err) }

// Unwrap returns Err.
func (e *ArgumentError) Unwrap() error { return e.Err }
