package store

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func folded(words []word) []string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = w.folded
	}
	return texts
}

func TestSplit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][]string{
		"":                              {},
		" .,;!?%_'\"*\x00\xff\t ":       {},
		"Hello, World!":                 {"hello", "world"},
		"a to be":                       {"a", "to", "be"},
		"don't":                         {"don", "t"},
		"v1.24 x86_64":                  {"v1", "24", "x86", "64"},
		"NOT (a AND b) NEAR/2 c*":       {"not", "a", "and", "b", "near", "2", "c"},
		"' OR 1=1 --":                   {"or", "1", "1"},
		"Straße STRASSE":                {"strasse", "strasse"},
		"Ｆｕｌｌ ｗｉｄｔｈ ①²":                 {"full", "width", "12"},
		"ﬁle ㎏":                         {"file", "kg"},
		"e\u0301te\u0301 \u00e9t\u00e9": {"\u00e9t\u00e9", "\u00e9t\u00e9"},
		"ΣΊΣΥΦΟΣ σίσυφος":               {"σίσυφοσ", "σίσυφοσ"},
		"soft\u00adhyphen a\u200db":     {"softhyphen", "ab"},
		"one\u200btwo":                  {"one", "two"},
		"\u0301 \u0301x":                {"x"},
		"Привет, МИР":                   {"привет", "мир"},
		"नमस्ते दुनिया":                 {"नमस्ते", "दुनिया"},
		"مرحبا بالعالم":                 {"مرحبا", "بالعالم"},
		"👍🏽 ok":                         {"ok"},
		"東京都":                           {"東京", "京都", "東", "京", "都"},
		"猫":                             {"猫"},
		"猫が好き":                          {"猫が", "が好", "好き", "猫", "好"},
		"ラーメン":                          {"ラー", "ーメ", "メン"},
		"ﾗｰﾒﾝ":                          {"ラー", "ーメ", "メン"},
		"ｶﾞｽ":                           {"ガス"},
		"한국어 OK":                        {"한국", "국어", "ok"},
		"iPhoneを買う":                     {"iphone", "を買", "買う", "買"},
		"ที่นี่":                        {"ที่นี่"},
		"日本 日本":                         {"日本", "日", "本", "日本", "日", "本"},
		"@ann #go":                      {"ann", "go"},
	} {
		require.Equal(t, want, folded(split(text)), text)
	}
}

func TestSplitKeepsPlaces(t *testing.T) {
	t.Parallel()
	text := "Die STRAẞE, ﬁn; 東京 e\u0301t\u00e9."
	var parts []string
	for _, w := range split(text) {
		parts = append(parts, text[w.start:w.end])
	}
	require.Equal(t, []string{"Die", "STRAẞE", "ﬁn", "東京", "東", "京", "e\u0301t\u00e9"}, parts)
}

func TestSplitIsBounded(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 1000)
	require.Equal(t, []string{long[:maxWord]}, folded(split(long)), "known by its beginning")
	marked := "가" + strings.Repeat("\u0301", 1000) + "나"
	for _, w := range split(marked) {
		require.LessOrEqual(t, len(w.folded), maxWord)
	}
	require.Len(t, split(strings.Repeat("a ", 1<<20)), maxIndexedText/2)

	var many strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&many, "w%d ", i)
	}
	sender := strings.Repeat("s", maxID)
	words := indexedWords(sender, many.String())
	require.Len(t, words, maxIndexedWords+1)
	require.Contains(t, words, "@"+sender, "who sent it is never left out")
	require.Contains(t, words, "w0")
	require.NotContains(t, words, "w4999")
	require.True(t, slices.IsSorted(words))
	require.Less(t, len("@"+sender), 160, "fits the column")
}

func TestFind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		query, text string
		want        []string // nil: not found
	}{
		{"hello", "Hello, hello!", []string{"Hello", "hello"}},
		{"hello world", "The World says: HELLO", []string{"World", "HELLO"}},
		{"hello mars", "hello world", nil},
		{"hell", "hello", nil},
		{"%", "100%", []string{}},
		{"a AND b", "a b", nil},
		{"a AND b", "b and a", []string{"b", "and", "a"}},
		{"東京都", "私は東京都に住む", []string{"東京都"}},
		{"東京都", "京都と東京", nil},
		{"東京", "東京、東京", []string{"東京", "東京"}},
		{"猫", "白い猫が好き", []string{"猫"}},
		{"猫", "一匹の 猫", []string{"猫"}},
		{"が好", "猫が好き", []string{"が好"}},
		{"iphone買", "買う iPhone", []string{"買", "iPhone"}},
		{"ﾗｰﾒﾝ", "ラーメン", []string{"ラーメン"}},
		{"日本日本", "日本 日本", nil},
	} {
		ranges, ok := find(c.text, phrasesOf(c.query))
		require.Equal(t, c.want != nil, ok, "%q in %q", c.query, c.text)
		got := []string{}
		for _, r := range ranges {
			got = append(got, c.text[r.Start:r.End])
		}
		require.Equal(t, append([]string{}, c.want...), got, "%q in %q", c.query, c.text)
	}
}

