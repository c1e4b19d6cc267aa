package chattest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gorilla/websocket"
)

// Handshake is what the server sends in the open packet (Engine.IO protocol
// v4, section "Handshake"). Times are in milliseconds.
type Handshake struct {
	SID          string   `json:"sid"`
	Upgrades     []string `json:"upgrades"`
	PingInterval int      `json:"pingInterval"`
	PingTimeout  int      `json:"pingTimeout"`
	MaxPayload   int      `json:"maxPayload"`
}

// Conn is one Engine.IO connection with any number of Socket.IO namespaces on
// it. All methods are safe for concurrent use.
type Conn struct {
	base string
	opts Options
	url  *url.URL
	wire *wire
	http *http.Client

	ctx    context.Context // ends with the connection
	cancel context.CancelFunc
	work   sync.WaitGroup // every goroutine of this connection
	done   chan struct{}
	open   Handshake

	mu      sync.Mutex
	ws      *websocket.Conn // nil while polling
	err     error
	sockets map[string]*Socket
	partial *message // an event that still lacks attachments; only the reader's

	sending    sync.Mutex // one POST or WebSocket message at a time
	switching  atomic.Bool
	pollEnded  chan struct{} // closed when polling has stopped for the upgrade
	upgrading  sync.Once
	upgradeErr error
	upgraded   chan struct{} // closed when an upgrade has succeeded or failed

	closing atomic.Bool
	noPong  atomic.Bool
	barrier atomic.Int64
	packets *inbox[Packet]
}

