package engineio

import (
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clientFrame returns a frame as a client sends it, masked with zeros, which leaves the payload readable.
func clientFrame(first byte, content []byte) []byte {
	b := appendFrameHeader(nil, 0, len(content))
	b[0], b[1] = first, b[1]|maskBit
	return append(append(b, 0, 0, 0, 0), content...)
}

func TestScannerKnowsWhereAMessageEnds(t *testing.T) {
	t.Parallel()
	var stream []byte
	ends := map[int]bool{0: true}
	add := func(first byte, size int, end bool) {
		stream = append(stream, clientFrame(first, repeat('x', size))...)
		if end {
			ends[len(stream)] = true
		}
	}
	add(0x81, 5, true)
	add(0x81, 0, true)
	add(0x82, 126, true)
	add(0x82, 70000, true)
	add(0x89, 3, true) // a ping between messages
	add(0x01, 4, false)
	add(0x8A, 2, false) // a pong within a message does not end it
	add(0x00, 300, false)
	add(0x80, 1, true)
	for _, step := range []int{1, 2, 3, 7, 1000, len(stream)} {
		var f frameScanner
		for i := 0; i < len(stream); i += step {
			end := min(i+step, len(stream))
			require.Empty(t, f.scan(stream[i:end], 1))
			require.Equal(t, !ends[end], f.incomplete(), "step %d, at %d", step, end)
		}
	}
}

func TestScannerBudgets(t *testing.T) {
	t.Parallel()
	frames := func(first byte, size, n int) []byte {
		return []byte(strings.Repeat(string(clientFrame(first, repeat('x', size))), n))
	}
	for _, c := range []struct {
		name   string
		stream []byte
		excess string
	}{
		{"ten pings", frames(0x89, 5, 10), ""},
		{"eleven pings", frames(0x89, 5, 11), "too many control frames"},
		{"eleven pongs", frames(0x8A, 0, 11), "too many control frames"},
		{"many messages", frames(0x81, 1, 5000), ""},
		{"1024 fragments", append(frames(0x01, 1, 1), frames(0x00, 1, 1023)...), ""},
		{"1025 fragments", append(frames(0x01, 1, 1), frames(0x00, 1, 1024)...), "too many fragments"},
		{"16 empty fragments", append(frames(0x01, 0, 1), frames(0x00, 0, 15)...), ""},
		{"17 empty fragments", append(frames(0x01, 0, 1), frames(0x00, 0, 16)...), "too many fragments"},
		{"empty messages", frames(0x81, 0, 100), ""},
	} {
		var f frameScanner
		require.Equal(t, c.excess, f.scan(c.stream, 1), c.name)
	}

	var f frameScanner
	for second := range 10 {
		now := time.Duration(second) * time.Second
		require.Empty(t, f.scan(frames(0x89, 0, 10), now), "a new second has a new budget")
	}
}

// FuzzScanner compares a stream in one piece with the same stream byte by byte, and with what a plain reader of frames
// makes of it.
func FuzzScanner(f *testing.F) {
	f.Add(clientFrame(0x81, []byte("4hello")))
	f.Add(append(clientFrame(0x01, []byte("4he")), clientFrame(0x80, []byte("llo"))...))
	f.Add([]byte{0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, stream []byte) {
		var whole, bytewise frameScanner
		var excess string
		frugal(t, 16<<10, func() { excess = whole.scan(stream, 1) })
		var got string
		for i := range stream {
			if got = bytewise.scan(stream[i:i+1], 1); got != "" {
				break
			}
		}
		require.Equal(t, excess, got)
		if excess == "" {
			whole.header, bytewise.header = [14]byte{}, [14]byte{}
			require.Equal(t, whole, bytewise)
			messages, under := countMessages(stream)
			require.Equal(t, messages, whole.messages)
			require.Equal(t, under, whole.incomplete())
		}
	})
}

// countMessages counts the data frames that end a message, and tells whether the stream ends within a frame or a message.
func countMessages(stream []byte) (messages int, under bool) {
	for len(stream) > 0 {
		size := uint64(2)
		if len(stream) < 2 {
			return messages, true
		}
		payload := uint64(stream[1] & 0x7F)
		switch {
		case payload == 126 && len(stream) >= 4:
			size, payload = 4, uint64(binary.BigEndian.Uint16(stream[2:]))
		case payload == 127 && len(stream) >= 10:
			size, payload = 10, binary.BigEndian.Uint64(stream[2:])
		case payload >= 126:
			return messages, true
		}
		if stream[1]&0x80 != 0 {
			size += 4
		}
		if uint64(len(stream)) < size {
			return messages, true
		}
		if op := stream[0] & 0x0F; op < 0x8 || op > 0xA { // neither close nor ping nor pong
			if under = stream[0]&0x80 == 0; !under {
				messages++
			}
		}
		if uint64(len(stream))-size < payload {
			return messages, true
		}
		stream = stream[size+payload:]
	}
	return messages, under
}
