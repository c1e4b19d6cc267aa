package store

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

var errConnectionLost = errors.New("connection lost")

// A connection lost at COMMIT says nothing about the transaction. Either way the message is stored once and delivered once.
func TestUnansweredCommit(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(commit, rollback func() error) error{
		"committed":     func(commit, _ func() error) error { return errors.Join(commit(), errConnectionLost) },
		"not committed": func(_, rollback func() error) error { return errors.Join(rollback(), errConnectionLost) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, d := faultyStore(t)
			delivered := make(chan []Message, 10)
			s.OnCommit(func(batch []Message) { delivered <- batch })
			lost := false
			d.onCommit(func(commit, rollback func() error) error {
				if lost {
					return commit()
				}
				lost = true
				return answer(commit, rollback)
			})
			for i, id := range []string{"a", "b", ""} { // the last one cannot be recognised by its sender's id
				m, dup, err := s.Append(t.Context(), draft(id))
				require.NoError(t, err)
				require.False(t, dup)
				require.EqualValues(t, i+1, m.Seq)
				require.Equal(t, []Message{m}, <-delivered)
				lost = false
			}
			require.NoError(t, s.Close())
			require.Empty(t, delivered)
		})
	}
}

// While the database is away Append says so in time, and neither confirms nor loses what may be stored: as soon as the database is
// back it is delivered, before anything later, also when nobody sends anything.
func TestCommitUnansweredForLong(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		delivered := make(chan []Message, 10)
		s.OnCommit(func(batch []Message) { delivered <- batch })
		d.onCommit(func(commit, _ func() error) error { return errors.Join(commit(), errConnectionLost) })

		start := time.Now()
		_, _, err := s.Append(t.Context(), draft("a"))
		require.ErrorIs(t, err, ErrUnavailable)
		require.LessOrEqual(t, time.Since(start), 2*operationTime)
		require.Empty(t, delivered)

		d.heal()
		start = time.Now()
		recovered := <-delivered
		require.LessOrEqual(t, time.Since(start), 2*resolveInterval)
		require.Len(t, recovered, 1)
		require.EqualValues(t, 1, recovered[0].Seq)

		again, dup, err := s.Append(t.Context(), draft("a"))
		require.NoError(t, err)
		require.True(t, dup)
		require.Equal(t, recovered[0].ID, again.ID)
		next, _, err := s.Append(t.Context(), draft("b"))
		require.NoError(t, err)
		require.EqualValues(t, 2, next.Seq)
		require.Equal(t, []Message{next}, <-delivered)
		require.NoError(t, s.Close())
		require.Empty(t, delivered)
	})
}

// A retry that arrives before the writer has looked by itself must not overtake what it repeats.
func TestUnresolvedBeforeLater(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		var delivered []Message
		s.OnCommit(func(batch []Message) { delivered = append(delivered, batch...) })
		d.onCommit(func(commit, _ func() error) error { return errors.Join(commit(), errConnectionLost) })
		_, _, err := s.Append(t.Context(), draft("a"))
		require.ErrorIs(t, err, ErrUnavailable)
		d.heal()
		for i, id := range []string{"b", "a", "c"} {
			m, dup, err := s.Append(t.Context(), draft(id))
			require.NoError(t, err)
			require.Equal(t, id == "a", dup)
			require.EqualValues(t, []int{2, 1, 3}[i], m.Seq)
		}
		require.NoError(t, s.Close())
		var seqs []int64
		for _, m := range delivered {
			seqs = append(seqs, m.Seq)
		}
		require.Equal(t, []int64{1, 2, 3}, seqs)
	})
}

// An outage shorter than the deadline only delays.
func TestDatabaseAwayForAWhile(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		start := time.Now()
		d.onBegin(func() error {
			if time.Since(start) < 3*time.Second {
				return errors.Join(context.DeadlineExceeded, errConnectionLost)
			}
			return nil
		})
		m, _, err := s.Append(t.Context(), draft("a"))
		require.NoError(t, err)
		require.EqualValues(t, 1, m.Seq)
		require.GreaterOrEqual(t, time.Since(start), 3*time.Second)
		require.NoError(t, s.Close())
	})
}

// Whoever has waited behind a database that is away is told so instead of waiting once more.
func TestQueuedBehindOutage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		d.onBegin(func() error { return context.DeadlineExceeded })
		start := time.Now()
		errs := make(chan error)
		const n = 3 * maxBatch
		for range n {
			go func() {
				_, _, err := s.Append(t.Context(), draft(""))
				errs <- err
			}()
		}
		for range n {
			require.ErrorIs(t, <-errs, ErrUnavailable)
		}
		require.LessOrEqual(t, time.Since(start), 2*operationTime)
		d.heal()
		m, _, err := s.Append(t.Context(), draft("a"))
		require.NoError(t, err)
		require.EqualValues(t, 1, m.Seq, "nothing was stored meanwhile")
		require.NoError(t, s.Close())
	})
}

