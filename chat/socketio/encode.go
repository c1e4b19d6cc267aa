package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"sync"

	"github.com/echochat/echochat/chat/internal/engineio"
)

// encoders encodes outgoing packets, with buffers that are used again.
type encoders struct {
	pool  sync.Pool // of *encoder
	types binaryTypes
}

// encoded is an outgoing packet: the text, and the binary messages that follow it.
type encoded struct {
	text        []byte
	attachments [][]byte
}

// message makes the packet ready to be sent.
func (e encoded) message() *engineio.Message { return engineio.NewMessage(e.text, e.attachments...) }

// encoder is the working space for one packet.
type encoder struct {
	buf         bytes.Buffer
	json        *json.Encoder
	attachments [][]byte
}

func (e *encoders) get() *encoder {
	if enc, ok := e.pool.Get().(*encoder); ok {
		return enc
	}
	enc := &encoder{}
	enc.json = json.NewEncoder(&enc.buf)
	enc.json.SetEscapeHTML(false) // JSON.stringify does not either
	return enc
}

func (e *encoders) put(enc *encoder) {
	const keep = 64 << 10
	if enc.buf.Cap() > keep {
		return
	}
	enc.buf.Reset()
	enc.attachments = nil
	e.pool.Put(enc)
}

// event encodes an EVENT. With id not nil the client is asked to acknowledge it; trailer, if not empty, is one more
// argument: a string that needs no escaping.
func (e *encoders) event(namespace string, id *uint64, event string, args []any, trailer string) (encoded, error) {
	if reservedEvent(event) {
		return encoded{}, fmt.Errorf("%w: %s", ErrReservedEvent, event)
	}
	enc := e.get()
	defer e.put(enc)
	enc.buf.WriteByte('[')
	if err := enc.value(event); err != nil {
		return encoded{}, err
	}
	for i, arg := range args {
		enc.buf.WriteByte(',')
		if err := enc.argument(arg, &e.types); err != nil {
			return encoded{}, fmt.Errorf("socketio: encode argument %d of %q: %w", i, event, err)
		}
	}
	if trailer != "" {
		enc.buf.WriteString(`,"` + trailer + `"`)
	}
	enc.buf.WriteByte(']')
	return enc.finish(packetEvent, namespace, id), nil
}

// ack encodes an ACK.
func (e *encoders) ack(namespace string, id uint64, args []any) (encoded, error) {
	enc := e.get()
	defer e.put(enc)
	enc.buf.WriteByte('[')
	for i, arg := range args {
		if i > 0 {
			enc.buf.WriteByte(',')
		}
		if err := enc.argument(arg, &e.types); err != nil {
			return encoded{}, fmt.Errorf("socketio: encode argument %d of an acknowledgement: %w", i, err)
		}
	}
	enc.buf.WriteByte(']')
	return enc.finish(packetAck, namespace, &id), nil
}

// object encodes a packet whose payload is one object: CONNECT or CONNECT_ERROR.
func (e *encoders) object(kind packetType, namespace string, payload any) (encoded, error) {
	enc := e.get()
	defer e.put(enc)
	if err := enc.value(payload); err != nil {
		return encoded{}, fmt.Errorf("socketio: encode packet: %w", err)
	}
	return enc.finish(kind, namespace, nil), nil
}

// header encodes a packet without a payload: DISCONNECT.
func (e *encoders) header(kind packetType, namespace string) encoded {
	enc := e.get()
	defer e.put(enc)
	return enc.finish(kind, namespace, nil)
}

// value appends the JSON of v.
func (enc *encoder) value(v any) error {
	if text, ok := v.(string); ok && plainText(text) {
		enc.buf.WriteByte('"')
		enc.buf.WriteString(text)
		enc.buf.WriteByte('"')
		return nil
	}
	if err := enc.json.Encode(v); err != nil {
		return err
	}
	enc.buf.Truncate(enc.buf.Len() - 1) // the newline that Encode adds
	return nil
}

// plainText reports whether a text is its own JSON but for the quotes: ASCII without anything to escape. The rest is
// for encoding/json.
func plainText(text string) bool {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// argument appends the JSON of v, with placeholders for the binary data in it.
func (enc *encoder) argument(v any, types *binaryTypes) error {
	switch v := v.(type) {
	case nil, string, bool, int, int64, float64, json.RawMessage:
		return enc.value(v)
	case []byte:
		if v == nil {
			return enc.value(nil)
		}
		enc.buf.WriteString(`{"_placeholder":true,"num":`)
		enc.buf.WriteString(strconv.Itoa(len(enc.attachments)))
		enc.buf.WriteByte('}')
		enc.attachments = append(enc.attachments, v)
		return nil
	}
	value := reflect.ValueOf(v)
	if !types.mayHold(value.Type()) || !types.holds(value, 0) {
		return enc.value(v)
	}
	return enc.withBinary(value, types)
}

// finish builds the packet of what is in the buffer.
func (enc *encoder) finish(kind packetType, namespace string, id *uint64) encoded {
	text := make([]byte, 0, enc.buf.Len()+len(namespace)+24)
	if len(enc.attachments) > 0 {
		text = append(text, byte(kind+packetBinaryEvent-packetEvent))
		text = append(strconv.AppendInt(text, int64(len(enc.attachments)), 10), '-')
	} else {
		text = append(text, byte(kind))
	}
	if namespace != "/" {
		text = append(append(text, namespace...), ',')
	}
	if id != nil {
		text = strconv.AppendUint(text, *id, 10)
	}
	return encoded{text: append(text, enc.buf.Bytes()...), attachments: enc.attachments}
}
