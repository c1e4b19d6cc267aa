package socketio

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func testLimits() limits { return limits{attachments: 10, bytes: 1000} }

// The examples of the Socket.IO protocol v5 document, section "Packet encoding", as a server receives them.
func TestParsePacket(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   string
		want *packet
	}{
		{`0`, &packet{kind: packetConnect, namespace: "/"}},
		{`0{"token":"123"}`, &packet{kind: packetConnect, namespace: "/", payload: []byte(`{"token":"123"}`)}},
		{`0/admin,`, &packet{kind: packetConnect, namespace: "/admin"}},
		{`0/admin`, &packet{kind: packetConnect, namespace: "/admin"}},
		{`0/admin,{"a":1}`, &packet{kind: packetConnect, namespace: "/admin", payload: []byte(`{"a":1}`)}},
		{`0/a?b=c,`, &packet{kind: packetConnect, namespace: "/a?b=c"}},
		{`1`, &packet{kind: packetDisconnect, namespace: "/"}},
		{`1/admin,`, &packet{kind: packetDisconnect, namespace: "/admin"}},
		{`2["foo"]`, &packet{kind: packetEvent, namespace: "/", event: "foo"}},
		{`2/admin,["bar"]`, &packet{kind: packetEvent, namespace: "/admin", event: "bar"}},
		{`212["foo"]`, &packet{kind: packetEvent, namespace: "/", id: 12, hasID: true, event: "foo"}},
		{`2/admin,13["foo"]`, &packet{kind: packetEvent, namespace: "/admin", id: 13, hasID: true, event: "foo"}},
		{`2[1]`, &packet{kind: packetEvent, namespace: "/", event: "1"}}, // socket.io-parser takes numbers for names
		{`2[1.5e2]`, &packet{kind: packetEvent, namespace: "/", event: "150"}},
		{`2[1e21]`, &packet{kind: packetEvent, namespace: "/", event: "1e+21"}},
		{`2[0.0000001]`, &packet{kind: packetEvent, namespace: "/", event: "1e-7"}},
		{`2[-0]`, &packet{kind: packetEvent, namespace: "/", event: "0"}},
		{`2["hasOwnProperty"]`, &packet{kind: packetEvent, namespace: "/", event: "hasOwnProperty"}},
		{`2["__proto__"]`, &packet{kind: packetEvent, namespace: "/", event: "__proto__"}},
		{`2["error"]`, &packet{kind: packetEvent, namespace: "/", event: "error"}},
		{`2[""]`, &packet{kind: packetEvent, namespace: "/"}},
		{`2["\u0066oo"]`, &packet{kind: packetEvent, namespace: "/", event: "foo"}},
		{`312[]`, &packet{kind: packetAck, namespace: "/", id: 12, hasID: true}},
		{`3/admin,0["bar"]`, &packet{kind: packetAck, namespace: "/admin", hasID: true}},
		{`39007199254740991[]`, &packet{kind: packetAck, namespace: "/", id: 1<<53 - 1, hasID: true}},
		{`51-["baz",{"_placeholder":true,"num":0}]`, &packet{kind: packetEvent, namespace: "/", event: "baz", attachments: 1}},
		{`51-/admin,7["baz",{"_placeholder":true,"num":0}]`, &packet{
			kind: packetEvent, namespace: "/admin", id: 7, hasID: true, event: "baz", attachments: 1,
		}},
		{`61-15["bar",{"_placeholder":true,"num":0}]`, &packet{
			kind: packetAck, namespace: "/", id: 15, hasID: true, attachments: 1,
		}},
	} {
		got, err := parsePacket([]byte(test.in), testLimits())
		require.NoError(t, err, test.in)
		require.Equal(t, len(test.in), got.size, test.in)
		got.args, got.size, got.few = Args{}, 0, [3]json.RawMessage{}
		require.Equal(t, test.want, got, test.in)
	}
}

// One event is limited as a whole, be it text alone.
func TestDecoderLimitsText(t *testing.T) {
	t.Parallel()
	d := decoder{limits: limits{attachments: 10, bytes: 100}}
	_, err := d.text([]byte(`2["foo","` + strings.Repeat("x", 89) + `"]`))
	require.NoError(t, err)
	_, err = d.text([]byte(`2["foo","` + strings.Repeat("x", 90) + `"]`))
	require.ErrorIs(t, err, errPacket)
}

// An argument costs more in memory than on the wire.
func TestPacketCost(t *testing.T) {
	t.Parallel()
	one, err := parsePacket([]byte(`2["foo",1]`), testLimits())
	require.NoError(t, err)
	many, err := parsePacket([]byte(`2["foo"`+strings.Repeat(",1", 400)+`]`), testLimits())
	require.NoError(t, err)
	require.Greater(t, many.cost()-one.cost(), 400*24)
}

