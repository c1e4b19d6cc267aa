package store_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// together runs fn n times at once.
func together(t *testing.T, n int, fn func(i int) error) {
	t.Helper()
	var g errgroup.Group
	begin := make(chan struct{})
	for i := range n {
		g.Go(func() error { <-begin; return fn(i) })
	}
	close(begin)
	require.NoError(t, g.Wait())
}

func TestInvitations(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		cleo := store.User{ID: "cleo", Name: "Cleo"}
		want := store.Invitation{RoomID: "general", UserID: "cleo", Role: store.RoleModerator, InvitedBy: "ann"}
		got, added, err := st.Invite(ctx, want, store.Audit{Action: "member.invite", RoomID: "general"})
		require.NoError(t, err)
		require.True(t, added)
		want.CreatedAt = got.CreatedAt
		require.Equal(t, want, got)
		again, added, err := st.Invite(ctx, store.Invitation{RoomID: "general", UserID: "cleo", InvitedBy: "bob"})
		require.NoError(t, err)
		require.False(t, added)
		require.Equal(t, want, again)
		require.Len(t, audits(t, st, "general"), 1)

		m, err := st.AcceptInvitation(ctx, "general", cleo)
		require.NoError(t, err)
		require.Equal(t, store.RoleModerator, m.Role)
		require.Equal(t, "Cleo", m.User.Name)
		_, err = st.AcceptInvitation(ctx, "general", cleo)
		require.ErrorIs(t, err, store.ErrNotInvited, "it is used up")
		_, _, err = st.Invite(ctx, want)
		require.ErrorIs(t, err, store.ErrIsMember)

		_, _, err = st.Invite(ctx, store.Invitation{RoomID: "general", UserID: "dave"})
		require.NoError(t, err)
		require.NoError(t, st.RemoveInvitation(ctx, "general", "dave"))
		require.ErrorIs(t, st.RemoveInvitation(ctx, "general", "dave"), store.ErrNotInvited)
		_, err = st.AcceptInvitation(ctx, "general", store.User{ID: "dave"})
		require.ErrorIs(t, err, store.ErrNotInvited)

		_, _, err = st.Invite(ctx, store.Invitation{RoomID: "general", UserID: "erin", Role: store.RoleReadOnly})
		require.NoError(t, err)
		m, added, err = st.AddMember(ctx, "general", store.User{ID: "erin"}, store.RoleMember)
		require.NoError(t, err)
		require.True(t, added)
		require.Equal(t, store.RoleMember, m.Role)
		_, err = st.AcceptInvitation(ctx, "general", store.User{ID: "erin"})
		require.ErrorIs(t, err, store.ErrNotInvited, "joining uses it up, too")

		_, _, err = st.Invite(ctx, store.Invitation{RoomID: "missing", UserID: "x"})
		require.ErrorIs(t, err, store.ErrRoomNotFound)
		_, err = st.AcceptInvitation(ctx, "missing", cleo)
		require.ErrorIs(t, err, store.ErrNotInvited)
		_, _, err = st.Invite(ctx, store.Invitation{RoomID: "general"})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		room, err := st.Room(ctx, "general")
		require.NoError(t, err)
		require.EqualValues(t, 4, room.MemberCount)
	})
}

func TestInvitationPages(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		for i := range 5 {
			room := fmt.Sprint("room-", i)
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: room})
			require.NoError(t, err)
			for _, user := range []string{"cleo", fmt.Sprint("user-", i)} {
				_, _, err := st.Invite(ctx, store.Invitation{RoomID: room, UserID: user})
				require.NoError(t, err)
				_, _, err = st.Invite(ctx, store.Invitation{RoomID: "room-0", UserID: user})
				require.NoError(t, err)
			}
		}
		_, err := st.DeleteRoom(ctx, "room-3")
		require.NoError(t, err)
		list := func(q store.InvitationQuery) (keys []string) {
			for {
				page, err := st.Invitations(ctx, q)
				require.NoError(t, err)
				for _, i := range page.Invitations {
					keys = append(keys, i.RoomID+" "+i.UserID)
				}
				if q.After = page.Next; q.After == "" {
					return keys
				}
			}
		}
		require.Equal(t, []string{"room-0 cleo", "room-1 cleo", "room-2 cleo", "room-4 cleo"}, list(store.InvitationQuery{UserID: "cleo", Limit: 3}))
		require.Equal(t, []string{
			"room-0 cleo", "room-0 user-0", "room-0 user-1", "room-0 user-2", "room-0 user-3", "room-0 user-4",
		}, list(store.InvitationQuery{RoomID: "room-0", Limit: 2}))
		require.Empty(t, list(store.InvitationQuery{RoomID: "room-3"}))
		require.Empty(t, list(store.InvitationQuery{}))
		require.Empty(t, list(store.InvitationQuery{RoomID: "a\x00"}))
	})
}

