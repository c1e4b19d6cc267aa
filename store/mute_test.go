package store_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// A mute is looked for in the transaction that stores a message, for those who are to be kept from speaking.
func TestAppendMuted(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Creator: bob})
		require.NoError(t, err)
		mute := func(kind store.SanctionKind, roomID string, until time.Time) store.Sanction {
			return store.Sanction{UserID: "bob", Kind: kind, RoomID: roomID, Until: store.MillisOf(until)}
		}
		soon := time.Now().Add(time.Hour)
		for i, c := range []struct {
			set   store.Sanction
			muted bool
		}{
			{mute(store.SanctionMute, "general", soon), true},
			{mute(store.SanctionMute, "general", time.Time{}), true},
			{mute(store.SanctionMute, "", soon), true},
			{mute(store.SanctionMute, "other", soon), false},
			{mute(store.SanctionMute, "general", time.Now().Add(-time.Hour)), false},
			{store.Sanction{UserID: "ann", Kind: store.SanctionMute}, false},
		} {
			_, err := st.Sanction(ctx, c.set)
			require.NoError(t, err)
			draft := store.Draft{RoomID: "general", Sender: bob, ClientID: fmt.Sprint(i), Text: "said", Speaks: true}
			_, _, err = st.Append(ctx, draft)
			if c.muted {
				require.ErrorIs(t, err, store.ErrMuted, "%+v", c.set)
			} else {
				require.NoError(t, err, "%+v", c.set)
			}
			draft.Speaks = false
			_, duplicate, err := st.Append(ctx, draft)
			require.NoError(t, err)
			require.Equal(t, !c.muted, duplicate)
			draft.Speaks = true
			_, duplicate, err = st.Append(ctx, draft)
			require.NoError(t, err, "it is there already")
			require.True(t, duplicate)
			if c.set.Until == 0 || c.set.Until.Time().After(time.Now()) {
				require.NoError(t, st.LiftSanction(ctx, c.set.UserID, c.set.Kind, c.set.RoomID))
			}
		}
	})
}
