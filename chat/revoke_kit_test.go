package chat_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
)

// revocation is a way in which somebody's access to a room ends.
type revocation struct {
	name  string
	total bool // it ends the connections, too
	// run ends the access of s and returns when that was.
	run func(ctx context.Context, w *wave, s *subject) (time.Time, error)
}

func revocations() []revocation {
	now := func(err error) (time.Time, error) { return time.Now(), err }
	return []revocation{
		{name: "removed", run: func(ctx context.Context, w *wave, s *subject) (time.Time, error) {
			return now(w.chat.System().RemoveMember(ctx, s.room, s.name))
		}},
		{name: "left", run: func(ctx context.Context, w *wave, s *subject) (time.Time, error) {
			return now(w.chat.As(named(s.name)).Leave(ctx, s.room))
		}},
		{name: "banned", run: func(ctx context.Context, w *wave, s *subject) (time.Time, error) {
			_, err := w.chat.System().Ban(ctx, chat.NewSanction{RoomID: s.room, UserID: s.name})
			return now(err)
		}},
		{name: "outcast", total: true, run: func(ctx context.Context, w *wave, s *subject) (time.Time, error) {
			_, err := w.chat.System().Ban(ctx, chat.NewSanction{UserID: s.name})
			return now(err)
		}},
		{name: "expired", total: true, run: func(ctx context.Context, w *wave, s *subject) (time.Time, error) {
			return s.expire(ctx, &w.tokens)
		}},
		{name: "orphaned", run: func(ctx context.Context, w *wave, s *subject) (time.Time, error) {
			return now(w.deleteRoom(ctx, s.room))
		}},
	}
}

// pardoned is the control: a client whose access does not end must fail the check.
func pardoned() revocation {
	return revocation{name: "pardoned", run: func(context.Context, *wave, *subject) (time.Time, error) { return time.Now(), nil }}
}

// conduct is what a client does while its access ends.
type conduct struct {
	name      string
	transport func(*rand.Rand) chattest.Transport
	asks      bool // it joins and reads the room again and again
	away      bool // it is cut off before, and comes back afterwards
}

func conducts() []conduct {
	only := func(t chattest.Transport) func(*rand.Rand) chattest.Transport {
		return func(*rand.Rand) chattest.Transport { return t }
	}
	anyOf := func(r *rand.Rand) chattest.Transport { return chattest.Transports()[r.IntN(3)] }
	return []conduct{
		{name: "hears by websocket", transport: only(chattest.WebSocket)},
		{name: "hears by polling", transport: only(chattest.Polling)},
		{name: "asks", transport: anyOf, asks: true},
		{name: "recovers by websocket", transport: only(chattest.WebSocket), away: true},
		{name: "recovers by polling", transport: only(chattest.Polling), away: true},
	}
}

// news is something of the room that a client got to know: an event, a message on a page, or that it was given anything at all.
type news struct {
	what string
	of   string    // the room, or the user whose presence it is
	made time.Time // when it was news; of an answer, when it was asked for
	came time.Time
}

// subject is a client whose access ends.
type subject struct {
	how    revocation
	does   conduct
	a      *app
	name   string
	token  string
	room   string
	socket *chattest.Socket
	opts   chattest.Options

	mu      sync.Mutex
	heard   []news
	last    int64  // seq of the last message
	lastID  string // and its id
	ended   time.Time
	revoked time.Time
}

func (s *subject) String() string {
	return fmt.Sprintf("%s, who %s (%s)", s.name, s.does.name, s.how.name)
}

// arrive connects and joins the room and the lobby.
func (s *subject) arrive(ctx context.Context) error {
	if err := s.connect(ctx); err != nil {
		return err
	}
	for _, room := range []string{s.room, lobby} {
		if _, err := s.join(ctx, room); err != nil {
			return err
		}
	}
	return nil
}

func (s *subject) connect(ctx context.Context) error {
	conn, err := chattest.Dial(ctx, s.a.URL, s.opts)
	if err != nil {
		return err
	}
	if s.socket, err = conn.Connect(ctx, "/", object{"token": s.token}); err != nil {
		conn.Close()
	}
	return err
}

// listen notes what arrives until the connection ends.
func (s *subject) listen(ctx context.Context, socket *chattest.Socket) {
	for {
		e, err := socket.Next(ctx)
		if err != nil {
			s.mu.Lock()
			if s.ended.IsZero() {
				s.ended = time.Now()
			}
			s.mu.Unlock()
			return
		}
		var event chat.Event
		if err := e.Decode(0, &event); err != nil {
			s.note(news{what: "undecodable " + e.Name, of: s.room, made: time.Now()})
			continue
		}
		n := news{what: e.Name, of: event.RoomID, made: event.CreatedAt}
		if e.Name == chat.EventPresenceChanged {
			n.of = event.User.ID
		}
		s.note(n)
		if event.RoomID == s.room && event.Message != nil {
			s.mu.Lock()
			if event.Type == chat.EventMessageNew {
				s.last, s.lastID = event.Message.Seq, event.Message.ID
			}
			s.mu.Unlock()
		}
	}
}

func (s *subject) note(n news) {
	n.came = time.Now()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.heard = append(s.heard, n)
}

// notePage notes that the client was answered, and with what.
func (s *subject) notePage(what string, asked time.Time, messages []chat.Message) {
	s.note(news{what: what, of: s.room, made: asked})
	for _, m := range messages {
		s.note(news{what: "message by " + what, of: m.RoomID, made: m.CreatedAt})
	}
}

