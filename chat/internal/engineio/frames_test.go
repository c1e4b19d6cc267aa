package engineio

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// frame returns a masked frame with the given first byte.
func frame(first byte, content string) string {
	return rawFrame(first, uint64(len(content)), true, content)
}

// rawFrame returns a frame that announces size, whatever content holds.
func rawFrame(first byte, size uint64, masked bool, content string) string {
	b := []byte{first, 0}
	switch {
	case size <= 125:
		b[1] = byte(size)
	case size <= 0xFFFF:
		b[1] = 126
		b = binary.BigEndian.AppendUint16(b, uint16(size))
	default:
		b[1] = 127
		b = binary.BigEndian.AppendUint64(b, size)
	}
	if !masked {
		return string(b) + content
	}
	b[1] |= maskBit
	key := []byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, key...)
	for i := range len(content) {
		b = append(b, content[i]^key[i%4])
	}
	return string(b)
}

func closing(code int, reason string) string {
	return frame(0x88, string(binary.BigEndian.AppendUint16(nil, uint16(code)))+reason)
}

// rawClient speaks WebSocket byte by byte.
type rawClient struct {
	t    testing.TB
	conn net.Conn
	r    *bufio.Reader
	sid  string
}

func (ts *testServer) rawWebSocket(t testing.TB) *rawClient {
	t.Helper()
	c := ts.rawDial(t)
	c.handshake(wsQuery)
	first, content, err := readFrame(c.r)
	require.NoError(t, err)
	require.Equal(t, byte(0x81), first)
	c.sid = sidOf(t, string(content))
	return c
}

func (ts *testServer) rawDial(t testing.TB) *rawClient {
	t.Helper()
	conn, err := net.Dial("tcp", ts.http.Listener.Addr().String())
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close() })
	require.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	return &rawClient{t: t, conn: conn, r: bufio.NewReader(conn)}
}

func (c *rawClient) send(s string) {
	_, err := c.conn.Write([]byte(s))
	require.NoError(c.t, err)
}

func handshakeRequest(query string) string {
	return "GET /engine.io/?" + query + " HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg==\r\n\r\n"
}

func (c *rawClient) handshake(query string) {
	c.t.Helper()
	c.send(handshakeRequest(query))
	line, err := c.r.ReadString('\n')
	require.NoError(c.t, err)
	require.Contains(c.t, line, " 101 ")
	for line != "\r\n" {
		line, err = c.r.ReadString('\n')
		require.NoError(c.t, err)
	}
}

// rest reads all frames until the connection ends, one word each: T text, B binary, P pong, C close code.
func (c *rawClient) rest() []string {
	c.t.Helper()
	got := []string{}
	for {
		first, content, err := readFrame(c.r)
		if err != nil {
			require.False(c.t, isTimeout(err), "the connection stayed open; got %q", got)
			return got
		}
		text := string(content)
		if len(text) > 40 {
			text = fmt.Sprintf("%s...%d", text[:8], len(text))
		}
		switch first {
		case 0x81:
			got = append(got, "T "+text)
		case 0x82:
			got = append(got, "B "+text)
		case 0x8A:
			got = append(got, "P "+text)
		case 0x88:
			code := 1005
			if len(content) >= 2 {
				code = int(binary.BigEndian.Uint16(content))
			}
			got = append(got, "C "+strconv.Itoa(code))
			_, _ = c.conn.Write([]byte(closing(1000, ""))) // as a good client answers; it may be too late
		default:
			got = append(got, fmt.Sprintf("? %x", first))
		}
	}
}

// frameCase is one conversation: what is sent after the handshake, and what comes back until the connection ends. A
// conversation that does not end by itself is ended by a close frame.
type frameCase struct {
	name  string
	send  string
	want  []string
	chop  int  // send in pieces of so many bytes
	stays bool // the connection survives: a close frame follows
}

func ok(name, send string, want ...string) frameCase {
	return frameCase{name: name, send: send, want: want, stays: true}
}

func bad(name, send string, want ...string) frameCase {
	return frameCase{name: name, send: send, want: want}
}

func chopped(n int, c frameCase) frameCase {
	c.name += fmt.Sprintf(", in pieces of %d", n)
	c.chop = n
	return c
}

