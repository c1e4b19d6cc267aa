package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
)

// Socket is a connection to one namespace. All methods are safe for concurrent
// use.
type Socket struct {
	conn      *Conn
	namespace string
	auth      any
	id        string
	pid       string
	recovered bool

	events *inbox[Event]
	done   chan struct{}

	mu     sync.Mutex
	err    error
	nextID int
	acks   map[int]chan Args
	offset string
	answer chan error // of the CONNECT packet; nil once answered
}

// Connect connects to a namespace with auth as the payload, nil for none. A
// refusal gives a [*ConnectError].
func (c *Conn) Connect(ctx context.Context, namespace string, auth any) (*Socket, error) {
	return c.connect(ctx, namespace, auth, "", "")
}

func (c *Conn) connect(ctx context.Context, namespace string, auth any, pid, offset string) (*Socket, error) {
	if namespace == "" {
		namespace = "/"
	}
	payload, err := connectPayload(auth, pid, offset)
	if err != nil {
		return nil, err
	}
	answer := make(chan error, 1)
	s := &Socket{
		conn: c, namespace: namespace, auth: auth, pid: pid, offset: offset,
		events: newInbox[Event](), done: make(chan struct{}),
		acks: map[int]chan Args{}, answer: answer,
	}
	if err := c.addSocket(s); err != nil {
		return nil, err
	}
	m := message{kind: kindConnect, namespace: namespace, id: -1, data: payload}
	if err := c.send(ctx, m.packets()...); err != nil {
		c.dropSocket(s)
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	select {
	case err = <-answer:
	case <-s.done:
		err = s.Err()
	case <-ctx.Done():
		err = fmt.Errorf("chattest: no answer to CONNECT %s: %w", namespace, ctx.Err())
	}
	if err != nil {
		c.dropSocket(s)
		return nil, err
	}
	return s, nil
}

// connectPayload puts pid and offset before auth, as the stock client does:
// auth wins where both have a key.
func connectPayload(auth any, pid, offset string) ([]byte, error) {
	if auth == nil && pid == "" {
		return nil, nil
	}
	fields := map[string]json.RawMessage{}
	if auth != nil {
		encoded, err := json.Marshal(auth)
		if err != nil {
			return nil, fmt.Errorf("chattest: encode auth: %w", err)
		}
		if pid == "" {
			return encoded, nil
		}
		if err := json.Unmarshal(encoded, &fields); err != nil {
			return nil, fmt.Errorf("chattest: auth must be a JSON object to reconnect: %w", err)
		}
	}
	recovery := map[string]string{"pid": pid}
	if offset != "" {
		recovery["offset"] = offset
	}
	for key, value := range recovery {
		if _, taken := fields[key]; !taken {
			fields[key], _ = json.Marshal(value) // a string always encodes
		}
	}
	return json.Marshal(fields)
}

func (c *Conn) addSocket(s *Socket) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err != nil {
		return c.err
	}
	if c.sockets[s.namespace] != nil {
		return fmt.Errorf("chattest: namespace %s is connected already", s.namespace)
	}
	c.sockets[s.namespace] = s
	return nil
}

func (c *Conn) dropSocket(s *Socket) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.sockets[s.namespace] == s {
		delete(c.sockets, s.namespace)
	}
}

// ID returns the socket's id, as the server named it.
func (s *Socket) ID() string { return s.id }

// Conn returns the connection beneath.
func (s *Socket) Conn() *Conn { return s.conn }

// Namespace returns the name of the namespace.
func (s *Socket) Namespace() string { return s.namespace }

// PID returns the private id for connection state recovery, "" if the server
// gave none.
func (s *Socket) PID() string { return s.pid }

// Offset returns the position of the last event, "" if there is none.
func (s *Socket) Offset() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.offset
}

// Recovered says whether the server restored the state of the connection
// before, as the stock client decides it: the private id is the one it sent.
func (s *Socket) Recovered() bool { return s.recovered }

// Done is closed when the namespace is disconnected or the connection ends.
func (s *Socket) Done() <-chan struct{} { return s.done }

