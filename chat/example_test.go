package chat_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/labstack/echo/v4"
	"github.com/labstack/echo/v4/middleware"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

// A whole server: guests talk in rooms that they open themselves.
func Example() {
	st, err := store.Open("chat.db")
	if err != nil {
		log.Fatal(err)
	}
	c, err := chat.New(st, chat.WithGuests(), chat.WithOpenRooms())
	if err != nil {
		log.Fatal(err)
	}
	e := echo.New()
	if err := c.Mount(e); err != nil {
		log.Fatal(err)
	}
	log.Fatal(e.Start(":8080"))
}

// The same chat over REST and from Go: Ada opens a room and says something, and the app reads it.
func Example_rest() {
	dir, err := os.MkdirTemp("", "chat")
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	quiet := slog.New(slog.DiscardHandler)
	st, err := store.Open(filepath.Join(dir, "chat.db"), store.WithLogger(quiet))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = st.Close() }()
	c, err := chat.New(st, chat.WithOpenRooms(), chat.WithLogger(quiet),
		chat.WithTokenAuth(func(context.Context, json.RawMessage) (chat.User, error) {
			return chat.User{ID: "7", Name: "Ada"}, nil // whoever has a token
		}))
	if err != nil {
		log.Fatal(err)
	}
	defer func() { _ = c.Shutdown(context.Background()) }()
	e := echo.New()
	if err := c.Mount(e); err != nil {
		log.Fatal(err)
	}

	post := func(path, body string) {
		req := httptest.NewRequest(http.MethodPost, "/chat/api/v1"+path, strings.NewReader(body))
		req.Header.Set("Authorization", "Bearer …")
		req.Header.Set("Content-Type", "application/json")
		rec := httptest.NewRecorder()
		e.ServeHTTP(rec, req)
		fmt.Println(path, rec.Code)
	}
	post("/rooms", `{"id":"tea"}`)
	post("/rooms/tea/messages", `{"text":"The kettle is on.","client_id":"1"}`)
	post("/rooms/tea/messages", `{"text":"The kettle is on.","client_id":"1"}`) // the answer was lost, say

	page, err := c.System().History(context.Background(), chat.HistoryQuery{RoomID: "tea"})
	if err != nil {
		log.Fatal(err)
	}
	for _, m := range page.Messages {
		fmt.Println(m.Seq, m.User.Name, m.Text)
	}
	// Output:
	// /rooms 201
	// /rooms/tea/messages 201
	// /rooms/tea/messages 201
	// 1 Ada The kettle is on.
}

// Who somebody is, is what the app's own session says.
func ExampleWithAuth() {
	type session struct{ UserID, Name string }
	auth := chat.WithAuth(func(ec echo.Context) (chat.User, error) {
		s, ok := ec.Get("session").(*session) // put there by the app's own middleware
		if !ok {
			return chat.User{}, chat.ErrNoCredentials
		}
		return chat.User{ID: s.UserID, Name: s.Name}, nil
	})
	_ = auth // goes to chat.New
}

// The client says io({auth: {token}}), or sends the token as REST's bearer token.
func ExampleWithTokenAuth() {
	verify := func(ctx context.Context, token string) (id, name string, err error) { return "7", "Ada", nil } // your own
	auth := chat.WithTokenAuth(func(ctx context.Context, auth json.RawMessage) (chat.User, error) {
		var payload struct{ Token string }
		if len(auth) == 0 || json.Unmarshal(auth, &payload) != nil || payload.Token == "" {
			return chat.User{}, chat.ErrNoCredentials
		}
		id, name, err := verify(ctx, payload.Token)
		if err != nil {
			return chat.User{}, chat.Unauthorized("Please sign in again.")
		}
		return chat.User{ID: id, Name: name}, nil
	})
	_ = auth // goes to chat.New
}

// A filter rewrites a message, or refuses it with a reason that its sender gets to read.
func ExampleWithFilter() {
	filters := chat.WithFilter(
		func(_ context.Context, d *chat.Draft) error {
			d.Text = strings.TrimSpace(d.Text)
			return nil
		},
		func(_ context.Context, d *chat.Draft) error {
			if d.RoomID == "announcements" && d.Sender.ID != "boss" {
				return chat.Reject("Only the boss writes here.")
			}
			return nil
		})
	_ = filters // goes to chat.New
}

func ExampleWithHooks() {
	hooks := chat.WithHooks(chat.Hooks{
		Join: func(_ context.Context, u chat.User, r chat.Room) error {
			if u.Guest && r.ID == "staff" {
				return chat.Forbidden("The staff room is for staff.")
			}
			return nil
		},
		Message: func(_ context.Context, m chat.Message) {
			log.Printf("message %d in room %s", m.Seq, m.RoomID)
		},
	})
	_ = hooks // goes to chat.New
}

