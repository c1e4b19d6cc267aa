//go:build linux

package main

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// client is a WebSocket connection of the load generator. It counts frames
// instead of unpacking them: it must be much cheaper than the servers it
// measures.
type client struct {
	conn     net.Conn
	socketio bool
	buf      []byte
	filled   int
	received atomic.Int64     // data frames
	onData   func(frames int) // after each read that had data frames, may be nil
	late     []time.Duration  // latencies, if timed
	timed    bool

	sending sync.Mutex
	scratch []byte
}

// The first bytes of a payload are the time of sending, for latencies.
const (
	stampLen   = 19
	payloadLen = 100
)

func payload(now time.Time) string {
	stamp := strconv.FormatInt(now.UnixNano(), 10)
	return stamp + strings.Repeat("x", payloadLen-len(stamp))
}

// dial connects to a room; with socketio it also connects to the namespace.
func dial(target, address, room string, bufferSize int) (*client, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	c := &client{conn: conn, socketio: target == "socketio", buf: make([]byte, bufferSize)}
	_, err = fmt.Fprintf(conn, "GET /socket.io/?EIO=4&transport=websocket&room=%s HTTP/1.1\r\nHost: %s\r\nConnection: Upgrade\r\n"+
		"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", url.QueryEscape(room), address)
	if err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(conn, 512)
	res, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, err
	}
	_ = res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("the server answered %s", res.Status)
	}
	c.filled, _ = br.Read(c.buf[:br.Buffered()])
	if !c.socketio {
		return c, nil
	}
	if err := c.await("0{"); err != nil {
		return nil, err
	}
	if err := c.send("40"); err != nil {
		return nil, err
	}
	return c, c.await("40{")
}

// await reads one frame, which must begin with prefix.
func (c *client) await(prefix string) error {
	for {
		if data, _, size := c.frame(c.buf[:c.filled]); size > 0 {
			if !strings.HasPrefix(string(data), prefix) {
				return fmt.Errorf("got %.60q instead of %q", data, prefix)
			}
			c.filled = copy(c.buf, c.buf[size:c.filled])
			return nil
		}
		n, err := c.conn.Read(c.buf[c.filled:])
		if err != nil {
			return err
		}
		c.filled += n
	}
}

// frame finds the first frame of b: its payload, its opcode and its whole
// length, which is 0 while the frame is incomplete.
func (c *client) frame(b []byte) (data []byte, opcode byte, size int) {
	if len(b) < 2 {
		return nil, 0, 0
	}
	length, head := int(b[1]&0x7f), 2
	switch {
	case length == 126 && len(b) >= 4:
		length, head = int(binary.BigEndian.Uint16(b[2:])), 4
	case length == 127 && len(b) >= 10:
		length, head = int(binary.BigEndian.Uint64(b[2:])), 10
	case length >= 126:
		return nil, 0, 0
	}
	if len(b) < head+length {
		return nil, 0, 0
	}
	return b[head : head+length], b[0] & 0x0f, head + length
}

// run reads until the connection ends.
func (c *client) run() {
	for {
		n, err := c.conn.Read(c.buf[c.filled:])
		if err != nil {
			return
		}
		c.filled += n
		used, frames := 0, 0
		for {
			data, opcode, size := c.frame(c.buf[used:c.filled])
			if size == 0 {
				break
			}
			used += size
			if c.isData(data, opcode) {
				frames++
			}
		}
		c.filled = copy(c.buf, c.buf[used:c.filled])
		if c.filled == len(c.buf) {
			c.buf = append(c.buf, make([]byte, len(c.buf))...)
		}
		if frames > 0 {
			c.received.Add(int64(frames))
			if c.onData != nil {
				c.onData(frames)
			}
		}
	}
}

// isData answers what keeps the connection alive and says whether a frame is a
// message.
func (c *client) isData(data []byte, opcode byte) bool {
	switch {
	case opcode == 9:
		_ = c.write(0x8a, data)
		return false
	case opcode != 1:
		return false
	case c.socketio && len(data) == 1: // Engine.IO ping
		_ = c.send("3")
		return false
	}
	if c.timed {
		skip := len("m")
		if c.socketio {
			skip = len(`42["message","`)
		}
		if sent, err := strconv.ParseInt(string(data[skip:skip+stampLen]), 10, 64); err == nil {
			c.late = append(c.late, time.Since(time.Unix(0, sent)))
		}
	}
	return true
}

// broadcast sends n messages to the room in one write.
func (c *client) broadcast(n int) error {
	text := "m" + payload(time.Now())
	if c.socketio {
		text = `42["message","` + text[1:] + `"]`
	}
	c.sending.Lock()
	defer c.sending.Unlock()
	c.scratch = c.scratch[:0]
	for range n {
		c.scratch = appendFrame(c.scratch, 0x81, text)
	}
	_, err := c.conn.Write(c.scratch)
	return err
}

// echo sends a message that the server answers, with an acknowledgement where
// it knows one.
func (c *client) echo(id int) error {
	text := "e" + payload(time.Now())
	if c.socketio {
		encoded, _ := json.Marshal([]string{"echo", text[1:]}) // strings always encode
		text = "42" + strconv.Itoa(id) + string(encoded)
	}
	return c.send(text)
}

func (c *client) send(text string) error { return c.write(0x81, []byte(text)) }

func (c *client) write(head byte, data []byte) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.scratch = appendFrame(c.scratch[:0], head, string(data))
	_, err := c.conn.Write(c.scratch)
	return err
}

// appendFrame writes a frame as a client must, masked: with zeros, which change
// nothing.
func appendFrame(b []byte, head byte, text string) []byte {
	b = append(b, head)
	if len(text) < 126 {
		b = append(b, 0x80|byte(len(text)))
	} else {
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(len(text)))
	}
	b = append(b, 0, 0, 0, 0)
	return append(b, text...)
}
