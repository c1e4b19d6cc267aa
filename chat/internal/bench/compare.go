//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// comparison says what to run.
type comparison struct {
	only   []string
	rounds int
	window time.Duration
	conns  int
	check  bool
}

// figure is a line of the table.
type figure struct {
	scenario string
	label    string
	unit     string
	value    func(result) float64
	limit    float64 // of the ratio, or of the value itself if absolute; 0 for none
	absolute bool
}

func figures() []figure {
	cpu := func(r result) float64 { return r.CPU }
	rate := func(r result) float64 { return r.Rate / 1e3 }
	lost := func(r result) float64 { return r.Lost }
	return []figure{
		{"paced", "CPU per delivery, 1 room of 1,000, 20 messages/s", "µs", cpu, 1.3, false},
		{"paced", "p99 latency of that", "ms", func(r result) float64 { return r.P99 }, 0, false},
		{"saturated", "CPU per delivery, 1 room of 1,000, saturated", "µs", cpu, 0.4, false},
		{"saturated", "deliveries of that", "k/s", rate, 0, false},
		{"rooms", "CPU per delivery, 100 rooms of 10, saturated", "µs", cpu, 1.5, false},
		{"acks", "CPU per acknowledged round trip, 100 connections", "µs", cpu, 1.3, false},
		{"burst", "burst, 500 messages in flight: deliveries", "k/s", rate, 0, false},
		{"burst", "burst, 500 messages in flight: lost", "", lost, 0.5, true},
		{"memory", "memory per idle connection", "bytes", func(r result) float64 { return r.Memory }, 14000, true},
		{"memory", "memory per connection in use", "bytes", func(r result) float64 { return r.InUse }, 16000, true},
	}
}

// compare runs the scenarios on both servers in turns and prints the table.
func compare(c comparison) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if runtime.NumCPU() < 2 {
		return errors.New("two cores are needed, one for the server and one for the load")
	}
	fmt.Printf("%s, %s, %d rounds of %v, payload of %d bytes, %d connections for memory\n\n",
		runtime.Version(), cpuModel(), c.rounds, c.window, payloadLen, c.conns)
	results := map[string]map[string][]result{}
	for _, s := range scenarios() {
		if len(c.only) > 0 && !slices.Contains(c.only, s.name) {
			continue
		}
		results[s.name] = map[string][]result{}
		for range c.rounds {
			for _, target := range targets() {
				found, err := runOnce(self, target, s.name, c)
				if err != nil {
					return err
				}
				results[s.name][target] = append(results[s.name][target], found)
			}
		}
	}
	return report(results, c.check)
}

func report(results map[string]map[string][]result, check bool) error {
	out := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(out, "figure\tplain loop\tsocketio\tratio\tlimit\t")
	over := 0
	for _, f := range figures() {
		runs, ran := results[f.scenario]
		if !ran {
			continue
		}
		plain, ours := median(runs["plain"], f.value), median(runs["socketio"], f.value)
		ratio, limit, verdict := "", "", ""
		if plain > 0 && f.unit != "" {
			ratio = fmt.Sprintf("%.2f", ours/plain)
		}
		if f.limit > 0 {
			compared := ours / plain
			limit = fmt.Sprintf("ratio %.1f", f.limit)
			if f.absolute {
				compared, limit = ours, fmt.Sprintf("%.0f %s", f.limit, f.unit)
			}
			if verdict = "ok"; compared > f.limit {
				verdict = "OVER"
				over++
			}
		}
		_, _ = fmt.Fprintf(out, "%s\t%s\t%s\t%s\t%s\t%s\n", f.label, amount(plain, f.unit), amount(ours, f.unit), ratio, limit, verdict)
	}
	if err := out.Flush(); err != nil {
		return err
	}
	if check && over > 0 {
		return fmt.Errorf("%d figures are over their limits", over)
	}
	return nil
}

func amount(v float64, unit string) string {
	if unit == "µs" || unit == "ms" {
		return fmt.Sprintf("%.2f %s", v, unit)
	}
	return strings.TrimSpace(fmt.Sprintf("%.0f %s", v, unit))
}

func median(runs []result, value func(result) float64) float64 {
	values := make([]float64, len(runs))
	for i, r := range runs {
		values[i] = value(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// runOnce starts a server on the first core and a generator on the second.
func runOnce(self, target, scenario string, c comparison) (result, error) {
	var found result
	server := onCore("0", self, "-serve", target)
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		return found, err
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		return found, err
	}
	if err := server.Start(); err != nil {
		return found, fmt.Errorf("start the server: %w", err)
	}
	defer func() {
		_ = stdin.Close() // ends the server
		_ = server.Wait()
	}()
	address, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		return found, fmt.Errorf("address of the server: %w", err)
	}
	generator := onCore("1", self, "-load", target, "-scenario", scenario, "-address", strings.TrimSpace(address),
		"-window", c.window.String(), "-conns", fmt.Sprint(c.conns))
	var printed bytes.Buffer
	generator.Stdout, generator.Stderr = &printed, os.Stderr
	if err := generator.Run(); err != nil {
		return found, fmt.Errorf("generator: %w", err)
	}
	if err := json.Unmarshal(printed.Bytes(), &found); err != nil {
		return found, fmt.Errorf("result of the generator: %w", err)
	}
	return found, nil
}

func onCore(core string, command ...string) *exec.Cmd {
	return exec.Command("taskset", append([]string{"-c", core}, command...)...) //nolint:gosec // starts itself
}

func cpuModel() string {
	info, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(info)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return "unknown CPU"
}
