package engineio

// Message is one event for any number of sessions: a text packet and the binary packets that belong to it. It is
// encoded once, as finished WebSocket frames, and never changes, so one Message may be sent to many sessions from many
// goroutines.
type Message struct {
	frames  []byte   // WebSocket frames, one per packet, back to back
	packets []packet // where each packet's bytes lie in frames
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
	return &Message{}
}

// Size returns the number of bytes the message counts for in a session's queue: that of its WebSocket frames.
func (m *Message) Size() int { return len(m.frames) }
