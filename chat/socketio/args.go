package socketio

import (
	"encoding/base64"
	"encoding/json"
	"errors"
)

// Args are the arguments of an event or of an acknowledgement, as the client sent them. They may be kept and read by
// several goroutines, and must not be changed.
type Args struct {
	items       []json.RawMessage
	attachments [][]byte
}

// errMissing is the error of an argument that the client did not send.
var errMissing = errors.New("missing")

// Len returns the number of arguments.
func (a Args) Len() int { return len(a.items) }

// Decode decodes the argument at position i into the value that v points to, as encoding/json does. Binary data that
// the client sent goes into []byte fields, at any depth; in values of type any that it meets on a path of maps and
// slices it is a []byte as well. The error is an [ArgumentError], also when there is no such argument.
func (a Args) Decode(i int, v any) error {
	if i < 0 || i >= len(a.items) {
		return &ArgumentError{Index: i, Err: errMissing}
	}
	if err := a.decode(a.items[i], v); err != nil {
		return &ArgumentError{Index: i, Err: err}
	}
	return nil
}

// Raw returns the JSON of the argument at position i, or nil if there is none. Binary data appears in it as the
// protocol's placeholder, {"_placeholder":true,"num":0}.
func (a Args) Raw(i int) json.RawMessage {
	if i < 0 || i >= len(a.items) {
		return nil
	}
	return a.items[i]
}

// Bytes returns the argument at position i if it is binary data.
func (a Args) Bytes(i int) (data []byte, ok bool) {
	if i < 0 || i >= len(a.items) {
		return nil, false
	}
	return a.attachment(a.items[i])
}

// attachment returns what raw stands for, if raw is a placeholder and nothing else.
func (a Args) attachment(raw json.RawMessage) ([]byte, bool) {
	if len(a.attachments) == 0 {
		return nil, false
	}
	found, err := findPlaceholders(raw)
	if err != nil || len(found) != 1 || found[0].start != 0 || found[0].end != len(raw) {
		return nil, false
	}
	return a.attachments[found[0].num], true
}

func (a Args) decode(raw json.RawMessage, v any) error {
	if text, ok := v.(*string); ok && text != nil {
		if plain, ok := plainString(raw); ok {
			*text = plain
			return nil
		}
	}
	if len(a.attachments) == 0 {
		return json.Unmarshal(raw, v)
	}
	switch v := v.(type) {
	case *any, *map[string]any, *[]any:
		return a.decodeTree(raw, v)
	case *[]byte:
		if data, ok := a.attachment(raw); ok {
			*v = data
			return nil
		}
	}
	return a.decodeInline(raw, v)
}

// decodeInline puts the attachments into the JSON as base64, which is what encoding/json takes for a []byte.
func (a Args) decodeInline(raw json.RawMessage, v any) error {
	found, err := findPlaceholders(raw)
	if err != nil {
		return err
	}
	var out []byte
	last := 0
	for _, p := range found {
		out = append(append(out, raw[last:p.start]...), '"')
		out = append(base64.StdEncoding.AppendEncode(out, a.attachments[p.num]), '"')
		last = p.end
	}
	return json.Unmarshal(append(out, raw[last:]...), v)
}

// decodeTree decodes into maps and slices and puts the attachments where their placeholders are.
func (a Args) decodeTree(raw json.RawMessage, v any) error {
	var tree any
	if err := json.Unmarshal(raw, &tree); err != nil {
		return err
	}
	tree = a.fill(tree)
	switch v := v.(type) {
	case *any:
		*v = tree
		return nil
	case *map[string]any:
		if m, ok := tree.(map[string]any); ok {
			*v = m
			return nil
		}
	case *[]any:
		if s, ok := tree.([]any); ok {
			*v = s
			return nil
		}
	}
	return a.decodeInline(raw, v) // for encoding/json's error
}

// fill replaces the placeholders of a decoded tree, whose nesting is bounded by maxJSONDepth.
func (a Args) fill(tree any) any {
	switch t := tree.(type) {
	case map[string]any:
		if t[placeholderKey] == true {
			if num, ok := t["num"].(float64); ok {
				return a.attachments[int(num)] // checked when the packet came in
			}
		}
		for key, value := range t {
			t[key] = a.fill(value)
		}
	case []any:
		for i, value := range t {
			t[i] = a.fill(value)
		}
	}
	return tree
}