func TestBanEndsMemberships(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		for _, id := range []string{"a", "b", "c"} {
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: id, Creator: ann})
			require.NoError(t, err)
			if id == "c" {
				_, _, err = st.Invite(ctx, store.Invitation{RoomID: id, UserID: "bob"})
			} else {
				_, _, err = st.AddMember(ctx, id, bob, "")
			}
			require.NoError(t, err)
		}
		send := func(room string) error {
			_, _, err := st.Append(ctx, store.Draft{RoomID: room, Sender: bob, Text: "x"})
			return err
		}
		entry := store.Audit{ActorID: "ann", Action: "member.ban", UserID: "bob"}
		left, err := st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan, RoomID: "a", SetBy: "ann", Reason: "spam"}, entry)
		require.NoError(t, err)
		require.Equal(t, []string{"a"}, left)
		require.ErrorIs(t, send("a"), store.ErrNotMember)
		require.NoError(t, send("b"))
		_, _, err = st.AddMember(ctx, "a", bob, "")
		require.ErrorIs(t, err, store.ErrBanned)
		_, _, err = st.Invite(ctx, store.Invitation{RoomID: "a", UserID: "bob"})
		require.ErrorIs(t, err, store.ErrBanned)
		left, err = st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan, RoomID: "a"}, entry)
		require.NoError(t, err)
		require.Empty(t, left)

		left, err = st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan}, entry)
		require.NoError(t, err)
		require.Equal(t, []string{"b"}, left)
		require.ErrorIs(t, send("b"), store.ErrNotMember)
		_, err = st.AcceptInvitation(ctx, "c", bob)
		require.ErrorIs(t, err, store.ErrNotInvited, "the ban has ended the invitation")
		_, err = st.CreateRoom(ctx, store.RoomDraft{ID: "bobs", Creator: bob})
		require.ErrorIs(t, err, store.ErrBanned)
		for _, id := range []string{"a", "b", "c"} {
			room, err := st.Room(ctx, id)
			require.NoError(t, err)
			require.EqualValues(t, 1, room.MemberCount)
		}
		require.Len(t, audits(t, st, ""), 3)

		require.NoError(t, st.LiftSanction(ctx, "bob", store.SanctionBan, "", entry))
		require.ErrorIs(t, st.LiftSanction(ctx, "bob", store.SanctionBan, "", entry), store.ErrNotSanctioned)
		require.Len(t, audits(t, st, ""), 4)
		_, _, err = st.AddMember(ctx, "b", bob, "")
		require.NoError(t, err)
		_, _, err = st.AddMember(ctx, "a", bob, "")
		require.ErrorIs(t, err, store.ErrBanned, "the one in the room still holds")

		_, err = st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan, RoomID: "missing"})
		require.ErrorIs(t, err, store.ErrRoomNotFound)
		_, err = st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: "shame"})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
		_, err = st.Sanction(ctx, store.Sanction{Kind: store.SanctionBan})
		require.ErrorIs(t, err, store.ErrInvalidArgument)
	})
}

