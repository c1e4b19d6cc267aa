package store

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// told is what a store has told of, in order.
type told struct {
	mu       sync.Mutex // for what is read before Close
	messages map[string]bool
	changes  map[string][]Change
	order    []string
	wrong    []string
	came     chan struct{} // for each
}

func listen(s *Store) *told {
	n := &told{messages: make(map[string]bool), changes: make(map[string][]Change), came: make(chan struct{}, 1000)}
	s.OnCommit(func(batch []Message) {
		n.mu.Lock()
		defer n.mu.Unlock()
		for _, m := range batch {
			n.messages[m.ID] = true
			n.order = append(n.order, "new "+m.ClientID)
			n.came <- struct{}{}
		}
	})
	s.OnChange(func(c Change) {
		n.mu.Lock()
		defer n.mu.Unlock()
		if !n.messages[c.Message.ID] {
			n.wrong = append(n.wrong, fmt.Sprintf("%s %s before the message itself", c.Kind, c.Message.ClientID))
		}
		n.changes[c.Message.ID] = append(n.changes[c.Message.ID], c)
		n.order = append(n.order, string(c.Kind)+" "+c.Message.ClientID)
		n.came <- struct{}{}
	})
	return n
}

func (n *told) soFar() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.order)
}

// Whoever changes a message at once, and all who change one message together, see the same order: the message, its changes one by one,
// and last what is in the database.
func TestChangesComeInOrder(t *testing.T) {
	t.Parallel()
	s, _ := faultyStore(t)
	n := listen(s)
	const messages, changers = 40, 3
	var wg sync.WaitGroup
	for i := range messages {
		wg.Go(func() {
			m, _, err := s.Append(t.Context(), draft(fmt.Sprint(i)))
			if err != nil {
				t.Error(err)
				return
			}
			for c := range changers {
				wg.Go(func() {
					text, by := fmt.Sprint(c), User{ID: fmt.Sprint(c)}
					_, _, err := s.EditMessage(t.Context(), Edit{MessageID: m.ID, Text: &text})
					_, _, err2 := s.AddReaction(t.Context(), m.ID, by, "👍")
					if err := errors.Join(err, err2); err != nil {
						t.Error(err)
					}
				})
			}
		})
	}
	wg.Wait()
	page, err := s.History(t.Context(), HistoryQuery{RoomID: "r", Limit: 200})
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.Empty(t, n.wrong)
	require.Len(t, n.changes, messages)
	for _, m := range page.Messages {
		changes := n.changes[m.ID]
		require.Len(t, changes, 2*changers)
		last := changes[len(changes)-1].Message
		require.Equal(t, m.Text, last.Text)
		require.Equal(t, m.Reactions, last.Reactions)
		count := int64(0)
		for _, c := range changes {
			if c.Kind == ReactionAdded {
				count++
			}
			require.Equal(t, count, c.Message.Reactions["👍"])
		}
	}
}

// A message whose commit went unanswered is told of late. A change of it waits.
func TestChangeOfUnresolvedMessage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		n := listen(s)
		d.onCommit(func(commit, _ func() error) error { return errors.Join(commit(), errConnectionLost) })
		_, _, err := s.Append(t.Context(), draft("a"))
		require.ErrorIs(t, err, ErrUnavailable)
		d.heal()
		m, err := s.MessageByClientID(t.Context(), "r", "ann", "a")
		require.NoError(t, err)
		for _, emoji := range []string{"1", "2"} {
			_, added, err := s.AddReaction(t.Context(), m.ID, User{ID: "bob"}, emoji)
			require.NoError(t, err)
			require.True(t, added)
		}
		synctest.Wait()
		require.Empty(t, n.soFar())
		for range 3 {
			<-n.came
		}
		require.Equal(t, []string{"new a", "reaction added a", "reaction added a"}, n.soFar())
		require.Empty(t, n.wrong)
		require.NoError(t, s.Close())
	})
}

