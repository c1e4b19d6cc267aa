package chat_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/chat/socketio"
	"github.com/echochat/echochat/store"
)

func TestFilters(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		var limited atomic.Bool
		a := newApp(t,
			chat.WithFilter(func(ctx context.Context, d *chat.Draft) error {
				require.Equal(t, "r", d.Room.Name)
				require.Equal(t, "Ada", d.Sender.Name)
				switch {
				case limited.Load():
					return chat.RateLimited(1500 * time.Millisecond)
				case strings.Contains(d.Text, "spam"):
					return fmt.Errorf("words: %w", chat.Reject("No spam, please."))
				case d.Text == "broken":
					return errors.New("filter: dial tcp 10.0.0.7: refused")
				case d.Text == "busy":
					return chat.NewError(chat.CodeServerBusy, "Try again.")
				case d.Text == "blank":
					d.Text = ""
				}
				d.Sender, d.RoomID, d.ClientID = chat.User{ID: "root"}, "other", "stolen" // ignored
				return nil
			}),
			chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
				d.Text = strings.ReplaceAll(d.Text, "darn", "****")
				return nil
			}))
		ada := a.connect(t, "Ada", transport)
		call(t, ada, "room.join", object{"room_id": "r"})
		send := func(text string) object { return object{"room_id": "r", "text": text, "client_id": text} }

		rejected := refused(t, ada, "message.send", send("spam"))
		require.Equal(t, chat.CodeMessageRejected, rejected.Code)
		require.Equal(t, "No spam, please.", rejected.Message)
		require.False(t, rejected.Retryable)
		broken := refused(t, ada, "message.send", send("broken"))
		require.Equal(t, chat.CodeInternal, broken.Code)
		require.NotContains(t, broken.Message, "10.0.0.7")
		require.NotEmpty(t, broken.RequestID)
		require.Equal(t, chat.CodeInvalidArgument, refused(t, ada, "message.send", send("blank")).Code)

		m := call(t, ada, "message.send", send("darn it")).Message
		require.Equal(t, "**** it", m.Text)
		require.Equal(t, "ada", m.User.ID)
		require.Equal(t, "darn it", m.ClientID)
		require.Equal(t, int64(1), m.Seq, "nothing that was refused is stored")
		require.Equal(t, m, *expect(t, ada, "message.new").Message)
		ada.ExpectNone(t, "message.new")

		// A retry is not judged again: the limit that it runs into is for messages, not for lost answers.
		limited.Store(true)
		require.Equal(t, m, call(t, ada, "message.send", send("darn it")).Message)
		e := refused(t, ada, "message.send", send("one more"))
		require.Equal(t, chat.CodeRateLimited, e.Code)
		require.Equal(t, 1500*time.Millisecond, e.RetryAfter)
		limited.Store(false)

		// Another text under the same client_id is another message, and its refusal stands.
		reused := refused(t, ada, "message.send", object{"room_id": "r", "text": "spam", "client_id": "darn it"})
		require.Equal(t, chat.CodeMessageRejected, reused.Code)

		// A transient refusal is not acknowledged.
		ctx, cancel := context.WithTimeout(t.Context(), 2*aMoment)
		defer cancel()
		_, err := ada.EmitWithAck(ctx, "message.send", send("busy"))
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
}

// Filters do not see what a stranger sends, nor tell them that a room is there.
func TestFiltersAreForMembers(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t, chat.WithFilter(func(context.Context, *chat.Draft) error { return chat.Reject("seen") }))
	_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "secret", Type: store.RoomPrivate})
	require.NoError(t, err)
	ada := a.connect(t, "Ada", chattest.WebSocket)
	require.Equal(t, chat.CodeRoomNotFound, refused(t, ada, "message.send", object{"room_id": "secret", "text": "x"}).Code)
}

