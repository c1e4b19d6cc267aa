package chat_test

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store/storetest"
)

// Bob's phone was off. With one call after the other it gets what was said meanwhile, in all of his rooms, and what has become of
// the rooms; after that there is nothing left to get.
func TestSync(t *testing.T) {
	t.Parallel()
	everywhere(t, func(t *testing.T, a *app, _ storetest.Database) {
		ada, bob := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.WebSocket)
		rooms := []string{"alpha", "beta", "gamma"}
		say := func(room string, n int) {
			for i := range n {
				call(t, ada, "message.send", object{"room_id": room, "text": fmt.Sprint(i)})
			}
		}
		for _, room := range rooms {
			call(t, ada, "room.join", object{"room_id": room})
			say(room, 2)
			call(t, bob, "room.join", object{"room_id": room})
		}
		first := get[chat.SyncResult](t, a, "Bob", "/sync")
		require.Len(t, first.Rooms, 3, "all are new to the phone")
		require.False(t, first.HasMore)

		say("alpha", 5)
		say("gamma", 3)
		call(t, bob, "room.leave", object{"room_id": "beta"})
		call(t, ada, "room.join", object{"room_id": "delta"})
		_, err := a.chat.As(chat.User{ID: "bob", Name: "Bob"}).Join(t.Context(), chat.JoinRoom{RoomID: "delta"})
		require.NoError(t, err)

		since, cursor := first.Since, ""
		got, left := map[string]int{}, []string(nil)
		for more := true; more; {
			page := get[chat.SyncResult](t, a, "Bob", "/sync?limit=2&since="+url.QueryEscape(since)+"&cursor="+url.QueryEscape(cursor))
			for _, room := range page.Rooms {
				require.False(t, room.Resync)
				for _, m := range room.Messages {
					got[m.RoomID]++
					require.EqualValues(t, 2+got[m.RoomID], m.Seq)
				}
			}
			left = append(left, page.LeftRoomIDs...)
			since, cursor, more = page.Since, page.NextCursor, page.HasMore
		}
		require.Equal(t, map[string]int{"alpha": 5, "gamma": 3}, got)
		require.Equal(t, []string{"beta"}, left)
		require.Contains(t, since, "delta:0:")

		var last chat.SyncResult
		require.NoError(t, bob.ExpectAck(t, "sync", object{"since": since}).Decode(0, &last))
		require.Empty(t, last.Rooms)
		own := get[chat.SyncResult](t, a, "Bob", "/sync?since="+url.QueryEscape("alpha:6,gamma:99,delta:0:other"))
		require.Len(t, own.Rooms, 3)
		require.Len(t, own.Rooms[0].Messages, 1)
		require.True(t, own.Rooms[1].Resync)
		require.True(t, own.Rooms[2].Resync)
		for _, bad := range []string{"alpha", "alpha:x", "alpha:-1", "ALPHA:1", "alpha:1,", ":1"} {
			require.Equal(t, chat.CodeInvalidArgument, refused(t, bob, "sync", object{"since": bad}).Code, bad)
		}
	})
}
