package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"
)

// packetType is the first character of a packet. Socket.IO protocol v5, section "Packet types".
type packetType byte

const (
	packetConnect      packetType = '0'
	packetDisconnect   packetType = '1'
	packetEvent        packetType = '2'
	packetAck          packetType = '3'
	packetConnectError packetType = '4'
	packetBinaryEvent  packetType = '5'
	packetBinaryAck    packetType = '6'
)

const (
	// maxNamespaceLength bounds the names that a client can make the server look up, keep and send back.
	maxNamespaceLength = 1024
	// maxJSONDepth bounds the nesting of a payload, and with it the recursion of whoever decodes it.
	maxJSONDepth = 256
	// maxArguments bounds the items of a payload: each costs more in memory than it has to on the wire.
	maxArguments = 1024
	// packetOverhead and argumentOverhead are what a packet and each of its arguments take of the memory besides the bytes.
	packetOverhead   = 256
	argumentOverhead = 24
	// maxPacketID is the largest acknowledgement id: what a JavaScript client can count to exactly.
	maxPacketID = 1<<53 - 1
)

// packet is one incoming packet. The binary types are folded into packetEvent and packetAck, with attachments.
type packet struct {
	kind        packetType
	namespace   string
	id          uint64
	hasID       bool
	payload     []byte // CONNECT: the auth object; nil if there is none
	event       string // EVENT: its name
	args        Args   // EVENT and ACK
	attachments int    // how many binary messages follow
	size        int    // bytes on the wire, attachments included
	acked       atomic.Bool
	next        *packet // in the inbox

	few [3]json.RawMessage // room for the items of most payloads
}

// cost is what a packet that waits takes of the memory, about.
func (p *packet) cost() int { return p.size + packetOverhead + argumentOverhead*len(p.args.items) }

// limits are the bounds of the decoder.
type limits struct {
	attachments int
	bytes       int
}

// errPacket is the error of everything that is no valid packet.
var errPacket = errors.New("invalid packet")

func badPacket(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errPacket, fmt.Sprintf(format, args...))
}

// parsePacket decodes the text of a packet. It keeps references to data.
//
//	<packet type>[<# of binary attachments>-][<namespace>,][<acknowledgment id>][JSON payload]
//
// Socket.IO protocol v5, section "Packet encoding".
func parsePacket(data []byte, lim limits) (*packet, error) {
	if len(data) == 0 {
		return nil, badPacket("empty")
	}
	p := &packet{kind: packetType(data[0]), namespace: "/", size: len(data)}
	if p.kind < packetConnect || p.kind > packetBinaryAck {
		return nil, badPacket("unknown type")
	}
	rest := data[1:]
	var err error
	if p.kind == packetBinaryEvent || p.kind == packetBinaryAck {
		if p.attachments, rest, err = parseAttachments(rest, lim.attachments); err != nil {
			return nil, err
		}
		p.kind -= packetBinaryEvent - packetEvent
	}
	if len(rest) > 0 && rest[0] == '/' {
		name, after, _ := bytes.Cut(rest, []byte{','})
		if len(name) > maxNamespaceLength {
			return nil, badPacket("namespace of %d bytes", len(name))
		}
		p.namespace, rest = string(name), after
	}
	if p.id, p.hasID, rest, err = parseID(rest); err != nil {
		return nil, err
	}
	if err := p.parsePayload(rest); err != nil {
		return nil, err
	}
	return p, nil
}

// parseAttachments reads "<# of binary attachments>-".
func parseAttachments(data []byte, most int) (n int, rest []byte, err error) {
	digits, rest, found := bytes.Cut(data, []byte{'-'})
	if !found || len(digits) == 0 || len(digits) > 9 || digits[0] == '0' || countDigits(digits) != len(digits) {
		return 0, nil, badPacket("number of attachments")
	}
	if n, err = strconv.Atoi(string(digits)); err != nil {
		return 0, nil, badPacket("number of attachments")
	}
	if n > most {
		return 0, nil, badPacket("%d attachments", n)
	}
	return n, rest, nil
}

// parseID reads the optional acknowledgement id.
func parseID(data []byte) (id uint64, found bool, rest []byte, err error) {
	n := countDigits(data)
	if n == 0 {
		return 0, false, data, nil
	}
	id, err = strconv.ParseUint(string(data[:n]), 10, 64)
	if err != nil || id > maxPacketID {
		return 0, false, nil, badPacket("acknowledgement id")
	}
	return id, true, data[n:], nil
}

func countDigits(data []byte) int {
	for i, c := range data {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(data)
}

// parsePayload checks the payload against the packet's type and takes it apart.
func (p *packet) parsePayload(data []byte) error {
	switch p.kind {
	case packetConnect:
		if len(data) > 0 {
			p.payload = data
		}
		if p.hasID || p.payload != nil && !scanObject(data) {
			return badPacket("CONNECT with anything but an object")
		}
		return nil
	case packetDisconnect:
		if p.hasID || len(data) > 0 {
			return badPacket("DISCONNECT with a payload")
		}
		return nil
	case packetEvent, packetAck:
		return p.parseArgs(data)
	default:
		return badPacket("CONNECT_ERROR from a client")
	}
}

// parseArgs takes the payload of an EVENT or ACK apart. Without attachments an object that looks like a placeholder
// is an ordinary object, as for every other implementation.
func (p *packet) parseArgs(data []byte) error {
	if len(data) == 0 || data[0] != '[' {
		return badPacket("payload is not an array")
	}
	items, ok := scanArray(data, p.few[:0])
	if !ok {
		return badPacket("payload is not JSON, or too deep or too long")
	}
	if p.kind == packetAck && !p.hasID {
		return badPacket("ACK without an id")
	}
	var err error
	if p.kind == packetEvent {
		if len(items) == 0 {
			return badPacket("EVENT without a name")
		}
		if p.event, err = parseEventName(items[0]); err != nil {
			return err
		}
		items = items[1:]
	}
	if err := checkPlaceholders(data, p.attachments); err != nil {
		return err
	}
	p.args = Args{items: items}
	return nil
}

// parseEventName reads the first item of an EVENT: a string, or a number, which names the same event as its text does
// in JavaScript.
func parseEventName(data []byte) (string, error) {
	if data[0] == '"' {
		name, err := textOf(data)
		if err != nil {
			return "", badPacket("event name")
		}
		if reservedEvent(name) {
			return "", badPacket("reserved event name")
		}
		return name, nil
	}
	number, err := strconv.ParseFloat(string(data), 64)
	if err != nil {
		return "", badPacket("event name is neither a string nor a number")
	}
	name, err := json.Marshal(number + 0) // the text that JavaScript gives it, which has no -0
	return string(name), err
}

// textOf returns the text of a JSON string.
func textOf(data []byte) (string, error) {
	if text, plain := plainString(data); plain {
		return text, nil
	}
	var text string
	err := json.Unmarshal(data, &text)
	return text, err
}

// plainString returns the text of a valid JSON string that has no escapes in it, which is nearly every one. It saves
// encoding/json, whose need of stack would double the memory of the goroutine that reads.
func plainString(data []byte) (text string, ok bool) {
	if data[0] != '"' || bytes.IndexByte(data, '\\') >= 0 {
		return "", false
	}
	return string(data[1 : len(data)-1]), true
}

// reservedEvent reports whether a name must not be used for an event. Socket.IO documentation, "Emit cheatsheet".
func reservedEvent(name string) bool {
	switch name {
	case "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener":
		return true
	default:
		return false
	}
}
