//go:build linux

// Command bench compares package socketio with a plain loop over
// gorilla/websocket connections: CPU per delivery and per round trip, losses,
// and memory per connection.
//
// Server and load generator are two processes, each on a core of its own. Every
// figure is the median of three runs, in which both servers take turns, because
// two runs an hour apart may differ by a quarter: only the ratios of one run
// say something.
//
//	go run ./chat/internal/bench             # all scenarios, about eight minutes
//	go run ./chat/internal/bench -quick      # one short round of each
//	go run ./chat/internal/bench -only paced,burst
package main

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

func main() {
	var (
		serveTarget = flag.String("serve", "", "be the server: "+strings.Join(targets(), " or "))
		loadTarget  = flag.String("load", "", "be the load generator for this server")
		scenario    = flag.String("scenario", "", "with -load: the scenario")
		address     = flag.String("address", "", "with -load: address of the server")
		only        = flag.String("only", "", "run these scenarios alone, separated by commas")
		rounds      = flag.Int("rounds", 3, "rounds to take the median of")
		window      = flag.Duration("window", 5*time.Second, "how long each run is measured")
		conns       = flag.Int("conns", 10000, "connections whose memory is measured")
		quick       = flag.Bool("quick", false, "one round of one second, 1,000 connections")
		check       = flag.Bool("check", false, "fail when a ratio or size is over its limit")
	)
	flag.Parse()
	if *quick {
		*rounds, *window, *conns = 1, time.Second, 1000
	}
	var err error
	switch {
	case *serveTarget != "":
		err = serve(*serveTarget)
	case *loadTarget != "":
		err = load(*loadTarget, *scenario, *address, settings{*window, *conns})
	default:
		err = compare(comparison{
			only: strings.FieldsFunc(*only, func(r rune) bool { return r == ',' }), rounds: *rounds,
			window: *window, conns: *conns, check: *check,
		})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func targets() []string { return []string{"plain", "socketio"} }

func known(target string) error {
	if !slices.Contains(targets(), target) {
		return fmt.Errorf("no server %q, there are %v", target, targets())
	}
	return nil
}
