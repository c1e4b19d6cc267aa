package chat

import (
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, in, want string }{ // want "" means refused
		{"plain", "Ada", "Ada"},
		{"spaces around", "  Ada Lovelace\u00a0", "Ada Lovelace"},
		{"normalised", "Jose\u0301", "Jos\u00e9"},
		{"other scripts", "محمد 王芳 नमस्ते", "محمد 王芳 नमस्ते"},
		{"joined emoji", "👩\u200d💻", "👩\u200d💻"},
		{"64 characters", strings.Repeat("ä", 64), strings.Repeat("ä", 64)},
		{"65 characters", strings.Repeat("a", 65), ""},
		{"a megabyte", strings.Repeat("a", 1<<20), ""},
		{"empty", "", ""},
		{"only spaces", " \t ", ""},
		{"only joiners", "\u200d\u200c", ""},
		{"newline", "Ada\nLovelace", ""},
		{"NUL", "Ada\x00", ""},
		{"right-to-left override", "Ada\u202egnp.exe", ""},
		{"isolate", "\u2066Ada", ""},
		{"zero width space", "Ad\u200ba", ""},
		{"soft hyphen", "Ad\u00ada", ""},
		{"line separator", "Ada\u2028Lovelace", ""},
		{"tag characters", "Ada\U000E0041", ""},
		{"private use", "Ada\ue000", ""},
		{"not UTF-8", "Ada\xff", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			got, err := cleanName(test.in)
			if got != test.want || (err == nil) != (test.want != "") {
				t.Errorf("cleanName(%q) = %q, %v; want %q", test.in, got, err, test.want)
			}
		})
	}
}

func TestCheckUser(t *testing.T) {
	t.Parallel()
	u, err := checkUser(User{ID: "7"})
	if err != nil || u.Name != "7" {
		t.Errorf("a user without a name: %+v, %v", u, err)
	}
	for _, u := range []User{
		{},
		{Name: "Ada"},
		{ID: strings.Repeat("x", 129)},
		{ID: "a\nb"},
		{ID: "a", Name: "\u202e"},
		{ID: "a", AvatarURL: strings.Repeat("x", 2049)},
		{ID: "a", AvatarURL: "javascript:alert(1)"},
	} {
		if _, err := checkUser(u); err == nil {
			t.Errorf("checkUser(%.60v) is let through", u)
		}
	}
}
