package store

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gorm.io/gorm"
)

const (
	maxSearchText  = 1024 // bytes of what is searched for
	maxSearchWords = 32   // distinct words of it
	maxSearchRooms = 4096 // rooms searched at once
)

// SearchQuery selects messages. UserID or RoomID is required, or both, and SenderID or Text.
type SearchQuery struct {
	UserID   string // Only rooms this user is a member of.
	RoomID   string // Only this room.
	SenderID string // Only messages of this sender.
	Since    Millis // Only messages from this moment on. Defaults to the beginning.
	Until    Millis // Only messages before this moment. Defaults to now.

	// Text has words that must all be in the message, at most 32 in at most 1,024 bytes. Capitals, width and compatibility forms
	// make no difference. In scripts without spaces between words, such as Chinese, what stands together must do so in the message, too.
	// Nothing in it is an operator: whatever is not a letter, a digit or a mark only separates words.
	Text string

	Cursor   string // SearchPage.Next of the page before; empty for the first page.
	Limit    int    // Messages per page. Defaults to 50, at most 200.
	MaxBytes int    // Ends a page early, as HistoryQuery.MaxBytes does. Defaults to no limit.
}

// Hit is a message that was found.
type Hit struct {
	Message Message
	Excerpt Excerpt // Where it has the words.
}

// SearchPage is a page of messages, the newest first: descending by CreatedAt, within a room by Seq.
type SearchPage struct {
	Hits []Hit
	Next string // What to put into SearchQuery.Cursor for the next page; empty on the last one.
}

// Search returns the latest messages that a query selects. Deleted messages, and rooms that do not exist, have none.
//
// It looks at no more than a part of the rooms at a time, of the same size in a room of any size. Where that does not
// fill the page, because the words are common and never in one message, the page is short or even empty although Next is set: go on from there.
// For a user who is in more than 4,096 rooms, RoomID is required.
//
// Messages are found from the moment they are stored: those that the search index does not have yet are read. It knows of a text the first 64 KiB
// and of those 1,024 distinct words, of a word the first 128 bytes.
func (s *Store) Search(ctx context.Context, q SearchQuery) (SearchPage, error) {
	const op = "search"
	run, err := newSearch(q)
	if err != nil {
		return SearchPage{}, wrap(op, err)
	}
	var page SearchPage
	err = s.reading(ctx, op, func(tx *gorm.DB) error {
		if !findable(q.UserID, q.RoomID, q.SenderID) || len(run.terms) == 0 {
			return nil
		}
		run.tx = tx
		page, err = run.page()
		return err
	})
	if err != nil {
		return SearchPage{}, err
	}
	s.indexer.add(run.behind...)
	return page, nil
}

func newSearch(q SearchQuery) (*search, error) {
	n, err := limit(q.Limit)
	if err != nil {
		return nil, err
	}
	q.Limit = n
	switch {
	case q.UserID == "" && q.RoomID == "":
		return nil, fmt.Errorf("%w: neither a user nor a room", ErrInvalidArgument)
	case q.SenderID == "" && q.Text == "":
		return nil, fmt.Errorf("%w: neither a text nor a sender", ErrInvalidArgument)
	case len(q.Text) > maxSearchText:
		return nil, fmt.Errorf("%w: the text is %d bytes long, at most %d are allowed", ErrInvalidArgument, len(q.Text), maxSearchText)
	}
	run := &search{q: q, phrases: phrasesOf(q.Text)}
	run.terms = termsOf(run.phrases)
	if len(run.terms) > maxSearchWords {
		return nil, fmt.Errorf("%w: the text has %d words, at most %d are allowed", ErrInvalidArgument, len(run.terms), maxSearchWords)
	}
	if q.Text != "" && len(run.terms) == 0 {
		return run, nil // nothing but punctuation, which is in no index
	}
	if q.SenderID != "" {
		run.terms = append(run.terms, senderWord(q.SenderID))
	}
	if q.Cursor != "" {
		run.from, err = parsePosition(q.Cursor)
	}
	return run, err
}

// position is a message's place in the order of search results, the newest first.
type position struct {
	at     Millis
	roomID string
	seq    int64
}

func (p position) compare(other position) int {
	return cmp.Or(cmp.Compare(other.at, p.at), cmp.Compare(p.roomID, other.roomID), cmp.Compare(other.seq, p.seq))
}

func (p position) String() string { return fmt.Sprintf("%d.%d.%s", p.at, p.seq, p.roomID) }

func parsePosition(s string) (position, error) {
	parts := strings.SplitN(s, ".", 3)
	if len(parts) == 3 {
		at, err1 := strconv.ParseInt(parts[0], 10, 64)
		seq, err2 := strconv.ParseInt(parts[1], 10, 64)
		if err1 == nil && err2 == nil && at >= 0 && seq >= 0 && checkRoomID(parts[2]) == nil {
			return position{at: Millis(at), seq: seq, roomID: parts[2]}, nil
		}
	}
	return position{}, fmt.Errorf("%w: the cursor is not one of a search", ErrInvalidArgument)
}

// phrase is a word that is searched for, or several that must stand together: the pairs of a run, see word.
type phrase []string

func phrasesOf(text string) []phrase {
	var phrases []phrase
	run := 0
	for _, w := range split(text) {
		switch {
		case w.single: // the pairs say as much
		case w.run > 0 && w.run == run:
			last := &phrases[len(phrases)-1]
			*last = append(*last, w.folded)
		default:
			phrases = append(phrases, phrase{w.folded})
			run = w.run
		}
	}
	return phrases
}

// termsOf returns the words of phrases, each once.
func termsOf(phrases []phrase) []string {
	terms := slices.Concat(phrases...)
	slices.Sort(terms)
	return slices.Compact(terms)
}

// at reports whether the phrase stands at words[i].
func (p phrase) at(words []word, i int) bool {
	if i+len(p) > len(words) {
		return false
	}
	for k, folded := range p {
		w := words[i+k]
		if w.folded != folded || len(p) > 1 && (w.single || w.run != words[i].run) {
			return false
		}
	}
	return true
}

// find returns where a text has the phrases, and whether it has all of them.
func find(text string, phrases []phrase) ([]Range, bool) {
	var found []Range
	words := split(text)
	for _, p := range phrases {
		n := len(found)
		for i := range words {
			if p.at(words, i) {
				found = append(found, Range{words[i].start, words[i+len(p)-1].end})
			}
		}
		if len(found) == n {
			return nil, false
		}
	}
	return merge(found), true
}
