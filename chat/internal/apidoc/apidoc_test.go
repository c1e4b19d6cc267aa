package apidoc

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type failure struct {
	Code code `json:"code"`
}

type code string

type thing struct {
	ID       string         `json:"id"`
	Parts    []*thing       `json:"parts,omitempty"`
	Sizes    map[string]int `json:"sizes,omitempty"`
	Made     time.Time      `json:"made,omitzero"`
	Owner    *person        `json:"owner"`
	Secret   string         `json:"-"`
	Untagged string
	embedded
}

type embedded struct {
	Rank float64 `json:"rank"`
}

type person struct {
	Name string          `json:"name"`
	More json.RawMessage `json:"more,omitempty"`
}

func builderOf(t *testing.T) *builder {
	t.Helper()
	b, err := newBuilder(API{Error: reflect.TypeFor[failure](), Limits: map[string]Limits{"thing.id": {MaxLength: 8, Pattern: "^x"}}})
	require.NoError(t, err)
	return b
}

func TestSchema(t *testing.T) {
	t.Parallel()
	b := builderOf(t)
	got, err := b.schema(b.typeOf(reflect.TypeFor[thing]())).MarshalJSON()
	require.NoError(t, err)
	require.NoError(t, b.err())
	require.JSONEq(t, `{"type":"object","required":["id","owner","rank"],"properties":{
		"id":{"type":"string","maxLength":8,"pattern":"^x"},
		"parts":{"type":"array","items":{"$ref":"#/components/schemas/thing"}},
		"sizes":{"type":"object","additionalProperties":{"type":"integer"}},
		"made":{"type":"string","format":"date-time"},
		"owner":{"oneOf":[{"$ref":"#/components/schemas/person"},{"type":"null"}]},
		"rank":{"type":"number"}}}`, string(got))
	require.Equal(t, "Record<string, number>", typescript(b.typeOf(reflect.TypeFor[map[string]int]())))
	require.Equal(t, "thing[]", typescript(b.typeOf(reflect.TypeFor[[]thing]())))
	require.Equal(t, "list of [thing](#thing)", markdownType(b.typeOf(reflect.TypeFor[[]thing]())))
}

type selfMade struct{}

// UnmarshalText implements encoding.TextUnmarshaler.
func (*selfMade) UnmarshalText([]byte) error { return nil }

// What cannot be described is an error, not a gap.
func TestRefused(t *testing.T) {
	t.Parallel()
	type person struct { // another one
		Age int `json:"age"`
	}
	for want, types := range map[string][]reflect.Type{
		"writes or reads itself":     {reflect.TypeFor[selfMade]()},
		"has no form in JSON":        {reflect.TypeFor[chan int]()},
		"there are two types person": {reflect.TypeFor[thing](), reflect.TypeFor[person]()},
	} {
		b := builderOf(t)
		for _, typ := range types {
			b.typeOf(typ)
		}
		require.ErrorContains(t, b.err(), want)
	}
	_, err := API{Error: reflect.TypeFor[failure](), Event: reflect.TypeFor[thing](), Codes: reflect.TypeFor[code]()}.Markdown()
	require.ErrorContains(t, err, "no constants are declared under")
	require.ErrorContains(t, err, "apidoc.code has no constants")
}

func TestPlain(t *testing.T) {
	t.Parallel()
	s := &source{names: map[string]string{"NextCursor": "next_cursor", "After": "after", "RoomPublic": "public", "Vague": ""}}
	own := map[string]string{"Name": "name"}
	for in, want := range map[string]string{
		"NextCursor of the page\nbefore":               "`next_cursor` of the page before",
		"defaults to store.RoomPublic":                 "defaults to `public`",
		"Name is shown. After that, see [Store.Thing]": "`name` is shown. After that",
		"[Error] and [chat.RoomPublic]":                "Error and `public`",
		"WithMaxPayload, Vague":                        "WithMaxPayload, Vague",
	} {
		require.Equal(t, want, s.plain(in, own))
	}
	require.Equal(t, "MessageNew", typeName("message.new"))
	require.Equal(t, "NotificationAddedToRoom", typeName("notification.added_to_room"))
	require.Equal(t, "Öl.", sentence(" öl "))
	require.Empty(t, sentence(""))
	require.Equal(t, "roomjoin", anchor("Room.Join"))
	var out strings.Builder
	document(&out, "", "ends */ too soon")
	require.Equal(t, 1, strings.Count(out.String(), "*/"))
}
