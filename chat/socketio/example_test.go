package socketio_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"time"

	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
)

// session runs a server and one client for the examples. Each line that the client receives or gets acknowledged is
// printed as a page would see it.
func session(srv *socketio.Server, script func(ctx context.Context, client *chattest.Socket)) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	host := httptest.NewServer(srv)
	defer host.Close()
	defer srv.Shutdown(ctx) //nolint:errcheck // the example is over
	conn, err := chattest.Dial(ctx, host.URL, chattest.Options{Transport: chattest.WebSocket})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer conn.Close()
	client, err := conn.Connect(ctx, "/", map[string]any{"token": "s3cret"})
	if err != nil {
		fmt.Println(err)
		return
	}
	script(ctx, client)
}

// next prints the next event.
func next(ctx context.Context, client *chattest.Socket) {
	e, err := client.Next(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(e)
}

// The server of the Socket.IO tutorial.
func Example() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		_ = s.Emit("hello", "world")
	})
	socketio.On(srv, "chat message", func(_ context.Context, _ *socketio.Socket, text string) (struct{}, error) {
		return struct{}{}, srv.Emit("chat message", text)
	})

	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	// http.ListenAndServe(":3000", mux)

	session(srv, func(ctx context.Context, client *chattest.Socket) {
		next(ctx, client)
		_ = client.Emit("chat message", "hi")
		next(ctx, client)
	})
	// Output:
	// hello["world"]
	// chat message["hi"]
}

// The emit cheat sheet of the Socket.IO documentation.
func Example_emitCheatSheet() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.Join("room1")
		for _, err := range []error{
			s.Emit("basic", 1, "2", map[string]any{"3": []byte{4}}), // to this client
			s.Broadcast().Emit("broadcast"),                         // to all others in the namespace
			s.To("room1").Emit("to a room"),                         // to all others in the room
			s.To("room1", "room2").Emit("to rooms"),                 // to all others in any of the rooms
			s.Except("room2").Emit("except"),                        // to all others but those in the room
			srv.Emit("to all"),                                      // to all in the main namespace
			srv.In("room1").Emit("in a room"),                       // to all in the room, this client too
			srv.In("room1").Except("room2").Emit("in and except"),   // to all in one room and not in another
			srv.To(s.ID()).Emit("private message"),                  // to the client with that id
			srv.Of("/admin").Emit("to a namespace"),                 // to all in another namespace
			srv.Local().Emit("local"),                               // to all of this process, where there are several
			srv.Volatile().Emit("volatile"),                         // to all who can take it now
			s.EmitVolatile("volatile too"),                          // to this client, if it can take it now
		} {
			if err != nil {
				fmt.Println(err)
			}
		}
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		for range 6 {
			next(ctx, client)
		}
	})
	// Output:
	// basic[1,"2",{"3":{"_placeholder":true,"num":0}}]
	// to all[]
	// in a room[]
	// in and except[]
	// private message[]
	// local[]
}

func ExampleOn() {
	srv, err := socketio.New(socketio.WithErrorAck(
		func(_ context.Context, _ *socketio.Socket, _ string, err error) (any, bool) {
			return map[string]string{"error": err.Error()}, true
		}))
	if err != nil {
		panic(err)
	}
	type division struct {
		socketio.Positional
		A, B float64
	}
	socketio.On(srv, "divide", func(_ context.Context, _ *socketio.Socket, in division) (float64, error) {
		if in.B == 0 {
			return 0, errors.New("division by zero")
		}
		return in.A / in.B, nil
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		for _, b := range []any{2, 0, "two"} {
			answer, _ := client.EmitWithAck(ctx, "divide", 1, b)
			fmt.Println(answer)
		}
	})
	// Output:
	// [0.5]
	// [{"error":"division by zero"}]
	// [{"error":"argument 1: json: cannot unmarshal string into Go value of type float64"}]
}

func ExampleSocket_Once() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.Once("once", func(_ context.Context, _ *socketio.Socket, args socketio.Args, ack socketio.Ack) {
			_ = ack.Send("got", args.Len(), "arguments")
		})
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		answer, _ := client.EmitWithAck(ctx, "once", 1, "2", nil)
		fmt.Println(answer)
	})
	// Output:
	// ["got",3,"arguments"]
}

