package store_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/migrations"
	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

// poison makes the database refuse messages with the text "poison", as a constraint of the application's own would.
func poison(t *testing.T, d storetest.Database) {
	t.Helper()
	statements := map[migrations.Dialect]string{
		migrations.SQLite:   "CREATE TRIGGER poison BEFORE INSERT ON chat_messages WHEN NEW.text = 'poison' BEGIN SELECT RAISE(ABORT, 'refused'); END",
		migrations.Postgres: "ALTER TABLE chat_messages ADD CONSTRAINT poison CHECK (text <> 'poison')",
		migrations.MySQL:    "ALTER TABLE chat_messages ADD CONSTRAINT poison CHECK (text <> 'poison')",
	}
	require.NoError(t, d.GORM(t).Exec(statements[d.Dialect]).Error)
}

// A message that the database refuses fails alone, without a gap and without a word of it in the log.
func TestRefusedMessageFailsAlone(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		var log syncBuffer
		n := newNode(t, d, store.WithLogger(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))))
		general(t, n.Store)
		poison(t, d)
		const senders, each, bad = 20, 10, 3
		var stored atomic.Int64
		var wg sync.WaitGroup
		for s := range senders {
			wg.Go(func() {
				for i := range each {
					text := fmt.Sprintf("secret %d %d", s, i)
					if s < bad {
						text = "poison"
					}
					_, dup, err := n.Append(t.Context(), store.Draft{RoomID: "general", Sender: ann, ClientID: fmt.Sprint(s, "-", i), Text: text})
					switch {
					case s < bad && err == nil:
						t.Error("stored what the database refuses")
					case s >= bad && (err != nil || dup):
						t.Errorf("neighbour: duplicate %v, %v", dup, err)
					case s >= bad:
						stored.Add(1)
					}
				}
			})
		}
		wg.Wait()
		all := history(t, n.Store, "general")
		require.Len(t, all, (senders-bad)*each)
		require.EqualValues(t, len(all), stored.Load())
		require.EqualValues(t, len(all), all[len(all)-1].Seq)
		require.NoError(t, n.Close())
		require.Len(t, n.delivered, len(all))
		require.NotContains(t, log.String(), "secret")
		require.NotContains(t, strings.ReplaceAll(log.String(), `constraint "poison"`, ""), "'poison'")
		require.Contains(t, log.String(), "statement failed", "the failure itself is logged")
	})
}

// Connections are cut again and again under load. Every append is answered, what was answered is there once, and it is delivered
// once and in order.
func TestInterruptedConnections(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"postgres", "mysql"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := storetest.Open(t, name)
			n := newNode(t, d)
			general(t, n.Store)
			const senders, each, cuts = 8, 40, 6
			for s := range senders {
				_, _, err := n.AddMember(t.Context(), "general", user(s), "")
				require.NoError(t, err)
			}
			var acked storetest.Ledger
			var answered atomic.Int64
			var wg sync.WaitGroup
			cut := make(chan struct{}, senders*each)
			for s := range senders {
				wg.Go(func() {
					for i := range each {
						draft := store.Draft{RoomID: "general", Sender: user(s), ClientID: fmt.Sprint(i), Text: fmt.Sprint("text ", s, i)}
						acked.Sent(draft)
						for {
							m, _, err := n.Append(context.Background(), draft)
							if err == nil {
								acked.Acked(m)
								break
							}
							if !errors.Is(err, store.ErrUnavailable) {
								t.Errorf("append: %v", err)
								return
							}
						}
						answered.Add(1)
						cut <- struct{}{}
					}
				})
			}
			for range cuts {
				for range senders * each / (cuts + 1) {
					<-cut
				}
				d.Interrupt(t)
			}
			wg.Wait()
			require.NoError(t, n.Close())
			after := d.Store(t)
			acked.Delivered(n.delivered)
			require.Empty(t, acked.Check(history(t, after, "general")))
			require.EqualValues(t, senders*each, answered.Load())
		})
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}
