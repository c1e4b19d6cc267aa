package chat_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// Whose access ends hears nothing newer a second later, however it ends and whatever they do: 30 of them under traffic.
func TestRevocation(t *testing.T) {
	t.Parallel()
	revokeMany(t, 1, 1)
}

func TestProofRevocation(t *testing.T) {
	if os.Getenv("ECHOCHAT_PROOF") == "" {
		t.Skip("a longer run of TestRevocation; set ECHOCHAT_PROOF=1 or run `make proof`")
	}
	revokeMany(t, 5, 2)
}

// lobby is a room whose members all subjects stay, and word is in all that is said.
const (
	lobby = "lobby"
	word  = "hello"
)

// walkerOf is a member of a room alone, who comes and goes.
func walkerOf(room string) string { return "walker-" + room }

// revokeMany revokes the access of 30 clients in each round, or of so many times 30, and mutes 4 others.
func revokeMany(t *testing.T, rounds, times int) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	var total figures
	for i := range rounds {
		total.add(revokeWave(t, i == 0, times, random))
	}
	t.Logf("%d revocations (%d of senders) under %d acts of traffic in rooms they were in: the latest of what was delivered was made "+
		"%v after the revocation and came %v after it; a connection that had to end did so after at most %v",
		total.subjects+total.senders, total.senders, total.acts, round(total.made), round(total.came), round(total.ended))
}

func round(d time.Duration) time.Duration { return d.Round(time.Millisecond) }

// figures are what a run has measured.
type figures struct {
	subjects, senders, acts int64
	made, came, ended       time.Duration
}

func (f *figures) add(g figures) {
	f.subjects, f.senders, f.acts = f.subjects+g.subjects, f.senders+g.senders, f.acts+g.acts
	f.made, f.came, f.ended = max(f.made, g.made), max(f.came, g.came), max(f.ended, g.ended)
}

// wave is a chat with traffic, and clients whose access ends at about the same time.
type wave struct {
	*app
	tokens   tokens
	deleting sync.Once
	deleted  error
	subjects []*subject
	senders  []*sender

	mu   sync.Mutex
	acts map[string]int64 // of the traffic, that have succeeded
}

func (w *wave) acted(act string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.acts[act]++
}

// acts is everything that others in a room are told of, in the order in which it goes on and on.
func acts() []string {
	return []string{
		"message.send", "typing.start", "message.update", "reaction.add", "message.pin", "message.send", "typing.stop", "room.read",
		"room.update", "message.delete",
	}
}

func revokeWave(t *testing.T, control bool, times int, random *rand.Rand) figures {
	w := &wave{acts: make(map[string]int64)}
	w.app = serve(t, onEcho, chat.WithTokenAuth(w.tokens.auth))
	w.cast(random, times, control)
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	w.furnish(ctx, t)
	var traffic sync.WaitGroup
	defer traffic.Wait()
	talking, hush := context.WithCancel(ctx)
	defer hush()
	for _, room := range []string{lobby, "kept", "doomed"} {
		traffic.Go(func() { w.talk(talking, room) })
		traffic.Go(func() { w.walk(talking, room) })
	}
	for _, s := range w.senders {
		traffic.Go(func() { s.send(talking, w) })
	}
	arrived := make(chan error, len(w.subjects))
	for _, s := range w.subjects {
		go func() { arrived <- s.arrive(ctx) }()
	}
	for range w.subjects {
		require.NoError(t, <-arrived)
	}
	for _, s := range w.subjects {
		t.Cleanup(func() { s.socket.Close() })
		traffic.Go(func() { s.listen(talking, s.socket) })
		if s.does.asks {
			traffic.Go(func() { s.ask(talking) })
		}
	}
	w.awaitTraffic(ctx, t)
	for _, s := range w.subjects {
		if s.does.away {
			s.cut(random)
		}
	}
	errs := make(chan error, len(w.subjects)+len(w.senders))
	var group sync.WaitGroup
	for _, s := range w.subjects {
		moment := time.Duration(random.IntN(400)) * time.Millisecond
		group.Go(func() { errs <- w.revoke(talking, s, moment, &traffic) })
	}
	for _, s := range w.senders {
		moment := time.Duration(random.IntN(400)) * time.Millisecond
		group.Go(func() { errs <- s.silence(talking, w, moment) })
	}
	group.Wait()
	hush()
	traffic.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	return w.judge(t)
}

