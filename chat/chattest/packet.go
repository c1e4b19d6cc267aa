package chattest

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
)

// The packet types of Engine.IO protocol v4, section "Packet encoding".
const (
	PacketOpen    byte = '0'
	PacketClose   byte = '1'
	PacketPing    byte = '2'
	PacketPong    byte = '3'
	PacketMessage byte = '4'
	PacketUpgrade byte = '5'
	PacketNoop    byte = '6'
)

// separator stands between the packets of a polling payload (Engine.IO
// protocol v4, section "HTTP long-polling").
const separator = 0x1e

// Packet is one Engine.IO packet as it crossed the wire.
type Packet struct {
	Type   byte   // PacketOpen to PacketNoop; PacketMessage when Binary
	Data   []byte // what follows the type, or the bytes of a binary message
	Binary bool   // a binary message: such a packet has no type on the wire
}

// String returns the packet as text, for messages of failed tests.
func (p Packet) String() string {
	if p.Binary {
		return fmt.Sprintf("binary(%d bytes)", len(p.Data))
	}
	return string(p.Type) + string(p.Data)
}

func parseText(text []byte) (Packet, error) {
	if len(text) == 0 {
		return Packet{}, errors.New("chattest: empty packet from the server")
	}
	if text[0] < PacketOpen || text[0] > PacketNoop {
		return Packet{}, fmt.Errorf("chattest: unknown packet type in %.40q", text)
	}
	return Packet{Type: text[0], Data: text[1:]}, nil
}

// parsePayload splits the body of a poll into its packets.
func parsePayload(body []byte) ([]Packet, error) {
	var packets []Packet
	for _, part := range bytes.Split(body, []byte{separator}) {
		if len(part) > 0 && part[0] == 'b' {
			data, err := base64.StdEncoding.DecodeString(string(part[1:]))
			if err != nil {
				return nil, fmt.Errorf("chattest: binary packet of a payload: %w", err)
			}
			packets = append(packets, Packet{Type: PacketMessage, Data: data, Binary: true})
			continue
		}
		p, err := parseText(part)
		if err != nil {
			return nil, err
		}
		packets = append(packets, p)
	}
	return packets, nil
}

// appendPayload writes packets as the body of a POST.
func appendPayload(dst []byte, packets []Packet) []byte {
	for i, p := range packets {
		if i > 0 {
			dst = append(dst, separator)
		}
		if p.Binary {
			dst = append(dst, 'b')
			dst = base64.StdEncoding.AppendEncode(dst, p.Data)
			continue
		}
		dst = append(append(dst, p.Type), p.Data...)
	}
	return dst
}
