package engineio

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"io"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// readFrame is a reader of unmasked frames that shares nothing with the code under test.
func readFrame(r *bufio.Reader) (first byte, content []byte, err error) {
	first, err = r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	second, err := r.ReadByte()
	if err != nil {
		return 0, nil, err
	}
	size := uint64(second)
	switch second {
	case 126:
		var n uint16
		err = binary.Read(r, binary.BigEndian, &n)
		size = uint64(n)
	case 127:
		err = binary.Read(r, binary.BigEndian, &size)
	}
	if err != nil {
		return 0, nil, err
	}
	content = make([]byte, size)
	_, err = io.ReadFull(r, content)
	return first, content, err
}

func TestMessage(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 124, 125, 126, 127, 65534, 65535, 65536, 100000} {
		text := strings.Repeat("x", size)
		attachments := [][]byte{{1, 2, 3, 4}, nil, repeat(0xFF, size)}
		m := NewMessage([]byte(text), attachments...)

		r := bufio.NewReader(bytes.NewReader(m.frames))
		first, content, err := readFrame(r)
		require.NoError(t, err)
		require.Equal(t, byte(0x81), first)
		require.Equal(t, "4"+text, string(content))
		for _, a := range attachments {
			first, content, err = readFrame(r)
			require.NoError(t, err)
			require.Equal(t, byte(0x82), first)
			require.True(t, bytes.Equal(a, content))
		}
		_, err = r.ReadByte()
		require.ErrorIs(t, err, io.EOF)
		require.Equal(t, cap(m.frames), m.Size(), "the frames are sized exactly")

		want := payload("4"+text, "bAQIDBA==", "b", "b"+base64.StdEncoding.EncodeToString(attachments[2]))
		require.Equal(t, want, string(m.appendPayload(nil)))
		require.Equal(t, "6\x1e"+want, string(m.appendPayload([]byte("6"))))
	}
}

func TestMessageCopiesItsInput(t *testing.T) {
	t.Parallel()
	text, attachment := []byte("hello"), []byte{1, 2, 3}
	m := NewMessage(text, attachment)
	text[0], attachment[0] = 'X', 99
	require.Equal(t, payload("4hello", "bAQID"), string(m.appendPayload(nil)))
}

func TestCloseFrame(t *testing.T) {
	t.Parallel()
	for reason, code := range map[Reason]uint16{
		ReasonForcedClose:                      1000,
		ReasonPingTimeout:                      1001,
		ReasonParseError:                       1002,
		ReasonSlowClient:                       1008,
		ReasonServerShutdown:                   1012,
		Reason(repeat('x', 200)[:200]):         1000,
		Reason("xx" + strings.Repeat("€", 50)): 1000,
	} {
		first, content, err := readFrame(bufio.NewReader(bytes.NewReader(closeFrameFor(reason))))
		require.NoError(t, err)
		require.Equal(t, byte(0x88), first)
		require.LessOrEqual(t, len(content), 125)
		require.True(t, utf8.Valid(content[2:]), "RFC 6455, section 5.5.1")
		require.Equal(t, code, binary.BigEndian.Uint16(content))
		require.True(t, strings.HasPrefix(string(reason), string(content[2:])))
	}
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	t.Parallel()
	var (
		q     queue
		pool  chunkPool
		model []*Message
	)
	// Steps that cross the borders of chunks in both directions, and empty the queue between.
	for round, n := range []int{1, 30, 31, 32, 62, 63, 100, 5} {
		for range n {
			m := new(Message)
			q.push(&pool, m)
			model = append(model, m)
		}
		for range n / (1 + round%3) {
			require.Same(t, model[0], q.peek())
			require.Same(t, model[0], q.pop(&pool))
			model = model[1:]
		}
		require.Equal(t, len(model), q.len)
	}
	for q.len > 0 {
		require.Same(t, model[0], q.pop(&pool))
		model = model[1:]
	}
	require.Empty(t, model)
	require.Nil(t, q.head, "an empty queue holds no memory")
	require.Nil(t, q.tail)
}
