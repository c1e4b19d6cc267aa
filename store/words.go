package store

import (
	"slices"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// Limits of the search index. What is beyond them is stored and shown, and not found.
const (
	maxIndexedText  = 64 << 10 // bytes of a text that are looked at
	maxIndexedWords = 1024     // distinct words of a message
	maxWord         = 128      // bytes of a word, of which a longer one is known by its beginning; the column holds 160
	maxCharacter    = 64       // bytes of a character with its marks, two of which make a word
)

// word is a part of a text, in the form in which it is compared: NFKC with capitals folded.
type word struct {
	folded     string
	start, end int // bytes of the text

	// In scripts without spaces a run of characters becomes its pairs, one after the other, all of the same run: 1, 2, 3 …
	// A word with spaces around it is of run 0. Single marks one character of a run, beside the pairs.
	run    int
	single bool
}

// split returns the words of a text: runs of letters, digits and their marks. There are no words that are too short or too common.
func split(text string) []word {
	s := splitter{}
	text = beginning(text, maxIndexedText)
	fold := cases.Fold()
	for start := 0; start < len(text); {
		if ascii(text, start) && ascii(text, start+1) { // most of most texts
			s.add(unicode.ToLower(rune(text[start])), start, start+1)
			start++
			continue
		}
		end := start + norm.NFKC.NextBoundaryInString(text[start:], true)
		for _, r := range fold.String(norm.NFKC.String(text[start:end])) {
			s.add(r, start, end)
		}
		start = end
	}
	s.endWord()
	s.endRun()
	return s.words
}

// ascii reports whether no character with a code of its own, such as an accent, is at a place of the text.
func ascii(text string, at int) bool { return at >= len(text) || text[at] < utf8.RuneSelf }

// beginning cuts a text to at most n bytes, between two characters.
func beginning(text string, n int) string {
	if len(text) <= n {
		return text
	}
	for n > 0 && !utf8.RuneStart(text[n]) {
		n--
	}
	return text[:n]
}

// splitter reads a text character by character.
type splitter struct {
	words []word
	run   int

	word  piece   // being read, with spaces around it
	chars []piece // of the run being read
}

// piece is a word or a character that is being read.
type piece struct {
	folded     []byte
	start, end int
}

func (p *piece) add(r rune, start, end, limit int) {
	if len(p.folded) == 0 {
		p.start = start
	}
	p.end = end
	if len(p.folded)+utf8.RuneLen(r) <= limit {
		p.folded = utf8.AppendRune(p.folded, r)
	}
}

// add takes a character, which stands for text[start:end] or for a part of it.
func (s *splitter) add(r rune, start, end int) {
	switch {
	case invisible(r):
	case unicode.IsMark(r): // belongs to what it follows
		if n := len(s.chars); n > 0 {
			s.chars[n-1].add(r, start, end, maxCharacter)
		} else if len(s.word.folded) > 0 {
			s.word.add(r, start, end, maxWord)
		}
	case unspaced(r):
		s.endWord()
		s.chars = append(s.chars, piece{})
		s.chars[len(s.chars)-1].add(r, start, end, maxCharacter)
	case unicode.IsLetter(r), unicode.IsNumber(r):
		s.endRun()
		s.word.add(r, start, end, maxWord)
	default:
		s.endWord()
		s.endRun()
	}
}

func (s *splitter) endWord() {
	if len(s.word.folded) > 0 {
		s.words = append(s.words, word{folded: string(s.word.folded), start: s.word.start, end: s.word.end})
	}
	s.word.folded = s.word.folded[:0]
}

// endRun makes pairs of the characters read, because nobody knows where a word ends. A Chinese character often is a word: each is one
// besides.
func (s *splitter) endRun() {
	chars := s.chars
	s.chars = s.chars[:0]
	if len(chars) == 0 {
		return
	}
	s.run++
	for i := range len(chars) - 1 {
		pair := string(chars[i].folded) + string(chars[i+1].folded)
		s.words = append(s.words, word{folded: pair, start: chars[i].start, end: chars[i+1].end, run: s.run})
	}
	for _, c := range chars {
		if r, _ := utf8.DecodeRune(c.folded); len(chars) == 1 || unicode.Is(unicode.Han, r) {
			s.words = append(s.words, word{folded: string(c.folded), start: c.start, end: c.end, run: s.run, single: len(chars) > 1})
		}
	}
}

// unspaced reports whether r is of a script that does without spaces between words, or attaches endings to them.
func unspaced(r rune) bool {
	if r < 0x0E00 {
		return false
	}
	const prolonged = 'ー' // of Hiragana and Katakana alike, so of neither
	return r == prolonged || unicode.IsLetter(r) && unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul,
		unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// invisible reports whether r may stand within a word without being seen there. The space of no width does end a word.
func invisible(r rune) bool {
	const zeroWidthSpace = '\u200b'
	return r >= 0xAD && r != zeroWidthSpace && unicode.In(r, unicode.Cf, unicode.Variation_Selector)
}

// senderWord is how the index knows the sender of a message; no text has a word like it.
func senderWord(userID string) string { return "@" + userID }

// indexedWords returns the words by which a message is found, each once, in order.
func indexedWords(senderID, text string) []string {
	words := make([]string, 0, 16)
	if senderID != "" {
		words = append(words, senderWord(senderID))
	}
	seen := make(map[string]bool)
	for _, w := range split(text) {
		if !seen[w.folded] {
			if len(seen) == maxIndexedWords {
				break
			}
			seen[w.folded] = true
			words = append(words, w.folded)
		}
	}
	slices.Sort(words)
	return words
}