// TestFrames follows the chapters of the Autobahn test suite. The server echoes text, and answers binary with a text
// "b" and the same bytes.
func TestFrames(t *testing.T) {
	t.Parallel()
	ts := newTestServer(t, Config{MaxPayload: 200_000, OnSession: func(s *Session) Handler {
		return echoAll{s}
	}})
	all := [][]frameCase{
		framingCases(), pingCases(), reservedCases(), opcodeCases(), fragmentCases(), utf8Cases(), closeCases(), limitCases(),
	}
	count := 0
	for _, chapter := range all {
		for _, c := range chapter {
			count++
			t.Run(c.name, func(t *testing.T) {
				t.Parallel()
				raw := ts.rawWebSocket(t)
				want := c.want
				send := c.send
				if c.stays {
					send += closing(1000, "")
					want = append(want, "C 1000")
				}
				step := c.chop
				if step == 0 {
					step = len(send)
				}
				for i := 0; i < len(send); i += step {
					if _, err := raw.conn.Write([]byte(send[i:min(i+step, len(send))])); err != nil {
						break // closed in the middle, which is for the answer to say
					}
				}
				require.Equal(t, want, raw.rest())
			})
		}
	}
	require.GreaterOrEqual(t, count, 120)
}

type echoAll struct{ s *Session }

func (e echoAll) Text(data []byte)   { e.s.Send(NewMessage(data)) }
func (e echoAll) Binary(data []byte) { e.s.Send(NewMessage([]byte("b"), data)) }
func (e echoAll) Closed(Reason)      {}

// Chapter 1: framing.
func framingCases() (cases []frameCase) {
	for _, size := range []int{1, 125, 126, 127, 128, 65535, 65536} {
		text := "4" + strings.Repeat("*", size-1)
		want := "T " + text
		if size > 40 {
			want = fmt.Sprintf("T 4*******...%d", size)
		}
		c := ok(fmt.Sprintf("1 text of %d bytes", size), frame(0x81, text), want)
		cases = append(cases, c, chopped(997, c))
	}
	for _, size := range []int{0, 1, 125, 126, 127, 128, 65535, 65536} {
		want := "B " + strings.Repeat("\xfe", size)
		if size > 40 {
			want = fmt.Sprintf("B %s...%d", strings.Repeat("\xfe", 8), size)
		}
		cases = append(cases, ok(fmt.Sprintf("1 binary of %d bytes", size), frame(0x82, strings.Repeat("\xfe", size)), "T 4b", want))
	}
	return append(cases,
		chopped(1, ok("1 text byte by byte", frame(0x81, "4hello"), "T 4hello")),
		ok("1 many in one segment", strings.Repeat(frame(0x81, "4x"), 5), "T 4x", "T 4x", "T 4x", "T 4x", "T 4x"),
		bad("1 text without a mask", rawFrame(0x81, 6, false, "4hello"), "C 1002"),
		bad("1 ping without a mask", rawFrame(0x89, 5, false, "hello"), "C 1002"),
		bad("1 empty text, which is no packet", frame(0x81, ""), "C 1002"),
	)
}

// Chapter 2: pings and pongs.
func pingCases() []frameCase {
	full := strings.Repeat("\xfe", 125)
	return []frameCase{
		ok("2 ping", frame(0x89, ""), "P "),
		ok("2 ping with text", frame(0x89, "Hello"), "P Hello"),
		ok("2 ping with bytes", frame(0x89, "\x00\xff\xfe\xfd"), "P \x00\xff\xfe\xfd"),
		ok("2 ping of 125 bytes", frame(0x89, full), "P "+full[:8]+"...125"),
		bad("2 ping of 126 bytes", rawFrame(0x89, 126, true, full+"x"), "C 1002"),
		chopped(1, ok("2 ping", frame(0x89, "Hello"), "P Hello")),
		ok("2 pong", frame(0x8A, "")),
		ok("2 pong with content", frame(0x8A, "unsolicited")),
		ok("2 pong, then ping", frame(0x8A, "x")+frame(0x89, "y"), "P y"),
		ok("2 ten pings", tenPings(), "P 0", "P 1", "P 2", "P 3", "P 4", "P 5", "P 6", "P 7", "P 8", "P 9"),
		chopped(3, ok("2 ten pings", tenPings(), "P 0", "P 1", "P 2", "P 3", "P 4", "P 5", "P 6", "P 7", "P 8", "P 9")),
		bad("2 a hundred pings at once", strings.Repeat(frame(0x89, ""), 100), "C 1008"),
		bad("2 a hundred pongs at once", strings.Repeat(frame(0x8A, ""), 100), "C 1008"),
	}
}

