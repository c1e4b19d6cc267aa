package chatmw_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	chatmw "github.com/echochat/echochat/middleware"
)

func TestWordsMask(t *testing.T) {
	t.Parallel()
	filter := chatmw.Words([]string{"damn", "Straße", "two words", "ass", "바보", "坏蛋", "アパ", "ート", "キロ", "メガ", "naïve"})
	for _, tc := range []struct{ name, in, want string }{
		{"nothing", "all is well", "all is well"},
		{"empty", "", ""},
		{"whole", "damn", "****"},
		{"capitals", "DaMn, no", "****, no"},
		{"all of them", "damn damn", "**** ****"},
		{"part of a longer word", "class, damnation, sassy", "class, damnation, sassy"},
		{"digits and underscore belong to a word", "ass2 _ass", "ass2 _ass"},
		{"punctuation does not", "(ass)…ass!", "(***)…***!"},
		{"full case folding", "STRASSE", "*******"},
		{"width", "ｄａｍｎ", "****"},
		{"composed or not", "nai\u0308ve nai\u0308ve", "****** ******"},
		{"a mark makes another letter", "da\u0308mn", "da\u0308mn"},
		{"invisible characters", "da\u200bm\u00adn", "******"},
		{"phrase", "these two\n words here", "these two\n words here"},
		{"phrase over a line", "these two\nwords here", "these ********* here"},
		{"Korean ending", "너 바보야", "너 **야"},
		{"Chinese has no spaces", "你是坏蛋吗", "你是**吗"},
		{"beside another script", "damn은", "****은"},
		{"two words in one character", "㌀", "*"},
		{"half a character", "㌂ ㌖㍋", "㌂ **"},
		{"invalid UTF-8 stays", "\xff damn", "\xff ****"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := &chat.Draft{Text: tc.in}
			require.NoError(t, filter(t.Context(), d))
			require.Equal(t, tc.want, d.Text)
		})
	}
}

func TestWordsLongestWins(t *testing.T) {
	t.Parallel()
	d := &chat.Draft{Text: "son of a gun"}
	require.NoError(t, chatmw.Words([]string{"son", "son of a gun"})(t.Context(), d))
	require.Equal(t, "************", d.Text)
}

func TestWordsRefuse(t *testing.T) {
	t.Parallel()
	filter := chatmw.WordsWithConfig(chatmw.WordsConfig{List: []string{"damn"}, Reason: "Please stay polite."})
	require.NoError(t, filter(t.Context(), &chat.Draft{Text: "hello"}))

	d := &chat.Draft{Text: "Damn!"}
	err := filter(t.Context(), d)
	var refusal *chat.Error
	require.ErrorAs(t, err, &refusal)
	require.Equal(t, chat.CodeMessageRejected, refusal.Code)
	require.Equal(t, "Please stay polite.", refusal.Message)
	require.Equal(t, "Damn!", d.Text)
}

func TestWordsOwnMask(t *testing.T) {
	t.Parallel()
	d := &chat.Draft{Text: "oh damn"}
	require.NoError(t, chatmw.WordsWithConfig(chatmw.WordsConfig{List: []string{"damn"}, Mask: '•'})(t.Context(), d))
	require.Equal(t, "oh ••••", d.Text)
}

func TestWordsPanics(t *testing.T) {
	t.Parallel()
	require.PanicsWithValue(t, "chatmw: Words: the list is empty", func() { chatmw.Words(nil) })
	require.PanicsWithValue(t, "chatmw: Words: entry 2 is empty", func() { chatmw.Words([]string{"a", " \u200b"}) })
}

func FuzzWords(f *testing.F) {
	filter := chatmw.Words([]string{"damn", "two words", "アパ", "ート", "ß"})
	for _, seed := range []string{"damn", "㌀", "\xff\xfe", "ｄａｍｎ two words", strings.Repeat("\u0308", 99), "ẞ"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d := &chat.Draft{Text: text}
		require.NoError(t, filter(t.Context(), d))
		masked := d.Text
		require.NoError(t, filter(t.Context(), d))
		require.Equal(t, masked, d.Text, "masking leaves nothing to mask")
	})
}

func BenchmarkWords(b *testing.B) {
	list := make([]string, 1000)
	for i := range list {
		list[i] = string(rune('a'+i%26)) + strings.Repeat("x", 1+i/26)
	}
	filter := chatmw.Words(list)
	text := strings.Repeat("An ordinary message of some length. ", 8)
	b.ReportAllocs()
	for b.Loop() {
		if err := filter(b.Context(), &chat.Draft{Text: text}); err != nil {
			b.Fatal(err)
		}
	}
}
