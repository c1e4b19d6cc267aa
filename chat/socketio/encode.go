package socketio

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"sync"
	"unicode/utf8"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// encoders encodes outgoing packets, with buffers that are used again.
type encoders struct {
	attachments int // as many may an event have, if more than stockAttachments

	pool  sync.Pool // of *draft
	types binaryTypes
}

// stockAttachments is how many attachments the stock clients take in one packet.
const stockAttachments = 10

// errNotUTF8 is the error of JSON that clients would close the connection for.
var errNotUTF8 = errors.New("JSON is not UTF-8")

// draft is an outgoing packet that is being written: its text, and the binary messages that follow it.
type draft struct {
	owner       *encoders
	buf         bytes.Buffer
	json        *json.Encoder // writes to buf
	headroom    int           // at the beginning of buf, for what is known only at the end
	text        []byte        // part of buf, once it is finished
	attachments [][]byte
}

// maxHeader is the most that comes before the payload, besides the namespace: the type, the number of attachments, two
// separators and an acknowledgement id.
const maxHeader = 1 + 20 + 2 + 20

// begin returns an empty draft for a packet of a namespace.
func (e *encoders) begin(namespace string) *draft {
	d, ok := e.pool.Get().(*draft)
	if !ok {
		d = &draft{owner: e}
		d.json = json.NewEncoder(&d.buf)
		d.json.SetEscapeHTML(false) // JSON.stringify does not either
	}
	d.headroom = maxHeader + len(namespace)
	d.buf.Grow(d.headroom)
	d.buf.Write(d.buf.AvailableBuffer()[:d.headroom])
	return d
}

// release gives the draft back. It must not be used any more.
func (d *draft) release() {
	const keep = 64 << 10
	d.text, d.attachments = nil, nil
	if d.buf.Reset(); d.buf.Cap() <= keep {
		d.owner.pool.Put(d)
	}
}

// message makes the packet ready to be sent, and releases the draft.
func (d *draft) message() *engineio.Message {
	defer d.release()
	return engineio.NewMessage(d.text, d.attachments...)
}

// event encodes an EVENT. With id not nil the client is asked to acknowledge it; trailer, if not empty, is one more
// argument: a string that needs no escaping.
func (e *encoders) event(namespace string, id *uint64, event string, args []any, trailer string) (*draft, error) {
	if reservedEvent(event) {
		return nil, fmt.Errorf("%w: %s", ErrReservedEvent, event)
	}
	d := e.begin(namespace)
	d.buf.WriteByte('[')
	if err := d.value(event); err != nil {
		d.release()
		return nil, fmt.Errorf("socketio: encode event name: %w", err)
	}
	for i, arg := range args {
		d.buf.WriteByte(',')
		if err := d.argument(arg); err != nil {
			d.release()
			return nil, fmt.Errorf("socketio: encode argument %d of %q: %w", i, event, err)
		}
	}
	if err := d.checkAttachments(); err != nil {
		d.release()
		return nil, fmt.Errorf("%w in %q", err, event)
	}
	if trailer != "" {
		d.buf.WriteString(`,"` + trailer + `"`)
	}
	d.buf.WriteByte(']')
	return d.finish(packetEvent, namespace, id), nil
}

// ack encodes an ACK.
func (e *encoders) ack(namespace string, id uint64, args []any) (*draft, error) {
	d := e.begin(namespace)
	d.buf.WriteByte('[')
	for i, arg := range args {
		if i > 0 {
			d.buf.WriteByte(',')
		}
		if err := d.argument(arg); err != nil {
			d.release()
			return nil, fmt.Errorf("socketio: encode argument %d of an acknowledgement: %w", i, err)
		}
	}
	if err := d.checkAttachments(); err != nil {
		d.release()
		return nil, fmt.Errorf("%w in an acknowledgement", err)
	}
	d.buf.WriteByte(']')
	return d.finish(packetAck, namespace, &id), nil
}

// object encodes a packet whose payload is one object: CONNECT or CONNECT_ERROR.
func (e *encoders) object(kind packetType, namespace string, payload any) (*draft, error) {
	d := e.begin(namespace)
	if err := d.value(payload); err != nil {
		d.release()
		return nil, fmt.Errorf("socketio: encode packet: %w", err)
	}
	return d.finish(kind, namespace, nil), nil
}

// header encodes a packet without a payload: DISCONNECT.
func (e *encoders) header(kind packetType, namespace string) *draft {
	return e.begin(namespace).finish(kind, namespace, nil)
}

// value appends the JSON of v.
func (d *draft) value(v any) error {
	if text, ok := v.(string); ok && isPlain(text) {
		d.buf.WriteByte('"')
		d.buf.WriteString(text)
		d.buf.WriteByte('"')
		return nil
	}
	start := d.buf.Len()
	if err := d.json.Encode(v); err != nil {
		return err
	}
	d.buf.Truncate(d.buf.Len() - 1)         // the newline that Encode adds
	if !utf8.Valid(d.buf.Bytes()[start:]) { // encoding/json takes what a Marshaler or a RawMessage says
		return errNotUTF8
	}
	return nil
}

// checkAttachments makes sure that clients will take the packet.
func (d *draft) checkAttachments() error {
	if n := len(d.attachments); n > max(d.owner.attachments, stockAttachments) {
		return fmt.Errorf("%w: %d", ErrTooManyAttachments, n)
	}
	return nil
}

// isPlain reports whether a text is its own JSON but for the quotes: ASCII without anything to escape. The rest is for
// encoding/json.
func isPlain(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c >= utf8.RuneSelf || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// argument appends the JSON of v, with placeholders for the binary data in it.
func (d *draft) argument(v any) error {
	switch v := v.(type) {
	case nil, string, bool, int, int64, float64, json.RawMessage:
		return d.value(v)
	case []byte:
		if v == nil {
			return d.value(nil)
		}
		d.buf.WriteString(`{"_placeholder":true,"num":`)
		d.buf.WriteString(strconv.Itoa(len(d.attachments)))
		d.buf.WriteByte('}')
		d.attachments = append(d.attachments, v)
		return nil
	}
	value, types := reflect.ValueOf(v), &d.owner.types
	if !types.mayHold(value.Type()) || !types.holds(value, 0) {
		return d.value(v)
	}
	return d.withBinary(value)
}

// finish writes what comes before the payload.
func (d *draft) finish(kind packetType, namespace string, id *uint64) *draft {
	var space [maxHeader]byte
	header := space[:0]
	if len(d.attachments) > 0 {
		header = append(header, byte(kind+packetBinaryEvent-packetEvent))
		header = append(strconv.AppendInt(header, int64(len(d.attachments)), 10), '-')
	} else {
		header = append(header, byte(kind))
	}
	before := len(header)
	if id != nil {
		header = strconv.AppendUint(header, *id, 10)
	}
	if namespace == "/" {
		namespace = ""
	}
	size := len(header) + len(namespace)
	if namespace != "" {
		size++
	}
	d.text = d.buf.Bytes()[d.headroom-size:]
	at := copy(d.text, header[:before])
	if namespace != "" {
		at += copy(d.text[at:], namespace)
		d.text[at] = ','
		at++
	}
	copy(d.text[at:], header[before:])
	return d
}