// cast chooses who does what: everything that can happen to everyone, and in the first wave those to whom nothing happens.
func (w *wave) cast(random *rand.Rand, times int, control bool) {
	list := revocations()
	if control {
		list = append(list, pardoned())
	}
	for _, how := range list {
		for i, does := range slices.Repeat(conducts(), times) {
			name := fmt.Sprintf("%s-%d", how.name, i)
			s := &subject{how: how, does: does, a: w.app, name: name, room: "kept", token: w.tokens.give(name+"/1", time.Time{})}
			if how.name == "orphaned" {
				s.room = "doomed"
			}
			s.opts = chattest.Options{Transport: does.transport(random)}
			w.subjects = append(w.subjects, s)
		}
	}
	for _, s := range []*sender{
		{name: "muted-1"},
		{name: "muted-2", rest: true},
		{name: "muted-3", everywhere: true},
		{name: "muted-4", everywhere: true, rest: true},
		{name: "heard", pardoned: true},
	} {
		if control || !s.pardoned {
			w.tokens.give(s.name+"/1", time.Time{})
			w.senders = append(w.senders, s)
		}
	}
}

// furnish makes the rooms, which are private: nobody gets back in by asking.
func (w *wave) furnish(ctx context.Context, t *testing.T) {
	system := w.chat.System()
	for _, room := range []string{lobby, "kept", "doomed"} {
		_, err := system.CreateRoom(ctx, chat.NewRoom{ID: room, Type: store.RoomPrivate, Creator: named("talker-" + room)})
		require.NoError(t, err)
		_, err = system.AddMember(ctx, room, named(walkerOf(room)))
		require.NoError(t, err)
		w.tokens.give("talker-"+room+"/1", time.Time{})
		w.tokens.give(walkerOf(room)+"/1", time.Time{})
	}
	add := func(name string, rooms ...string) {
		for _, room := range rooms {
			_, err := system.AddMember(ctx, room, named(name))
			require.NoError(t, err)
		}
	}
	for _, s := range w.subjects {
		add(s.name, s.room, lobby)
	}
	for _, s := range w.senders {
		add(s.name, "kept")
	}
}

func (w *wave) deleteRoom(ctx context.Context, room string) error {
	w.deleting.Do(func() { w.deleted = w.chat.System().DeleteRoom(ctx, room) })
	return w.deleted
}

func (w *wave) connect(ctx context.Context, name string) (*chattest.Socket, error) {
	conn, err := chattest.Dial(ctx, w.URL, chattest.Options{Transport: chattest.WebSocket})
	if err != nil {
		return nil, err
	}
	s, err := conn.Connect(ctx, "/", object{"token": name + "/1"})
	if err != nil {
		conn.Close()
	}
	return s, err
}

// pace is how often something happens in a room.
const pace = 8 * time.Millisecond

// talk does everything in a room, again and again, that the others there are told of.
func (w *wave) talk(ctx context.Context, room string) {
	s, err := w.connect(ctx, "talker-"+room)
	if err != nil {
		return
	}
	defer s.Close()
	if _, err := s.EmitWithAck(ctx, "room.join", object{"room_id": room}); err != nil {
		return
	}
	var ids strings.Builder // of everyone, as mentions
	for _, u := range w.subjects {
		ids.WriteString(" @" + u.name)
	}
	acts := acts()
	var last chat.Message
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for i := 0; ; i++ {
		act := acts[i%len(acts)]
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		arg := object{"room_id": room}
		switch act {
		case "message.send":
			arg["text"] = word + ids.String()
		case "message.update":
			arg = object{"message_id": last.ID, "text": fmt.Sprint(word, i, ids.String())}
		case "message.pin", "message.delete":
			arg = object{"message_id": last.ID}
		case "reaction.add":
			arg = object{"message_id": last.ID, "emoji": "+1"}
		case "room.read":
			arg["seq"] = last.Seq
		case "room.update":
			arg["topic"] = fmt.Sprint("topic ", i)
		}
		args, err := s.EmitWithAck(ctx, act, arg)
		if err != nil {
			return
		}
		var r reply
		if err := args.Decode(0, &r); err != nil || r.Status != "ok" {
			continue
		}
		w.acted(act)
		if r.Message.ID != "" {
			last = r.Message
		}
	}
}

// walk comes and goes.
func (w *wave) walk(ctx context.Context, room string) {
	tick := time.NewTicker(10 * pace)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		if s, err := w.connect(ctx, walkerOf(room)); err == nil {
			w.acted("walk")
			s.Close()
		}
	}
}