func TestSanctionPages(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		soon := store.MillisOf(time.Now().Add(time.Hour))
		for i := range 5 {
			_, err := st.Sanction(ctx, store.Sanction{UserID: user(i).ID, Kind: store.SanctionMute, RoomID: "general", Until: soon})
			require.NoError(t, err)
		}
		_, err := st.Sanction(ctx, store.Sanction{UserID: "user-9", Kind: store.SanctionMute, RoomID: "general", Until: 1})
		require.NoError(t, err)
		_, err = st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan})
		require.NoError(t, err)
		// A new one stands instead of the old.
		_, err = st.Sanction(ctx, store.Sanction{UserID: "user-1", Kind: store.SanctionMute, RoomID: "general", Reason: "again"})
		require.NoError(t, err)

		list := func(q store.SanctionQuery) (ids []string) {
			for {
				page, err := st.Sanctions(ctx, q)
				require.NoError(t, err)
				for _, s := range page.Sanctions {
					ids = append(ids, s.UserID+s.Reason)
				}
				if q.After = page.Next; q.After == "" {
					return ids
				}
			}
		}
		require.Equal(t, []string{"user-0", "user-1again", "user-2", "user-3", "user-4"},
			list(store.SanctionQuery{Kind: store.SanctionMute, RoomID: "general", Limit: 2}))
		require.Equal(t, []string{"bob"}, list(store.SanctionQuery{Kind: store.SanctionBan}))
		require.Empty(t, list(store.SanctionQuery{Kind: store.SanctionBan, RoomID: "general"}))
		require.ErrorIs(t, st.LiftSanction(ctx, "user-9", store.SanctionMute, "general"), store.ErrNotSanctioned, "it has ended by itself")

		for _, c := range []struct {
			user, room, reason string
			kind               store.SanctionKind
			found              bool
		}{
			{"user-1", "general", "again", store.SanctionMute, true},
			{"user-1", "", "", store.SanctionMute, false},
			{"user-9", "general", "", store.SanctionMute, false},
			{"bob", "general", "", store.SanctionBan, true},
			{"bob", "", "", store.SanctionBan, true},
			{"bob", "", "", store.SanctionMute, false},
			{"\xff", "", "", store.SanctionBan, false},
		} {
			s, err := st.SanctionOf(ctx, c.user, c.kind, c.room)
			require.NoError(t, err)
			require.Equal(t, c.found, s != nil, "%+v", c)
			if s != nil {
				require.Equal(t, c.reason, s.Reason)
			}
		}
	})
}

// However a ban and a join meet, the user is no member afterwards.
func TestBanAgainstJoin(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx := t.Context()
		stores := []*store.Store{d.Store(t), d.Store(t)}
		rooms := []string{"a", "b", "c", "d"}
		for _, id := range rooms {
			_, err := stores[0].CreateRoom(ctx, store.RoomDraft{ID: id, Creator: ann})
			require.NoError(t, err)
		}
		for i := range 5 {
			u := user(i)
			require.NoError(t, stores[0].PutUser(ctx, u))
			together(t, len(rooms)+1, func(j int) error {
				if j == len(rooms) {
					_, err := stores[1].Sanction(ctx, store.Sanction{UserID: u.ID, Kind: store.SanctionBan})
					return err
				}
				_, _, err := stores[j%2].AddMember(ctx, rooms[j], u, "")
				if err != nil {
					require.ErrorIs(t, err, store.ErrBanned)
				}
				return nil
			})
			page, err := stores[0].Rooms(ctx, store.RoomQuery{MemberID: u.ID})
			require.NoError(t, err)
			require.Empty(t, page.Rooms)
		}
		for _, id := range rooms {
			room, err := stores[0].Room(ctx, id)
			require.NoError(t, err)
			require.EqualValues(t, 1, room.MemberCount)
		}
	})
}

