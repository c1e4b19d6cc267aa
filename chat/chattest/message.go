package chattest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// The packet types of Socket.IO protocol v5, section "Packet encoding".
const (
	kindConnect      byte = '0'
	kindDisconnect   byte = '1'
	kindEvent        byte = '2'
	kindAck          byte = '3'
	kindConnectError byte = '4'
	kindBinaryEvent  byte = '5'
	kindBinaryAck    byte = '6'
)

// message is one Socket.IO packet.
type message struct {
	kind        byte
	namespace   string
	id          int // of the acknowledgement; -1 for none
	data        []byte
	attachments [][]byte
	missing     int // attachments still to come
}

// newMessage encodes the arguments of an event or an ack.
func newMessage(kind byte, namespace string, id int, args []any) (message, error) {
	m := message{kind: kind, namespace: namespace, id: id}
	list := make([]any, len(args))
	for i, arg := range args {
		list[i] = m.attach(arg)
	}
	data, err := json.Marshal(list)
	if err != nil {
		return message{}, fmt.Errorf("chattest: encode arguments: %w", err)
	}
	m.data = data
	return m, nil
}

// attach takes the bytes out of a value and leaves placeholders (Socket.IO
// protocol v5, section "Packet encoding").
func (m *message) attach(v any) any {
	switch v := v.(type) {
	case []byte:
		m.attachments = append(m.attachments, v)
		return placeholder{true, len(m.attachments) - 1}
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = m.attach(v[i])
		}
		return out
	case map[string]any:
		out := make(map[string]any, len(v))
		for key := range v {
			out[key] = m.attach(v[key])
		}
		return out
	default:
		return v
	}
}

type placeholder struct {
	Placeholder bool `json:"_placeholder"`
	Num         int  `json:"num"`
}

// packets returns the message and its attachments as Engine.IO packets.
func (m *message) packets() []Packet {
	kind := m.kind
	var text []byte
	if n := len(m.attachments); n > 0 {
		kind = map[byte]byte{kindEvent: kindBinaryEvent, kindAck: kindBinaryAck}[kind]
		text = append(strconv.AppendInt(text, int64(n), 10), '-')
	}
	text = append([]byte{kind}, text...)
	if m.namespace != "/" {
		text = append(append(text, m.namespace...), ',')
	}
	if m.id >= 0 {
		text = strconv.AppendInt(text, int64(m.id), 10)
	}
	text = append(text, m.data...)
	packets := []Packet{{Type: PacketMessage, Data: text}}
	for _, a := range m.attachments {
		packets = append(packets, Packet{Type: PacketMessage, Data: a, Binary: true})
	}
	return packets
}

// parseMessage reads the text of a Socket.IO packet.
func parseMessage(text []byte) (*message, error) {
	if len(text) == 0 || text[0] < kindConnect || text[0] > kindBinaryAck {
		return nil, fmt.Errorf("chattest: unknown Socket.IO packet %.60q", text)
	}
	m := &message{kind: text[0], namespace: "/", id: -1}
	rest := text[1:]
	if m.kind == kindBinaryEvent || m.kind == kindBinaryAck {
		count, after, found := bytes.Cut(rest, []byte{'-'})
		n, err := strconv.Atoi(string(count))
		if !found || err != nil || n < 0 {
			return nil, fmt.Errorf("chattest: number of attachments in %.60q", text)
		}
		m.missing, rest = n, after
		m.kind -= kindBinaryEvent - kindEvent
	}
	if len(rest) > 0 && rest[0] == '/' {
		name, after, _ := bytes.Cut(rest, []byte{','})
		m.namespace, rest = string(name), after
	}
	digits := 0
	for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
		digits++
	}
	if digits > 0 {
		id, err := strconv.Atoi(string(rest[:digits]))
		if err != nil {
			return nil, fmt.Errorf("chattest: ack id in %.60q: %w", text, err)
		}
		m.id, rest = id, rest[digits:]
	}
	if len(rest) > 0 && !json.Valid(rest) {
		return nil, fmt.Errorf("chattest: no JSON in %.60q", text)
	}
	m.data = rest
	return m, nil
}

// dispatch takes an Engine.IO message to the namespace it is for.
func (c *Conn) dispatch(p Packet) error {
	m := c.partial
	switch {
	case p.Binary && m == nil:
		c.packets.put(p) // not Socket.IO; a test may want it
		return nil
	case p.Binary:
		m.attachments = append(m.attachments, p.Data)
		m.missing--
	case m != nil:
		return errors.New("chattest: text where an attachment was due")
	default:
		var err error
		if m, err = parseMessage(p.Data); err != nil {
			return err
		}
	}
	if m.missing > 0 {
		c.partial = m
		return nil
	}
	c.partial = nil
	c.mu.Lock()
	s := c.sockets[m.namespace]
	c.mu.Unlock()
	if s == nil {
		c.packets.put(p)
		return nil
	}
	return s.receive(m)
}

func (s *Socket) receive(m *message) error {
	switch m.kind {
	case kindConnect:
		return s.connected(m)
	case kindConnectError:
		refusal := &ConnectError{}
		if err := json.Unmarshal(m.data, refusal); err != nil {
			return fmt.Errorf("chattest: CONNECT_ERROR %.60q: %w", m.data, err)
		}
		s.answered(refusal)
	case kindDisconnect:
		s.conn.dropSocket(s)
		s.end(ErrDisconnected)
	case kindEvent:
		return s.received(m)
	case kindAck:
		args, err := newArgs(m)
		if err != nil {
			return err
		}
		s.mu.Lock()
		reply := s.acks[m.id]
		delete(s.acks, m.id)
		s.mu.Unlock()
		if reply != nil {
			reply <- args
		}
	}
	return nil
}

func (s *Socket) connected(m *message) error {
	var ids struct{ SID, PID string }
	if err := json.Unmarshal(m.data, &ids); err != nil || ids.SID == "" {
		return fmt.Errorf("chattest: CONNECT %.60q: no sid", m.data)
	}
	if s.id != "" {
		return fmt.Errorf("chattest: second CONNECT of %s", s.namespace)
	}
	// Written before the answer is handed over, read only after it.
	s.id = ids.SID
	s.recovered = s.pid != "" && s.pid == ids.PID
	s.pid = ids.PID
	s.answered(nil)
	return nil
}

func (s *Socket) answered(err error) {
	s.mu.Lock()
	answer := s.answer
	s.answer = nil
	s.mu.Unlock()
	if answer != nil {
		answer <- err
	}
}

func (s *Socket) received(m *message) error {
	args, err := newArgs(m)
	if err != nil {
		return err
	}
	var name string
	if args.Len() == 0 || args.Decode(0, &name) != nil {
		return fmt.Errorf("chattest: event without a name: %.60q", m.data)
	}
	args.list = args.list[1:]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil // it came too late: the client has begun to reconnect
	}
	// The stock client keeps the last argument of every event that wants no
	// ack, if it is a string, once it has a private id.
	if last := args.Len() - 1; s.pid != "" && m.id < 0 && last >= 0 {
		var offset string
		if args.Decode(last, &offset) == nil {
			s.offset = offset
		}
	}
	s.events.put(Event{Name: name, Args: args, AckID: m.id, socket: s})
	return nil
}
