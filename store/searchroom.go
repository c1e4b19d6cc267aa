package store

import (
	"cmp"
	"math"
	"slices"

	"gorm.io/gorm"
)

const (
	// maxEffort bounds how many entries of the index and messages one search looks at.
	maxEffort = 10_000

	// maxCandidates is how many places of a word are compared with the other words at a time, maxLoaded how many messages are read
	// by their places, and maxUnindexed how many that are not in the index.
	maxCandidates = 256
	maxLoaded     = 128
	maxUnindexed  = 64
)

// search is one call of Search. It merges the hits of several rooms: of each room it knows how new its next hit can be at most, and
// looks for it in the room where that is newest.
type search struct {
	q       SearchQuery
	phrases []phrase
	terms   []string // words of the index, all of which a message must have
	from    position // where the page begins; zero: with the newest
	tx      *gorm.DB
	effort  int // what is left of it

	rooms  []*searchedRoom // those that may have hits left
	behind []string        // ids of rooms that the index lags behind
}

// searchedRoom is a room that may have hits left.
type searchedRoom struct {
	ID      string
	LastSeq int64
	Indexed int64 // Seq up to which the index has got

	upTo  int64    // the messages after it are done with
	next  position // no hit that is left comes before this
	heads []int64  // of each term, the latest place when it was last looked up
	hits  []Hit    // found and not yet on the page
}

func (r *searchedRoom) done() bool { return r.upTo == 0 && len(r.hits) == 0 }

func (s *search) page() (SearchPage, error) {
	if err := s.begin(); err != nil {
		return SearchPage{}, err
	}
	var page SearchPage
	s.effort = maxEffort
	for bytes := 0; ; {
		s.rooms = slices.DeleteFunc(s.rooms, (*searchedRoom).done)
		if len(s.rooms) == 0 {
			break
		}
		room := slices.MinFunc(s.rooms, func(a, b *searchedRoom) int { return a.next.compare(b.next) })
		if len(room.hits) == 0 {
			if s.effort <= 0 {
				page.Next = room.next.String()
				break
			}
			if err := s.look(room); err != nil {
				return SearchPage{}, err
			}
			continue
		}
		hit := room.hits[0]
		bytes += len(hit.Message.Text) + len(hit.Message.Attachments) + len(hit.Message.Metadata)
		if n := len(page.Hits); n == s.q.Limit || n > 0 && s.q.MaxBytes > 0 && bytes > s.q.MaxBytes {
			page.Next = room.next.String()
			break
		}
		page.Hits = append(page.Hits, hit)
		room.pop()
	}
	return page, s.addSenders(page.Hits)
}

// pop takes the first hit out.
func (r *searchedRoom) pop() {
	at := r.hits[0].Message.CreatedAt
	if r.hits = r.hits[1:]; len(r.hits) > 0 {
		r.next = r.hits[0].position()
	} else {
		r.next = position{at, r.ID, r.upTo}
	}
}

func (h *Hit) position() position {
	return position{h.Message.CreatedAt, h.Message.RoomID, h.Message.Seq}
}

// begin chooses the rooms and finds in each the place to begin at.
func (s *search) begin() error {
	if err := s.chooseRooms(); err != nil {
		return err
	}
	for _, room := range s.rooms {
		room.upTo = room.LastSeq
		if room.ID == s.from.roomID {
			room.upTo = min(room.upTo, s.from.seq)
		}
	}
	if err := s.advance(s.rooms); err != nil { // most of many rooms do not have the words at all
		return err
	}
	late := slices.DeleteFunc(slices.Clone(s.rooms), func(r *searchedRoom) bool { return r.done() || r.next.at < s.before(r) })
	if len(late) == 0 {
		return nil
	}
	if err := s.bisect(late); err != nil {
		return err
	}
	return s.advance(late)
}

// before is the moment before which the messages of a room come into question.
func (s *search) before(room *searchedRoom) Millis {
	t := Millis(math.MaxInt64)
	if s.q.Until != 0 {
		t = s.q.Until
	}
	switch {
	case s.from == (position{}):
	case room.ID < s.from.roomID: // of the same moment, its messages came before
		t = min(t, s.from.at)
	case room.ID > s.from.roomID:
		t = min(t, s.from.at+1)
	}
	return t
}

// look finds the next hits of a room, or else how far back the next one is at least.
func (s *search) look(room *searchedRoom) error {
	if room.heads == nil && room.upTo <= room.Indexed { // the index begins here
		return s.advance([]*searchedRoom{room})
	}
	messages, done, err := s.candidates(room)
	if err != nil {
		return err
	}
	for _, m := range messages { // newest first
		if ranges, ok := s.match(m); ok {
			room.hits = append(room.hits, Hit{m, excerptOf(m.Text, ranges)})
		}
		done = done || m.CreatedAt < s.q.Since
	}
	if done {
		room.upTo = 0
	}
	if len(room.hits) > 0 {
		room.next = room.hits[0].position()
		return nil
	}
	return s.advance([]*searchedRoom{room})
}

