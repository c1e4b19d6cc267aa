package engineio

import (
	"bytes"
	"encoding/base64"
	"errors"
	"unicode/utf8"
)

// packetType is the first character of a text packet (Engine.IO protocol v4, section "Protocol").
type packetType byte

const (
	packetOpen    packetType = '0'
	packetClose   packetType = '1'
	packetPing    packetType = '2'
	packetPong    packetType = '3'
	packetMessage packetType = '4'
	packetUpgrade packetType = '5'
	packetNoop    packetType = '6'

	// packetBinary marks a binary message that was encoded as base64 because the transport, or the client's
	// forceBase64 option, admits text only (Engine.IO protocol v4, section "Packet encoding").
	packetBinary packetType = 'b'
)

// separator stands between the packets of one HTTP body (Engine.IO protocol v4, section "Packet encoding").
const separator = 0x1e

// probe is the content of the ping and pong packets that open an upgrade.
const probe = "probe"

var (
	errEmptyPacket   = errors.New("empty packet")
	errPacketType    = errors.New("unknown packet type")
	errPacketContent = errors.New("packet of a type without content has some")
	errInvalidBase64 = errors.New("binary packet is not valid base64")
)

// validText tells whether text may be handed on. Besides UTF-8, which the protocol demands and gorilla/websocket does
// not check, U+0000 is refused, since some databases cannot store it.
func validText(text []byte) bool {
	return bytes.IndexByte(text, 0) < 0 && utf8.Valid(text)
}

// decodePacket splits a text packet, whose bytes have passed validText, into its type and content. The content shares
// raw's memory except for packetBinary.
func decodePacket(raw []byte) (packetType, []byte, error) {
	if len(raw) == 0 {
		return 0, nil, errEmptyPacket
	}
	t := packetType(raw[0])
	switch {
	case len(raw) > 1 && (t == packetClose || t == packetUpgrade || t == packetNoop):
		return t, nil, errPacketContent // what protocol 3 calls a length, for one
	case t >= packetOpen && t <= packetNoop:
		return t, raw[1:], nil
	case t == packetBinary:
		data := make([]byte, base64.StdEncoding.DecodedLen(len(raw)-1))
		n, err := base64.StdEncoding.Decode(data, raw[1:])
		if err != nil {
			return t, nil, errInvalidBase64
		}
		if n < len(data)-2 { // line breaks, which are no reason to keep memory for what they are not
			return t, bytes.Clone(data[:n]), nil
		}
		return t, data[:n], nil
	}
	return t, nil, errPacketType
}

// nextPacket cuts the first packet off the body of a POST. A body with n separators has n+1 packets, so an empty body
// holds one empty, and therefore invalid, packet.
func nextPacket(body []byte) (raw, rest []byte, more bool) {
	return bytes.Cut(body, []byte{separator})
}
