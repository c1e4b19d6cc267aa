package socketio

import "encoding/json"

// The payload of a packet is checked and taken apart in one pass: what encoding/json would do in three, for every event
// that comes in. The grammar is that of RFC 8259, as encoding/json takes it; a test compares the two.

// scanArray appends the items of the JSON array that data consists of. It is false if that is not one, is nested too
// deeply or has too many items.
func scanArray(data []byte, items []json.RawMessage) (_ []json.RawMessage, ok bool) {
	i := skipSpace(data, 0)
	if i == len(data) || data[i] != '[' {
		return nil, false
	}
	if i = skipSpace(data, i+1); i < len(data) && data[i] == ']' {
		return items, skipSpace(data, i+1) == len(data)
	}
	for {
		end := scanValue(data, i, 1)
		if end < 0 || len(items) == maxArguments {
			return nil, false
		}
		items = append(items, data[i:end:end])
		i = skipSpace(data, end)
		switch {
		case i == len(data):
			return nil, false
		case data[i] == ',':
			i = skipSpace(data, i+1)
		case data[i] == ']':
			return items, skipSpace(data, i+1) == len(data)
		default:
			return nil, false
		}
	}
}

// scanObject reports whether data is one JSON object that is not nested too deeply.
func scanObject(data []byte) bool {
	return len(data) > 0 && data[0] == '{' && skipSpace(data, max(scanValue(data, 0, 0), 0)) == len(data)
}

// scanValue returns the end of the JSON value that begins at data[i], inside of so many arrays and objects, or -1 if
// there is none.
func scanValue(data []byte, i, depth int) (end int) {
	if i >= len(data) {
		return -1
	}
	switch c := data[i]; {
	case c == '"':
		return scanString(data, i)
	case c == '{' || c == '[':
		if depth >= maxJSONDepth {
			return -1
		}
		return scanItems(data, i, depth+1)
	case c == '-' || c >= '0' && c <= '9':
		return scanNumber(data, i)
	case c == 't':
		return scanWord(data, i, "true")
	case c == 'f':
		return scanWord(data, i, "false")
	case c == 'n':
		return scanWord(data, i, "null")
	default:
		return -1
	}
}

// scanItems returns the end of the array or object that begins at data[i].
func scanItems(data []byte, i, depth int) (end int) {
	object, last := data[i] == '{', data[i]+2 // the closing bracket comes two after the opening one in ASCII
	if i = skipSpace(data, i+1); i < len(data) && data[i] == last {
		return i + 1
	}
	for {
		if object {
			if i == len(data) || data[i] != '"' {
				return -1
			}
			if i = scanString(data, i); i < 0 {
				return -1
			}
			if i = skipSpace(data, i); i == len(data) || data[i] != ':' {
				return -1
			}
			i = skipSpace(data, i+1)
		}
		if i = scanValue(data, i, depth); i < 0 {
			return -1
		}
		switch i = skipSpace(data, i); {
		case i == len(data):
			return -1
		case data[i] == ',':
			i = skipSpace(data, i+1)
		case data[i] == last:
			return i + 1
		default:
			return -1
		}
	}
}

func scanString(data []byte, i int) (end int) {
	for i++; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			return i + 1
		case c < ' ':
			return -1
		case c != '\\':
			continue
		}
		if i++; i == len(data) {
			return -1
		}
		switch data[i] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		case 'u':
			for range 4 {
				if i++; i == len(data) || !isHex(data[i]) {
					return -1
				}
			}
		default:
			return -1
		}
	}
	return -1
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func scanNumber(data []byte, i int) (end int) {
	if data[i] == '-' {
		i++
	}
	switch {
	case i < len(data) && data[i] == '0':
		i++
	case i < len(data) && data[i] >= '1' && data[i] <= '9':
		i += countDigits(data[i:])
	default:
		return -1
	}
	if i < len(data) && data[i] == '.' {
		n := countDigits(data[i+1:])
		if n == 0 {
			return -1
		}
		i += 1 + n
	}
	if i < len(data) && (data[i] == 'e' || data[i] == 'E') {
		if i++; i < len(data) && (data[i] == '+' || data[i] == '-') {
			i++
		}
		n := countDigits(data[i:])
		if n == 0 {
			return -1
		}
		i += n
	}
	return i
}

func scanWord(data []byte, i int, word string) (end int) {
	if end = i + len(word); end > len(data) || string(data[i:end]) != word {
		return -1
	}
	return end
}

func skipSpace(data []byte, i int) int {
	for i < len(data) && (data[i] == ' ' || data[i] == '\n' || data[i] == '\t' || data[i] == '\r') {
		i++
	}
	return i
}