// Err returns why the socket ended, nil while it lives: [ErrDisconnected] or
// what [Conn.Err] says.
func (s *Socket) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Emit sends an event. A []byte in args, also inside a map[string]any or a
// []any, travels as a binary attachment; everything else as JSON.
func (s *Socket) Emit(event string, args ...any) error {
	return s.emit(s.conn.ctx, -1, event, args)
}

// EmitWithAck sends an event and waits for the server's acknowledgement.
func (s *Socket) EmitWithAck(ctx context.Context, event string, args ...any) (Args, error) {
	reply := make(chan Args, 1)
	s.mu.Lock()
	id := s.nextID
	s.nextID++
	s.acks[id] = reply
	s.mu.Unlock()
	defer func() {
		s.mu.Lock()
		delete(s.acks, id)
		s.mu.Unlock()
	}()

	if err := s.emit(ctx, id, event, args); err != nil {
		return Args{}, err
	}
	select {
	case got := <-reply:
		return got, nil
	case <-s.done:
		select {
		case got := <-reply: // it came before the end
			return got, nil
		default:
			return Args{}, s.Err()
		}
	case <-ctx.Done():
		return Args{}, fmt.Errorf("chattest: no ack of %q: %w", event, ctx.Err())
	}
}

func (s *Socket) emit(ctx context.Context, id int, event string, args []any) error {
	m, err := newMessage(kindEvent, s.namespace, id, append([]any{event}, args...))
	if err != nil {
		return err
	}
	if err := s.Err(); err != nil {
		return err
	}
	return s.conn.send(ctx, m.packets()...)
}

// Next returns the oldest event that is waiting, or the next to come. After
// the end of the socket it returns what is left, then the reason.
func (s *Socket) Next(ctx context.Context) (Event, error) {
	return s.events.take(ctx, func(Event) bool { return true })
}

// NextNamed returns the oldest event of that name, or the next to come. Events
// of other names stay in line.
func (s *Socket) NextNamed(ctx context.Context, name string) (Event, error) {
	return s.events.take(ctx, func(e Event) bool { return e.Name == name })
}

// Waiting returns the events that have arrived and were not taken yet.
func (s *Socket) Waiting() []Event { return s.events.list() }

// Barrier makes a round trip with the server on this connection. When it
// returns, everything that the server had sent here before has arrived. It
// works with any Socket.IO server: it connects to a namespace that is not
// there, and the refusal comes after what was sent before.
func (s *Socket) Barrier(ctx context.Context) error {
	name := fmt.Sprintf("/chattest-barrier-%d", s.conn.barrier.Add(1))
	other, err := s.conn.Connect(ctx, name, nil)
	if err == nil { // a dynamic namespace took it
		return other.Disconnect()
	}
	if refused := (*ConnectError)(nil); errors.As(err, &refused) {
		return nil
	}
	return err
}

// Disconnect leaves the namespace; the connection stays.
func (s *Socket) Disconnect() error {
	m := message{kind: kindDisconnect, namespace: s.namespace, id: -1}
	err := s.conn.send(s.conn.ctx, m.packets()...)
	s.conn.dropSocket(s)
	s.end(ErrClosed)
	return err
}

// Close closes the connection beneath; see [Conn.Close].
func (s *Socket) Close() { s.conn.Close() }

// Reconnect dials again with the same options and resumes there. The old
// connection may have been cut or may still live. The caller closes the new one.
func (s *Socket) Reconnect(ctx context.Context) (*Socket, error) {
	conn, err := Dial(ctx, s.conn.base, s.conn.opts)
	if err != nil {
		return nil, err
	}
	again, err := s.Resume(ctx, conn)
	if err != nil {
		conn.Close()
		return nil, err
	}
	return again, nil
}

// Resume connects to the same namespace over a new connection, with the same
// auth and with the private id and the offset of this socket, as the stock
// client does. It may be tried again when it has failed.
func (s *Socket) Resume(ctx context.Context, conn *Conn) (*Socket, error) {
	return conn.connect(ctx, s.namespace, s.auth, s.pid, s.Offset())
}

// end ends the socket for a reason; the first one counts.
func (s *Socket) end(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return
	}
	s.err = err
	s.events.close(err)
	close(s.done)
}