// Whether a parent is there is nothing that a stranger to the room gets to know.
func TestParentIsForMembers(t *testing.T) {
	t.Parallel()
	a := newClosedApp(t)
	for id, kind := range map[string]store.RoomType{"secret": store.RoomPrivate, "open": store.RoomPublic} {
		_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: id, Type: kind})
		require.NoError(t, err)
	}
	ada := a.connect(t, "Ada", chattest.WebSocket)
	for room, want := range map[string]chat.Code{
		"secret": chat.CodeRoomNotFound, "missing": chat.CodeRoomNotFound, "open": chat.CodeNotAMember,
	} {
		require.Equal(t, want, refused(t, ada, "message.send", object{"room_id": room, "text": "x", "parent_id": "none"}).Code, room)
	}
}

func TestHooks(t *testing.T) {
	t.Parallel()
	onEach(t, func(t *testing.T, transport chattest.Transport) {
		said := make(chan string, 100)
		hear := func(format string, args ...any) { said <- fmt.Sprintf(format, args...) }
		a := newApp(t, chat.WithHooks(chat.Hooks{
			Connect: func(_ context.Context, u chat.User, s *socketio.Socket) error {
				if u.Name == "Eve" {
					return chat.Forbidden("Not today.")
				}
				if u.Name == "Bob" {
					return errors.New("bob is on the list")
				}
				hear("%s connects", u.Name)
				return nil
			},
			Disconnect: func(_ context.Context, u chat.User, s *socketio.Socket, reason string) {
				hear("%s disconnects: %s", u.Name, reason)
			},
			Join: func(_ context.Context, u chat.User, r chat.Room) error {
				if r.ID == "closed" {
					return errors.New("closed for today")
				}
				hear("%s joins %s", u.Name, r.ID)
				return nil
			},
			Leave:   func(_ context.Context, u chat.User, r chat.Room) { hear("%s leaves %s", u.Name, r.ID) },
			Message: func(_ context.Context, m chat.Message) { hear("%s says %s", m.User.Name, m.Text) },
		}))
		next := func(want string) {
			t.Helper()
			select {
			case got := <-said:
				require.Equal(t, want, got)
			case <-time.After(5 * time.Second):
				t.Fatalf("no %q", want)
			}
		}
		ada := a.connect(t, "Ada", transport)
		next("Ada connects")
		call(t, ada, "room.join", object{"room_id": "r"})
		next("Ada joins r")
		call(t, ada, "room.join", object{"room_id": "r"}) // is a member already
		call(t, ada, "message.send", object{"room_id": "r", "text": "hi", "client_id": "1"})
		next("Ada says hi")
		call(t, ada, "message.send", object{"room_id": "r", "text": "hi", "client_id": "1"}) // the same message
		require.Equal(t, chat.CodeForbidden, refused(t, ada, "room.join", object{"room_id": "closed"}).Code)
		_, err := a.chat.System().Room(t.Context(), "closed")
		require.ErrorIs(t, err, chat.NewError(chat.CodeRoomNotFound, ""))
		call(t, ada, "room.leave", object{"room_id": "r"})
		next("Ada leaves r")
		require.NoError(t, ada.Disconnect())
		next("Ada disconnects: client namespace disconnect")

		eve := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport, Auth: object{"name": "Eve"}})
		require.Equal(t, "forbidden", eve.Message)
		require.Contains(t, string(eve.Data), "Not today.")
		bob := chattest.ExpectRefused(t, a.URL, chattest.Options{Transport: transport, Auth: object{"name": "Bob"}})
		require.Equal(t, "forbidden", bob.Message)
		require.NotContains(t, string(bob.Data), "list")
	})
}

