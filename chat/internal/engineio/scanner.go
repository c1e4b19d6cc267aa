package engineio

import (
	"encoding/binary"
	"time"
)

const (
	// maxControlRate is how many pings and pongs a client may send per second. Each ping makes the server answer.
	maxControlRate = 10
	// maxFragments is into how many frames a message may be cut. Browsers cut every 128 KiB or not at all.
	maxFragments = 1024
	// maxEmptyFragments is how many of these may be empty.
	maxEmptyFragments = 16
)

// frameScanner follows the frames in what a client sends (RFC 6455, section 5.2) without keeping or judging them, which
// is gorilla's part: it counts what gorilla does not limit, and knows whether a message is under way.
type frameScanner struct {
	header [14]byte
	have   int    // bytes of the header so far
	left   uint64 // bytes of the payload to come

	fragments, empty int           // of the message under way
	messages         int           // whose last frame has begun, and that have not been handled
	controls         int           // pings and pongs since window
	window           time.Duration // when counting them began
	closed           bool          // a close frame has come
}

// incomplete tells whether a frame or a message is under way.
func (f *frameScanner) incomplete() bool { return f.have > 0 || f.left > 0 || f.fragments > 0 }

// scan takes note of p, which arrived now, and returns what is excessive about it, or nothing.
func (f *frameScanner) scan(p []byte, now time.Duration) (excess string) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.header[f.have] = p[0]
		f.have++
		p = p[1:]
		if f.have < 2 || f.have < headerSize(f.header[1]) {
			continue
		}
		f.have = 0
		f.left = payloadSize(f.header[:])
		if excess = f.frame(now); excess != "" {
			return excess
		}
	}
	return ""
}

// frame takes note of a frame whose header is complete.
func (f *frameScanner) frame(now time.Duration) (excess string) {
	switch op := f.header[0] & opMask; op {
	case opClose:
		f.closed = true
	case opPing, opPong:
		if now-f.window >= time.Second {
			f.window, f.controls = now, 0
		}
		f.controls++
		if f.controls > maxControlRate {
			return "too many control frames"
		}
	default:
		f.fragments++
		if f.left == 0 && f.header[0]&finBit == 0 {
			f.empty++
		}
		if f.fragments > maxFragments || f.empty > maxEmptyFragments {
			return "too many fragments"
		}
		if f.header[0]&finBit != 0 {
			f.fragments, f.empty = 0, 0
			f.messages++
		}
	}
	return ""
}

// headerSize returns the length of a header by its second byte.
func headerSize(second byte) int {
	size := 2
	switch second &^ maskBit {
	case 126:
		size += 2
	case 127:
		size += 8
	}
	if second&maskBit != 0 {
		size += 4
	}
	return size
}

// payloadSize reads the length of the payload from a complete header.
func payloadSize(header []byte) uint64 {
	switch n := header[1] &^ maskBit; n {
	case 126:
		return uint64(binary.BigEndian.Uint16(header[2:]))
	case 127:
		return binary.BigEndian.Uint64(header[2:])
	default:
		return uint64(n)
	}
}
