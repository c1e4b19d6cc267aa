package socketio

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

type inner struct {
	Data []byte `json:"data"`
}

type outer struct {
	inner
	Title string            `json:"title"`
	Skip  []byte            `json:"-"`
	Empty []byte            `json:"empty,omitempty"`
	Nil   []byte            `json:"nil"`
	Any   any               `json:"any"`
	List  [][]byte          `json:"list"`
	Map   map[string]*inner `json:"map"`
	Array [2]byte           `json:"array"`
	Raw   json.RawMessage   `json:"raw"`
	Time  time.Time         `json:"time"`
	hide  []byte
}

func TestEncodeEvent(t *testing.T) {
	t.Parallel()
	id := uint64(12)
	const hole = `{"_placeholder":true,"num":`
	for _, test := range []struct {
		name        string
		namespace   string
		id          *uint64
		event       string
		args        []any
		text        string
		attachments [][]byte
	}{
		// Socket.IO protocol v5, section "Packet encoding".
		{"no arguments", "/", nil, "foo", nil, `2["foo"]`, nil},
		{"namespace", "/admin", nil, "bar", nil, `2/admin,["bar"]`, nil},
		{"acknowledgement", "/", &id, "foo", nil, `212["foo"]`, nil},
		{"acknowledgement in a namespace", "/admin", &id, "foo", nil, `2/admin,12["foo"]`, nil},
		{"binary", "/", nil, "baz", []any{[]byte{1, 2, 3, 4}}, `51-["baz",` + hole + `0}]`, [][]byte{{1, 2, 3, 4}}},
		{
			"binary in a namespace", "/admin", nil, "baz",
			[]any{[]byte{1, 2}, []byte{3, 4}},
			`52-/admin,["baz",` + hole + `0},` + hole + `1}]`,
			[][]byte{{1, 2}, {3, 4}},
		},
		{"binary and acknowledgement", "/", &id, "foo", []any{[]byte{1}}, `51-12["foo",` + hole + `0}]`, [][]byte{{1}}},
		// As JSON.stringify writes it.
		{"nothing is escaped for HTML", "/", nil, "a", []any{"<&>"}, `2["a","<&>"]`, nil},
		{"names are escaped", "/", nil, "a\"b", nil, `2["a\"b"]`, nil},
		{"values", "/", nil, "a", []any{nil, true, 1, 1.5, "é"}, `2["a",null,true,1,1.5,"é"]`, nil},
		{"raw JSON", "/", nil, "a", []any{json.RawMessage(`{"x":1}`)}, `2["a",{"x":1}]`, nil},
		{"nil bytes", "/", nil, "a", []any{[]byte(nil)}, `2["a",null]`, nil},
		{"empty bytes", "/", nil, "a", []any{[]byte{}}, `51-["a",` + hole + `0}]`, [][]byte{{}}},
		{
			"binary in maps, in the order of the text", "/", nil, "a",
			[]any{map[string]any{"z": []byte("z"), "a": []any{1, []byte("a")}}},
			`52-["a",{"a":[1,` + hole + `0}],"z":` + hole + `1}}]`,
			[][]byte{[]byte("a"), []byte("z")},
		},
		{
			"binary in structs", "/", nil, "a",
			[]any{&outer{
				inner: inner{[]byte("1")}, Title: "t", Skip: []byte("s"), Empty: []byte{}, Any: inner{[]byte("2")},
				List: [][]byte{[]byte("3"), nil, {}}, Map: map[string]*inner{"m": {[]byte("4")}, "n": nil},
				Array: [2]byte{5, 6}, Raw: json.RawMessage(`7`), hide: []byte("h"),
			}},
			`55-["a",{"data":` + hole + `0},"title":"t","nil":null,"any":{"data":` + hole + `1}},"list":[` + hole +
				`2},null,` + hole + `3}],"map":{"m":{"data":` + hole + `4}},"n":null},"array":[5,6],"raw":7,` +
				`"time":"0001-01-01T00:00:00Z"}]`,
			[][]byte{[]byte("1"), []byte("2"), []byte("3"), {}, []byte("4")},
		},
	} {
		var e encoders
		for range 2 { // the second time with used buffers
			out, err := e.event(test.namespace, test.id, test.event, test.args, "")
			require.NoError(t, err, test.name)
			require.Equal(t, test.text, string(out.text), test.name)
			require.Equal(t, test.attachments, out.attachments, test.name)
		}
	}
}

