//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

type settings struct {
	window time.Duration
	conns  int
}

// result is what one run of a scenario found.
type result struct {
	CPU    float64 // microseconds of the server per unit
	Rate   float64 // units per second
	P99    float64 // milliseconds
	Lost   float64 // messages that did not arrive
	Memory float64 // bytes per connection, idle
	InUse  float64 // bytes per connection, after messages
}

type scenario struct {
	name string
	run  func(*generator) (result, error)
}

func scenarios() []scenario {
	return []scenario{
		{"paced", func(g *generator) (result, error) { return g.paced(1000, 20) }},
		{"saturated", func(g *generator) (result, error) { return g.saturated(1, 1000, 100) }},
		{"rooms", func(g *generator) (result, error) { return g.saturated(100, 10, 1) }},
		{"acks", func(g *generator) (result, error) { return g.acks(100) }},
		{"burst", func(g *generator) (result, error) { return g.burst(1000, 500) }},
		{"memory", (*generator).memory},
	}
}

// load runs one scenario against a server and prints the result.
func load(target, name, address string, s settings) error {
	if err := known(target); err != nil {
		return err
	}
	i := slices.IndexFunc(scenarios(), func(s scenario) bool { return s.name == name })
	if i < 0 {
		return fmt.Errorf("no scenario %q", name)
	}
	g := &generator{target: target, address: address, settings: s}
	found, err := scenarios()[i].run(g)
	if err != nil {
		return fmt.Errorf("%s on %s: %w", name, target, err)
	}
	return json.NewEncoder(os.Stdout).Encode(found)
}

// generator makes the load for one run.
type generator struct {
	settings
	target, address string
	clients         []*client
	reading         sync.WaitGroup
}

// connect makes n connections to a room.
func (g *generator) connect(n int, room string, bufferSize int) ([]*client, error) {
	made := make([]*client, n)
	errs := make([]error, n)
	var group sync.WaitGroup
	slots := make(chan struct{}, 32)
	for i := range n {
		slots <- struct{}{}
		group.Go(func() {
			made[i], errs[i] = dial(g.target, g.address, room, bufferSize)
			<-slots
		})
	}
	group.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	g.clients = append(g.clients, made...)
	return made, nil
}

func (g *generator) start() {
	for _, c := range g.clients {
		g.reading.Go(c.run)
	}
}

func (g *generator) received() (n int64) {
	for _, c := range g.clients {
		n += c.received.Load()
	}
	return n
}

func (g *generator) usage(query string) (usage, error) {
	var u usage
	res, err := http.Get("http://" + g.address + "/usage" + query)
	if err != nil {
		return u, err
	}
	defer func() { _ = res.Body.Close() }()
	return u, json.NewDecoder(res.Body).Decode(&u)
}

// measure takes the server's CPU time and the deliveries of one window, after a
// second for warming up.
func (g *generator) measure() (result, error) {
	<-time.After(time.Second)
	before, err := g.usage("")
	if err != nil {
		return result{}, err
	}
	units, began := g.received(), time.Now()
	<-time.After(g.window)
	after, err := g.usage("")
	if err != nil {
		return result{}, err
	}
	n := float64(g.received() - units)
	if n == 0 {
		return result{}, fmt.Errorf("nothing arrived")
	}
	return result{CPU: (after.CPU - before.CPU) / n, Rate: n / time.Since(began).Seconds()}, nil
}

// paced sends so many messages a second to one room.
func (g *generator) paced(members, perSecond int) (result, error) {
	all, err := g.connect(members, "room", 16<<10)
	if err != nil {
		return result{}, err
	}
	for _, c := range all {
		c.timed = true
	}
	g.start()
	stop := make(chan struct{})
	var sending sync.WaitGroup
	sending.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(perSecond))
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				_ = all[0].broadcast(1) // a failure shows as nothing arriving
			case <-stop:
				return
			}
		}
	})
	found, err := g.measure()
	close(stop)
	sending.Wait()
	<-time.After(100 * time.Millisecond) // the last messages are on their way
	var late []time.Duration
	for _, c := range all {
		_ = c.conn.Close()
	}
	g.reading.Wait()
	for _, c := range all {
		late = append(late, c.late...)
	}
	slices.Sort(late)
	if len(late) > 0 {
		found.P99 = late[len(late)*99/100].Seconds() * 1e3
	}
	return found, err
}