func TestParsePacketRefuses(t *testing.T) {
	t.Parallel()
	deep := strings.Repeat("[", maxJSONDepth+1) + strings.Repeat("]", maxJSONDepth+1)
	for _, test := range []struct{ rule, in string }{
		{"a packet has a type", ``},
		{"the type is one of 0 to 6", `7`},
		{"the type is one of 0 to 6", `9["foo"]`},
		{"the type is one of 0 to 6", `abc`},
		{"the type is one of 0 to 6", ` 2["foo"]`},
		{"the type is one of 0 to 6", "\x002"},
		{"CONNECT: the payload is an object", `0["a"]`},
		{"CONNECT: the payload is an object", `0"a"`},
		{"CONNECT: the payload is an object", `0null`},
		{"CONNECT: the payload is an object", `0bc`},
		{"CONNECT: no id", `012`},
		{"CONNECT: no id", `01{"a":1}`},
		{"CONNECT: nesting is bounded", `0{"a":` + deep + `}`},
		{"DISCONNECT: no payload", `1{}`},
		{"DISCONNECT: no payload", `1[]`},
		{"DISCONNECT: no id", `11`},
		{"CONNECT_ERROR comes from servers", `4`},
		{"CONNECT_ERROR comes from servers", `4{"message":"a"}`},
		{"EVENT: the payload is mandatory", `2`},
		{"EVENT: the payload is mandatory", `2/admin,`},
		{"EVENT: the payload is mandatory", `212`},
		{"EVENT: the payload is an array", `2{}`},
		{"EVENT: the payload is an array", `2"foo"`},
		{"EVENT: the payload is an array", `2null`},
		{"EVENT: the payload is not empty", `2[]`},
		{"EVENT: the payload is not empty", `2[ ]`},
		{"EVENT: the payload is JSON", `2["foo"`},
		{"EVENT: the payload is JSON", `2["foo",]`},
		{"EVENT: the payload is JSON", `2["foo"]]`},
		{"EVENT: the payload is JSON", `2["foo"]["bar"]`},
		{"EVENT: the payload is JSON", "2[\"a\nb\"]"},
		{"EVENT: the payload is JSON", `2['foo']`},
		{"EVENT: the payload is JSON", `2[NaN]`},
		{"EVENT: nesting is bounded", `2["foo",` + deep + `]`},
		{"EVENT: the number of arguments is bounded", `2["foo"` + strings.Repeat(",1", maxArguments) + `]`},
		{"EVENT: the name is a string or a number", `2[null]`},
		{"EVENT: the name is a string or a number", `2[true]`},
		{"EVENT: the name is a string or a number", `2[{"toString":"a"}]`},
		{"EVENT: the name is a string or a number", `2[["foo"]]`},
		{"EVENT: the name is a number that exists", `2[1e999]`},
		{"EVENT: the name is not reserved", `2["connect"]`},
		{"EVENT: the name is not reserved", `2["connect_error"]`},
		{"EVENT: the name is not reserved", `2["disconnect"]`},
		{"EVENT: the name is not reserved", `2["disconnecting"]`},
		{"EVENT: the name is not reserved", `2["newListener"]`},
		{"EVENT: the name is not reserved", `2["removeListener"]`},
		{"EVENT: the name is not reserved", `2["\u0063onnect"]`},
		{"ACK: the id is mandatory", `3[]`},
		{"ACK: the payload is mandatory", `312`},
		{"ACK: the payload is an array", `312{}`},
		{"ids are integers", `3-1[]`},
		{"ids are integers", `31.5[]`},
		{"ids are integers that JavaScript can count to", `39007199254740992[]`},
		{"ids are integers that JavaScript can count to", `399999999999999999999999[]`},
		{"namespaces have a bounded length", `0/` + strings.Repeat("a", maxNamespaceLength)},
		{"binary packets have a number of attachments", `5["foo"]`},
		{"binary packets have a number of attachments", `5-["foo"]`},
		{"binary packets have a number of attachments", `51["foo",{"_placeholder":true,"num":0}]`},
		{"binary packets have at least one attachment", `50-["foo"]`},
		{"the number of attachments is an integer", `51.0-["foo",{"_placeholder":true,"num":0}]`},
		{"the number of attachments is an integer", `5+1-["foo",{"_placeholder":true,"num":0}]`},
		{"the number of attachments is an integer", `51e0-["foo",{"_placeholder":true,"num":0}]`},
		{"the number of attachments is an integer", `501-["foo",{"_placeholder":true,"num":0}]`},
		{"the number of attachments is limited (CVE-2026-33151)", `511-["foo"]`},
		{"the number of attachments is limited (CVE-2026-33151)", `599999999999999999999-["foo"]`},
		{"each attachment has a placeholder", `51-["foo"]`},
		{"each attachment has a placeholder", `52-["foo",{"_placeholder":true,"num":0}]`},
		{"each placeholder has an attachment", `51-["foo",{"_placeholder":true,"num":1}]`},
		{"each placeholder has an attachment", `51-["foo",{"_placeholder":true,"num":99999999999999999999}]`},
		{"a placeholder is used once", `52-["foo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":0}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true,"num":-1}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true,"num":0.5}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true,"num":"0"}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true,"num":"splice"}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true,"num":null}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true,"num":[0]}]`},
		{"num is an integer (CVE-2022-2421)", `51-["foo",{"_placeholder":true}]`},
		{"a placeholder is not inside another", `51-["foo",{"_placeholder":true,"num":0,"x":{"_placeholder":true,"num":0}}]`},
		{"the name is no attachment", `51-[{"_placeholder":true,"num":0}]`},
	} {
		_, err := parsePacket([]byte(test.in), testLimits())
		require.ErrorIs(t, err, errPacket, "%s: %.80s", test.rule, test.in)
	}
}