func tenPings() (s string) {
	for i := range 10 {
		s += frame(0x89, strconv.Itoa(i))
	}
	return s
}

// Chapter 3: reserved bits.
func reservedCases() (cases []frameCase) {
	for rsv := byte(1); rsv <= 7; rsv++ {
		cases = append(cases, bad(fmt.Sprintf("3 RSV %03b on text", rsv), frame(0x81|rsv<<4, "4x"), "C 1002"))
	}
	return append(cases,
		bad("3 RSV on binary", frame(0xC2, "x"), "C 1002"),
		bad("3 RSV on a ping", frame(0xD9, "x"), "C 1002"),
		bad("3 RSV on a close", frame(0xF8, ""), "C 1002"),
		bad("3 RSV after a good message", frame(0x81, "4x")+frame(0xC1, "4y"), "T 4x", "C 1002"),
		chopped(1, bad("3 RSV", frame(0x91, "4x"), "C 1002")),
	)
}

// Chapter 4: opcodes.
func opcodeCases() (cases []frameCase) {
	for _, op := range []byte{3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF} {
		cases = append(cases,
			bad(fmt.Sprintf("4 opcode %x", op), frame(0x80|op, ""), "C 1002"),
			bad(fmt.Sprintf("4 opcode %x with content after a message", op), frame(0x81, "4x")+frame(0x80|op, "y"), "T 4x", "C 1002"))
	}
	return cases
}

// Chapter 5: fragmentation.
func fragmentCases() []frameCase {
	return []frameCase{
		bad("5 ping in two", frame(0x09, "a")+frame(0x80, "b"), "C 1002"),
		bad("5 pong in two", frame(0x0A, "a")+frame(0x80, "b"), "C 1002"),
		bad("5 close in two", frame(0x08, "\x03\xe8")+frame(0x80, "b"), "C 1002"),
		ok("5 text in two", frame(0x01, "4a")+frame(0x80, "b"), "T 4ab"),
		chopped(1, ok("5 text in two", frame(0x01, "4a")+frame(0x80, "b"), "T 4ab")),
		ok("5 binary in three", frame(0x02, "a")+frame(0x00, "b")+frame(0x80, "c"), "T 4b", "B abc"),
		ok("5 text in two, ping between", frame(0x01, "4a")+frame(0x89, "p")+frame(0x80, "b"), "P p", "T 4ab"),
		ok("5 text in two, pong between", frame(0x01, "4a")+frame(0x8A, "p")+frame(0x80, "b"), "T 4ab"),
		chopped(1, ok("5 text in two, ping between", frame(0x01, "4a")+frame(0x89, "p")+frame(0x80, "b"), "P p", "T 4ab")),
		ok("5 first fragment empty", frame(0x01, "")+frame(0x80, "4a"), "T 4a"),
		ok("5 last fragment empty", frame(0x01, "4a")+frame(0x80, ""), "T 4a"),
		ok("5 empty fragments", frame(0x02, "")+strings.Repeat(frame(0x00, ""), 15)+frame(0x80, ""), "T 4b", "B "),
		bad("5 too many empty fragments", frame(0x02, "")+strings.Repeat(frame(0x00, ""), 100), "C 1008"),
		ok("5 a thousand fragments", frame(0x02, "")+strings.Repeat(frame(0x00, "x"), 1000)+frame(0x80, ""), "T 4b", "B xxxxxxxx...1000"),
		bad("5 too many fragments", frame(0x02, "x")+strings.Repeat(frame(0x00, "x"), 5000), "C 1008"),
		bad("5 continuation of nothing", frame(0x80, "x"), "C 1002"),
		bad("5 continuation of nothing, not final", frame(0x00, "x"), "C 1002"),
		bad("5 continuation after the end", frame(0x81, "4x")+frame(0x80, "y"), "T 4x", "C 1002"),
		bad("5 text within text", frame(0x01, "4a")+frame(0x81, "4b"), "C 1002"),
		bad("5 binary within text", frame(0x01, "4a")+frame(0x82, "b"), "C 1002"),
		bad("5 unmasked continuation", frame(0x01, "4a")+rawFrame(0x80, 1, false, "b"), "C 1002"),
		bad("5 close within text", frame(0x01, "4a")+closing(1000, ""), "C 1000"),
	}
}