// Dial opens an Engine.IO connection to the server at base, an http or https
// URL. With [Upgrade] it returns after the handshake and upgrades in the
// background, as the stock client does; see [Conn.WaitUpgrade]. A refused
// handshake gives an [*HTTPError]. The caller closes the connection.
func Dial(ctx context.Context, base string, o Options) (*Conn, error) {
	o = o.withDefaults()
	if !slices.Contains(Transports(), o.Transport) {
		return nil, fmt.Errorf("chattest: Options.Transport %q is none of %v", o.Transport, Transports())
	}
	u, err := url.Parse(base)
	if err != nil {
		return nil, fmt.Errorf("chattest: server address: %w", err)
	}
	c := &Conn{
		base:      base,
		opts:      o,
		url:       u.JoinPath(o.Path),
		done:      make(chan struct{}),
		sockets:   map[string]*Socket{},
		pollEnded: make(chan struct{}),
		upgraded:  make(chan struct{}),
		packets:   newInbox[Packet](),
	}
	c.wire = newWire(func() { c.fail(ErrCut) })
	c.noPong.Store(o.NoPong)
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.http = &http.Client{
		Jar: o.Jar,
		Transport: &http.Transport{
			DialContext: c.dialTCP, TLSClientConfig: o.TLS, DisableCompression: true,
		},
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	handshake := c.openPolling
	if o.Transport == WebSocket {
		handshake = c.openWebSocket
	}
	if err := handshake(ctx); err != nil {
		c.fail(err)
		c.wire.close()
		c.work.Wait()
		return nil, err
	}
	if o.Transport == Upgrade {
		c.work.Go(func() { _ = c.Upgrade(context.Background()) })
	}
	return c, nil
}

// Handshake returns what the server announced.
func (c *Conn) Handshake() Handshake { return c.open }

// Transport returns the transport in use at this moment: Polling or WebSocket.
func (c *Conn) Transport() Transport {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ws != nil {
		return WebSocket
	}
	return Polling
}

// Done is closed when the connection has ended, for whatever reason.
func (c *Conn) Done() <-chan struct{} { return c.done }

// Err returns why the connection ended, nil while it lives: [ErrClosed],
// [ErrCut], [ErrServerClosed], a [*websocket.CloseError], an [*HTTPError], or
// an error of the network.
func (c *Conn) Err() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Next returns the next packet that no namespace has claimed. With
// [Options.Raw] that is every packet after the handshake.
func (c *Conn) Next(ctx context.Context) (Packet, error) {
	return c.packets.take(ctx, func(Packet) bool { return true })
}

// URL returns the address of the route for a transport, with the session's id:
// for requests that a test makes by itself.
func (c *Conn) URL(t Transport) string { return c.address(t) }

// AnswerPings switches the answering of the server's pings on or off.
func (c *Conn) AnswerPings(on bool) { c.noPong.Store(!on) }

// Close ends the connection in good order, as the stock client does, and waits
// until nothing of it runs any more. Calling it again does nothing.
func (c *Conn) Close() {
	c.closing.Store(true)
	c.mu.Lock()
	ws, alive := c.ws, c.err == nil
	c.mu.Unlock()
	if alive && !c.wire.isPaused() {
		c.sayGoodbye(ws)
	}
	c.fail(ErrClosed)
	c.wire.close()
	c.work.Wait()
}

// sayGoodbye gives the server a second to answer: a connection closed with
// unread input is reset, and the goodbye might be lost with it.
func (c *Conn) sayGoodbye(ws *websocket.Conn) {
	ctx, cancel := context.WithTimeout(c.ctx, time.Second)
	defer cancel()
	if ws == nil {
		_ = c.post(ctx, []byte{PacketClose})
		return
	}
	bye := websocket.FormatCloseMessage(websocket.CloseNormalClosure, "")
	_ = ws.WriteControl(websocket.CloseMessage, bye, time.Now().Add(time.Second))
	<-ctx.Done()
}

// fail ends the connection for a reason; the first one counts.
func (c *Conn) fail(err error) {
	c.end(err)
	c.release()
}

// end tells everybody that the connection is over. Nothing is received after it.
func (c *Conn) end(err error) {
	c.mu.Lock()
	if c.err != nil {
		c.mu.Unlock()
		return
	}
	if c.closing.Load() {
		err = ErrClosed
	}
	c.err = err
	sockets := make([]*Socket, 0, len(c.sockets))
	for _, s := range c.sockets {
		sockets = append(sockets, s)
	}
	c.mu.Unlock()
	for _, s := range sockets {
		s.end(err)
	}
	c.packets.close(err)
	close(c.done)
}

// release stops what still reads and writes.
func (c *Conn) release() {
	c.cancel()
	c.mu.Lock()
	ws := c.ws
	c.mu.Unlock()
	if ws != nil {
		_ = ws.Close()
	}
	c.http.CloseIdleConnections()
}

func (c *Conn) address(t Transport) string {
	u := *c.url
	q := u.Query()
	q.Set("EIO", "4")
	q.Set("transport", string(t))
	if c.open.SID != "" {
		q.Set("sid", c.open.SID)
	}
	for name, values := range c.opts.Query {
		q[name] = values
	}
	u.RawQuery = q.Encode()
	if t == WebSocket {
		u.Scheme = map[string]string{"http": "ws", "https": "wss"}[u.Scheme]
	}
	return u.String()
}

// opened takes the open packet.
func (c *Conn) opened(p Packet) error {
	if p.Binary || p.Type != PacketOpen {
		return fmt.Errorf("chattest: the first packet is %.60q, not an open packet", p)
	}
	if err := json.Unmarshal(p.Data, &c.open); err != nil {
		return fmt.Errorf("chattest: open packet: %w", err)
	}
	if c.open.SID == "" {
		return errors.New("chattest: open packet without a sid")
	}
	return nil
}

// receive handles one packet, on the one goroutine that reads.
func (c *Conn) receive(p Packet) {
	if c.opts.Raw {
		c.packets.put(p)
		return
	}
	switch p.Type {
	case PacketPing:
		if !c.noPong.Load() {
			// On a goroutine of its own: reading must go on while a write waits.
			c.work.Go(func() { _ = c.send(c.ctx, Packet{Type: PacketPong, Data: p.Data}) })
		}
	case PacketClose:
		c.fail(ErrServerClosed)
	case PacketNoop:
	case PacketMessage:
		if err := c.dispatch(p); err != nil {
			c.fail(err)
			c.wire.close()
		}
	default:
		c.packets.put(p)
	}
}

// SendText sends text as it is, type digit included: a WebSocket text frame, or
// the body of a POST. It does not check it, so that a test can send what no
// client should.
func (c *Conn) SendText(ctx context.Context, text string) error {
	return c.sendRaw(ctx, []byte(text), websocket.TextMessage)
}

// SendBinary sends a binary message.
func (c *Conn) SendBinary(ctx context.Context, data []byte) error {
	return c.send(ctx, Packet{Type: PacketMessage, Data: data, Binary: true})
}

// send sends packets together: one POST, or one WebSocket message each with
// nothing between them.
func (c *Conn) send(ctx context.Context, packets ...Packet) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	ws, err := c.ws, c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if ws == nil {
		return c.post(ctx, appendPayload(nil, packets))
	}
	for _, p := range packets {
		kind, data := websocket.BinaryMessage, p.Data
		if !p.Binary {
			kind, data = websocket.TextMessage, append([]byte{p.Type}, p.Data...)
		}
		if err := ws.WriteMessage(kind, data); err != nil {
			return c.sendError(err)
		}
	}
	return nil
}

func (c *Conn) sendRaw(ctx context.Context, data []byte, kind int) error {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.mu.Lock()
	ws, err := c.ws, c.err
	c.mu.Unlock()
	if err != nil {
		return err
	}
	if ws == nil {
		return c.post(ctx, data)
	}
	return c.sendError(ws.WriteMessage(kind, data))
}

// sendError prefers the reason why the connection ended to what a write got.
func (c *Conn) sendError(err error) error {
	if err == nil {
		return nil
	}
	if cause := c.Err(); cause != nil {
		return cause
	}
	return fmt.Errorf("chattest: send: %w", err)
}