func TestDecoderSequences(t *testing.T) {
	t.Parallel()
	const one, two = `51-["a",{"_placeholder":true,"num":0}]`,
		`52-["a",{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]`
	for _, test := range []struct {
		rule  string
		in    []any // string for text, []byte for binary
		want  int   // complete packets before the end or the error
		valid bool
	}{
		{"text is complete by itself", []any{`2["a"]`, `2["b"]`}, 2, true},
		{"attachments complete a packet", []any{one, []byte{1}, two, []byte{1}, []byte{2}, `2["b"]`}, 3, true},
		{"an attachment may be empty", []any{one, []byte{}}, 1, true},
		{"an attachment follows a packet", []any{[]byte{1}}, 0, false},
		{"an attachment follows a packet that has some", []any{`2["a"]`, []byte{1}}, 1, false},
		{"no more attachments than announced", []any{one, []byte{1}, []byte{2}}, 1, false},
		{"no text between attachments", []any{two, []byte{1}, `2["b"]`}, 0, false},
		{"no CONNECT between attachments", []any{one, `0`}, 0, false},
		{"all of it is limited", []any{one, make([]byte, 1000)}, 0, false},
		{"all of it is limited", []any{two, make([]byte, 500), make([]byte, 500)}, 0, false},
	} {
		d := decoder{limits: testLimits()}
		complete := 0
		var err error
		for _, message := range test.in {
			var p *packet
			switch message := message.(type) {
			case string:
				p, err = d.text([]byte(message))
			case []byte:
				p, err = d.binary(message)
			}
			if p != nil {
				complete++
			}
		}
		require.Equal(t, test.want, complete, test.rule)
		if test.valid {
			require.NoError(t, err, test.rule)
		} else {
			require.ErrorIs(t, err, errPacket, test.rule)
		}
	}
}

func TestScanArray(t *testing.T) {
	t.Parallel()
	for in, want := range map[string][]string{
		`[]`:                            {},
		` [ ] `:                         {},
		`[1]`:                           {`1`},
		`[1,2]`:                         {`1`, `2`},
		` [ 1 , "a,]b" , [2,3] ] `:      {`1`, `"a,]b"`, `[2,3]`},
		`["\"",{"a":[1,{"b":2}]},null]`: {`"\""`, `{"a":[1,{"b":2}]}`, `null`},
		`["\\",-1.5e3,[[]],{}]`:         {`"\\"`, `-1.5e3`, `[[]]`, `{}`},
	} {
		items, ok := scanArray([]byte(in), nil)
		require.True(t, ok, in)
		got := []string{}
		for _, item := range items {
			got = append(got, string(item))
		}
		require.Equal(t, want, got, in)
	}
}

// Whatever the differences in strictness between parsers that attackers could use: there are none to encoding/json.
func TestScanAgreesWithEncodingJSON(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		``, ` `, `0`, `-0`, `01`, `-`, `1.`, `.5`, `1.5`, `1e`, `1e+`, `1E-5`, `1e5`, `+1`, `0x1`, `1 `, ` 1`, `1 2`,
		`true`, `tru`, `truex`, `false`, `null`, `nul`, `NaN`, `""`, `"`, `"a`, `"\"`, `"\""`, `"\x"`, `"\u12"`, `"\u12AF"`,
		`"\u12ag"`, "\"\x00\"", "\"\n\"", "\"\xff\"", `"é"`, `'a'`, `[]`, `[`, `]`, `[,]`, `[1,]`, `[1 2]`, `[1,[2,{"a":3}]]`,
		`{}`, `{`, `{"a"}`, `{"a":}`, `{"a":1,}`, `{"a":1,"b":2}`, `{a:1}`, `{1:1}`, `{"a":1 "b":2}`, `{"a" : [ ] }`, "\v1", "\ufeff1",
	} {
		array := "[" + value + "]"
		_, ok := scanArray([]byte(array), nil)
		require.Equal(t, json.Valid([]byte(array)), ok, array)
		object := `{"k":` + value + `}`
		require.Equal(t, json.Valid([]byte(object)), scanObject([]byte(object)), object)
		_, ok = scanArray([]byte(array+" x"), nil)
		require.False(t, ok)
		require.False(t, scanObject([]byte(object+"x")))
	}
}
