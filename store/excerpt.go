package store

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The size of an excerpt, in characters.
const (
	excerptLength = 200
	excerptBefore = 50 // how much of the text before the first match it shows
	excerptSeek   = 20 // how far it goes to begin or end between two words
)

// Range is a part of a text: the bytes from Start up to End, always whole characters.
type Range struct{ Start, End int }

// Excerpt shows where a message has what was searched for.
type Excerpt struct {
	Text   string  // A part of the message's text, about 200 characters, with "…" where something was left out. Plain text, not HTML.
	Ranges []Range // What matched in Text, ascending and apart. Empty where no words were searched for.
}

// excerptOf cuts the surroundings of the first match out of a text.
func excerptOf(text string, matches []Range) Excerpt {
	start := 0
	if len(matches) > 0 {
		start = back(text, matches[0].Start, excerptBefore)
	}
	end := forward(text, start, excerptLength)
	if end == len(text) {
		start = back(text, end, excerptLength) // no reason to leave out more than needed
	}
	if start > 0 {
		start = seek(text, start, forward(text, start, excerptSeek))
	}
	if end < len(text) {
		end = seek(text, end, forward(text, end, excerptSeek))
	}
	var e Excerpt
	shift := -start
	if start > 0 {
		e.Text = "…"
		shift += len(e.Text)
	}
	e.Text += strings.TrimRightFunc(text[start:end], unicode.IsSpace)
	limit := len(e.Text)
	if end < len(text) {
		e.Text += "…"
	}
	for _, m := range matches {
		if m = (Range{m.Start + shift, m.End + shift}); m.Start >= limit {
			break
		}
		e.Ranges = append(e.Ranges, Range{m.Start, min(m.End, limit)})
	}
	return e
}

// back and forward return where n characters before or after a place are.
func back(text string, at, n int) int {
	for ; n > 0 && at > 0; n-- {
		_, size := utf8.DecodeLastRuneInString(text[:at])
		at -= size
	}
	return at
}

func forward(text string, at, n int) int {
	for ; n > 0 && at < len(text); n-- {
		_, size := utf8.DecodeRuneInString(text[at:])
		at += size
	}
	return at
}

// seek returns the beginning of the first word within text[at:limit], or at.
func seek(text string, at, limit int) int {
	if i := strings.IndexFunc(text[at:limit], unicode.IsSpace); i >= 0 {
		_, size := utf8.DecodeRuneInString(text[at+i:])
		return at + i + size
	}
	return at
}

// merge sorts ranges and joins those that overlap.
func merge(ranges []Range) []Range {
	slices.SortFunc(ranges, func(a, b Range) int { return a.Start - b.Start })
	var merged []Range
	for _, r := range ranges {
		if n := len(merged); n > 0 && r.Start < merged[n-1].End {
			merged[n-1].End = max(merged[n-1].End, r.End)
		} else {
			merged = append(merged, r)
		}
	}
	return merged
}
