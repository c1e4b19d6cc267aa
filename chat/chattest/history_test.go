package chattest_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat/chattest"
)

// story is a history without a fault: two senders, two rooms, messages acked,
// unknown and refused, a reader from the beginning and one that resynced.
type story struct {
	stored []chattest.Entry
	sent   []sent
	got    []chattest.Entry // what the reader of room r1 received
}

type sent struct {
	conn    string
	entry   chattest.Entry
	seq     int64 // 0 for unknown
	refused bool
}

func tell() *story {
	s := &story{}
	seqs := map[string]int64{}
	for i := range 40 {
		e := chattest.Entry{
			Room: fmt.Sprintf("r%d", i%2+1), Sender: fmt.Sprintf("u%d", i%3), ClientID: fmt.Sprintf("c%d", i),
			Hash: chattest.Hash(fmt.Append(nil, "body ", i)),
		}
		try := sent{conn: "1", entry: e}
		switch i % 10 {
		case 7: // refused
			try.refused = true
		case 8: // unknown, not stored
		default:
			seqs[e.Room]++
			e.Seq = seqs[e.Room]
			s.stored = append(s.stored, e)
			if i%10 != 9 { // else unknown, and stored all the same
				try.seq = e.Seq
			}
			if e.Room == "r1" {
				s.got = append(s.got, e)
			}
		}
		s.sent = append(s.sent, try)
	}
	return s
}

func (s *story) check() []string {
	h := &chattest.History{}
	for _, try := range s.sent {
		m := h.Send(try.conn, try.entry)
		if try.seq > 0 {
			m.OK(try.seq)
		}
		if try.refused {
			m.Fail()
		}
	}
	whole := h.Tail("whole", "r1")
	for _, e := range s.got {
		whole.Receive(e)
	}
	resynced := h.Tail("resynced", "r1")
	for i, e := range s.got {
		switch {
		case i == 5:
			resynced.Resync()
		case i > 5 || i < 3:
			resynced.Receive(e)
		}
	}
	gone := h.Tail("gone", "r1")
	gone.Receive(s.got[2])
	gone.Leave()
	return h.Check(s.stored)
}

func TestHistoryWithoutFault(t *testing.T) {
	t.Parallel()
	require.Empty(t, tell().check())
}

// Each mutant must be caught, whichever message it hits.
func TestHistoryCatchesMutants(t *testing.T) {
	t.Parallel()
	mutants := map[string]func(s *story, i int) bool{
		"stored: drop one": func(s *story, i int) bool {
			if s.stored[i].ClientID == "c39" {
				return false // the last of a room that nobody reads, and never acknowledged
			}
			s.stored = slices.Delete(s.stored, i, i+1)
			return true
		},
		"stored: repeat one at the end": func(s *story, i int) bool {
			e := s.stored[i]
			e.Seq = int64(1 + len(slices.DeleteFunc(slices.Clone(s.stored), func(o chattest.Entry) bool { return o.Room != e.Room })))
			s.stored = append(s.stored, e)
			return true
		},
		"stored: swap two positions": func(s *story, i int) bool {
			j := slices.IndexFunc(s.stored[i+1:], func(e chattest.Entry) bool { return e.Room == s.stored[i].Room })
			if j < 0 {
				return false
			}
			j += i + 1
			s.stored[i].Seq, s.stored[j].Seq = s.stored[j].Seq, s.stored[i].Seq
			return true
		},
		"stored: change a byte": func(s *story, i int) bool {
			s.stored[i].Hash ^= 1
			return true
		},
		"stored: a stranger": func(s *story, i int) bool {
			s.stored[i].ClientID = "nobody's"
			return true
		},
		"stored: a refused one": func(s *story, i int) bool {
			j := slices.IndexFunc(s.sent, func(try sent) bool { return try.entry.ClientID == s.stored[i].ClientID })
			s.sent[j].seq, s.sent[j].refused = 0, true
			return true
		},
		"acked at another position": func(s *story, i int) bool {
			if s.sent[i].seq == 0 {
				return false
			}
			s.sent[i].seq++
			return true
		},
		"sent in another order": func(s *story, i int) bool {
			stored := func(try sent) bool {
				return slices.ContainsFunc(s.stored, func(e chattest.Entry) bool { return e.ClientID == try.entry.ClientID })
			}
			j := slices.IndexFunc(s.sent[i+1:], func(try sent) bool {
				return try.entry.Room == s.sent[i].entry.Room && try.entry.Sender == s.sent[i].entry.Sender && stored(try)
			})
			if j < 0 || !stored(s.sent[i]) {
				return false
			}
			j += i + 1
			s.sent[i], s.sent[j] = s.sent[j], s.sent[i]
			return true
		},
		"received: drop one": func(s *story, i int) bool {
			if i >= len(s.got) {
				return false
			}
			s.got = slices.Delete(slices.Clone(s.got), i, i+1)
			return i > 0 // a reader may begin anywhere
		},
		"received: repeat one": func(s *story, i int) bool {
			if i >= len(s.got) {
				return false
			}
			s.got = slices.Insert(slices.Clone(s.got), i, s.got[i])
			return true
		},
		"received: swap two": func(s *story, i int) bool {
			if i+1 >= len(s.got) {
				return false
			}
			s.got[i], s.got[i+1] = s.got[i+1], s.got[i]
			return true
		},
		"received: change a byte": func(s *story, i int) bool {
			if i >= len(s.got) {
				return false
			}
			s.got[i].Hash ^= 1
			return true
		},
	}
	for name, mutate := range mutants {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tried := 0
			for i := range tell().stored {
				s := tell()
				if !mutate(s, i) {
					continue
				}
				tried++
				require.NotEmpty(t, s.check(), "mutant %d went unnoticed", i)
			}
			require.NotZero(t, tried)
		})
	}
}