// saturated keeps so many messages in flight in each of several rooms: the
// sender sends another one for each of its own that comes back.
func (g *generator) saturated(rooms, members, inFlight int) (result, error) {
	var senders []*client
	for r := range rooms {
		all, err := g.connect(members, fmt.Sprint("room", r), 64<<10)
		if err != nil {
			return result{}, err
		}
		sender := all[0]
		sender.onData = func(n int) { _ = sender.broadcast(n) }
		senders = append(senders, sender)
	}
	g.start()
	for _, sender := range senders {
		if err := sender.broadcast(inFlight); err != nil {
			return result{}, err
		}
	}
	return g.measure()
}

// acks keeps one round trip in flight on each of several connections.
func (g *generator) acks(conns int) (result, error) {
	all, err := g.connect(conns, "room", 4<<10)
	if err != nil {
		return result{}, err
	}
	for _, c := range all {
		id := 0
		c.onData = func(int) {
			id++
			_ = c.echo(id)
		}
	}
	g.start()
	for _, c := range all {
		if err := c.echo(0); err != nil {
			return result{}, err
		}
	}
	return g.measure()
}

// burst keeps 500 messages in flight for the window, then counts what is
// missing.
func (g *generator) burst(members, inFlight int) (result, error) {
	all, err := g.connect(members, "room", 64<<10)
	if err != nil {
		return result{}, err
	}
	var sent atomic.Int64
	var stop atomic.Bool
	sender := all[0]
	sender.onData = func(n int) {
		if !stop.Load() {
			sent.Add(int64(n))
			_ = sender.broadcast(n)
		}
	}
	g.start()
	sent.Add(int64(inFlight))
	if err := sender.broadcast(inFlight); err != nil {
		return result{}, err
	}
	found, err := g.measure()
	stop.Store(true)
	found.Lost = float64(g.drain(func() int64 { return sent.Load() * int64(members) }))
	return found, err
}

// drain waits until everything has arrived, or nothing has for two seconds, and
// returns how much is missing.
func (g *generator) drain(want func() int64) int64 {
	last, since := int64(-1), time.Now()
	for {
		got := g.received()
		if got >= want() {
			return 0
		}
		if got != last {
			last, since = got, time.Now()
		} else if time.Since(since) > 2*time.Second {
			return want() - got
		}
		<-time.After(20 * time.Millisecond)
	}
}

// memory measures connections that do nothing, and then the same ones after 300
// messages to and an echo from each.
func (g *generator) memory() (result, error) {
	before, err := g.usage("?gc")
	if err != nil {
		return result{}, err
	}
	all, err := g.connect(g.conns, "room", 1<<10)
	if err != nil {
		return result{}, err
	}
	idle, err := g.usage("?gc")
	if err != nil {
		return result{}, err
	}
	g.start()
	const messages, inFlight = 300, 20
	sent, sender := inFlight, all[0]
	sender.onData = func(n int) {
		if n = min(n, messages-sent); n > 0 {
			sent += n
			_ = sender.broadcast(n)
		}
	}
	if err := sender.broadcast(inFlight); err != nil {
		return result{}, err
	}
	lost := g.drain(func() int64 { return messages * int64(g.conns) })
	for _, c := range all {
		c.onData = nil
	}
	for i, c := range all {
		if err := c.echo(i); err != nil {
			return result{}, err
		}
	}
	lost += g.drain(func() int64 { return (messages+1)*int64(g.conns) - lost })
	inUse, err := g.usage("?gc")
	if err != nil {
		return result{}, err
	}
	n := float64(g.conns)
	return result{
		Memory: (idle.Memory - before.Memory) / n, InUse: (inUse.Memory - before.Memory) / n, Lost: float64(lost),
	}, nil
}
