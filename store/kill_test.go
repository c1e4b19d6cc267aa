package store_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

const (
	killRooms   = 3
	killSenders = 9
	killVar     = "ECHOCHAT_TEST_KILLED" // the instructions of the process to be killed
)

// orders tell a process to be killed where to send, and from which message on each sender goes on: the first one without an answer.
type orders struct {
	Name, Place string
	From        [killSenders]int
}

// report is what the process says: that it is about to send a message, or what Append returned.
type report struct {
	Sender, Number int
	Acked          *store.Message
}

func killDraft(sender, number int) store.Draft {
	return store.Draft{
		RoomID: fmt.Sprint("room-", sender%killRooms), Sender: user(sender), ClientID: fmt.Sprint(number),
		Text: fmt.Sprintf("message %d of sender %d", number, sender),
	}
}

// A process that appends under load is killed -9 again and again, and the next one sends again what had no answer. Everything that was
// acked is there, once, in its place; nothing else is there twice; no number is missing.
//
// Twenty kills; ECHOCHAT_KILLS sets another number.
func TestKill(t *testing.T) {
	t.Parallel()
	kills := 20
	if v := os.Getenv("ECHOCHAT_KILLS"); v != "" {
		n, err := strconv.Atoi(v)
		require.NoError(t, err)
		kills = n
	}
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		func() {
			st := d.Store(t)
			for s := range killSenders {
				_, err := st.CreateRoom(t.Context(), store.RoomDraft{ID: killDraft(s, 0).RoomID, Creator: user(s)})
				if err != nil {
					require.ErrorIs(t, err, store.ErrRoomExists)
				}
				_, _, err = st.AddMember(t.Context(), killDraft(s, 0).RoomID, user(s), "")
				require.NoError(t, err)
			}
			require.NoError(t, st.Close())
		}()
		var ledger storetest.Ledger
		acked := 0
		o := orders{Name: d.Name, Place: d.Place}
		for range kills {
			acked += runAndKill(t, &ledger, &o, 1+rand.IntN(200))
		}
		st := d.Store(t)
		stored := 0
		for r := range killRooms {
			all := history(t, st, fmt.Sprint("room-", r))
			require.Empty(t, ledger.Check(all))
			stored += len(all)
		}
		require.GreaterOrEqual(t, stored, acked)
		t.Logf("%d kills, %d messages acked, %d stored", kills, acked, stored)
	})
}

// runAndKill starts a process, kills it after a number of acks and returns how many there were.
func runAndKill(t *testing.T, ledger *storetest.Ledger, o *orders, after int) (acked int) {
	t.Helper()
	instructions, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestKilledProcess$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), killVar+"="+string(instructions))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		var r report
		require.NoError(t, json.Unmarshal(lines.Bytes(), &r), lines.Text())
		if r.Acked == nil {
			ledger.Sent(killDraft(r.Sender, r.Number))
			continue
		}
		ledger.Acked(*r.Acked)
		o.From[r.Sender] = r.Number + 1
		if acked++; acked == after {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.NoError(t, lines.Err())
	require.Error(t, cmd.Wait(), "it was killed")
	require.GreaterOrEqual(t, acked, after)
	return acked
}

// TestKilledProcess is not a test but the process that TestKill kills.
func TestKilledProcess(t *testing.T) {
	instructions := os.Getenv(killVar)
	if instructions == "" {
		t.Skip("for TestKill")
	}
	var o orders
	require.NoError(t, json.Unmarshal([]byte(instructions), &o))
	st := storetest.Attach(t, o.Name, o.Place).Store(t)
	say := func(r report) {
		line, err := json.Marshal(r)
		if err == nil {
			_, err = os.Stdout.Write(append(line, '\n')) // one write, so never half a line
		}
		if err != nil {
			t.Error(err)
		}
	}
	var wg sync.WaitGroup
	for s := range killSenders {
		wg.Go(func() {
			for i := o.From[s]; ; i++ {
				say(report{Sender: s, Number: i})
				m, _, err := st.Append(context.Background(), killDraft(s, i))
				if err != nil {
					t.Error(err)
					return
				}
				say(report{Sender: s, Number: i, Acked: &m})
			}
		})
	}
	wg.Wait()
}
