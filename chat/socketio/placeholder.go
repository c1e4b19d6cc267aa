package socketio

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
)

// placeholderKey marks an object that stands for an attachment: {"_placeholder":true,"num":0}.
const placeholderKey = "_placeholder"

// placeholder is one of them: where it is in the JSON, and which attachment it stands for.
type placeholder struct {
	start, end int
	num        int
}

// checkPlaceholders makes sure that each of n attachments is named exactly once. References that point elsewhere have
// been ways into other implementations (CVE-2022-2421).
func checkPlaceholders(data []byte, n int) error {
	if n == 0 {
		return nil
	}
	found, err := findPlaceholders(data)
	if err != nil {
		return err
	}
	if len(found) != n {
		return badPacket("%d placeholders for %d attachments", len(found), n)
	}
	seen := make([]bool, n)
	for _, p := range found {
		if p.num >= n || seen[p.num] {
			return badPacket("placeholder of attachment %d", p.num)
		}
		seen[p.num] = true
	}
	return nil
}

// findPlaceholders returns the placeholders of valid JSON in the order of their appearance.
func findPlaceholders(data []byte) ([]placeholder, error) {
	f := placeholderFinder{dec: json.NewDecoder(bytes.NewReader(data))}
	f.dec.UseNumber()
	if _, err := f.value(); err != nil {
		return nil, err
	}
	return f.found, nil
}

type placeholderFinder struct {
	dec   *json.Decoder
	found []placeholder
}

// value walks over one value and returns it if it is a scalar. The recursion is bounded by maxJSONDepth.
func (f *placeholderFinder) value() (scalar json.Token, err error) {
	token, err := f.dec.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errPacket, err)
	}
	switch token {
	case json.Delim('['):
		return nil, f.array()
	case json.Delim('{'):
		return nil, f.object(int(f.dec.InputOffset()) - 1)
	default:
		return token, nil
	}
}

func (f *placeholderFinder) array() error {
	for f.dec.More() {
		if _, err := f.value(); err != nil {
			return err
		}
	}
	_, err := f.dec.Token()
	return err
}

// object walks over an object that began at start. As in JavaScript, the last of equal keys counts.
func (f *placeholderFinder) object(start int) error {
	var marked bool
	var num json.Token
	before := len(f.found)
	for f.dec.More() {
		key, err := f.dec.Token()
		if err != nil {
			return fmt.Errorf("%w: %w", errPacket, err)
		}
		value, err := f.value()
		if err != nil {
			return err
		}
		switch key {
		case placeholderKey:
			marked = value == true
		case "num":
			num = value
		}
	}
	if _, err := f.dec.Token(); err != nil {
		return fmt.Errorf("%w: %w", errPacket, err)
	}
	if !marked {
		return nil
	}
	number, ok := num.(json.Number)
	if !ok || len(f.found) > before {
		return badPacket("placeholder without a number, or with another inside")
	}
	n, err := strconv.Atoi(number.String())
	if err != nil || n < 0 {
		return badPacket("placeholder number")
	}
	f.found = append(f.found, placeholder{start: start, end: int(f.dec.InputOffset()), num: n})
	return nil
}
