package chat_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/chattest"
	"github.com/echochat/echochat/store"
)

// BenchmarkSend measures a message from Actor.Send until it is committed, beside the store alone, which is what takes the
// time. The rest is the look at what the sender may do.
func BenchmarkSend(b *testing.B) {
	pass := chat.WithFilter(func(context.Context, *chat.Draft) error { return nil })
	ada := chat.User{ID: "ada", Name: "Ada"}
	for _, senders := range []int{1, 100} {
		for name, opts := range map[string][]chat.Option{"store": nil, "chat": nil, "chat with a filter": {pass}} {
			b.Run(fmt.Sprintf("%s/%d senders", name, senders), func(b *testing.B) {
				a := newApp(b, opts...)
				_, err := a.chat.System().CreateRoom(b.Context(), chat.NewRoom{ID: "r", Creator: ada})
				require.NoError(b, err)
				var n atomic.Int64
				send := func() error {
					_, err := a.chat.As(ada).Send(b.Context(), chat.NewMessage{RoomID: "r", Text: "hello", ClientID: fmt.Sprint(n.Add(1))})
					return err
				}
				if name == "store" {
					send = func() error {
						_, _, err := a.store.Append(b.Context(), store.Draft{
							RoomID: "r", Sender: store.User{ID: "ada", Name: "Ada"}, Text: "hello", ClientID: fmt.Sprint(n.Add(1)),
						})
						return err
					}
				}
				b.ReportAllocs()
				b.SetParallelism(senders) // times GOMAXPROCS
				b.ResetTimer()
				b.RunParallel(func(p *testing.PB) {
					for p.Next() {
						if err := send(); err != nil {
							b.Error(err)
							return
						}
					}
				})
			})
		}
	}
}

// BenchmarkJoin measures room.join with a page of 50 messages over a WebSocket, there and back: what a reconnecting client
// asks first.
func BenchmarkJoin(b *testing.B) {
	a := newApp(b)
	s := a.connect(b, "Ada", chattest.WebSocket)
	call(b, s, "room.join", object{"room_id": "r"})
	for i := range 100 {
		call(b, s, "message.send", object{"room_id": "r", "text": fmt.Sprint(i)})
	}
	b.ReportAllocs()
	for b.Loop() {
		if r := s.ExpectAck(b, "room.join", object{"room_id": "r"}); r.Len() != 1 {
			b.Fatal(r)
		}
	}
}
