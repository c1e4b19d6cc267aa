package store

import (
	"errors"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

// Five hundred people who read a message at once cost a few commits, and reading it again none.
func TestMarksShareCommits(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	defer func() { require.NoError(t, s.Close()) }()
	const crowd = 500
	for i := range crowd {
		_, _, err := s.AddMember(t.Context(), "r", User{ID: fmt.Sprint(i)}, "")
		require.NoError(t, err)
	}
	_, _, err := s.Append(t.Context(), draft("1"))
	require.NoError(t, err)
	_, err = s.MarkRead(t.Context(), "r", "ann", 1) // after it, no mark of the sender is on its way
	require.NoError(t, err)

	var commits atomic.Int32
	d.onCommit(func(commit, _ func() error) error { commits.Add(1); return commit() })
	read := func() {
		var g errgroup.Group
		for i := range crowd {
			g.Go(func() error {
				state, err := s.MarkRead(t.Context(), "r", fmt.Sprint(i), 1)
				if err == nil && state.Unread() != 0 {
					err = errors.New("still unread")
				}
				return err
			})
		}
		require.NoError(t, g.Wait())
	}
	read()
	require.LessOrEqual(t, commits.Load(), int32(25))
	commits.Store(0)
	read()
	require.LessOrEqual(t, commits.Load(), int32(2), "the search index may commit meanwhile, too")
}

// A database that is away makes whoever waits an error, and nobody else.
func TestMarksWithoutDatabase(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	defer func() { require.NoError(t, s.Close()) }()
	for i := range 3 {
		_, _, err := s.Append(t.Context(), draft(fmt.Sprint(i)))
		require.NoError(t, err)
	}
	_, err := s.MarkRead(t.Context(), "r", "ann", 3)
	require.NoError(t, err)
	_, err = s.MarkUnread(t.Context(), "r", "ann", 1)
	require.NoError(t, err)

	d.onCommit(func(_, rollback func() error) error { return errors.Join(errors.New("the disk is gone"), rollback()) })
	_, err = s.MarkRead(t.Context(), "r", "ann", 2)
	require.ErrorIs(t, err, ErrUnavailable)
	m, err := s.Member(t.Context(), "r", "ann")
	require.NoError(t, err)
	require.Zero(t, m.ReadSeq)

	// A commit that goes unanswered may have been made.
	var once atomic.Bool
	d.onCommit(func(commit, _ func() error) error {
		err := commit()
		if once.CompareAndSwap(false, true) {
			err = errors.New("no answer")
		}
		return err
	})
	state, err := s.MarkRead(t.Context(), "r", "ann", 2)
	require.NoError(t, err)
	require.Equal(t, ReadState{ReadSeq: 2, LastSeq: 3, Moved: true}, state)
	once.Store(false)
	state, err = s.MarkUnread(t.Context(), "r", "ann", 2)
	require.NoError(t, err)
	require.Equal(t, ReadState{ReadSeq: 1, LastSeq: 3, Moved: true}, state)
	d.heal()
}

// Who marks a message of their own as unread means it, also while it has yet to be marked as read.
func TestMarkUnreadAfterAppend(t *testing.T) {
	t.Parallel()
	s, _ := faultyStore(t)
	defer func() { require.NoError(t, s.Close()) }()
	n := listen(s)
	_, _, err := s.Append(t.Context(), draft("1"))
	require.NoError(t, err)
	<-n.came
	_, err = s.MarkUnread(t.Context(), "r", "ann", 1)
	require.NoError(t, err)
	state, err := s.MarkRead(t.Context(), "r", "ann", 0) // commits what waits
	require.NoError(t, err)
	require.Zero(t, state.ReadSeq)
}

func TestMarksAreBounded(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	d.heal()
	m := newMarker(s) // not started: its database takes nothing
	for i := range maxMarks + 10 {
		m.sent([]Message{{RoomID: "r", SenderID: fmt.Sprint(i), Seq: 1}})
		m.seen([]string{fmt.Sprint(i)})
	}
	m.sent([]Message{{RoomID: "r", SenderID: "0", Seq: 2}, {RoomID: "r", Seq: 3}})
	require.Len(t, m.marks, maxMarks)
	require.Len(t, m.users, maxMarks)
	require.Equal(t, 20, m.lost)
	require.EqualValues(t, 2, m.marks[memberKey{"r", "0"}].seq)
	require.NoError(t, s.Close())
}