func ExampleSocket_EmitWithAck() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	srv.OnConnection(func(ctx context.Context, s *socketio.Socket) {
		ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		name, err := socketio.EmitWithAck[string](ctx, s, "what is your name?")
		_ = s.Emit("hello", name, err == nil)
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		question, _ := client.Next(ctx)
		_ = question.Ack("Ann")
		next(ctx, client)
	})
	// Output:
	// hello["Ann",true]
}

func ExampleBroadcast_EmitWithAck() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		go func() {
			question, _ := client.Next(ctx)
			_ = question.Ack("here")
		}()
		replies, err := srv.Timeout(5*time.Second).EmitWithAck(ctx, "who is there?")
		fmt.Println(len(replies.Received), string(replies.Received[0].Args.Raw(0)), replies.Missing, err)
	})
	// Output:
	// 1 "here" [] <nil>
}

func ExampleNamespace_Use() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	srv.Use(func(_ context.Context, s *socketio.Socket) error {
		var auth struct{ Token string }
		if err := s.Handshake().DecodeAuth(&auth); err != nil || auth.Token != "s3cret" {
			return &socketio.ConnectError{Message: "unauthorized", Data: map[string]string{"hint": "sign in"}}
		}
		s.SetData("Ann")
		s.Join("user:ann")
		return nil
	})
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		_ = s.Emit("welcome", s.Data())
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) { next(ctx, client) })
	// Output:
	// welcome["Ann"]
}

func ExampleServer_OfPattern() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	documents := srv.OfPattern(regexp.MustCompile(`^/document-\d+$`))
	documents.OnConnection(func(_ context.Context, s *socketio.Socket) {
		_ = s.Broadcast().Emit("somebody has opened", s.Namespace().Name())
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		for _, name := range []string{"/document-7", "/document-x"} {
			_, err := client.Conn().Connect(ctx, name, nil)
			fmt.Println(name, err)
		}
	})
	// Output:
	// /document-7 <nil>
	// /document-x chattest: connect_error: Invalid namespace
}

func ExampleSocket_Use() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		s.Use(func(_ context.Context, _ *socketio.Socket, e socketio.Event) error {
			if e.Name == "forbidden" {
				return errors.New("may not do that")
			}
			return nil
		})
	})
	socketio.On(srv, "allowed", func(context.Context, *socketio.Socket, struct{}) (string, error) { return "done", nil })
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		answer, _ := client.EmitWithAck(ctx, "allowed")
		fmt.Println(answer)
	})
	// Output:
	// ["done"]
}

func ExampleServer_Shutdown() {
	srv, err := socketio.New()
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/socket.io/", srv)
	host := &http.Server{Addr: ":3000", Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	// go host.ListenAndServe()

	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	fmt.Println(srv.Shutdown(ctx)) // first this one: http.Server.Shutdown does not know of WebSockets, and would wait for polls
	fmt.Println(host.Shutdown(ctx))
	// Output:
	// <nil>
	// <nil>
}

func ExampleWithRecovery() {
	srv, err := socketio.New(socketio.WithRecovery(socketio.Recovery{
		MaxDisconnection: time.Minute,
		Principal:        func(s *socketio.Socket) string { name, _ := s.Data().(string); return name },
	}))
	if err != nil {
		panic(err)
	}
	srv.OnConnection(func(_ context.Context, s *socketio.Socket) {
		if !s.Recovered() {
			s.Join("news") // a socket that was recovered is in there already, and gets what it has missed
			_ = s.Emit("welcome")
		}
	})
	session(srv, func(ctx context.Context, client *chattest.Socket) {
		_, _ = client.Next(ctx)
		client.Conn().Reset()
		_ = srv.To("news").Emit("news", "while you were away")
		back, err := client.Reconnect(ctx)
		if err != nil {
			fmt.Println(err)
			return
		}
		defer back.Close()
		e, _ := back.Next(ctx)
		fmt.Println(back.Recovered(), e.Name, string(e.Raw(0)))
	})
	// Output:
	// true news "while you were away"
}
