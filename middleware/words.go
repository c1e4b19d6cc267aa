package chatmw

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/echochat/echochat/chat"
)

// WordsConfig says what happens to a message that has a listed word.
type WordsConfig struct {
	// List has the words, or phrases of several. Capitals, width and compatibility forms make no difference (Unicode case
	// folding after NFKC), nor do invisible characters in between. A word is matched whole: "ass" is not in "class".
	// In scripts written without spaces, or with endings attached, it is matched wherever it stands.
	List []string
	// Reason, if set, refuses the message with this text for its sender, instead of masking the word.
	Reason string
	// Mask takes the place of each character of a word. Defaults to '*'.
	Mask rune
}

// Words masks the listed words: each of their characters becomes a '*'. See [WordsConfig] for what matches. It panics if
// the list, or an entry of it, is empty.
func Words(list []string) chat.Filter { return WordsWithConfig(WordsConfig{List: list}) }

// WordsWithConfig is Words with another mask, or with refusal instead.
func WordsWithConfig(cfg WordsConfig) chat.Filter {
	if cfg.Mask == 0 {
		cfg.Mask = '*'
	}
	words := newWordList(cfg.List)
	return func(_ context.Context, d *chat.Draft) error {
		found := words.find(fold(d.Text))
		if len(found) > 0 && cfg.Reason != "" {
			return chat.Reject(cfg.Reason)
		}
		d.Text = mask(d.Text, found, cfg.Mask)
		return nil
	}
}

// wordList has the folded entries by their first character.
type wordList map[rune][][]rune

func newWordList(list []string) wordList {
	if len(list) == 0 {
		panic("chatmw: Words: the list is empty")
	}
	words := make(wordList)
	for i, entry := range list {
		folded := fold(strings.TrimSpace(entry)).runes
		if len(folded) == 0 {
			panic(fmt.Sprintf("chatmw: Words: entry %d is empty", i+1))
		}
		words[folded[0]] = append(words[folded[0]], folded)
	}
	return words
}

// span is a part of a text, in bytes.
type span struct{ start, end int }

// find returns the parts of the text that are listed, in order and without overlap, the longest at each place.
func (w wordList) find(t folded) []span {
	var found []span
	for i := 0; i < len(t.runes); {
		n := 0
		for _, word := range w[t.runes[i]] {
			if len(word) > n && t.has(word, i) {
				n = len(word)
			}
		}
		if n > 0 {
			found = append(found, span{t.at[i].start, t.at[i+n-1].end})
		}
		i += max(n, 1)
	}
	return found
}

// folded is a text in the form it is compared in, and where each of its characters comes from.
type folded struct {
	runes []rune
	at    []span
}

func fold(text string) folded {
	t := folded{make([]rune, 0, len(text)), make([]span, 0, len(text))}
	lower := cases.Fold()
	for start := 0; start < len(text); {
		at := span{start, start + norm.NFKC.NextBoundaryInString(text[start:], true)}
		if r := rune(text[start]); at.end == start+1 && r < utf8.RuneSelf { // most of most texts
			t.add(unicode.ToLower(r), at)
		} else {
			for _, r := range lower.String(norm.NFKC.String(text[at.start:at.end])) {
				if !unicode.In(r, unicode.Cf, unicode.Variation_Selector) {
					t.add(r, at)
				}
			}
		}
		start = at.end
	}
	return t
}

func (t *folded) add(r rune, at span) {
	if unicode.IsSpace(r) { // any space within a phrase is as good as another
		r = ' '
	}
	t.runes, t.at = append(t.runes, r), append(t.at, at)
}

// has reports whether word stands at i, with nothing before or after that makes it a part of a longer one.
func (t folded) has(word []rune, i int) bool {
	end := i + len(word)
	if end > len(t.runes) || !slices.Equal(t.runes[i:end], word) {
		return false
	}
	joinedBefore := i > 0 && spells(t.runes[i-1]) && spells(word[0])
	joinedAfter := end < len(t.runes) && spells(word[len(word)-1]) && spells(t.runes[end])
	return !joinedBefore && !joinedAfter
}

// spells reports whether r makes one word with a neighbour of its kind: not where a script has no spaces between words
// or, as Korean, attaches endings to them.
func spells(r rune) bool {
	return (r == '_' || unicode.In(r, unicode.L, unicode.M, unicode.N)) &&
		!unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
}

// mask replaces each character of the spans.
func mask(text string, spans []span, with rune) string {
	var b strings.Builder
	rest := 0
	for _, s := range spans {
		start := max(s.start, rest) // two words may share a character, such as a ligature
		b.WriteString(text[rest:start])
		b.WriteString(strings.Repeat(string(with), utf8.RuneCountInString(text[start:s.end])))
		rest = s.end
	}
	b.WriteString(text[rest:])
	return b.String()
}