// Encoding does not change what it encodes.
func TestEncodeLeavesArgumentsAlone(t *testing.T) {
	t.Parallel()
	var e encoders
	arg := &outer{inner: inner{[]byte("1")}, List: [][]byte{[]byte("2")}, Map: map[string]*inner{"m": {[]byte("3")}}}
	_, err := e.event("/", nil, "a", []any{arg}, "")
	require.NoError(t, err)
	require.Equal(t, &outer{
		inner: inner{[]byte("1")}, List: [][]byte{[]byte("2")}, Map: map[string]*inner{"m": {[]byte("3")}},
	}, arg)
}

func TestEncodeOthers(t *testing.T) {
	t.Parallel()
	var e encoders
	out, err := e.ack("/", 12, nil)
	require.NoError(t, err)
	require.Equal(t, `312[]`, string(out.text))
	out, err = e.ack("/admin", 13, []any{"bar"})
	require.NoError(t, err)
	require.Equal(t, `3/admin,13["bar"]`, string(out.text))
	out, err = e.ack("/", 15, []any{"bar", []byte{1}})
	require.NoError(t, err)
	require.Equal(t, `61-15["bar",{"_placeholder":true,"num":0}]`, string(out.text))
	require.Equal(t, [][]byte{{1}}, out.attachments)

	out, err = e.object(packetConnect, "/admin", connectReply{SID: "oSO0OpakMV_3jnilAAAA"})
	require.NoError(t, err)
	require.Equal(t, `0/admin,{"sid":"oSO0OpakMV_3jnilAAAA"}`, string(out.text))
	out, err = e.object(packetConnectError, "/", connectError{Message: "Not authorized"})
	require.NoError(t, err)
	require.Equal(t, `4{"message":"Not authorized"}`, string(out.text))
	require.Equal(t, `1`, string(e.header(packetDisconnect, "/").text))
	require.Equal(t, `1/admin,`, string(e.header(packetDisconnect, "/admin").text))
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	var e encoders
	for _, name := range []string{
		"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
	} {
		_, err := e.event("/", nil, name, nil, "")
		require.ErrorIs(t, err, ErrReservedEvent, name)
	}
	eleven := [][]byte{10: {1}}
	for i := range eleven {
		eleven[i] = []byte{byte(i)}
	}
	_, err := e.event("/", nil, "a", []any{eleven}, "")
	require.ErrorIs(t, err, ErrTooManyAttachments)
	require.ErrorContains(t, err, `11 in "a"`)
	_, err = e.ack("/", 1, []any{eleven})
	require.ErrorIs(t, err, ErrTooManyAttachments)
	_, err = (&encoders{attachments: 11}).event("/", nil, "a", []any{eleven}, "")
	require.NoError(t, err)

	cycle := map[string]any{"data": []byte{1}}
	cycle["self"] = cycle
	for name, arg := range map[string]any{
		"channel": make(chan int), "function": func() {}, "not a number": math.NaN(), "cycle": cycle,
		"JSON that is not UTF-8": json.RawMessage("\"\xff\""), "deep within": map[string]any{"a": []json.RawMessage{[]byte("\"\xff\"")}},
		"no JSON": json.RawMessage("{"),
	} {
		_, err := e.event("/", nil, "a", []any{arg}, "")
		require.Error(t, err, name)
		out, err := e.event("/", nil, "a", []any{1}, "")
		require.NoError(t, err)
		require.Equal(t, `2["a",1]`, string(out.text), "after an error")
	}
}