func TestStorageFull(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	delivered := make(chan []Message, 10)
	s.OnCommit(func(batch []Message) { delivered <- batch })
	d.onCommit(func(_, rollback func() error) error { return errors.Join(rollback(), sqliteFault(13)) })
	opened := d.opened.Load()
	_, _, err := s.Append(t.Context(), draft("a"))
	require.ErrorIs(t, err, ErrStorageFull)
	require.NotErrorIs(t, err, ErrUnavailable)
	d.heal()
	m, _, err := s.Append(t.Context(), draft("b"))
	require.NoError(t, err)
	require.EqualValues(t, 1, m.Seq, "a is not stored")
	require.Greater(t, d.opened.Load(), opened, "the connection that failed is not used again")
	require.NoError(t, s.Close())
	require.Len(t, delivered, 1)
}

// Nothing is confirmed before its commit, and nobody waits for OnCommit.
func TestNoAnswerBeforeCommit(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	committing, goOn := make(chan struct{}), make(chan struct{})
	d.onCommit(func(commit, _ func() error) error {
		committing <- struct{}{}
		<-goOn
		return commit()
	})
	answered := make(chan error)
	go func() {
		_, _, err := s.Append(t.Context(), draft("a"))
		answered <- err
	}()
	<-committing
	select {
	case err := <-answered:
		t.Fatalf("answered before the commit: %v", err)
	default:
	}
	close(goOn)
	require.NoError(t, <-answered)
	d.heal()
	require.NoError(t, s.Close())
}

// Who goes away while the message is being stored does not take it along.
func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	delivered := make(chan []Message, 1)
	s.OnCommit(func(batch []Message) { delivered <- batch })
	ctx, cancel := context.WithCancel(t.Context())
	left := make(chan struct{})
	d.onCommit(func(commit, _ func() error) error {
		cancel()
		<-left
		return commit()
	})
	_, _, err := s.Append(ctx, draft("a"))
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, err, context.Canceled)
	close(left)
	require.EqualValues(t, 1, (<-delivered)[0].Seq)
	d.heal()
	_, dup, err := s.Append(t.Context(), draft("a"))
	require.NoError(t, err)
	require.True(t, dup)
	require.NoError(t, s.Close())
}

// The queue is bounded in messages and in bytes. Who does not get in is not stored.
func TestQueueIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t, WithQueue(2, 2<<20))
		goOn := make(chan struct{})
		d.onCommit(func(commit, _ func() error) error {
			<-goOn
			return commit()
		})
		errs := make(chan error, 10)
		send := func(ctx context.Context, text string) {
			d := draft("")
			d.Text = text
			_, _, err := s.Append(ctx, d)
			errs <- err
		}
		ctx, cancel := context.WithCancel(t.Context())
		go send(t.Context(), "being committed")
		synctest.Wait()
		for range 2 {
			go send(t.Context(), "queued")
			synctest.Wait()
		}
		go send(ctx, "one message too many")
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-errs, context.Canceled)
		close(goOn)
		for range 3 {
			require.NoError(t, <-errs)
		}

		goOn = make(chan struct{})
		ctx, cancel = context.WithCancel(t.Context())
		go send(t.Context(), "being committed")
		synctest.Wait()
		large := fmt.Sprintf("%01048576d", 0)
		go send(t.Context(), large)
		synctest.Wait()
		go send(ctx, large)
		synctest.Wait()
		cancel()
		require.ErrorIs(t, <-errs, context.Canceled)
		close(goOn)
		for range 2 {
			require.NoError(t, <-errs)
		}
		room, err := s.Room(t.Context(), "r")
		require.NoError(t, err)
		require.EqualValues(t, 5, room.LastSeq)
		require.NoError(t, s.Close())
		require.True(t, s.writer.bytes.TryAcquire(2<<20), "every byte has been given back")
	})
}

func TestPanicInOnCommit(t *testing.T) {
	t.Parallel()
	s, _ := faultyStore(t)
	var calls atomic.Int32
	s.OnCommit(func([]Message) {
		if calls.Add(1) == 1 {
			panic("first")
		}
	})
	for range 3 {
		_, _, err := s.Append(t.Context(), draft(""))
		require.NoError(t, err)
	}
	require.NoError(t, s.Close())
	require.EqualValues(t, 3, calls.Load())
}

