//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"

	"github.com/gorilla/websocket"

	"github.com/echochat/echochat/chat/socketio"
)

// usage is what a server says of itself.
type usage struct {
	CPU    float64 // microseconds of user and system time so far
	Memory float64 // bytes of live heap and of stacks
}

// serve runs a server until its standard input ends. It prints its address.
func serve(target string) error {
	if err := known(target); err != nil {
		return err
	}
	routes := http.NewServeMux()
	routes.HandleFunc("/usage", reportUsage)
	if target == "plain" {
		routes.Handle("/socket.io/", &plain{rooms: map[string]map[*member]struct{}{}})
	} else {
		srv, err := socketServer()
		if err != nil {
			return err
		}
		routes.Handle("/socket.io/", srv)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	fmt.Println(listener.Addr())
	return http.Serve(listener, routes) //nolint:gosec // for a benchmark on loopback, no timeouts
}

// reportUsage answers with the CPU time, and after a garbage collection with
// the memory too.
func reportUsage(w http.ResponseWriter, r *http.Request) {
	var u usage
	if r.URL.Query().Has("gc") {
		// Twice: what a finalizer or a pool still holds goes with the second.
		debug.FreeOSMemory()
		debug.FreeOSMemory()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		u.Memory = float64(m.HeapAlloc + m.StackInuse)
	}
	var ru syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &ru); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	u.CPU = float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e3
	_ = json.NewEncoder(w).Encode(u)
}

// socketServer is the server as its documentation shows it.
func socketServer() (*socketio.Server, error) {
	srv, err := socketio.New(socketio.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return nil, err
	}
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.Join(s.Handshake().Query().Get("room"))
	})
	socketio.On(srv, "message", func(_ context.Context, s *socketio.Socket, text string) (struct{}, error) {
		return struct{}{}, srv.To(s.Handshake().Query().Get("room")).Emit("message", text)
	})
	socketio.On(srv, "echo", func(_ context.Context, _ *socketio.Socket, text string) (string, error) {
		return text, nil
	})
	return srv, nil
}

// plain is the plainest correct server: net/http, gorilla/websocket, one frame
// encoded once for each message, and one write for each member in a loop.
type plain struct {
	mu    sync.Mutex
	rooms map[string]map[*member]struct{}
}

type member struct {
	writing sync.Mutex
	conn    *websocket.Conn
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var upgrader websocket.Upgrader
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return // the upgrader has answered
	}
	m := &member{conn: conn}
	room := r.URL.Query().Get("room")
	p.mu.Lock()
	if p.rooms[room] == nil {
		p.rooms[room] = map[*member]struct{}{}
	}
	p.rooms[room][m] = struct{}{}
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		delete(p.rooms[room], m)
		p.mu.Unlock()
		_ = conn.Close()
	}()
	for {
		_, data, err := conn.ReadMessage()
		if err != nil || len(data) == 0 {
			return
		}
		if data[0] == 'e' {
			m.writing.Lock()
			err = conn.WriteMessage(websocket.TextMessage, data)
			m.writing.Unlock()
		} else {
			err = p.broadcast(room, data)
		}
		if err != nil {
			return
		}
	}
}

func (p *plain) broadcast(room string, data []byte) error {
	frame, err := websocket.NewPreparedMessage(websocket.TextMessage, data)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for m := range p.rooms[room] {
		m.writing.Lock()
		_ = m.conn.WritePreparedMessage(frame) // its own reader notices what is wrong with it
		m.writing.Unlock()
	}
	return nil
}
