package chattest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
)

// openPolling makes the handshake by GET and starts to poll.
func (c *Conn) openPolling(ctx context.Context) error {
	packets, err := c.poll(ctx)
	if err != nil {
		return err
	}
	if err := c.opened(packets[0]); err != nil {
		return err
	}
	c.work.Go(func() {
		for _, p := range packets[1:] {
			c.receive(p)
		}
		c.keepPolling()
	})
	return nil
}

// keepPolling polls until the connection ends or is upgraded.
func (c *Conn) keepPolling() {
	defer close(c.pollEnded)
	for !c.switching.Load() {
		packets, err := c.poll(c.ctx)
		if err != nil {
			c.fail(err)
			return
		}
		for _, p := range packets {
			c.receive(p)
		}
		if c.ctx.Err() != nil {
			return
		}
	}
}

func (c *Conn) poll(ctx context.Context) ([]Packet, error) {
	body, err := c.request(ctx, http.MethodGet, nil)
	if err != nil {
		return nil, fmt.Errorf("chattest: poll: %w", err)
	}
	return parsePayload(body)
}

// post sends one payload. The server answers "ok" (Engine.IO protocol v4,
// section "HTTP long-polling").
func (c *Conn) post(ctx context.Context, payload []byte) error {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	body, err := c.request(ctx, http.MethodPost, payload)
	if err != nil {
		return c.sendError(err)
	}
	if string(body) != "ok" {
		return fmt.Errorf("chattest: the server answered a POST with %.60q, not ok", body)
	}
	return nil
}

func (c *Conn) request(ctx context.Context, method string, payload []byte) ([]byte, error) {
	var reader io.Reader // a nil interface: a GET has no body
	if payload != nil {
		reader = bytes.NewReader(payload)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.address(Polling), reader)
	if err != nil {
		return nil, err
	}
	for name, values := range c.opts.Header {
		req.Header[name] = values
	}
	if payload != nil {
		req.Header.Set("Content-Type", "text/plain;charset=UTF-8")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		return nil, newHTTPError(res, body)
	}
	return body, nil
}
