package chattest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/gorilla/websocket"
)

// openWebSocket makes the handshake over WebSocket alone.
func (c *Conn) openWebSocket(ctx context.Context) error {
	ws, err := c.dialWebSocket(ctx)
	if err != nil {
		return err
	}
	c.ws = ws
	p, err := c.readPacket(ws)
	if err != nil {
		return err
	}
	if err := c.opened(p); err != nil {
		return err
	}
	c.work.Go(func() { c.keepReading(ws) })
	return nil
}

func (c *Conn) dialWebSocket(ctx context.Context) (*websocket.Conn, error) {
	d := websocket.Dialer{NetDialContext: c.dialTCP, TLSClientConfig: c.opts.TLS, Jar: c.opts.Jar}
	ws, res, err := d.DialContext(ctx, c.address(WebSocket), http.Header(c.opts.Header).Clone())
	if res != nil {
		defer func() { _ = res.Body.Close() }()
	}
	if errors.Is(err, websocket.ErrBadHandshake) && res != nil {
		body, _ := io.ReadAll(res.Body) // gorilla keeps the first KiB of it
		return nil, newHTTPError(res, body)
	}
	if err != nil {
		return nil, fmt.Errorf("chattest: open a WebSocket: %w", err)
	}
	return ws, nil
}

func (c *Conn) readPacket(ws *websocket.Conn) (Packet, error) {
	kind, data, err := ws.ReadMessage()
	if err != nil {
		return Packet{}, err
	}
	if kind == websocket.BinaryMessage {
		return Packet{Type: PacketMessage, Data: data, Binary: true}, nil
	}
	return parseText(data)
}

// keepReading reads until the connection ends.
func (c *Conn) keepReading(ws *websocket.Conn) {
	for {
		p, err := c.readPacket(ws)
		if err != nil {
			c.fail(err)
			c.wire.close()
			return
		}
		c.receive(p)
	}
}

// Upgrade moves a polling connection to WebSocket (Engine.IO protocol v4,
// section "Upgrade") and returns when that is done. Packets may be sent and
// received all the while. It runs once; later calls return the first result.
func (c *Conn) Upgrade(ctx context.Context) error {
	c.upgrading.Do(func() {
		c.upgradeErr = c.upgrade(ctx)
		close(c.upgraded)
	})
	return c.upgradeErr
}

// WaitUpgrade waits for an upgrade that was started by [Dial] or
// [Conn.Upgrade] and returns its error.
func (c *Conn) WaitUpgrade(ctx context.Context) error {
	select {
	case <-c.upgraded:
		return c.upgradeErr
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (c *Conn) upgrade(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	defer context.AfterFunc(c.ctx, cancel)()
	ws, err := c.probe(ctx)
	if err != nil {
		return err
	}
	// From here on nothing more is sent over polling, and the poll that is open
	// is the last: the server answers it with what it has, or with a noop.
	c.sending.Lock()
	c.switching.Store(true)
	select {
	case <-c.pollEnded:
		err = c.Err()
	case <-ctx.Done():
		err = fmt.Errorf("chattest: upgrade: the last poll: %w", ctx.Err())
	}
	if err == nil {
		err = ws.WriteMessage(websocket.TextMessage, []byte{PacketUpgrade})
	}
	if err == nil {
		c.mu.Lock()
		if err = c.err; err == nil {
			c.ws = ws
			c.work.Go(func() { c.keepReading(ws) })
		}
		c.mu.Unlock()
	}
	c.sending.Unlock()
	if err != nil {
		_ = ws.Close()
		c.fail(err)
	}
	return err
}

// probe opens the WebSocket beside the polling connection and asks whether it
// carries packets both ways.
func (c *Conn) probe(ctx context.Context) (*websocket.Conn, error) {
	ws, err := c.dialWebSocket(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = ws.Close() })
	defer stop()
	if err := ws.WriteMessage(websocket.TextMessage, []byte("2probe")); err != nil {
		_ = ws.Close()
		return nil, fmt.Errorf("chattest: probe: %w", err)
	}
	p, err := c.readPacket(ws)
	if err != nil {
		_ = ws.Close()
		return nil, fmt.Errorf("chattest: probe: %w", err)
	}
	if p.String() != "3probe" {
		_ = ws.Close()
		return nil, fmt.Errorf("chattest: the server answered the probe with %.60q", p)
	}
	return ws, nil
}
