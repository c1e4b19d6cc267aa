package apidoc

import (
	"bytes"
	_ "embed"
	"fmt"
	"slices"
	"strings"
	"text/template"
)

//go:embed events.md.tmpl
var eventsPage string

// Markdown returns the page of the events.
func (a API) Markdown() ([]byte, error) {
	b, err := newBuilder(a)
	if err != nil {
		return nil, err
	}
	page := struct {
		Client []clientEvent
		Server []serverSection
		Types  []*Type
		Errors []Error
	}{Errors: b.errors()}
	for _, o := range a.Operations {
		if o.Event {
			in, out := b.typeOf(o.In), b.typeOf(o.Out)
			page.Client = append(page.Client, clientEvent{o, in.Fields, out.Fields})
			b.referFields(in.Fields, out.Fields)
		}
	}
	for _, e := range b.serverEvents() {
		fields := e.payload.Fields[2:] // what they all have is said once
		page.Server = append(page.Server, serverSection{e.name, e.doc, fields})
		b.referFields(fields)
	}
	failure := b.typeOf(a.Error)
	b.refer(failure)
	for _, t := range b.named {
		if b.referred[t] {
			page.Types = append(page.Types, t)
		}
	}
	slices.SortFunc(page.Types, func(x, y *Type) int { return strings.Compare(x.Name, y.Name) })
	if err := b.err(); err != nil {
		return nil, err
	}
	tmpl, err := template.New("events").Funcs(template.FuncMap{
		"table": table, "codes": quoted, "anchor": anchor, "sentence": sentence, "type": markdownType,
	}).Parse(eventsPage)
	if err != nil {
		return nil, fmt.Errorf("apidoc: %w", err)
	}
	var out bytes.Buffer
	if err := tmpl.Execute(&out, page); err != nil {
		return nil, fmt.Errorf("apidoc: %w", err)
	}
	return out.Bytes(), nil
}

// clientEvent is an event that a client sends, on the page.
type clientEvent struct {
	Operation
	Argument, Ack []Field
}

// serverSection is an event of the server, on the page.
type serverSection struct {
	Name, Doc string
	Fields    []Field
}

// referFields notes the types that fields have, but not the one that they are fields of.
func (b *builder) referFields(lists ...[]Field) {
	for _, f := range slices.Concat(lists...) {
		b.refer(f.Type)
	}
}

// table is what a list of fields looks like.
func table(fields []Field) string {
	var out strings.Builder
	out.WriteString("| field | type | |\n|---|---|---|\n")
	for _, f := range fields {
		name, doc := "`"+f.Name+"`", strings.ReplaceAll(sentence(f.Doc), "|", "\\|")
		if f.Optional {
			name += "?"
		}
		fmt.Fprintf(&out, "| %s | %s | %s |\n", name, markdownType(f.Type), doc)
	}
	return out.String()
}

// markdownType is a type in a table, with a link where it is described elsewhere on the page.
func markdownType(t *Type) string {
	switch {
	case t.Name != "":
		return fmt.Sprintf("[%s](#%s)", t.Name, anchor(t.Name))
	case t.Kind == Array:
		return "list of " + markdownType(t.Elem)
	case t.Kind == Map && t.Elem != nil:
		return "object of " + markdownType(t.Elem)
	case t.Kind == Map, t.Kind == Object:
		return "object"
	case t.Kind == String && t.Format == "date-time":
		return "time"
	case t.Kind == String:
		return "string"
	case t.Kind == Integer:
		return "integer"
	case t.Kind == Number:
		return "number"
	case t.Kind == Boolean:
		return "boolean"
	default:
		types := make([]string, len(t.Types))
		for i, one := range t.Types {
			types[i] = markdownType(one)
		}
		return strings.Join(types, " or ")
	}
}

// quoted is a list of words as Markdown shows code.
func quoted(list []string) string { return "`" + strings.Join(list, "`, `") + "`" }

// anchor is the link that a heading of the page has.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		case isUpper(r):
			return r - 'A' + 'a'
		case r == ' ':
			return '-'
		}
		return -1
	}, heading)
}