// A thousand panics in the app's own code: each ends the connection that caused it, with an answer that says so, and
// nothing else.
func TestPanics(t *testing.T) {
	t.Parallel()
	var logged syncBuffer
	const panics, workers = 1000, 8
	bomb := func(text string) {
		if strings.HasPrefix(text, "boom") {
			panic("bomb")
		}
	}
	a := newApp(t,
		chat.WithLogger(slog.New(slog.NewTextHandler(&logged, nil))),
		chat.WithFilter(func(_ context.Context, d *chat.Draft) error {
			if d.Text == "boom filter" {
				bomb(d.Text)
			}
			return nil
		}),
		chat.WithHooks(chat.Hooks{
			Connect: func(_ context.Context, u chat.User, _ *socketio.Socket) error { bomb(u.Name); return nil },
			Disconnect: func(_ context.Context, u chat.User, _ *socketio.Socket, _ string) {
				if u.Name == "leaver" {
					bomb("boom")
				}
			},
			Join:    func(_ context.Context, _ chat.User, r chat.Room) error { bomb(r.ID); return nil },
			Leave:   func(_ context.Context, _ chat.User, r chat.Room) { bomb(r.Name) },
			Message: func(_ context.Context, m chat.Message) { bomb(m.Text) },
		}))
	_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: "r", Name: "boom when left"})
	require.NoError(t, err)
	witness := a.connect(t, "witness", chattest.WebSocket)
	call(t, witness, "room.join", object{"room_id": "r"})
	for w := range workers {
		_, err := a.chat.System().AddMember(t.Context(), "r", chat.User{ID: fmt.Sprintf("u%d", w)})
		require.NoError(t, err)
	}

	provoke := []struct {
		event string
		arg   object
		acked string
	}{
		{"room.join", object{"room_id": "boom"}, "error"},
		{"message.send", object{"room_id": "r", "text": "boom filter"}, "error"},
		{"message.send", object{"room_id": "r", "text": "boom"}, "ok"}, // stored and acknowledged, then the hook
		{"room.leave", object{"room_id": "r"}, "ok"},
	}
	one := func(i int) error {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		options := chattest.Options{Transport: chattest.Transports()[1+i%2], Auth: object{"name": fmt.Sprintf("u%d", i%workers)}}
		kind := i / workers % (len(provoke) + 1)
		if kind == len(provoke) {
			options.Auth = object{"name": "boom"}
		}
		conn, err := chattest.Dial(ctx, a.URL, options)
		if err != nil {
			return err
		}
		defer conn.Close()
		s, err := conn.Connect(ctx, "/", options.Auth)
		if kind == len(provoke) {
			if refusal := (*chattest.ConnectError)(nil); !errors.As(err, &refusal) || refusal.Message != "internal" {
				return fmt.Errorf("connect: %w, not internal", err)
			}
			return nil
		}
		if err != nil {
			return err
		}
		args, err := s.EmitWithAck(ctx, provoke[kind].event, provoke[kind].arg)
		if err != nil {
			return fmt.Errorf("%s: %w", provoke[kind].event, err)
		}
		var r reply
		if err := args.Decode(0, &r); err != nil || r.Status != provoke[kind].acked || r.Error != nil && r.Error.Code != chat.CodeInternal {
			return fmt.Errorf("%s: acknowledged %s", provoke[kind].event, args)
		}
		if provoke[kind].event == "room.leave" {
			if _, err := a.chat.System().AddMember(ctx, "r", chat.User{ID: fmt.Sprintf("u%d", i%workers)}); err != nil {
				return err
			}
		}
		select {
		case <-conn.Done():
			return nil
		case <-ctx.Done():
			return fmt.Errorf("after a panic in %s: the connection lives on", provoke[kind].event)
		}
	}
	var group sync.WaitGroup
	failed := make(chan error, panics)
	for w := range workers {
		group.Go(func() {
			for i := w; i < panics; i += workers {
				if err := one(i); err != nil {
					failed <- fmt.Errorf("%d: %w", i, err)
					return
				}
			}
		})
	}
	group.Wait()
	close(failed)
	for err := range failed {
		t.Error(err)
	}
	call(t, witness, "message.send", object{"room_id": "r", "text": "still here"})
	leaver := a.connect(t, "leaver", chattest.WebSocket)
	leaver.Close()
	require.Eventually(t, func() bool { return logged.count("Disconnect hook") > 0 }, 5*time.Second, time.Millisecond)
	require.Equal(t, panics+1, logged.count("msg=\"chat: panic\""), "one log line each")
	require.Zero(t, logged.count("still here"))
}

// syncBuffer is a log in memory.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) count(text string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return bytes.Count(b.b.Bytes(), []byte(text))
}