// join asks for a room as a client that comes back does, and says whether it got it.
func (s *subject) join(ctx context.Context, room string) (joined bool, err error) {
	asked := time.Now()
	arg := object{"room_id": room}
	s.mu.Lock()
	if s.last > 0 && room == s.room {
		arg["after"] = s.last
	}
	s.mu.Unlock()
	args, err := s.socket.EmitWithAck(ctx, "room.join", arg)
	if err != nil {
		return false, err
	}
	var r reply
	if err := args.Decode(0, &r); err != nil {
		return false, err
	}
	if r.Status != "ok" {
		return false, nil
	}
	if room == s.room {
		s.notePage("room.join", asked, r.Messages)
	}
	return true, nil
}

// read asks over REST for everything that could show the room.
func (s *subject) read(ctx context.Context) error {
	s.mu.Lock()
	room, message := "/rooms/"+s.room, "/messages/"+s.lastID
	s.mu.Unlock()
	for _, path := range []string{
		room, room + "/messages", room + "/members", room + "/pins", message, message + "/replies", message + "/readers", "/rooms", "/sync", "/search?q=" + word, "/search?q=" + word + "&room_id=" + url.QueryEscape(s.room),
	} {
		asked := time.Now()
		var out struct {
			Messages []chat.Message      `json:"messages"`
			Results  []chat.SearchResult `json:"results"`
			Rooms    []struct {
				ID   string    `json:"id"`
				Room chat.Room `json:"room"`
			} `json:"rooms"`
		}
		status, err := s.a.rest(ctx, s.token, http.MethodGet, path, nil, &out)
		if err != nil {
			return err
		}
		if status != http.StatusOK {
			continue
		}
		if strings.HasPrefix(path, room) || strings.HasPrefix(path, message) || s.how.total {
			s.notePage("GET "+path, asked, out.Messages)
		}
		for _, r := range out.Rooms {
			s.note(news{what: "GET " + path, of: r.ID + r.Room.ID, made: asked})
		}
		for _, hit := range out.Results {
			s.note(news{what: "GET " + path, of: hit.Message.RoomID, made: asked})
		}
	}
	return nil
}

// ask joins and reads the room again and again.
func (s *subject) ask(ctx context.Context) {
	for ctx.Err() == nil {
		if _, err := s.join(ctx, s.room); err != nil && s.read(ctx) != nil {
			return
		}
		_ = s.read(ctx)
	}
}

// cut takes the client away without a word, or with an RST.
func (s *subject) cut(random *rand.Rand) {
	if random.IntN(2) == 0 {
		s.socket.Conn().Vanish()
	} else {
		s.socket.Conn().Reset()
	}
}

// comeBack is what a client does that was cut off: it connects again and asks for what it has missed.
func (s *subject) comeBack(ctx context.Context) error {
	asked, old := time.Now(), s.socket
	old.Close()
	err := s.connect(ctx)
	if refused := (*chattest.ConnectError)(nil); errors.As(err, &refused) {
		s.socket = old
		return nil
	}
	if err != nil {
		return err
	}
	if s.how.total {
		s.note(news{what: "connection", of: s.room, made: asked})
	}
	if _, err := s.join(ctx, lobby); err != nil {
		return err
	}
	_, err = s.join(ctx, s.room)
	return err
}

// expire gives the client a sign-in that is over in a moment, a longer one on a machine where even asking for it takes that long.
func (s *subject) expire(ctx context.Context, k *tokens) (end time.Time, err error) {
	for moment := 300 * time.Millisecond; ; moment *= 2 {
		end = time.Now().Add(moment)
		if s.does.away {
			k.give(s.token, end)
			return end, nil
		}
		next := k.give(s.name+"/last", end)
		args, err := s.socket.EmitWithAck(ctx, "auth.refresh", object{"token": next})
		if err != nil {
			return end, err
		}
		var r reply
		switch err := args.Decode(0, &r); {
		case err != nil:
			return end, err
		case r.Status == "ok":
			k.give(s.token, end)
			return end, nil
		case r.Error.Code != chat.CodeTokenExpired:
			return end, fmt.Errorf("auth.refresh: %w", r.Error)
		}
	}
}

// concerns says whether news are of what the client may not know of any more.
func (s *subject) concerns(n news) bool {
	return n.of == s.room || n.of == walkerOf(s.room) || s.how.total
}

// grace is after how much time a revocation holds.
const grace = time.Second

// verdict is what is wrong about what the client got to know: what came too late, and what else would make the test say nothing.
func (s *subject) verdict() (late, vain []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, elsewhere := false, false
	for _, n := range s.heard {
		after := n.made.Sub(s.revoked)
		switch {
		case s.concerns(n) && after > grace:
			late = append(late, fmt.Sprintf("%s: %s of %s, %v after it", s, n.what, n.of, after.Round(time.Millisecond)))
		case s.concerns(n):
			before = true
		case after > grace:
			elsewhere = true
		}
	}
	if s.how.total && (s.ended.IsZero() || s.ended.Sub(s.revoked) > grace) {
		late = append(late, fmt.Sprintf("%s is still connected", s))
	}
	if !before {
		vain = append(vain, fmt.Sprintf("%s has heard nothing of %s before", s, s.room))
	}
	if !s.how.total && !elsewhere {
		vain = append(vain, fmt.Sprintf("%s is deaf to %s, too", s, lobby))
	}
	return late, vain
}

// latest is how long after the revocation the last news was made of what the client then heard, and when the last came.
func (s *subject) latest() (made, came time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.heard {
		if s.concerns(n) {
			made, came = max(made, n.made.Sub(s.revoked)), max(came, n.came.Sub(s.revoked))
		}
	}
	return made, came
}

func named(name string) chat.User { return chat.User{ID: name, Name: name} }
