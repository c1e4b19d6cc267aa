package chat_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// Bob reads on his phone what Ada has written, his laptop shows it as read, and Ada sees it.
func TestReadState(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, a *app) {
		ada, phone := a.connect(t, "Ada", chattest.WebSocket), a.connect(t, "Bob", chattest.Polling)
		laptop := a.connect(t, "Bob", chattest.WebSocket) // which is in no room
		for _, id := range []string{"r", "other"} {
			_, err := a.chat.System().CreateRoom(t.Context(), chat.NewRoom{ID: id})
			require.NoError(t, err)
		}
		call(t, ada, "room.join", object{"room_id": "r"})
		call(t, phone, "room.join", object{"room_id": "r"})
		var ids []string
		for i := range 5 {
			ids = append(ids, call(t, ada, "message.send", object{"room_id": "r", "text": fmt.Sprint(i)}).Message.ID)
		}
		require.EqualValues(t, 5, get[chat.RoomPage](t, a, "Bob", "/rooms").Rooms[0].UnreadCount)

		mark := func(s *chattest.Socket, event string, arg object) (state chat.ReadState) {
			arg["room_id"] = "r"
			require.NoError(t, s.ExpectAck(t, event, arg).Decode(0, &state))
			return state
		}
		require.Equal(t, chat.ReadState{ReadSeq: 3, UnreadCount: 2}, mark(phone, "room.read", object{"seq": 3}))
		for _, s := range []*chattest.Socket{ada, laptop, phone} {
			e := expect(t, s, "message.read")
			require.Equal(t, "bob", e.User.ID)
			require.EqualValues(t, 3, e.Seq)
			require.Equal(t, "r", e.RoomID)
		}
		require.Equal(t, chat.ReadState{ReadSeq: 3, UnreadCount: 2}, mark(phone, "room.read", object{"seq": 1}), "one never reads back")
		ada.ExpectNone(t, "message.read")
		require.Equal(t, chat.ReadState{ReadSeq: 5}, mark(phone, "room.read", object{"message_id": ids[4]}))
		require.EqualValues(t, 5, expect(t, ada, "message.read").Seq)
		require.Equal(t, chat.ReadState{ReadSeq: 5}, mark(phone, "room.read", object{"seq": 99}), "nor beyond the end")

		readers := get[chat.MemberPage](t, a, "Ada", "/messages/"+ids[4]+"/readers").Members
		require.Equal(t, "bob", readers[len(readers)-1].User.ID)
		require.EqualValues(t, 5, readers[len(readers)-1].ReadSeq)

		// He wants to come back to the fourth one.
		var state chat.ReadState
		a.send(t, "Bob", "POST", "/rooms/r/unread", object{"message_id": ids[3]}, 200, &state)
		require.Equal(t, chat.ReadState{ReadSeq: 3, UnreadCount: 2}, state)
		require.EqualValues(t, 3, call(t, laptop, "room.join", object{"room_id": "r"}).Member.ReadSeq)
		require.Equal(t, chat.Unread{Rooms: 1, Messages: 2}, get[chat.Unread](t, a, "Bob", "/me/unread"))

		for name, arg := range map[string]object{
			"nothing": {}, "zero": {"seq": 0}, "negative": {"seq": -1}, "text": {"seq": "x"}, "both": {"seq": 1, "message_id": ids[0]},
		} {
			arg["room_id"] = "r"
			require.Equal(t, chat.CodeInvalidArgument, refused(t, phone, "room.read", arg).Code, name)
		}
		elsewhere := call(t, ada, "room.join", object{"room_id": "other"})
		require.Equal(t, "other", elsewhere.Room.ID)
		other := call(t, ada, "message.send", object{"room_id": "other", "text": "x"}).Message.ID
		require.Equal(t, chat.CodeMessageNotFound, refused(t, phone, "room.read", object{"room_id": "r", "message_id": other}).Code)
		require.Equal(t, chat.CodeNotAMember, refused(t, phone, "room.read", object{"room_id": "other", "message_id": "missing"}).Code)
	})
}

// At a live event everybody reads each message, and nobody is told of everybody.
func TestReadersOfALiveEvent(t *testing.T) {
	t.Parallel()
	onDatabases(t, func(t *testing.T, a *app) {
		ctx, host := t.Context(), chat.User{ID: "host", Name: "Host"}
		_, err := a.chat.System().CreateRoom(ctx, chat.NewRoom{ID: "live", Type: store.RoomChannel, Creator: host})
		require.NoError(t, err)
		const crowd = 500
		everybody := make([]chat.User, crowd)
		for i := range everybody {
			everybody[i] = chat.User{ID: fmt.Sprint("guest-", i), Name: fmt.Sprint("Guest ", i)}
			_, err := a.chat.System().AddMember(ctx, "live", everybody[i])
			require.NoError(t, err)
		}
		stage, seat, tab := a.connect(t, "Host", chattest.WebSocket), a.connect(t, "guest-0", chattest.WebSocket), a.connect(t, "guest-0", chattest.WebSocket)
		call(t, stage, "room.join", object{"room_id": "live"})
		call(t, seat, "room.join", object{"room_id": "live"})
		require.Equal(t, chat.CodeForbidden, refused(t, seat, "message.send", object{"room_id": "live", "text": "hi"}).Code, "few write, many read")
		for n := range 3 {
			m := call(t, stage, "message.send", object{"room_id": "live", "text": fmt.Sprint("slide ", n+1)}).Message
			require.Equal(t, m.ID, expect(t, seat, "message.new").Message.ID)
			var group sync.WaitGroup
			for _, u := range everybody {
				group.Go(func() {
					state, err := a.chat.As(u).MarkRead(ctx, chat.ReadMark{RoomID: "live", MessageID: m.ID})
					if err != nil || state.UnreadCount != 0 {
						t.Errorf("%s: %v, %v", u.ID, state, err)
					}
				})
			}
			group.Wait()
			require.Equal(t, m.Seq, expect(t, tab, "message.read").Seq, "one's own connections are told")
			stage.ExpectNone(t, "message.read")

			read := 0
			for q := (chat.ReaderQuery{MessageID: m.ID, Limit: 200}); ; {
				page, err := a.chat.As(host).Readers(ctx, q)
				require.NoError(t, err)
				read += len(page.Members)
				if q.Cursor = page.NextCursor; q.Cursor == "" {
					break
				}
			}
			require.GreaterOrEqual(t, read, crowd) // the host's own follows a little later
		}
	})
}