// A commit that got no answer is a change all the same, and is told of once.
func TestUnansweredChange(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	n := listen(s)
	m, _, err := s.Append(t.Context(), draft("a"))
	require.NoError(t, err)
	text, ann := "edited", User{ID: "ann"}
	for _, change := range []func() (Message, bool, error){
		func() (Message, bool, error) { return s.EditMessage(t.Context(), Edit{MessageID: m.ID, Text: &text}) },
		func() (Message, bool, error) { return s.AddReaction(t.Context(), m.ID, ann, "👍") },
		func() (Message, bool, error) { return s.RemoveReaction(t.Context(), m.ID, ann, "👍") },
		func() (Message, bool, error) { return s.PinMessage(t.Context(), m.ID, ann) },
		func() (Message, bool, error) { return s.UnpinMessage(t.Context(), m.ID, ann) },
		func() (Message, bool, error) { return s.DeleteMessage(t.Context(), m.ID, ann) },
	} {
		lost := false
		d.onCommit(func(commit, _ func() error) error {
			if lost {
				return commit()
			}
			lost = true
			return errors.Join(commit(), errConnectionLost)
		})
		_, changed, err := change()
		require.NoError(t, err)
		require.True(t, changed)
		d.heal()
		_, changed, err = change()
		if err != nil {
			require.ErrorIs(t, err, ErrMessageNotFound) // what was deleted
		}
		require.False(t, changed)
	}
	require.NoError(t, s.Close())
	require.Equal(t, []string{
		"new a", "edited a", "reaction added a", "reaction removed a", "pinned a", "unpinned a", "deleted a",
	}, n.order)
}

// Who waits behind others does not wait for ever, and a change that has begun is told of before Close returns.
func TestTurns(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		n := listen(s)
		m, _, err := s.Append(t.Context(), draft("a"))
		require.NoError(t, err)
		goOn := make(chan struct{})
		d.onCommit(func(commit, _ func() error) error { <-goOn; return commit() })
		first, second, closed := make(chan error), make(chan error), make(chan error)
		react := func(emoji string, done chan error) {
			_, _, err := s.AddReaction(t.Context(), m.ID, User{ID: "ann"}, emoji)
			done <- err
		}
		go react("1", first)
		synctest.Wait()
		go react("2", second)
		start := time.Now()
		require.ErrorIs(t, <-second, ErrUnavailable)
		require.Equal(t, operationTime, time.Since(start))
		go func() { closed <- s.Close() }()
		synctest.Wait()
		require.Equal(t, []string{"new a"}, n.soFar())
		close(goOn)
		require.NoError(t, <-first)
		require.NoError(t, <-closed)
		require.Equal(t, []string{"new a", "reaction added a"}, n.order)
		_, _, err = s.AddReaction(t.Context(), m.ID, User{ID: "ann"}, "3")
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestPanicInOnChange(t *testing.T) {
	t.Parallel()
	s, _ := faultyStore(t)
	calls := 0
	s.OnChange(func(Change) {
		if calls++; calls == 1 {
			panic("first")
		}
	})
	m, _, err := s.Append(t.Context(), draft("a"))
	require.NoError(t, err)
	for _, emoji := range []string{"1", "2", "3"} {
		_, _, err := s.AddReaction(t.Context(), m.ID, User{ID: "ann"}, emoji)
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	require.Equal(t, 3, calls)
}

// What an update has changed is known also when the answer to its commit was lost.
func TestUpdateRoomUnanswered(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	defer func() { require.NoError(t, s.Close()) }()
	var once atomic.Bool
	d.onCommit(func(commit, _ func() error) error {
		err := commit()
		if once.CompareAndSwap(false, true) {
			err = errors.Join(err, errConnectionLost)
		}
		return err
	})
	name := "New"
	before, after, err := s.UpdateRoom(t.Context(), "r", RoomChange{Name: &name})
	require.NoError(t, err)
	require.Empty(t, before.Name)
	require.Equal(t, name, after.Name)
	require.True(t, once.Load())
}
