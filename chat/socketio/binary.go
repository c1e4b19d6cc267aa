package socketio

import (
	"bytes"
	"crypto/rand"
	"encoding"
	"encoding/base64"
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"sync"
)

// Binary data anywhere in an argument travels as an attachment. encoding/json has no way to leave a hole in its
// output, so the arguments that hold a []byte are encoded from a copy in which each is replaced by a marker that
// occurs nowhere else; where the markers' base64 then stands in the JSON, the placeholders go. So everything else
// keeps the form that encoding/json gives it.

// markerSize is the length of a marker: a prefix of 21 random bytes, and 3 bytes of position. Both are multiples of
// three, so each has base64 of its own.
const (
	markerPrefix = 21
	markerSize   = markerPrefix + 3
	maxMarkers   = 1 << 24
)

// maxValueDepth ends the walk through values that contain themselves; encoding/json reports those.
const maxValueDepth = 1000

// binaryTypes knows which types can hold binary data.
type binaryTypes struct {
	known sync.Map // reflect.Type -> bool
}

// mayHold reports whether a value of the type can hold binary data.
func (b *binaryTypes) mayHold(t reflect.Type) bool {
	if known, ok := b.known.Load(t); ok {
		return known.(bool)
	}
	may := mayHoldBinary(t, map[reflect.Type]bool{})
	b.known.Store(t, may)
	return may
}

func mayHoldBinary(t reflect.Type, visited map[reflect.Type]bool) bool {
	if visited[t] {
		return false
	}
	visited[t] = true
	if isBinary(t) {
		return true
	}
	if encodesItself(t) {
		return false
	}
	switch t.Kind() {
	case reflect.Interface:
		return true
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return mayHoldBinary(t.Elem(), visited)
	case reflect.Struct:
		for i := range t.NumField() {
			if f := t.Field(i); encodedField(f) && mayHoldBinary(f.Type, visited) {
				return true
			}
		}
	}
	return false
}

// isBinary reports whether encoding/json would write the type as base64.
func isBinary(t reflect.Type) bool {
	return t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 &&
		!encodesItself(t) && !encodesItself(t.Elem())
}

// encodesItself reports whether the type decides itself about its JSON.
func encodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Interface {
		return false // what is in it decides
	}
	for _, marshaler := range []reflect.Type{reflect.TypeFor[json.Marshaler](), reflect.TypeFor[encoding.TextMarshaler]()} {
		if t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler) {
			return true
		}
	}
	return false
}

// encodedField reports whether encoding/json looks at the field.
func encodedField(f reflect.StructField) bool {
	return (f.IsExported() || f.Anonymous) && f.Tag.Get("json") != "-"
}

// leavesOutEmpty reports whether encoding/json leaves the field out when it is empty.
func leavesOutEmpty(f reflect.StructField) bool {
	_, options, _ := strings.Cut(f.Tag.Get("json"), ",")
	for option := range strings.SplitSeq(options, ",") {
		if option == "omitempty" {
			return true
		}
	}
	return false
}

// holds reports whether the value holds binary data.
func (b *binaryTypes) holds(v reflect.Value, depth int) bool {
	if depth > maxValueDepth || !v.IsValid() || !b.mayHold(v.Type()) {
		return false
	}
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		return b.holds(v.Elem(), depth+1)
	case reflect.Slice, reflect.Array:
		if isBinary(v.Type()) {
			return !v.IsNil()
		}
		for i := range v.Len() {
			if b.holds(v.Index(i), depth+1) {
				return true
			}
		}
	case reflect.Map:
		for iter := v.MapRange(); iter.Next(); {
			if b.holds(iter.Value(), depth+1) {
				return true
			}
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if encodedField(v.Type().Field(i)) && b.holds(v.Field(i), depth+1) {
				return true
			}
		}
	}
	return false
}

// marking makes the copy of one argument.
type marking struct {
	types  *binaryTypes
	prefix [markerPrefix]byte
	found  [][]byte
}

// withBinary appends the JSON of a value that holds binary data.
func (d *draft) withBinary(v reflect.Value) error {
	m := marking{types: &d.owner.types}
	_, _ = rand.Read(m.prefix[:])
	start := d.buf.Len()
	if err := d.value(m.copy(v, 0).Interface()); err != nil {
		return err
	}
	marked := bytes.Clone(d.buf.Bytes()[start:])
	d.buf.Truncate(start)
	quoted := append([]byte{'"'}, base64.StdEncoding.AppendEncode(nil, m.prefix[:])...)
	for {
		before, after, ok := bytes.Cut(marked, quoted)
		d.buf.Write(before)
		if !ok {
			return nil
		}
		var at [3]byte
		if _, err := base64.StdEncoding.Decode(at[:], after[:4]); err != nil {
			return err
		}
		d.buf.WriteString(`{"_placeholder":true,"num":`)
		d.buf.WriteString(strconv.Itoa(len(d.attachments)))
		d.buf.WriteByte('}')
		d.attachments = append(d.attachments, m.found[int(at[0])<<16|int(at[1])<<8|int(at[2])])
		marked = after[5:]
	}
}

// copy returns v, or a copy of it with its binary data replaced.
func (m *marking) copy(v reflect.Value, depth int) reflect.Value {
	if depth > maxValueDepth || !m.types.holds(v, depth) {
		return v
	}
	t := v.Type()
	switch v.Kind() {
	case reflect.Interface:
		c := reflect.New(t).Elem()
		c.Set(m.copy(v.Elem(), depth+1))
		return c
	case reflect.Pointer:
		c := reflect.New(t.Elem())
		c.Elem().Set(m.copy(v.Elem(), depth+1))
		return c
	case reflect.Slice:
		if isBinary(t) {
			return m.mark(v)
		}
		c := reflect.MakeSlice(t, v.Len(), v.Len())
		for i := range v.Len() {
			c.Index(i).Set(m.copy(v.Index(i), depth+1))
		}
		return c
	case reflect.Array:
		c := reflect.New(t).Elem()
		for i := range v.Len() {
			c.Index(i).Set(m.copy(v.Index(i), depth+1))
		}
		return c
	case reflect.Map:
		c := reflect.MakeMapWithSize(t, v.Len())
		for iter := v.MapRange(); iter.Next(); {
			c.SetMapIndex(iter.Key(), m.copy(iter.Value(), depth+1))
		}
		return c
	default: // a struct
		c := reflect.New(t).Elem()
		c.Set(v)
		m.fields(c, depth)
		return c
	}
}

// fields replaces the binary data in the fields of a struct that is a copy already.
func (m *marking) fields(c reflect.Value, depth int) {
	for i := range c.NumField() {
		f, field := c.Type().Field(i), c.Field(i)
		switch {
		case !encodedField(f) || isBinary(f.Type) && field.Len() == 0 && leavesOutEmpty(f):
		case field.CanSet():
			field.Set(m.copy(field, depth+1))
		case field.Kind() == reflect.Struct: // embedded, of an unexported type: its exported fields can be set
			m.fields(field, depth+1)
		}
	}
}

// mark keeps the binary data v and returns its marker.
func (m *marking) mark(v reflect.Value) reflect.Value {
	at := len(m.found)
	if at >= maxMarkers {
		return v
	}
	m.found = append(m.found, v.Bytes())
	marker := make([]byte, 0, markerSize)
	marker = append(marker, m.prefix[:]...)
	marker = append(marker, byte(at>>16), byte(at>>8), byte(at))
	return reflect.ValueOf(marker).Convert(v.Type())
}
