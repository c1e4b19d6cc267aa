package engineio

import "encoding/base64"

// Message is one event for any number of sessions: a text packet and the binary packets that belong to it. It is
// encoded once, as finished WebSocket frames, and never changes, so one Message may be sent to many sessions from many
// goroutines.
type Message struct {
	frames  []byte    // WebSocket frames, one per packet, back to back
	packets []packet  // where each packet's bytes lie in frames
	single  [1]packet // memory of packets in the usual case
}

// packet locates the content of one packet within the frames of its message: for text with the packet type in front,
// as it stands in a poll; for binary the raw bytes.
type packet struct {
	start, end int
	binary     bool
}

// NewMessage encodes text as an Engine.IO message packet and each attachment as a binary packet after it. The bytes are
// copied. Text must be valid UTF-8.
func NewMessage(text []byte, attachments ...[]byte) *Message {
	return newMessage(packetMessage, text, attachments...)
}

func newMessage(t packetType, text []byte, attachments ...[]byte) *Message {
	size := frameHeaderSize(1+len(text)) + 1 + len(text)
	for _, a := range attachments {
		size += frameHeaderSize(len(a)) + len(a)
	}
	m := &Message{frames: make([]byte, 0, size)}
	m.packets = m.single[:0]

	b := appendFrameHeader(m.frames, opText, 1+len(text))
	start := len(b)
	b = append(append(b, byte(t)), text...)
	m.packets = append(m.packets, packet{start: start, end: len(b)})
	for _, a := range attachments {
		b = appendFrameHeader(b, opBinary, len(a))
		start = len(b)
		b = append(b, a...)
		m.packets = append(m.packets, packet{start: start, end: len(b), binary: true})
	}
	m.frames = b
	return m
}

// Size returns the number of bytes the message counts for in a session's queue: that of its WebSocket frames.
func (m *Message) Size() int { return len(m.frames) }

// appendPayload appends the packets of m as they stand in the body of a poll: text as it is, binary in base64, each
// after a separator unless it is the first.
func (m *Message) appendPayload(b []byte) []byte {
	for _, p := range m.packets {
		if len(b) > 0 {
			b = append(b, separator)
		}
		content := m.frames[p.start:p.end]
		if p.binary {
			b = base64.StdEncoding.AppendEncode(append(b, byte(packetBinary)), content)
		} else {
			b = append(b, content...)
		}
	}
	return b
}
