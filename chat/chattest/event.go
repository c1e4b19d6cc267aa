package chattest

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Event is an event from the server.
type Event struct {
	Name string
	Args
	AckID  int // the id of the acknowledgement that the server wants, or -1
	socket *Socket
}

// WantsAck says whether the server waits for an acknowledgement.
func (e Event) WantsAck() bool { return e.AckID >= 0 }

// Ack acknowledges the event. Arguments are encoded as in [Socket.Emit].
func (e Event) Ack(args ...any) error {
	if !e.WantsAck() {
		return fmt.Errorf("chattest: the server wants no ack of %q", e.Name)
	}
	m, err := newMessage(kindAck, e.socket.namespace, e.AckID, args)
	if err != nil {
		return err
	}
	return e.socket.conn.send(e.socket.conn.ctx, m.packets()...)
}

// String returns the event for messages of failed tests.
func (e Event) String() string { return e.Name + e.Args.String() }

// Args are the arguments of an event or an acknowledgement.
type Args struct {
	list        []json.RawMessage
	attachments [][]byte
}

func newArgs(m *message) (Args, error) {
	a := Args{attachments: m.attachments}
	if err := json.Unmarshal(m.data, &a.list); err != nil {
		return Args{}, fmt.Errorf("chattest: arguments %.60q: %w", m.data, err)
	}
	return a, nil
}

// Len returns the number of arguments.
func (a Args) Len() int { return len(a.list) }

// Raw returns an argument as it came, placeholders included, or nil if there is
// no such argument.
func (a Args) Raw(i int) json.RawMessage {
	if i < 0 || i >= len(a.list) {
		return nil
	}
	return a.list[i]
}

// Bytes returns an argument that is binary, or nil if it is not.
func (a Args) Bytes(i int) []byte {
	var p placeholder
	if json.Unmarshal(a.Raw(i), &p) != nil || !p.Placeholder || p.Num < 0 || p.Num >= len(a.attachments) {
		return nil
	}
	return a.attachments[p.Num]
}

// Decode decodes an argument into v. Binary parts go into []byte fields.
func (a Args) Decode(i int, v any) error {
	raw := a.Raw(i)
	if raw == nil {
		return fmt.Errorf("chattest: no argument %d, there are %d", i, len(a.list))
	}
	if len(a.attachments) > 0 && bytes.Contains(raw, []byte("_placeholder")) {
		var tree any
		d := json.NewDecoder(bytes.NewReader(raw))
		d.UseNumber()
		if err := d.Decode(&tree); err != nil {
			return fmt.Errorf("chattest: argument %d: %w", i, err)
		}
		// encoding/json reads a []byte from base64, so that is what it gets.
		joined, err := json.Marshal(a.join(tree))
		if err != nil {
			return fmt.Errorf("chattest: argument %d: %w", i, err)
		}
		raw = joined
	}
	if err := json.Unmarshal(raw, v); err != nil {
		return fmt.Errorf("chattest: argument %d: %w", i, err)
	}
	return nil
}

// join puts the attachments back where their placeholders are.
func (a Args) join(v any) any {
	switch v := v.(type) {
	case []any:
		for i := range v {
			v[i] = a.join(v[i])
		}
	case map[string]any:
		if v["_placeholder"] == true {
			num, ok := v["num"].(json.Number)
			n, err := num.Int64()
			if ok && err == nil && n >= 0 && n < int64(len(a.attachments)) {
				return a.attachments[n]
			}
		}
		for key := range v {
			v[key] = a.join(v[key])
		}
	}
	return v
}

// String returns the arguments as a JSON array.
func (a Args) String() string {
	text, err := json.Marshal(a.list)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