// match holds the message itself against the query: the index may be older than it, and does not know which words stand together.
func (s *search) match(m Message) ([]Range, bool) {
	if m.CreatedAt < s.q.Since || s.q.SenderID != "" && m.SenderID != s.q.SenderID {
		return nil, false
	}
	return find(m.Text, s.phrases)
}

// candidates reads the next messages of a room that may match, newest first, moves room.upTo before them, and reports whether there are
// none before that.
func (s *search) candidates(room *searchedRoom) (messages []Message, done bool, err error) {
	if room.upTo > room.Indexed {
		low := max(room.Indexed, room.upTo-maxUnindexed)
		err = s.between(room.ID, low, room.upTo).Find(&messages).Error
		s.effort -= maxUnindexed
		room.upTo = low
		return messages, low == 0, err
	}
	wanted := min(s.q.Limit+1, max(8, 2*s.q.Limit/len(s.rooms)), maxLoaded)
	seqs, err := s.common(room, wanted)
	if err != nil || len(seqs) == 0 {
		return nil, room.upTo == 0, err
	}
	if messages, err = s.messagesAt(room.ID, seqs); err != nil {
		return nil, false, err
	}
	slices.SortFunc(messages, func(a, b Message) int { return cmp.Compare(b.Seq, a.Seq) })
	return messages, room.upTo == 0, nil
}

// common returns the next places, at most n, that all terms have in common according to the index, descending, and moves room.upTo
// before the last one that it has looked at.
func (s *search) common(room *searchedRoom, n int) (seqs []int64, err error) {
	rarest := slices.Index(room.heads, slices.Min(room.heads)) // most likely
	limit := n
	if len(s.terms) > 1 {
		limit = min(maxCandidates, max(maxQuestions, 2*n))
	}
	if err := s.places(room.ID, s.terms[rarest], room.upTo, limit).Pluck("seq", &seqs).Error; err != nil {
		return nil, err
	}
	s.effort -= len(seqs)
	room.upTo = 0
	if len(seqs) == limit {
		room.upTo = seqs[limit-1] - 1
	}
	for i, term := range s.terms {
		if i == rarest || len(seqs) == 0 {
			continue
		}
		if seqs, err = s.having(room.ID, term, seqs); err != nil {
			return nil, err
		}
	}
	if len(seqs) > n {
		seqs = seqs[:n]
		room.upTo = seqs[n-1] - 1
	}
	return seqs, nil
}

// advance moves rooms back to where they may have their next hit.
func (s *search) advance(rooms []*searchedRoom) error {
	if err := s.seek(rooms); err != nil {
		return err
	}
	rooms = slices.DeleteFunc(slices.Clone(rooms), (*searchedRoom).done)
	return s.times(rooms, func(r *searchedRoom) int64 { return r.upTo }, func(r *searchedRoom, at Millis) {
		r.next = position{at, r.ID, r.upTo}
		if at < s.q.Since {
			r.upTo = 0
		}
	})
}

// seek finds, of each term, the latest place in each room: the next hit can be no later than the earliest of these.
func (s *search) seek(rooms []*searchedRoom) error {
	rooms = slices.DeleteFunc(slices.Clone(rooms), func(r *searchedRoom) bool { return r.upTo == 0 || r.upTo > r.Indexed })
	s.effort -= len(rooms) * len(s.terms)
	var values [][]any
	for _, r := range rooms {
		for _, term := range s.terms {
			values = append(values, []any{r.ID, term, r.upTo})
		}
	}
	places, err := s.ask(latestPlace, values)
	if err != nil {
		return err
	}
	for i, r := range rooms {
		r.heads = places[i*len(s.terms) : (i+1)*len(s.terms)]
		r.upTo = slices.Min(r.heads)
	}
	return nil
}

// bisect moves rooms back to the last message before the moment at which the page begins: in a room, time never runs backwards.
func (s *search) bisect(rooms []*searchedRoom) error {
	low, high := make(map[*searchedRoom]int64, len(rooms)), make(map[*searchedRoom]int64, len(rooms))
	for _, r := range rooms {
		high[r] = r.upTo
	}
	middle := func(r *searchedRoom) int64 { return low[r] + (high[r]-low[r]+1)/2 }
	settled := func(r *searchedRoom) bool { return low[r] >= high[r] }
	for open := slices.DeleteFunc(slices.Clone(rooms), settled); len(open) > 0; open = slices.DeleteFunc(open, settled) {
		err := s.times(open, middle, func(r *searchedRoom, at Millis) {
			if at < s.before(r) {
				low[r] = middle(r)
			} else {
				high[r] = middle(r) - 1
			}
		})
		if err != nil {
			return err
		}
	}
	for _, r := range rooms {
		r.upTo = low[r]
	}
	return nil
}