// Chapter 6: UTF-8.
func utf8Cases() (cases []frameCase) {
	for _, s := range []string{
		"κόσμε", "\u0080", "\u07ff", "\u0800", "\uffff", "\ufffd", "\ufffe", "\U00010000", "\U0010ffff", "\ud7ff", "\ue000", "\U0001f600",
	} {
		packet := "4" + s
		cases = append(cases,
			ok(fmt.Sprintf("6 valid %+q", s), frame(0x81, packet), "T "+packet),
			ok(fmt.Sprintf("6 valid %+q, cut within", s), frame(0x01, packet[:2])+frame(0x80, packet[2:]), "T "+packet))
	}
	for _, s := range []string{
		"\x80", "\xbf", "\x80\xbf\x80", "\xc0", "\xc0\xaf", "\xc1\xbf", "\xc3", "\xc3\x28", "\xe0\x80\xaf", "\xe2\x82", "\xe2\x28\xa1",
		"\xed\xa0\x80", "\xed\xbf\xbf", "\xed\xa0\x80\xed\xb0\x80", "\xf0\x80\x80\xaf", "\xf0\x90\x80", "\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80", "\xf8\x88\x80\x80\x80", "\xfc\x84\x80\x80\x80\x80", "\xfe", "\xff", "\xce\xba\xe1\xbd\xb9\xcf\x83\xed\xa0\x80", "a\x00b",
	} {
		packet := "4" + s
		cases = append(cases,
			bad(fmt.Sprintf("6 invalid %+q", s), frame(0x81, packet), "C 1007"),
			bad(fmt.Sprintf("6 invalid %+q, cut within", s), frame(0x01, packet[:2])+frame(0x80, packet[2:]), "C 1007"))
	}
	return cases
}

// Chapter 7: closing.
func closeCases() (cases []frameCase) {
	for _, code := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999} {
		cases = append(cases, bad(fmt.Sprintf("7 code %d", code), closing(code, "bye"), fmt.Sprintf("C %d", code)))
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535} {
		cases = append(cases, bad(fmt.Sprintf("7 invalid code %d", code), closing(code, ""), "C 1002"))
	}
	return append(cases,
		bad("7 without a code", frame(0x88, ""), "C 1005"),
		bad("7 longest reason", closing(1000, strings.Repeat("x", 123)), "C 1000"),
		bad("7 reason too long", closing(1000, strings.Repeat("x", 124)), "C 1002"),
		bad("7 reason not UTF-8", closing(1000, "\xff"), "C 1002"),
		bad("7 message before", frame(0x81, "4x")+closing(1000, ""), "T 4x", "C 1000"),
		bad("7 message after", closing(1000, "")+frame(0x81, "4x"), "C 1000"),
		bad("7 ping after", closing(1000, "")+frame(0x89, "x"), "C 1000"),
		bad("7 twice", closing(1000, "")+closing(1001, ""), "C 1000"),
		bad("7 packet of type close", frame(0x81, "1"), "C 1000"),
		bad("7 message after a packet of type close", frame(0x81, "1")+frame(0x81, "4x"), "C 1000"),
	)
}

// Chapter 9: limits.
func limitCases() []frameCase {
	const limit = 200_000
	return []frameCase{
		ok("9 message of the limit", frame(0x82, strings.Repeat("x", limit)), "T 4b", fmt.Sprintf("B xxxxxxxx...%d", limit)),
		bad("9 message beyond the limit", frame(0x82, strings.Repeat("x", limit+1)), "C 1009"),
		bad("9 message beyond the limit, announced only", rawFrame(0x82, limit+1, true, ""), "C 1009"),
		bad("9 fragments beyond the limit", frame(0x02, strings.Repeat("x", limit))+frame(0x80, "x"), "C 1009"),
		bad("9 length 2^31", rawFrame(0x82, 1<<31, true, "x"), "C 1009"),
		bad("9 length 2^32", rawFrame(0x82, 1<<32, true, "x"), "C 1009"),
		bad("9 length 2^63-1", rawFrame(0x82, 1<<63-1, true, "x"), "C 1009"),
		bad("9 length 2^63", rawFrame(0x82, 1<<63, true, "x"), "C 1009"),
		bad("9 length 2^64-1", rawFrame(0x82, 1<<64-1, true, "x"), "C 1009"),
		bad("9 lengths that overflow when added", frame(0x02, "xxxx")+rawFrame(0x80, 1<<63-1, true, "x"), "C 1009"),
		bad("9 text of length 2^64-1", rawFrame(0x81, 1<<64-1, true, "4"), "C 1009"),
		bad("9 ping of length 2^64-1", rawFrame(0x89, 1<<64-1, true, "4"), "C 1002"),
	}
}
