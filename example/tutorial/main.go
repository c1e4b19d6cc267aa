// Command tutorial is the server side of the Socket.IO tutorials, on package socketio alone: no chat, no database.
//
//	go run ./example/tutorial [-addr :8005]
//
// Their clients work unchanged, from whatever page or port they come:
//
//   - "Get started": "chat message" goes to everyone, the sender too. The page at / is that tutorial's.
//   - Rooms: "join-room" joins; "send-message" with a text and a room goes as "receive-message" to the others in that
//     room, or to all others without one. Each connection is greeted with "message-sent".
package main

import (
	"context"
	"embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/echochat/echochat/chat/socketio"
)

//go:embed static
var static embed.FS

func main() {
	addr := flag.String("addr", ":8005", "address to listen on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *addr, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "tutorial:", err)
		os.Exit(1)
	}
}

// sendMessage is what "send-message" carries: socket.emit("send-message", message, room).
type sendMessage struct {
	socketio.Positional
	Message any
	Room    string
}

// newServer has all there is to the tutorials.
func newServer(log *slog.Logger) (*socketio.Server, error) {
	io, err := socketio.New(socketio.WithOrigins("*"), socketio.WithLogger(log))
	if err != nil {
		return nil, err
	}
	io.OnConnection(func(_ context.Context, s *socketio.Socket) {
		log.Info("connect", "id", s.ID(), "address", s.Handshake().Address)
		s.OnDisconnect(func(reason socketio.Reason) {
			log.Info("disconnect", "id", s.ID(), "address", s.Handshake().Address, "reason", reason)
		})
		if err := s.Emit("message-sent", "hello, world!"); err != nil {
			log.Error("greet", "id", s.ID(), "err", err)
		}
	})
	io.OnConnectionError(func(e socketio.ConnectionError) {
		log.Error("refused", "address", e.Address, "code", e.Code, "message", e.Message)
	})
	socketio.On(io, "chat message", func(_ context.Context, _ *socketio.Socket, message any) (struct{}, error) {
		return struct{}{}, io.Emit("chat message", message)
	})
	socketio.On(io, "send-message", func(_ context.Context, s *socketio.Socket, m sendMessage) (struct{}, error) {
		others := s.Broadcast()
		if m.Room != "" {
			others = s.To(m.Room)
		}
		return struct{}{}, others.Emit("receive-message", m.Message)
	})
	socketio.On(io, "join-room", func(_ context.Context, s *socketio.Socket, room string) (string, error) {
		s.Join(room)
		return "Joined " + room, nil
	})
	return io, nil
}

// run serves until ctx ends.
func run(ctx context.Context, addr string, out io.Writer) error {
	log := slog.New(slog.NewTextHandler(out, nil))
	server, err := newServer(log)
	if err != nil {
		return err
	}
	page, err := fs.Sub(static, "static")
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", server)
	mux.Handle("/socket.io", server)
	mux.Handle("/", http.FileServerFS(page))
	web := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}

	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	log.Info("listening", "url", fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port))
	failed := make(chan error, 1)
	go func() { failed <- web.Serve(listener) }()
	select {
	case err = <-failed:
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(err, server.Shutdown(ctx), web.Shutdown(ctx))
}
