package chattest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

// Open opens an Engine.IO connection as [Dial] does, and closes it at the end
// of the test.
func Open(t testing.TB, base string, o Options) *Conn {
	t.Helper()
	c, err := Dial(t.Context(), base, o)
	if err != nil {
		t.Fatalf("open %s: %v", base, err)
	}
	t.Cleanup(c.Close)
	return c
}

// Connect opens a connection and connects to a namespace on it, with
// [Options.Namespace] and [Options.Auth]. It closes both at the end of the test.
func Connect(t testing.TB, base string, o Options) *Socket {
	t.Helper()
	s, err := Open(t, base, o).Connect(t.Context(), o.Namespace, o.Auth)
	if err != nil {
		t.Fatalf("connect to %s: %v", base, err)
	}
	return s
}

// ExpectRefused connects as [Connect] does and returns the server's refusal of
// the namespace. It fails the test if the server takes the client.
func ExpectRefused(t testing.TB, base string, o Options) *ConnectError {
	t.Helper()
	s, err := Open(t, base, o).Connect(t.Context(), o.Namespace, o.Auth)
	refusal := (*ConnectError)(nil)
	switch {
	case err == nil:
		t.Fatalf("the server took the client %s, a refusal was expected", s.ID())
	case !errors.As(err, &refusal):
		t.Fatalf("connect to %s: %v", base, err)
	}
	return refusal
}

// Expect returns the oldest event of that name, or the next one to come, and
// fails the test if none comes in time. Events of other names stay in line.
func (s *Socket) Expect(t testing.TB, name string) Event {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.conn.opts.Timeout)
	defer cancel()
	e, err := s.NextNamed(ctx, name)
	if err != nil {
		t.Fatalf("no %q: %v; waiting: %s", name, err, describe(s.Waiting()))
	}
	return e
}

// ExpectNone makes a round trip with the server (see [Socket.Barrier]) and
// fails the test if an event of one of these names has arrived by then; without
// names, any event.
func (s *Socket) ExpectNone(t testing.TB, names ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.conn.opts.Timeout)
	defer cancel()
	if err := s.Barrier(ctx); err != nil {
		t.Fatalf("round trip: %v", err)
	}
	waiting := s.Waiting()
	unwanted := func(e Event) bool { return len(names) == 0 || slices.Contains(names, e.Name) }
	if slices.ContainsFunc(waiting, unwanted) {
		t.Fatalf("expected no %s; waiting: %s", strings.Join(names, ", "), describe(waiting))
	}
}

// ExpectAck sends an event and returns the arguments of the server's
// acknowledgement. It fails the test if none comes in time.
func (s *Socket) ExpectAck(t testing.TB, event string, args ...any) Args {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), s.conn.opts.Timeout)
	defer cancel()
	reply, err := s.EmitWithAck(ctx, event, args...)
	if err != nil {
		t.Fatalf("emit %q: %v", event, err)
	}
	return reply
}

// ExpectEnd waits for the end of the socket and returns its reason, as
// [Socket.Err] does. It fails the test if the socket lives on.
func (s *Socket) ExpectEnd(t testing.TB) error {
	t.Helper()
	expectClosed(t, s.done, s.conn.opts.Timeout, "socket")
	return s.Err()
}

// ExpectReconnect is [Socket.Reconnect] for tests. The new connection is closed
// at the end of the test.
func (s *Socket) ExpectReconnect(t testing.TB) *Socket {
	t.Helper()
	again, err := s.Reconnect(t.Context())
	if err != nil {
		t.Fatalf("reconnect: %v", err)
	}
	t.Cleanup(again.Close)
	return again
}

// Expect returns the next unclaimed packet (see [Conn.Next]) and fails the test
// if none comes in time.
func (c *Conn) Expect(t testing.TB) Packet {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), c.opts.Timeout)
	defer cancel()
	p, err := c.Next(ctx)
	if err != nil {
		t.Fatalf("no packet: %v", err)
	}
	return p
}

// ExpectEnd waits for the end of the connection and returns its reason, as
// [Conn.Err] does. It fails the test if the connection lives on.
func (c *Conn) ExpectEnd(t testing.TB) error {
	t.Helper()
	expectClosed(t, c.done, c.opts.Timeout, "connection")
	return c.Err()
}

// ExpectUpgrade waits for the upgrade to WebSocket and fails the test if it
// fails.
func (c *Conn) ExpectUpgrade(t testing.TB) {
	t.Helper()
	if err := c.WaitUpgrade(t.Context()); err != nil {
		t.Fatalf("upgrade: %v", err)
	}
}

func expectClosed(t testing.TB, done <-chan struct{}, timeout time.Duration, what string) {
	t.Helper()
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-done:
	case <-timer.C:
		t.Fatalf("the %s still lives after %v", what, timeout)
	}
}

func describe(events []Event) string {
	if len(events) == 0 {
		return "nothing"
	}
	parts := make([]string, len(events))
	for i, e := range events {
		parts[i] = e.String()
	}
	return strings.Join(parts, ", ")
}
