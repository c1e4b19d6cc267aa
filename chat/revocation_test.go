package chat_test

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// TestProofRevocation removes and bans people in the midst of traffic: on no transport does anybody hear anything that was said
// a second after, and nobody gets at it by coming back.
func TestProofRevocation(t *testing.T) {
	t.Parallel()
	n := 24
	if os.Getenv("ECHOCHAT_PROOF") != "" {
		n = 300
	}
	a := newClosedApp(t, chat.WithNotices())
	system := a.chat.System()
	_, err := system.CreateRoom(t.Context(), chat.NewRoom{ID: "r", Type: store.RoomPrivate})
	require.NoError(t, err)
	ways := []struct {
		name   string
		revoke func(ctx context.Context, userID string) error
		ends   bool // the connection, too
	}{
		{"removed", func(ctx context.Context, id string) error { return system.RemoveMember(ctx, "r", id) }, false},
		{"banned", func(ctx context.Context, id string) error {
			_, err := system.Ban(ctx, chat.NewSanction{RoomID: "r", UserID: id})
			return err
		}, false},
		{"banned everywhere", func(ctx context.Context, id string) error {
			_, err := system.Ban(ctx, chat.NewSanction{UserID: id})
			return err
		}, true},
	}
	type listener struct {
		*chattest.Socket
		name string
		out  time.Time
	}
	listeners := make([]listener, n)
	for i := range listeners {
		l := &listeners[i]
		l.name = fmt.Sprint("U", i)
		_, err := system.AddMember(t.Context(), "r", chat.User{ID: fmt.Sprint("u", i), Name: l.name})
		require.NoError(t, err)
		l.Socket = a.connect(t, l.name, chattest.Transports()[i%len(chattest.Transports())])
		call(t, l.Socket, "room.join", object{"room_id": "r", "limit": 1})
	}
	ctx, stop := context.WithCancel(t.Context())
	var talking sync.WaitGroup
	talking.Go(func() {
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			<-tick.C
			_, _ = system.Send(ctx, chat.NewMessage{RoomID: "r", Text: "and on it goes"})
		}
	})
	for i := range listeners {
		require.NoError(t, ways[i/3%len(ways)].revoke(t.Context(), fmt.Sprint("u", i)))
		listeners[i].out = time.Now()
	}
	time.AfterFunc(1500*time.Millisecond, stop) // so that what is said a second after the last one could be heard
	talking.Wait()

	heard, latest := 0, time.Duration(0)
	for i, l := range listeners {
		way := ways[i/3%len(ways)]
		if way.ends {
			require.ErrorIs(t, l.ExpectEnd(t), chattest.ErrDisconnected, way.name)
		} else {
			expect(t, l.Socket, "member.removed")
			e := refused(t, l.Socket, "room.join", object{"room_id": "r", "after": 0})
			require.Equal(t, chat.CodeRoomNotFound, e.Code, way.name)
		}
		for _, e := range l.Waiting() {
			var said chat.Event
			require.NoError(t, e.Decode(0, &said))
			if said.Type == chat.EventMessageNew {
				heard++
				latest = max(latest, said.CreatedAt.Sub(l.out))
				require.Less(t, said.CreatedAt.Sub(l.out), time.Second, "listener %d was %s", i, way.name)
			}
		}
		status := a.status(t, l.name, "GET", "/rooms/r/messages", nil)
		require.Contains(t, []int{403, 404}, status, way.name)
	}
	require.Greater(t, heard, n)
	t.Logf("%d people shut out among %d messages heard; the latest was said %s after", n, heard, latest)
}
