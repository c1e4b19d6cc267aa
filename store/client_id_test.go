package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

func TestMessageByClientID(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		ctx := t.Context()
		ann := store.User{ID: "ann", Name: "Ann"}
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "r", Creator: ann})
		require.NoError(t, err)
		m, _, err := st.Append(ctx, store.Draft{RoomID: "r", Sender: ann, Text: "hi", ClientID: "c1"})
		require.NoError(t, err)

		got, err := st.MessageByClientID(ctx, "r", "ann", "c1")
		require.NoError(t, err)
		require.Equal(t, m.ID, got.ID)
		require.Equal(t, "Ann", got.Sender.Name)
		for _, other := range [][3]string{{"r", "ann", "C1"}, {"r", "bob", "c1"}, {"q", "ann", "c1"}, {"r", "ann", "%"}} {
			_, err := st.MessageByClientID(ctx, other[0], other[1], other[2])
			require.ErrorIs(t, err, store.ErrMessageNotFound, "%v", other)
		}
	})
}
