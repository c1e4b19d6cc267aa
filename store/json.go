package store

import (
	"database/sql/driver"
	"encoding/json"
	"fmt"
)

// RawJSON is a JSON value that the store keeps and does not look into. Nil when there is none.
type RawJSON []byte

// Value stores text, not bytes: SQLite would keep bytes as a BLOB, which its JSON functions read as something else.
func (r RawJSON) Value() (driver.Value, error) { return string(r), nil }

// Scan implements [database/sql.Scanner].
func (r *RawJSON) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*r = nil
	case string:
		*r = append((*r)[:0:0], v...)
	case []byte:
		*r = append((*r)[:0:0], v...)
	default:
		return fmt.Errorf("store: a JSON column holds a %T", src)
	}
	return nil
}

// MarshalJSON returns the value itself, null when there is none.
func (r RawJSON) MarshalJSON() ([]byte, error) { return json.RawMessage(r).MarshalJSON() }

// UnmarshalJSON keeps a copy of data.
func (r *RawJSON) UnmarshalJSON(data []byte) error {
	*r = append((*r)[:0:0], data...)
	return nil
}

// jsonText is how a value is stored that is none more often than not.
func jsonText(v any, none bool) (driver.Value, error) {
	if none {
		return "", nil
	}
	text, err := json.Marshal(v)
	return string(text), err
}

// scanJSON reads what jsonText has stored into the pointer v.
func scanJSON[T any](src any, v *T) error {
	var raw RawJSON
	if err := raw.Scan(src); err != nil {
		return err
	}
	var fresh T // what is decoded into a map adds to it
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &fresh); err != nil {
			return fmt.Errorf("store: a JSON column: %w", err)
		}
	}
	*v = fresh
	return nil
}
