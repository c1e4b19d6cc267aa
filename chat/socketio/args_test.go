package socketio

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
)

// argsOf decodes an event and returns its arguments.
func argsOf(t *testing.T, text string, attachments ...[]byte) Args {
	t.Helper()
	d := decoder{limits: testLimits()}
	p, err := d.text([]byte(text))
	require.NoError(t, err)
	for _, a := range attachments {
		p, err = d.binary(a)
		require.NoError(t, err)
	}
	require.NotNil(t, p)
	return p.args
}

func TestArgsDecode(t *testing.T) {
	t.Parallel()
	args := argsOf(t, `2["event","text",12,{"name":"Ann"},null]`)
	require.Equal(t, 4, args.Len())
	var text string
	require.NoError(t, args.Decode(0, &text))
	require.Equal(t, "text", text)
	var number int
	require.NoError(t, args.Decode(1, &number))
	require.Equal(t, 12, number)
	var object struct{ Name string }
	require.NoError(t, args.Decode(2, &object))
	require.Equal(t, "Ann", object.Name)
	require.JSONEq(t, `null`, string(args.Raw(3)))
	require.Nil(t, args.Raw(4))
	require.Nil(t, args.Raw(-1))

	var bad *ArgumentError
	require.ErrorAs(t, args.Decode(0, &number), &bad)
	require.Equal(t, 0, bad.Index)
	require.ErrorAs(t, args.Decode(4, &number), &bad)
	require.Equal(t, 4, bad.Index)
	require.ErrorIs(t, args.Decode(-1, &number), errMissing)
}

func TestArgsBinary(t *testing.T) {
	t.Parallel()
	first, second := []byte("first \xff"), []byte{}
	args := argsOf(t, `52-["event",{"_placeholder":true,"num":1},{"file":{"num":0,"_placeholder":true},"name":"n"},"x"]`,
		first, second)

	data, ok := args.Bytes(0)
	require.True(t, ok)
	require.Equal(t, second, data)
	_, ok = args.Bytes(1)
	require.False(t, ok)
	_, ok = args.Bytes(2)
	require.False(t, ok)

	var direct []byte
	require.NoError(t, args.Decode(0, &direct))
	require.Equal(t, second, direct)

	var nested struct {
		File []byte
		Name string
	}
	require.NoError(t, args.Decode(1, &nested))
	require.Equal(t, first, nested.File)
	require.Equal(t, "n", nested.Name)

	var tree any
	require.NoError(t, args.Decode(1, &tree))
	require.Equal(t, map[string]any{"file": first, "name": "n"}, tree)
	var object map[string]any
	require.NoError(t, args.Decode(1, &object))
	require.Equal(t, tree, object)
	var list []any
	require.Error(t, args.Decode(1, &list))

	var text string
	require.NoError(t, args.Decode(2, &text))
	require.Equal(t, "x", text)
}

// Without attachments, what looks like a placeholder is an object like any other.
func TestArgsPlaceholderInText(t *testing.T) {
	t.Parallel()
	args := argsOf(t, `2["event",{"_placeholder":true,"num":0}]`)
	_, ok := args.Bytes(0)
	require.False(t, ok)
	var object map[string]any
	require.NoError(t, args.Decode(0, &object))
	require.Equal(t, map[string]any{"_placeholder": true, "num": 0.0}, object)
}

func TestArgumentErrorUnwraps(t *testing.T) {
	t.Parallel()
	cause := errors.New("cause")
	err := &ArgumentError{Index: 2, Err: cause}
	require.ErrorIs(t, err, cause)
	require.Equal(t, "argument 2: cause", err.Error())
}