// awaitTraffic waits until every subject has heard the room, and somebody come there.
func (w *wave) awaitTraffic(ctx context.Context, t *testing.T) {
	t.Helper()
	require.Eventually(t, func() bool {
		for _, s := range w.subjects {
			s.mu.Lock()
			said, seen := false, false
			for _, n := range s.heard {
				said = said || n.what == chat.EventMessageNew && n.of == s.room
				seen = seen || n.what == chat.EventPresenceChanged && n.of == walkerOf(s.room)
			}
			s.mu.Unlock()
			if !said || !seen {
				return false
			}
		}
		for _, s := range w.senders {
			if s.sent.Load() == 0 {
				return false
			}
		}
		return ctx.Err() == nil
	}, 20*time.Second, aMoment, "no traffic")
}

// revoke ends the access of a subject and lets it go on for as long as it takes to see that it does not get anything any more.
func (w *wave) revoke(ctx context.Context, s *subject, moment time.Duration, group *sync.WaitGroup) error {
	<-time.After(moment)
	at, err := s.how.run(ctx, w, s)
	if err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	s.mu.Lock()
	s.revoked = at
	s.mu.Unlock()
	<-time.After(time.Until(at.Add(grace + 2*aMoment)))
	if s.does.away {
		if err := s.comeBack(ctx); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
		group.Go(func() { s.listen(ctx, s.socket) })
	}
	if err := s.read(ctx); err != nil {
		return fmt.Errorf("%s: %w", s, err)
	}
	<-time.After(10 * aMoment)
	return nil
}

// judge checks what everybody got to know.
func (w *wave) judge(t *testing.T) figures {
	t.Helper()
	var f figures
	for _, act := range append(acts(), "walk") {
		assert.NotZero(t, w.acts[act], act)
	}
	for _, n := range w.acts {
		f.acts += n
	}
	for _, s := range w.subjects {
		late, vain := s.verdict()
		assert.Empty(t, vain)
		if s.how.name == pardoned().name {
			assert.NotEmpty(t, late, "the check has no teeth: %s", s)
			continue
		}
		for _, what := range late[:min(len(late), 3)] {
			t.Errorf("%s (%d in all)", what, len(late))
		}
		made, came := s.latest()
		f.add(figures{subjects: 1, made: made, came: came})
		if s.how.total && !s.does.away {
			f.add(figures{ended: s.ended.Sub(s.revoked)})
		}
	}
	for _, s := range w.senders {
		after, err := s.stored(t.Context(), w)
		require.NoError(t, err)
		if s.pardoned {
			assert.NotZero(t, after, "the check has no teeth: %s", s.name)
			continue
		}
		assert.Zero(t, after, "messages of %s that are stored after the mute", s.name)
		f.add(figures{senders: 1})
	}
	return f
}

// sender is somebody who says as much as they can, until they may not any more.
type sender struct {
	name                       string
	everywhere, rest, pardoned bool
	sent                       atomic.Int64
	marker                     int64 // seq of what was said after the mute
}

func (s *sender) send(ctx context.Context, w *wave) {
	socket, err := w.connect(ctx, s.name)
	if err != nil {
		return
	}
	defer socket.Close()
	tick := time.NewTicker(pace / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		message := object{"room_id": "kept", "text": word}
		if s.rest {
			_, _ = w.rest(ctx, s.name+"/1", "POST", "/rooms/kept/messages", message, nil)
		} else if _, err := socket.EmitWithAck(ctx, "message.send", message); err != nil {
			return
		}
		s.sent.Add(1)
	}
}

// silence mutes the sender and says something itself, which nothing of theirs may follow.
func (s *sender) silence(ctx context.Context, w *wave, moment time.Duration) error {
	<-time.After(moment)
	if !s.pardoned {
		n := chat.NewSanction{UserID: s.name, RoomID: "kept"}
		if s.everywhere {
			n.RoomID = ""
		}
		if _, err := w.chat.System().Mute(ctx, n); err != nil {
			return err
		}
	}
	m, err := w.chat.System().Send(ctx, chat.NewMessage{RoomID: "kept", Text: "no more of " + s.name})
	s.marker = m.Seq
	return err
}

// stored counts the messages of the sender that are stored after the mute.
func (s *sender) stored(ctx context.Context, w *wave) (n int, err error) {
	if s.marker == 0 {
		return 0, errors.New("there is no marker")
	}
	q := store.HistoryQuery{RoomID: "kept", After: store.AtSeq(s.marker), Limit: 200}
	for more := true; more; {
		page, err := w.store.History(ctx, q)
		if err != nil {
			return 0, err
		}
		for _, m := range page.Messages {
			if m.SenderID == s.name {
				n++
			}
			q.After = store.AtSeq(m.Seq)
		}
		more = page.HasMoreAfter
	}
	return n, nil
}
