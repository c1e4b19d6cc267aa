package apidoc

import (
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"
)

// Kind is what a value is in JSON.
type Kind int

// The kinds of values.
const (
	Object Kind = iota + 1
	Array
	Map // an object with any keys
	String
	Integer
	Number
	Boolean
	OneOf
)

// Type is the type of a value in JSON.
type Type struct {
	Kind   Kind
	Name   string // of a type that is described once; "" for one that is described where it is used
	Doc    string
	Format string  // of a String or Integer, as in JSON Schema
	Fields []Field // of an Object
	Elem   *Type   // of an Array or Map; nil for a Map of anything
	Values []Value // those of a String that has only these
	Types  []*Type // of OneOf
}

// Value is one that a type may have.
type Value struct{ Text, Doc string }

// Field is one of an object.
type Field struct {
	Name, Doc string
	Type      *Type
	Optional  bool // may be absent
	Nullable  bool // may be null
	Limits    Limits
}

// Limits are what a value must keep to. Zero values are no limits.
type Limits struct {
	Most      int64 // of an Integer, which is never negative
	Default   any
	MaxLength int // of a String, in characters; the server may count bytes
	MaxItems  int // of an Array
	Pattern   string
}

// builder makes types.
type builder struct {
	api    API
	source *source
	types  map[reflect.Type]*Type
	named  []*Type // in the order in which they were met
	errs   []error

	referred map[*Type]bool // those that a document refers to
	refusals object         // the answers that several routes have
}

func newBuilder(api API) (*builder, error) {
	s, err := readSource(api.Sources)
	if err != nil {
		return nil, err
	}
	b := &builder{api: api, source: s, types: make(map[reflect.Type]*Type), referred: make(map[*Type]bool)}
	b.types[reflect.TypeFor[time.Time]()] = &Type{Kind: String, Format: "date-time"}
	b.types[reflect.TypeFor[json.RawMessage]()] = &Type{Kind: Map}
	for t, special := range api.Special {
		b.types[t] = &special
		if special.Name != "" {
			b.named = append(b.named, &special)
		}
	}
	b.typeOf(api.Error).Name = "Error"
	return b, nil
}

func (b *builder) fail(format string, args ...any) {
	b.errs = append(b.errs, fmt.Errorf("apidoc: "+format, args...))
}

// err returns what was found to be wrong.
func (b *builder) err() error { return errors.Join(b.errs...) }

// typeOf returns the type of t's values in JSON.
func (b *builder) typeOf(t reflect.Type) *Type {
	if t.Kind() == reflect.Pointer {
		return b.typeOf(t.Elem())
	}
	if known, ok := b.types[t]; ok {
		return known
	}
	out := &Type{}
	b.types[t] = out // first, for those that contain themselves
	if t.Kind() != reflect.String && writesItself(t) {
		b.fail("%s writes or reads itself: API.Special must say what it looks like", t)
	}
	switch t.Kind() {
	case reflect.Struct:
		out.Kind = Object
		b.describe(out, t)
		out.Fields = b.fieldsOf(t)
	case reflect.Slice, reflect.Array:
		out.Kind, out.Elem = Array, b.typeOf(t.Elem())
	case reflect.Map:
		out.Kind, out.Elem = Map, b.typeOf(t.Elem())
	case reflect.String:
		out.Kind, out.Values = String, b.valuesOf(t)
		if len(out.Values) > 0 {
			b.describe(out, t)
		}
	case reflect.Bool:
		out.Kind = Boolean
	case reflect.Float32, reflect.Float64:
		out.Kind = Number
	case reflect.Int, reflect.Int32, reflect.Uint, reflect.Uint32, reflect.Int64, reflect.Uint64:
		out.Kind = Integer
	default:
		b.fail("%s has no form in JSON", t)
	}
	return out
}

// describe names a type that is described once.
func (b *builder) describe(out *Type, t reflect.Type) {
	if t.Name() == "" || t.PkgPath() == "" {
		return
	}
	out.Name = t.Name()
	own := make(map[string]string)
	if t.Kind() == reflect.Struct {
		own = ownNames(t)
	}
	doc := b.source.plain(b.source.structs[key(t)].doc, own)
	if t.Kind() != reflect.Struct { // the rest is for those who keep it
		doc, _, _ = strings.Cut(doc, ". ")
	}
	out.Doc = sentence(strings.TrimPrefix(doc, t.Name()+" "))
	for _, other := range b.named {
		if other.Name == out.Name {
			b.fail("there are two types %s", out.Name)
		}
	}
	b.named = append(b.named, out)
}

func (b *builder) valuesOf(t reflect.Type) (values []Value) {
	for _, c := range b.source.values[key(t)] {
		values = append(values, Value{c.value, b.source.plain(c.doc, nil)})
	}
	return values
}

// fieldsOf returns the fields of a struct, those of embedded structs among them.
func (b *builder) fieldsOf(t reflect.Type) (fields []Field) {
	for _, f := range reflect.VisibleFields(t) {
		name := jsonName(f.Tag)
		if name == "" {
			continue
		}
		optional := hasOption(f.Tag, "omitempty") || hasOption(f.Tag, "omitzero")
		owner := t
		for _, i := range f.Index[:len(f.Index)-1] {
			owner = owner.Field(i).Type
		}
		doc := b.source.structs[key(owner)].fields[f.Name]
		limits, ok := b.api.Limits[owner.Name()+"."+name]
		if !ok {
			limits = b.api.Limits[name]
		}
		fields = append(fields, Field{
			Name: name, Type: b.typeOf(f.Type), Doc: b.source.plain(doc, ownNames(owner)), Optional: optional,
			Nullable: f.Type.Kind() == reflect.Pointer && !optional, Limits: limits,
		})
	}
	return fields
}

// ownNames are the names in JSON of a struct's fields, by those in Go.
func ownNames(t reflect.Type) map[string]string {
	own := make(map[string]string)
	for _, f := range reflect.VisibleFields(t) {
		if name := jsonName(f.Tag); name != "" {
			own[f.Name] = name
		}
	}
	return own
}

func hasOption(tag reflect.StructTag, option string) bool {
	_, options, _ := strings.Cut(tag.Get("json"), ",")
	for o := range strings.SplitSeq(options, ",") {
		if o == option {
			return true
		}
	}
	return false
}

// writesItself reports whether the type decides by itself what it looks like in JSON.
func writesItself(t reflect.Type) bool {
	for _, i := range []reflect.Type{
		reflect.TypeFor[json.Marshaler](), reflect.TypeFor[json.Unmarshaler](),
		reflect.TypeFor[encoding.TextMarshaler](), reflect.TypeFor[encoding.TextUnmarshaler](),
	} {
		if reflect.PointerTo(t).Implements(i) {
			return true
		}
	}
	return false
}

// key is how a type is found in the source.
func key(t reflect.Type) string { return t.PkgPath() + "." + t.Name() }
