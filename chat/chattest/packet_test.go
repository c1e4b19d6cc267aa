package chattest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPayload(t *testing.T) {
	t.Parallel()
	packets := []Packet{
		{Type: PacketMessage, Data: []byte(`2["é"]`)},
		{Type: PacketMessage, Data: []byte{0, separator, 255}, Binary: true},
		{Type: PacketPong, Data: []byte{}},
	}
	payload := appendPayload(nil, packets)
	require.Equal(t, "42[\"é\"]\x1ebAB7/\x1e3", string(payload)) // Engine.IO protocol v4, "Packet encoding"
	parsed, err := parsePayload(payload)
	require.NoError(t, err)
	require.Equal(t, packets, parsed)

	for _, wrong := range []string{"", "4a\x1e", "\x1e4a", "7", "b!"} {
		_, err := parsePayload([]byte(wrong))
		require.Error(t, err, "%q", wrong)
	}
}

// The examples of the Socket.IO protocol v5, section "Packet encoding".
func TestMessages(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want message
	}{
		{`0`, message{kind: kindConnect, namespace: "/", id: -1}},
		{`0/admin,{"sid":"x"}`, message{kind: kindConnect, namespace: "/admin", id: -1, data: []byte(`{"sid":"x"}`)}},
		{`1/admin,`, message{kind: kindDisconnect, namespace: "/admin", id: -1}},
		{`2["foo"]`, message{kind: kindEvent, namespace: "/", id: -1, data: []byte(`["foo"]`)}},
		{`2/admin,12["foo"]`, message{kind: kindEvent, namespace: "/admin", id: 12, data: []byte(`["foo"]`)}},
		{`3/admin,13[]`, message{kind: kindAck, namespace: "/admin", id: 13, data: []byte(`[]`)}},
		{`4{"message":"no"}`, message{kind: kindConnectError, namespace: "/", id: -1, data: []byte(`{"message":"no"}`)}},
		{
			`52-/admin,4["baz",{"_placeholder":true,"num":0}]`,
			message{kind: kindEvent, namespace: "/admin", id: 4, missing: 2, data: []byte(`["baz",{"_placeholder":true,"num":0}]`)},
		},
		{`61-15["bar"]`, message{kind: kindAck, namespace: "/", id: 15, missing: 1, data: []byte(`["bar"]`)}},
	}
	for _, test := range tests {
		m, err := parseMessage([]byte(test.text))
		require.NoError(t, err, test.text)
		if len(m.data) == 0 {
			m.data = nil
		}
		require.Equal(t, &test.want, m, test.text)
		m.attachments = make([][]byte, m.missing)
		require.Equal(t, test.text, string(m.packets()[0].Data))
	}
	for _, wrong := range []string{"", "7", "5[]", "5x-[]", "2[", "299999999999999999999[]"} {
		_, err := parseMessage([]byte(wrong))
		require.Error(t, err, "%q", wrong)
	}
}
