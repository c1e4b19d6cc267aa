package apidoc

import (
	"fmt"
	"strings"
)

// TypeScript returns the declarations of the events for the generics of the client's Socket, below a heading.
func (a API) TypeScript(heading string) ([]byte, error) {
	b, err := newBuilder(a)
	if err != nil {
		return nil, err
	}
	var listen, emit, types strings.Builder
	var union []string
	for _, o := range a.Operations {
		if o.Event {
			b.declareClientEvent(&emit, o)
		}
	}
	for _, e := range b.serverEvents() {
		b.refer(e.payload)
		document(&listen, "  ", e.doc)
		fmt.Fprintf(&listen, "  %q: (event: %s) => void;\n", e.name, e.payload.Name)
		union = append(union, "  | "+e.payload.Name)
		declare(&types, e.payload)
	}
	b.refer(b.typeOf(a.Error))
	for _, t := range b.named {
		if b.referred[t] {
			declare(&types, t)
		}
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	var out strings.Builder
	for line := range strings.Lines(heading) {
		out.WriteString(strings.TrimRight("// "+line, " \n") + "\n")
	}
	fmt.Fprintf(&out, "\n/** What the server sends. */\nexport interface ServerToClientEvents {\n%s}\n", listen.String())
	fmt.Fprintf(&out, "\n/** What a client sends. */\nexport interface ClientToServerEvents {\n%s}\n", emit.String())
	fmt.Fprintf(&out, "\n/** Any event of the server: `type` tells which. */\nexport type ServerEvent =\n%s;\n", strings.Join(union, "\n"))
	out.WriteString("\n/** How an event is acknowledged: with what it asked for, or why not. */\n" +
		"export type Answer<T = object> = ({ status: \"ok\" } & T) | { status: \"error\"; error: ChatError };\n")
	out.WriteString(types.String())
	return []byte(out.String()), nil
}

// declareClientEvent writes an event that a client sends. What answers nothing may be sent without waiting for the answer.
func (b *builder) declareClientEvent(out *strings.Builder, o Operation) {
	argument, ack, answer := "object", "ack?", "Answer"
	if in := b.typeOf(o.In); len(in.Fields) > 0 {
		b.refer(in)
		argument = typescript(in)
	}
	if result := b.typeOf(o.Out); len(result.Fields) > 0 {
		b.refer(result)
		ack, answer = "ack", "Answer<"+typescript(result)+">"
	}
	document(out, "  ", o.Doc)
	fmt.Fprintf(out, "  %q: (argument: %s, %s: (answer: %s) => void) => void;\n", o.Name, argument, ack, answer)
}

// declare writes the declaration of a type with a name.
func declare(out *strings.Builder, t *Type) {
	out.WriteByte('\n')
	document(out, "", t.describe())
	if t.Kind != Object {
		inline := *t
		inline.Name = ""
		fmt.Fprintf(out, "export type %s = %s;\n", typescriptName(t), typescript(&inline))
		return
	}
	fmt.Fprintf(out, "export interface %s {\n", typescriptName(t))
	for _, f := range t.Fields {
		document(out, "  ", sentence(f.Doc))
		optional, null := "", ""
		if f.Optional {
			optional = "?"
		}
		if f.Nullable {
			null = " | null"
		}
		fmt.Fprintf(out, "  %s%s: %s%s;\n", f.Name, optional, typescript(f.Type), null)
	}
	out.WriteString("}\n")
}

// typescriptName is a type's name: Error is the language's own.
func typescriptName(t *Type) string {
	if t.Name == "Error" {
		return "ChatError"
	}
	return t.Name
}

// typescript is a type where it is used.
func typescript(t *Type) string {
	if t.Name != "" {
		return typescriptName(t)
	}
	switch t.Kind {
	case Object:
		var fields []string
		for _, f := range t.Fields {
			fields = append(fields, fmt.Sprintf("%s: %s", f.Name, typescript(f.Type)))
		}
		return "{ " + strings.Join(fields, "; ") + " }"
	case Array:
		if elem := typescript(t.Elem); !strings.Contains(elem, " ") {
			return elem + "[]"
		}
		return "Array<" + typescript(t.Elem) + ">"
	case Map:
		if t.Elem == nil {
			return "Record<string, unknown>"
		}
		return "Record<string, " + typescript(t.Elem) + ">"
	case String:
		values := make([]string, len(t.Values))
		for i, v := range t.Values {
			values[i] = fmt.Sprintf("%q", v.Text)
		}
		if len(values) > 0 {
			return strings.Join(values, " | ")
		}
		return "string"
	case Integer, Number:
		return "number"
	case Boolean:
		return "boolean"
	case OneOf:
		types := make([]string, len(t.Types))
		for i, one := range t.Types {
			types[i] = typescript(one)
		}
		return strings.Join(types, " | ")
	}
	return "unknown"
}

// document writes a comment, if there is anything to say.
func document(out *strings.Builder, indent, text string) {
	text = strings.ReplaceAll(text, "*/", "*\u200b/")
	switch lines := strings.Split(text, "\n"); {
	case text == "":
	case len(lines) == 1:
		fmt.Fprintf(out, "%s/** %s */\n", indent, text)
	default:
		fmt.Fprintf(out, "%s/**\n", indent)
		for _, line := range lines {
			fmt.Fprintf(out, "%s * %s\n", indent, line)
		}
		fmt.Fprintf(out, "%s */\n", indent)
	}
}
