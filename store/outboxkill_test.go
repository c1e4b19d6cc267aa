package store_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gorm.io/gorm"

	"github.com/echochat/echochat/store"
	"github.com/echochat/echochat/store/storetest"
)

const (
	txKillVar   = "ECHOCHAT_TEST_TX_KILLED" // the instructions of the process to be killed
	txMessages  = 4                         // of one transaction, in two rooms by turns
	txCommitted = "committed "
)

// txOrders tell a process to be killed what to write, and when to die.
type txOrders struct {
	Name, Place string
	Round       int
	Die         string // "committed": before anybody can have looked; "appended": before the outbox is emptied; else when it is killed
}

func (o txOrders) room(i int) string { return fmt.Sprint("room-", i%2) }

// A process is killed -9 after the commit of a transaction that has messages in it, before they are in their rooms or before they are
// out of the outbox. The next process brings them in, each once and in their order. What was rolled back is nowhere.
//
// Six kills; 100 with ECHOCHAT_PROOF=1.
func TestProofKillAfterCommitOfApplication(t *testing.T) {
	t.Parallel()
	kills := 6
	if os.Getenv("ECHOCHAT_PROOF") != "" {
		kills = 100
	}
	storetest.Run(t, func(t *testing.T, d storetest.Database) {
		st := d.Store(t)
		for i := range 2 {
			_, err := st.CreateRoom(t.Context(), store.RoomDraft{ID: txOrders{}.room(i), Creator: ann})
			require.NoError(t, err)
		}
		require.NoError(t, st.Close())

		db := d.GORM(t)
		committed, left := make(map[int]bool), 0
		for round := range kills {
			o := txOrders{Name: d.Name, Place: d.Place, Round: round, Die: []string{"committed", "appended", "whenever"}[round%3]}
			committed[round] = commitAndDie(t, o)
			if parcels(t, db) > 0 {
				left++
			}
		}
		require.GreaterOrEqual(t, left, kills/3, "of those killed at once, all have left something behind")

		st = d.Store(t)
		come := arrivals(st)
		for i := range 2 { // behind all that was left
			require.NoError(t, db.Transaction(func(tx *gorm.DB) error {
				_, err := st.AppendTx(t.Context(), tx, store.Draft{RoomID: txOrders{}.room(i), System: true, Text: "end"})
				return err
			}))
		}
		for ends := 0; ends < 2; {
			if m := <-come; m.Text == "end" {
				ends++
			}
		}
		found := make(map[int]int) // messages by round
		for i := range 2 {
			last := make(map[int]int)
			for _, m := range history(t, st, txOrders{}.room(i)) {
				if m.Text == "end" {
					continue
				}
				var round, n int
				_, err := fmt.Sscanf(m.Text, "round %d, message %d", &round, &n)
				require.NoError(t, err, "%q was rolled back", m.Text)
				require.Greater(t, n, last[round], "once, in the order of the transaction")
				last[round] = n
				found[round]++
			}
		}
		for round := range kills {
			if committed[round] || found[round] > 0 { // a commit whose answer did not get out of the process is one, or is none
				require.Equal(t, txMessages, found[round], "round %d", round)
			}
		}
		require.NoError(t, st.Close())
		require.Zero(t, parcels(t, db))
		t.Logf("%d kills, after %d of them there was something left to deliver", kills, left)
	})
}

// commitAndDie runs a process until it dies, and reports whether it has committed its transaction.
func commitAndDie(t *testing.T, o txOrders) (committed bool) {
	t.Helper()
	instructions, err := json.Marshal(o)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestProcessOfApplication$", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), txKillVar+"="+string(instructions))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if lines.Text() != txCommitted+fmt.Sprint(o.Round) { // it says why it fails
			var all strings.Builder
			for more := true; more; more = lines.Scan() {
				all.WriteString(lines.Text() + "\n")
			}
			require.Fail(t, "the process did not do what it should", all.String())
		}
		committed = true
		if o.Die == "whenever" {
			spin(time.Duration(rand.IntN(20_000)) * time.Microsecond)
			require.NoError(t, cmd.Process.Kill())
		}
	}
	require.NoError(t, lines.Err())
	require.Error(t, cmd.Wait(), "it was killed")
	return committed
}

// spin lets a moment pass; nothing can be waited for here.
func spin(d time.Duration) { <-time.After(d) }

func dieNow() {
	if p, err := os.FindProcess(os.Getpid()); err == nil && p.Kill() == nil {
		select {} // it takes a moment
	}
	panic("not killed")
}

// TestProcessOfApplication is not a test but the process that is killed.
func TestProcessOfApplication(t *testing.T) {
	instructions := os.Getenv(txKillVar)
	if instructions == "" {
		t.Skip("for TestProofKillAfterCommitOfApplication")
	}
	var o txOrders
	require.NoError(t, json.Unmarshal([]byte(instructions), &o))
	d := storetest.Attach(t, o.Name, o.Place)
	st, db := d.Store(t), d.GORM(t)
	st.OnCommit(func(batch []store.Message) {
		if o.Die == "appended" && strings.HasPrefix(batch[0].Text, fmt.Sprintf("round %d,", o.Round)) {
			dieNow()
		}
	})
	write := func(text string, end error) error {
		return db.Transaction(func(tx *gorm.DB) error {
			for i := range txMessages {
				_, err := st.AppendTx(t.Context(), tx, store.Draft{RoomID: o.room(i), Sender: ann, Text: fmt.Sprintf("%s, message %d", text, i+1)})
				if err != nil {
					return err
				}
			}
			return end
		})
	}
	rollback := errors.New("rolled back")
	require.ErrorIs(t, write("rolled back", rollback), rollback)
	require.NoError(t, write(fmt.Sprint("round ", o.Round), nil))
	if _, err := fmt.Fprintln(os.Stdout, txCommitted+fmt.Sprint(o.Round)); err != nil {
		t.Error(err)
	}
	if o.Die == "committed" {
		dieNow()
	}
	select {} // until it is killed
}