func TestExcerpt(t *testing.T) {
	t.Parallel()
	lorem := strings.Repeat("lorem ipsum ", 100)
	for name, c := range map[string]struct {
		text, query string
		want        string // with [ ] around what matched
	}{
		"short":                   {"say hello", "hello", "say [hello]"},
		"several":                 {"a b a", "a", "[a] b [a]"},
		"without words":           {"say hello", "", "say hello"},
		"empty":                   {"", "", ""},
		"beginning of a long one": {"hello " + lorem, "hello", "[hello] " + strings.Repeat("lorem ipsum ", 16) + "lorem…"},
		"end of a long one":       {lorem + "hello", "hello", "…" + strings.Repeat("lorem ipsum ", 16) + "[hello]"},
		"middle of a long one": {lorem + "hello " + lorem, "hello", "…" + strings.Repeat("lorem ipsum ", 4) + "[hello] " +
			strings.Repeat("lorem ipsum ", 12) + "lorem…"},
	} {
		var got strings.Builder
		ranges, ok := find(c.text, phrasesOf(c.query))
		require.True(t, ok, name)
		e := excerptOf(c.text, ranges)
		at := 0
		for _, r := range e.Ranges {
			got.WriteString(e.Text[at:r.Start] + "[" + e.Text[r.Start:r.End] + "]")
			at = r.End
		}
		require.Equal(t, c.want, got.String()+e.Text[at:], name)
	}
}

// shared reports whether w and another word have a character in common, such as ½, which is 1 and 2.
func shared(words []word, w word) bool {
	return slices.ContainsFunc(words, func(o word) bool {
		return o != w && o.start < w.end && w.start < o.end && (o.run != w.run || w.run == 0)
	})
}

// Whatever a text is, its words fit the index, and each part of it is found in it.
func FuzzWords(f *testing.F) {
	for _, text := range []string{
		"", "Hello, World!", "' OR 1=1 --", "%_*\"\x00\xff", "Straße ﬁ ½ ①", "東京都に住む猫", "ｶﾞﾗｽ ラーメン", "한국어", "ที่นี่",
		"e\u0301\u0301 \u0301", "a\u00adb\u200bc", strings.Repeat("가\u0301", 40), "İıſK", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", strings.Repeat("x", 200),
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words := split(text)
		for i, w := range words {
			require.True(t, 0 <= w.start && w.start < w.end && w.end <= len(text), "%+v", w)
			require.True(t, w.folded != "" && len(w.folded) <= maxWord && utf8.ValidString(w.folded), "%+v", w)
			require.NotContains(t, w.folded, "\x00")
			require.NotContains(t, w.folded, "@")
			if utf8.ValidString(text) {
				require.True(t, utf8.ValidString(text[w.start:w.end]))
			}
			if i >= 50 || shared(words, w) {
				continue
			}
			ranges, ok := find(text, phrasesOf(text[w.start:w.end]))
			require.True(t, ok, "%q in %q", text[w.start:w.end], text)
			e := excerptOf(text, ranges)
			for i, r := range e.Ranges {
				require.True(t, 0 <= r.Start && r.Start < r.End && r.End <= len(e.Text), "%+v", e)
				require.True(t, i == 0 || e.Ranges[i-1].End <= r.Start, "%+v", e)
			}
			require.NotEmpty(t, e.Ranges)
		}
		indexed := indexedWords("", text)
		require.LessOrEqual(t, len(indexed), maxIndexedWords)
		if len(indexed) < maxIndexedWords {
			require.Subset(t, indexed, termsOf(phrasesOf(text)[:min(50, len(phrasesOf(text)))]))
		}
	})
}

func BenchmarkWords(b *testing.B) {
	for name, text := range map[string]string{
		"english": "Well, the new release is on the staging server; could somebody please have a look at it before lunch?",
		"russian": "Ну что, новая версия уже на тестовом сервере; может кто-нибудь посмотреть до обеда?",
		"chinese": "新版本已经在测试服务器上了，午饭前有人能看一下吗？",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_ = indexedWords("ann", text)
			}
		})
	}
}