// Close stores and delivers what was accepted, and is the end of everything else.
func TestClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, d := faultyStore(t)
		var delivered []Message
		s.OnCommit(func(batch []Message) { delivered = append(delivered, batch...) })
		goOn := make(chan struct{})
		d.onCommit(func(commit, _ func() error) error {
			<-goOn
			return commit()
		})
		const n = 20
		errs := make(chan error, n)
		for range n {
			go func() {
				_, _, err := s.Append(t.Context(), draft(""))
				errs <- err
			}()
		}
		synctest.Wait()
		closed := make(chan error)
		go func() { closed <- s.Close() }()
		synctest.Wait()
		require.Empty(t, errs)
		_, _, err := s.Append(t.Context(), draft("late"))
		require.ErrorIs(t, err, ErrClosed)
		close(goOn)
		require.NoError(t, <-closed)
		for range n {
			require.NoError(t, <-errs)
		}
		require.Len(t, delivered, n)
		require.NoError(t, s.Close(), "a second time")
		_, err = s.Room(t.Context(), "r")
		require.ErrorIs(t, err, ErrClosed)
		_, _, err = s.AddMember(t.Context(), "r", User{ID: "bob"}, "")
		require.ErrorIs(t, err, ErrClosed)
	})
}

// A slow OnCommit holds the writer back: only a few batches wait for it.
func TestSlowOnCommit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s, _ := faultyStore(t)
		goOn := make(chan struct{})
		delivered := 0
		s.OnCommit(func(batch []Message) {
			<-goOn
			delivered += len(batch)
		})
		const n = 10 * maxHandover
		answered := make(chan error, n)
		go func() {
			for range n { // one after the other, so that each is a batch
				_, _, err := s.Append(t.Context(), draft(""))
				answered <- err
			}
		}()
		synctest.Wait()
		require.LessOrEqual(t, len(answered), maxHandover+2)
		close(goOn)
		for range n {
			require.NoError(t, <-answered)
		}
		require.NoError(t, s.Close())
		require.Equal(t, n, delivered)
	})
}

// Who goes away while something is being written does not leave it half done.
func TestWriterOfRoomsGoesAway(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.onBegin(func() error { cancel(); return nil })
	_, added, err := s.AddMember(ctx, "r", User{ID: "bob"}, "")
	require.NoError(t, err)
	require.True(t, added)
	_, _, err = s.AddMember(ctx, "r", User{ID: "eve"}, "")
	require.ErrorIs(t, err, context.Canceled, "but who is away before it begins does not begin")
	require.NoError(t, s.Close())
}

// What is not a message survives a lost answer, too.
func TestUnansweredCommitOfRoomsAndMembers(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	unanswered := func() {
		lost := false
		d.onCommit(func(commit, _ func() error) error {
			if lost {
				return commit()
			}
			lost = true
			return errors.Join(commit(), errConnectionLost)
		})
	}
	unanswered()
	room, err := s.CreateRoom(t.Context(), RoomDraft{ID: "new", Creator: User{ID: "ann"}})
	require.NoError(t, err)
	got, err := s.Room(t.Context(), "new")
	require.NoError(t, err)
	require.Equal(t, room, got)
	unanswered()
	_, added, err := s.AddMember(t.Context(), "new", User{ID: "bob"}, "")
	require.NoError(t, err)
	require.True(t, added)
	unanswered()
	require.NoError(t, s.RemoveMember(t.Context(), "new", "bob"))
	got, err = s.Room(t.Context(), "new")
	require.NoError(t, err)
	require.EqualValues(t, 1, got.MemberCount)
	require.NoError(t, s.Close())
}

// A plain message is stored by four statements, the INSERT with the columns it has a value for alone. A fifth is for replies, and two more for
// mentions: they are looked up once more, in the transaction.
func TestStatementsOfAMessage(t *testing.T) {
	t.Parallel()
	s, d := faultyStore(t)
	s.purger.close()
	s.writer.stored = func([]Message) {}
	s.writer.prepared = nil // what is prepared would not be seen
	d.run()
	first, _, err := s.Append(t.Context(), draft("a"))
	require.NoError(t, err)
	plain := d.run()
	require.Len(t, plain, 4, "lock, look up, insert, advance: %q", plain)
	require.Contains(t, plain[2], "INSERT INTO `chat_messages` (`id`,`room_id`,`seq`,`sender_id`,`client_id`,`type`,`text`,`parent_id`,"+
		"`attachments`,`metadata`,`created_at`)")
	for _, c := range []struct {
		draft Draft
		want  int
	}{
		{Draft{ParentID: first.ID}, 1 + 5},
		{Draft{QuotedID: first.ID}, 1 + 4},
		{Draft{Mentions: UserIDs{"ann"}}, 1 + 6},
		{Draft{Mentions: UserIDs{"nobody"}}, 1 + 4},
		{Draft{ParentID: first.ID, QuotedID: first.ID, Mentions: UserIDs{"ann"}}, 3 + 7},
	} {
		c.draft.RoomID, c.draft.Sender = "r", User{ID: "ann"}
		_, _, err := s.Append(t.Context(), c.draft)
		require.NoError(t, err)
		require.Len(t, d.run(), c.want, "with those that look up what it refers to")
	}
	require.NoError(t, s.Close())
}
