package engineio

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestDecodePacket(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, in string
		t        packetType
		data     string
		err      error
	}{
		{"open", `0{"sid":"x"}`, packetOpen, `{"sid":"x"}`, nil},
		{"close", "1", packetClose, "", nil},
		{"ping", "2", packetPing, "", nil},
		{"ping with data", "2probe", packetPing, "probe", nil},
		{"pong", "3", packetPong, "", nil},
		{"message", "4hello", packetMessage, "hello", nil},
		{"empty message", "4", packetMessage, "", nil},
		{"upgrade", "5", packetUpgrade, "", nil},
		{"noop", "6", packetNoop, "", nil},
		{"message of many bytes per character", "4€€€", packetMessage, "€€€", nil},
		{"binary", "bAQIDBA==", packetBinary, "\x01\x02\x03\x04", nil},
		{"empty binary", "b", packetBinary, "", nil},
		{"binary with line breaks, as some encoders make them", "bAQID\r\nBA==", packetBinary, "\x01\x02\x03\x04", nil},
		{"nothing", "", 0, "", errEmptyPacket},
		{"type 7", "7x", '7', "", errPacketType},
		{"letter", "abc", 'a', "", errPacketType},
		{"control character", "\x01", 1, "", errPacketType},
		{"close with content", "10:4x", packetClose, "", errPacketContent},
		{"upgrade with content", "5x", packetUpgrade, "", errPacketContent},
		{"noop with content", "6:4hello", packetNoop, "", errPacketContent},
		{"binary type byte of protocol 3", "\x04x", 4, "", errPacketType},
		{"base64 cut off", "bAQIDBA=", packetBinary, "", errInvalidBase64},
		{"base64 without padding", "bAQIDBA", packetBinary, "", errInvalidBase64},
		{"base64 of the URL alphabet", "b_-8=", packetBinary, "", errInvalidBase64},
		{"base64 with a space", "bAQ ID", packetBinary, "", errInvalidBase64},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			typ, data, err := decodePacket([]byte(c.in))
			require.ErrorIs(t, err, c.err)
			if err == nil {
				require.Equal(t, c.t, typ)
				require.Equal(t, c.data, string(data))
			}
		})
	}
}

func TestNextPacket(t *testing.T) {
	t.Parallel()
	for body, want := range map[string][]string{
		"":                      {""},
		"4a":                    {"4a"},
		"4a\x1e4b":              {"4a", "4b"},
		"4a\x1e":                {"4a", ""},
		"\x1e4a":                {"", "4a"},
		"\x1e\x1e":              {"", "", ""},
		"4test1\x1e4test2\x1eb": {"4test1", "4test2", "b"},
	} {
		var got []string
		rest := []byte(body)
		for more := true; more; {
			var raw []byte
			raw, rest, more = nextPacket(rest)
			got = append(got, string(raw))
		}
		require.Equal(t, want, got, "%q", body)
	}
}

func TestValidText(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"":                 true,
		"hello":            true,
		"κόσμε":            true,
		"\U0010FFFF":       true,
		"\uFFFE":           true,
		"a\x00b":           false,
		"\xc3\x28":         false,
		"\xed\xa0\x80":     false, // a surrogate
		"\xf4\x90\x80\x80": false, // beyond U+10FFFF
		"\xc0\xaf":         false, // overlong
		"abc\xe2\x82":      false, // cut off
	} {
		require.Equal(t, want, validText([]byte(text)), "%q", text)
	}
}

// FuzzPayload decodes the body of a POST as receivePost does: it must not panic, take no more memory than the body has,
// and what it accepts must encode to the same body again.
func FuzzPayload(f *testing.F) {
	for _, seed := range []string{"", "4hello", "4a\x1e4b", "bAQIDBA==", "2probe\x1e3\x1e1\x1e6", "\x1e", "4\xff", "b=", "9"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		if !validText(body) {
			require.True(t, !utf8.Valid(body) || strings.ContainsRune(string(body), 0))
			return
		}
		frugal(t, len(body)+16<<10, func() {
			rest := body
			for more := true; more; {
				var raw []byte
				raw, rest, more = nextPacket(rest)
				if _, _, err := decodePacket(raw); err != nil {
					return
				}
			}
		})
		var again []byte
		rest := body
		for more := true; more; {
			var raw []byte
			raw, rest, more = nextPacket(rest)
			typ, data, err := decodePacket(raw)
			if err != nil {
				return
			}
			require.LessOrEqual(t, len(data), len(raw))
			if typ == packetBinary {
				require.LessOrEqual(t, cap(data), len(data)*5/4+64, "whoever keeps it keeps no more")
			}
			again = append(again, byte(typ))
			if typ == packetBinary {
				if strings.ContainsAny(string(raw), "\r\n") || base64.StdEncoding.EncodeToString(data) != string(raw[1:]) {
					return // line breaks and unused bits are tolerated
				}
				again = base64.StdEncoding.AppendEncode(again, data)
			} else {
				again = append(again, data...)
			}
			if more {
				again = append(again, separator)
			}
		}
		require.Equal(t, string(body), string(again))
	})
}