// Behind the middleware of a group. CSRF and Timeout leave the chat's routes alone: a stock client cannot send a CSRF
// token (the chat checks origins itself), and Timeout would take the WebSocket's connection away.
func ExampleChat_Mount() {
	mount := func(e *echo.Echo, c *chat.Chat) error {
		app := e.Group("/app",
			middleware.Recover(),
			middleware.CSRFWithConfig(middleware.CSRFConfig{Skipper: c.Skipper}),
		)
		return c.Mount(app) // clients connect with io({path: "/app/socket.io"})
	}
	_ = mount
}

// Events of the app's own, beside the chat's on the same connection.
func ExampleChat_OnConnection() {
	listen := func(c *chat.Chat) {
		c.OnConnection(func(_ context.Context, u chat.User, s *socketio.Socket) {
			_ = s.Emit("greeting", "Hello, "+u.Name)
		})
		socketio.On(c.Server(), "dice.roll", func(_ context.Context, s *socketio.Socket, sides int) (int, error) {
			if sides < 2 {
				return 0, chat.NewError(chat.CodeInvalidArgument, "A die has two sides at least.")
			}
			return 4, c.Server().To("room:games").Emit("dice.rolled", 4)
		})
	}
	_ = listen
}

// The order in which a server with a chat stops.
func ExampleChat_Shutdown() {
	stop := func(e *echo.Echo, c *chat.Chat, st *store.Store) {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
		defer cancel()
		if err := c.Shutdown(ctx); err != nil { // closes the connections, which net/http would wait for in vain
			log.Print(err)
		}
		if err := e.Shutdown(ctx); err != nil {
			log.Print(err)
		}
		if err := st.Close(); err != nil {
			log.Print(err)
		}
	}
	_ = stop
}

// From the app's own code: a room per order, its two parties as members, and a first word from the system.
func ExampleChat_System() {
	open := func(ctx context.Context, c *chat.Chat, buyer, seller chat.User) error {
		app := c.System()
		room, err := app.CreateRoom(ctx, chat.NewRoom{ID: "order-123", Type: store.RoomPrivate, Name: "Order 123", Creator: seller})
		if err != nil {
			return err
		}
		if _, err := app.AddMember(ctx, room.ID, buyer); err != nil {
			return err
		}
		_, err = app.Send(ctx, chat.NewMessage{RoomID: room.ID, Text: "Here you can talk about your order."})
		return err
	}
	_ = open
}

// One place that sees everything that anybody asks for, by whatever way: it refuses, rewrites and records.
func ExampleWithBefore() {
	maintenance := func() bool { return false }
	hooks := []chat.Option{
		chat.WithBefore(func(_ context.Context, o *chat.Operation) error {
			if maintenance() && !o.System {
				return chat.Forbidden("The chat is closed for an hour.")
			}
			if m, ok := o.In.(*chat.NewMessage); ok {
				m.Text = strings.TrimSpace(m.Text)
			}
			return nil
		}),
		chat.WithAfter(func(ctx context.Context, o *chat.Operation) {
			slog.InfoContext(ctx, "chat", "operation", o.Name, "user", o.User.ID, "room", o.Room.ID, "err", o.Err)
		}),
	}
	_ = hooks
}

// The app's own idea of who may do what, on top of the chat's.
func ExampleWithAuthorizer() {
	staff := func(u chat.User) bool { return strings.HasPrefix(u.ID, "staff-") }
	authorizer := chat.WithAuthorizer(func(_ context.Context, r chat.AuthRequest) (bool, error) {
		switch r.Action {
		case chat.ActionRoomCreate: // staff alone
			return staff(r.User), nil
		case chat.ActionRoomRead, chat.ActionRoomJoin: // staff everywhere
			return r.Allowed || staff(r.User), nil
		default:
			return r.Allowed, nil
		}
	})
	_ = authorizer
}

// What a client of REST may branch on.
func ExampleError() {
	explain := func(res *http.Response) string {
		var body struct{ Error chat.Error }
		if err := json.NewDecoder(res.Body).Decode(&body); err != nil {
			return err.Error()
		}
		switch body.Error.Code {
		case chat.CodeRateLimited:
			return "wait for " + body.Error.RetryAfter.String()
		case chat.CodeMessageRejected:
			return "refused: " + body.Error.Message
		default:
			return body.Error.Message
		}
	}
	_ = explain
}
