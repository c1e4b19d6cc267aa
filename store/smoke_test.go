package store_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

func TestSmoke(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		ctx := t.Context()
		u := store.User{ID: "ann", Name: "Ann"}
		room, err := st.CreateRoom(ctx, store.RoomDraft{ID: "r", Name: "R", Creator: u})
		require.NoError(t, err)
		require.EqualValues(t, 1, room.MemberCount)
		for i := range 10 {
			m, dup, err := st.Append(ctx, store.Draft{RoomID: "r", Sender: u, Text: fmt.Sprint("hi ", i), ClientID: fmt.Sprint(i)})
			require.NoError(t, err)
			require.False(t, dup)
			require.EqualValues(t, i+1, m.Seq)
		}
		m, dup, err := st.Append(ctx, store.Draft{RoomID: "r", Sender: u, Text: "hi 3", ClientID: "3"})
		require.NoError(t, err)
		require.True(t, dup)
		require.EqualValues(t, 4, m.Seq)
		page, err := st.History(ctx, store.HistoryQuery{RoomID: "r", Limit: 5})
		require.NoError(t, err)
		require.Len(t, page.Messages, 5)
		require.True(t, page.HasMoreBefore)
	})
}
