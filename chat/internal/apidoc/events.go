package apidoc

import (
	"strings"
	"unicode"
)

// serverEvent is an event that the server sends.
type serverEvent struct {
	name, doc string
	payload   *Type
}

// serverEvents reads them from the comments behind their names.
func (b *builder) serverEvents() (events []serverEvent) {
	all := make(map[string]Field)
	for _, f := range b.fieldsOf(b.api.Event) {
		all[f.Name] = f
	}
	for _, c := range b.source.block(b.api.Server.Package, b.api.Server.Block) {
		listed, when, found := strings.Cut(strings.TrimSpace(c.doc), ";")
		if !found {
			listed, when = "", listed
		}
		payload := &Type{Kind: Object, Name: typeName(c.value) + "Event"}
		kind := all["type"]
		kind.Type = &Type{Kind: String, Values: []Value{{Text: c.value}}}
		payload.Fields = append(payload.Fields, kind, all["created_at"])
		for name := range strings.SplitSeq(listed, ",") {
			name, optional := strings.CutSuffix(strings.TrimSpace(name), "?")
			if name == "" {
				continue
			}
			f, known := all[name]
			if !known {
				b.fail("%s: %q is no field of %s", c.name, name, b.api.Event.Name())
				continue
			}
			f.Optional = optional
			payload.Fields = append(payload.Fields, f)
		}
		payload.Doc = sentence(b.source.plain(when, nil))
		events = append(events, serverEvent{c.value, payload.Doc, payload})
	}
	if len(events) == 0 {
		b.fail("no constants are declared under %q", b.api.Server.Block)
	}
	return events
}

// ack is what acknowledges an event that has succeeded: the fields of its operation's answer besides the status.
func (b *builder) ack(o Operation) *Type {
	status := Field{Name: "status", Type: &Type{Kind: String, Values: []Value{{Text: "ok"}}}}
	return &Type{Kind: Object, Fields: append([]Field{status}, b.typeOf(o.Out).Fields...)}
}

// errors are all codes of the error object.
func (b *builder) errors() (all []Error) {
	for _, v := range b.typeOf(b.api.Codes).Values {
		e := b.api.Code(v.Text)
		e.Code, e.Doc = v.Text, v.Doc
		all = append(all, e)
	}
	if len(all) == 0 {
		b.fail("%s has no constants", b.api.Codes)
	}
	return all
}

// typeName makes the name of a type of an event's name: MessageNew of message.new.
func typeName(event string) string {
	var out strings.Builder
	for part := range strings.FieldsFuncSeq(event, func(r rune) bool { return r == '.' || r == '_' }) {
		out.WriteString(capital(part))
	}
	return out.String()
}

// sentence makes one of a comment that is none.
func sentence(s string) string {
	s = capital(strings.TrimSpace(s))
	if s != "" && !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}

func capital(s string) string {
	for i, r := range s {
		return string(unicode.ToUpper(r)) + s[i+len(string(r)):]
	}
	return s
}
