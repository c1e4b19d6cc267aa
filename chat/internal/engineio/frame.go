package engineio

import (
	"encoding/binary"
	"strings"
)

// Opcodes and header bits of a WebSocket frame (RFC 6455, section 5.2).
const (
	opContinuation = 0x0
	opText         = 0x1
	opBinary       = 0x2
	opClose        = 0x8
	opPing         = 0x9
	opPong         = 0xA

	finBit  = 0x80
	opMask  = 0x0F
	maskBit = 0x80
)

// frameHeaderSize returns the length of an unmasked frame's header for n bytes of payload.
func frameHeaderSize(n int) int {
	switch {
	case n <= 125:
		return 2
	case n <= 0xFFFF:
		return 4
	default:
		return 10
	}
}

// appendFrameHeader appends the header of an unmasked, unfragmented frame with n bytes of payload.
func appendFrameHeader(b []byte, opcode byte, n int) []byte {
	b = append(b, finBit|opcode)
	switch {
	case n <= 125:
		return append(b, byte(n))
	case n <= 0xFFFF:
		return binary.BigEndian.AppendUint16(append(b, 126), uint16(n))
	default:
		return binary.BigEndian.AppendUint64(append(b, 127), uint64(n))
	}
}

// Close codes (RFC 6455, section 7.4.1 and the IANA registry).
const (
	closeNormal         = 1000
	closeGoingAway      = 1001
	closeProtocolError  = 1002
	closeInvalidData    = 1007
	closePolicy         = 1008
	closeTooBig         = 1009
	closeServiceRestart = 1012
	closeTryAgainLater  = 1013
)

// closeFrame returns a finished close frame. Text must be shorter than 124 bytes, the most a control frame can hold.
func closeFrame(code int, text string) []byte {
	b := appendFrameHeader(make([]byte, 0, 4+len(text)), opClose, 2+len(text))
	b = binary.BigEndian.AppendUint16(b, uint16(code))
	return append(b, text...)
}

// closeFrameFor returns the close frame that tells a WebSocket client why its session ended. Node's server sends no
// status at all; stock clients report "transport close" either way and pass the code on as detail.
func closeFrameFor(reason Reason) []byte {
	code := closeNormal
	switch reason {
	case ReasonParseError:
		code = closeProtocolError
	case ReasonTransportError, ReasonSlowClient:
		code = closePolicy
	case ReasonPingTimeout:
		code = closeGoingAway
	case ReasonServerShutdown:
		code = closeServiceRestart
	}
	text := string(reason)
	if len(text) > 100 {
		text = strings.ToValidUTF8(text[:100], "")
	}
	return closeFrame(code, text)
}