func TestFlags(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		_, err := st.CreateRoom(ctx, store.RoomDraft{ID: "other", Creator: ann})
		require.NoError(t, err)
		say := func(room string) string {
			m, _, err := st.Append(ctx, store.Draft{RoomID: room, Sender: ann, Text: "x"})
			require.NoError(t, err)
			return m.ID
		}
		report := func(message, user string) store.Flag {
			f, added, err := st.Flag(ctx, message, user, "rude")
			require.NoError(t, err)
			require.True(t, added)
			return f
		}
		bad, worse, elsewhere := say("general"), say("general"), say("other")
		first := report(bad, "bob")
		again, added, err := st.Flag(ctx, bad, "bob", "again")
		require.NoError(t, err)
		require.False(t, added)
		require.Equal(t, first, again)
		second, third, fourth := report(bad, "cleo"), report(worse, "bob"), report(elsewhere, "bob")
		require.Equal(t, "other", fourth.RoomID)

		list := func(q store.FlagQuery) (ids []string) {
			q.Limit = 2
			for {
				page, err := st.Flags(ctx, q)
				require.NoError(t, err)
				for _, f := range page.Flags {
					ids = append(ids, f.ID)
				}
				if q.Cursor = page.Next; q.Cursor == "" {
					return ids
				}
			}
		}
		require.Equal(t, []string{first.ID, second.ID, third.ID, fourth.ID}, list(store.FlagQuery{}))
		require.Equal(t, []string{first.ID, second.ID, third.ID}, list(store.FlagQuery{RoomID: "general"}))
		require.Empty(t, list(store.FlagQuery{Resolved: true}))

		entry := store.Audit{ActorID: "ann", Action: "flag.resolve", RoomID: "general"}
		resolved, err := st.ResolveFlag(ctx, second.ID, "ann", "removed", entry)
		require.NoError(t, err)
		require.Len(t, resolved, 2, "all of the message")
		require.Equal(t, "removed", resolved[0].Resolution)
		got, err := st.FlagByID(ctx, first.ID)
		require.NoError(t, err)
		require.Equal(t, resolved[0], got)
		resolved, err = st.ResolveFlag(ctx, first.ID, "dave", "nothing", entry)
		require.NoError(t, err)
		require.Empty(t, resolved)
		require.Len(t, audits(t, st, "general"), 1)
		_, err = st.ResolveFlag(ctx, fourth.ID, "ann", "nothing")
		require.NoError(t, err)

		require.Equal(t, []string{third.ID}, list(store.FlagQuery{}))
		require.Equal(t, []string{fourth.ID, second.ID, first.ID}, list(store.FlagQuery{Resolved: true}))
		require.Equal(t, []string{second.ID, first.ID}, list(store.FlagQuery{Resolved: true, RoomID: "general"}))

		_, _, err = st.Flag(ctx, "missing", "bob", "")
		require.ErrorIs(t, err, store.ErrMessageNotFound)
		for _, id := range []string{"missing", "\xff", ""} {
			_, err = st.ResolveFlag(ctx, id, "ann", "nothing")
			require.ErrorIs(t, err, store.ErrFlagNotFound)
			_, err = st.FlagByID(ctx, id)
			require.ErrorIs(t, err, store.ErrFlagNotFound)
		}
		for _, cursor := range []string{"x", "1", ".", "1.\xff"} {
			_, err = st.Flags(ctx, store.FlagQuery{Cursor: cursor})
			require.ErrorIs(t, err, store.ErrInvalidArgument, "%q", cursor)
		}
	})
}

// Memberships that others end while a ban ends them all are counted once.
func TestBanDuringRemovals(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st, other := t.Context(), d.Store(t), d.Store(t)
		const rooms = 40
		room := func(i int) string { return fmt.Sprintf("room-%02d", i) }
		for i := range rooms {
			_, err := st.CreateRoom(ctx, store.RoomDraft{ID: room(i), Creator: ann})
			require.NoError(t, err)
			_, _, err = st.AddMember(ctx, room(i), bob, "")
			require.NoError(t, err)
		}
		removed := make(chan []string, 1)
		go func() {
			var gone []string
			for i := range rooms {
				if err := other.RemoveMember(ctx, room(rooms-1-i), "bob"); err == nil {
					gone = append(gone, room(rooms-1-i))
				}
			}
			removed <- gone
		}()
		left, err := st.Sanction(ctx, store.Sanction{UserID: "bob", Kind: store.SanctionBan})
		require.NoError(t, err)
		left = append(left, <-removed...)
		slices.Sort(left)
		require.Len(t, slices.Compact(left), rooms)
		for i := range rooms {
			r, err := st.Room(ctx, room(i))
			require.NoError(t, err)
			require.EqualValues(t, 1, r.MemberCount, r.ID)
		}
	})
}

// An invitation that is accepted and removed at once is either accepted or removed.
func TestAcceptOrRemoveInvitation(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		ctx, st := t.Context(), d.Store(t)
		general(t, st)
		for i := range 50 {
			_, _, err := st.Invite(ctx, store.Invitation{RoomID: "general", UserID: user(i).ID})
			require.NoError(t, err)
			errs := make([]error, 2)
			together(t, 2, func(k int) error {
				if k == 0 {
					_, errs[k] = st.AcceptInvitation(ctx, "general", user(i))
				} else {
					errs[k] = st.RemoveInvitation(ctx, "general", user(i).ID)
				}
				return nil
			})
			won := slices.Index(errs, nil)
			require.GreaterOrEqual(t, won, 0)
			require.ErrorIs(t, errs[1-won], store.ErrNotInvited)
			_, err = st.Member(ctx, "general", user(i).ID)
			require.Equal(t, won == 0, err == nil)
		}
	})
}
