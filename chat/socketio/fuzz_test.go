package socketio

import (
	"bytes"
	"encoding/json"
	"testing"
)

// FuzzPacket: whatever is sent, the decoder neither panics nor takes what it could not hand on.
func FuzzPacket(f *testing.F) {
	for _, seed := range []string{
		`0`, `0/admin,{"token":"123"}`, `1/admin,`, `212["foo",{"a":[1,"b"]}]`, `3/admin,13["bar"]`, `4{"message":"a"}`,
		`51-["baz",{"_placeholder":true,"num":0}]`, `61-15["bar",{"num":0,"_placeholder":true}]`, `2[1e3,"\u0000"]`,
		`52-/a,3["b",[{"_placeholder":true,"num":1}],{"x":{"_placeholder":true,"num":0}}]`, `2 [ "a" , null ] `,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		lim := limits{attachments: 10, bytes: 1 << 20}
		p, err := parsePacket(data, lim)
		if err != nil {
			return
		}
		if p.namespace == "" || p.namespace[0] != '/' || p.attachments > lim.attachments || p.id > maxPacketID {
			t.Fatalf("accepted %+v", p)
		}
		if p.kind == packetEvent && reservedEvent(p.event) {
			t.Fatalf("accepted reserved name %q", p.event)
		}
		for range p.attachments {
			p.args.attachments = append(p.args.attachments, []byte("attachment"))
		}
		exerciseArgs(t, p.args)
	})
}

// exerciseArgs decodes the arguments in every way, and encodes them again.
func exerciseArgs(t *testing.T, args Args) {
	var e encoders
	decoded := make([]any, args.Len())
	for i := range args.Len() {
		if !json.Valid(args.Raw(i)) {
			t.Fatalf("argument %d is not JSON: %q", i, args.Raw(i))
		}
		if err := args.Decode(i, &decoded[i]); err != nil {
			continue // a number that no float64 holds
		}
		args.Bytes(i)
		var typed struct {
			Data []byte
			Sub  *struct{ Data []byte }
		}
		_ = args.Decode(i, &typed)
	}
	out, err := e.event("/", nil, "again", decoded, "")
	if err != nil {
		t.Fatalf("encode what was decoded: %v", err)
	}
	if len(out.attachments) != len(args.attachments) {
		t.Fatalf("%d attachments became %d", len(args.attachments), len(out.attachments))
	}
	if _, err := parsePacket(out.text, limits{attachments: 10, bytes: 1 << 20}); err != nil {
		t.Fatalf("decode what was encoded, %q: %v", out.text, err)
	}
}

// FuzzSequence: the messages of a connection, text where a line begins with t and binary where it begins with b.
func FuzzSequence(f *testing.F) {
	f.Add([]byte("t2[\"a\"]\nt51-[\"a\",{\"_placeholder\":true,\"num\":0}]\nbdata\nt3" + "1[]"))
	f.Add([]byte("t52-[\"a\",{\"_placeholder\":true,\"num\":1},{\"_placeholder\":true,\"num\":0}]\nb1\nb\nb3"))
	f.Add([]byte("b1\nt0\nt0\nt1"))
	f.Fuzz(func(t *testing.T, data []byte) {
		d := decoder{limits: limits{attachments: 10, bytes: 4096}}
		for line := range bytes.SplitSeq(data, []byte{'\n'}) {
			if len(line) == 0 {
				continue
			}
			var p *packet
			var err error
			if line[0] == 'b' {
				p, err = d.binary(line[1:])
			} else {
				p, err = d.text(line[1:])
			}
			if err != nil {
				return // the connection is closed
			}
			if p == nil {
				if d.pending == nil || len(d.pending.args.attachments) >= d.pending.attachments {
					t.Fatal("nothing is pending")
				}
				continue
			}
			if len(p.args.attachments) != p.attachments {
				t.Fatalf("%d of %d attachments", len(p.args.attachments), p.attachments)
			}
			if p.size > d.limits.bytes && p.attachments > 0 {
				t.Fatalf("a packet of %d bytes", p.size)
			}
			exerciseArgs(t, p.args)
		}
	})
}

// FuzzScan: the scanner takes what encoding/json takes, and nothing else.
func FuzzScan(f *testing.F) {
	for _, seed := range []string{`["a",1,{"b":[null,true,-1.5e3]}]`, `[]`, `{"a":"\u00e9\\"}`, `[1,]`, "[\"\x01\"]"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if bytes.Count(data, []byte{'['})+bytes.Count(data, []byte{'{'}) > maxJSONDepth || len(data) > maxArguments {
			return // the scanner may be stricter there
		}
		valid := json.Valid(data)
		trimmed := bytes.TrimLeft(data, " \t\r\n")
		items, ok := scanArray(data, nil)
		if want := valid && trimmed[0] == '['; ok != want {
			t.Fatalf("array %q: %v instead of %v", data, ok, want)
		}
		if want := valid && data[0] == '{'; scanObject(data) != want {
			t.Fatalf("object %q: not %v", data, want)
		}
		if !ok {
			return
		}
		var want []json.RawMessage
		if err := json.Unmarshal(data, &want); err != nil || len(want) != len(items) {
			t.Fatalf("%d items of %q: %v", len(items), data, err)
		}
		for i := range items {
			if !bytes.Equal(items[i], want[i]) {
				t.Fatalf("item %q instead of %q", items[i], want[i])
			}
		}
	})
}
