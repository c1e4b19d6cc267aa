package apidoc

// ref is the schema of a type where it is used: a reference, if the type has a name.
func (b *builder) ref(t *Type) object {
	if t.Name == "" {
		return b.schema(t)
	}
	b.refer(t)
	return object{{"$ref", "#/components/schemas/" + t.Name}}
}

// refer notes that a type is used, and with it the types that it is made of.
func (b *builder) refer(t *Type) {
	if t == nil || b.referred[t] {
		return
	}
	b.referred[t] = true
	b.refer(t.Elem)
	for _, f := range t.Fields {
		b.refer(f.Type)
	}
	for _, one := range t.Types {
		b.refer(one)
	}
}

// schema is a type in JSON Schema.
func (b *builder) schema(t *Type) object {
	var out object
	switch t.Kind {
	case Object:
		out = b.objectSchema(t)
	case Array:
		out = object{{"type", "array"}, {"items", b.ref(t.Elem)}}
	case Map:
		out = object{{"type", "object"}}
		if t.Elem != nil {
			out = out.with("additionalProperties", b.ref(t.Elem))
		} else {
			out = out.with("additionalProperties", true)
		}
	case String:
		out = object{{"type", "string"}}
		if len(t.Values) == 1 {
			out = object{{"const", t.Values[0].Text}}
		} else if len(t.Values) > 1 {
			values := make([]string, len(t.Values))
			for i, v := range t.Values {
				values[i] = v.Text
			}
			out = out.with("enum", values)
		}
	case Integer:
		out = object{{"type", "integer"}}
	case Number:
		out = object{{"type", "number"}}
	case Boolean:
		out = object{{"type", "boolean"}}
	case OneOf:
		types := make([]object, len(t.Types))
		for i, one := range t.Types {
			types[i] = b.ref(one)
		}
		out = object{{"oneOf", types}}
	}
	return out.with("format", t.Format).with("description", t.describe())
}

func (b *builder) objectSchema(t *Type) object {
	var required []string
	properties := object{}
	for _, f := range t.Fields {
		if !f.Optional {
			required = append(required, f.Name)
		}
		properties = append(properties, member{f.Name, b.limited(f).with("description", sentence(f.Doc))})
	}
	out := object{{"type", "object"}}.with("required", required)
	if len(properties) > 0 {
		out = out.with("properties", properties)
	}
	return out
}

// limited is the schema of a field's value.
func (b *builder) limited(f Field) object {
	out := b.ref(f.Type)
	if f.Type.Kind == Integer && (f.Limits.Most > 0) {
		out = out.with("minimum", int64(0)).with("maximum", f.Limits.Most)
	}
	out = out.with("default", f.Limits.Default).with("maxLength", f.Limits.MaxLength).
		with("maxItems", f.Limits.MaxItems).with("pattern", f.Limits.Pattern)
	if f.Nullable {
		return object{{"oneOf", []object{out, {{"type", "null"}}}}}
	}
	return out
}

// describe is a type's description, with those of its values.
func (t *Type) describe() string {
	out := t.Doc
	if len(t.Values) < 2 {
		return out
	}
	for _, v := range t.Values {
		if v.Doc != "" {
			out += "\n- `" + v.Text + "`: " + v.Doc
		}
	}
	return out
}

// Schemas returns JSON Schemas for the events, where an OpenAPI document has its own: for each acknowledgement, as "ack:" and
// the event's name, for each event of the server, as "event:" and its name, and for the acknowledgement of a failure, "error".
func (a API) Schemas() ([]byte, error) {
	b, err := newBuilder(a)
	if err != nil {
		return nil, err
	}
	failed := []Field{
		{Name: "status", Type: &Type{Kind: String, Values: []Value{{Text: "error"}}}},
		{Name: "error", Type: b.typeOf(a.Error)},
	}
	schemas := object{{"error", b.schema(&Type{Kind: Object, Fields: failed})}}
	for _, o := range a.Operations {
		if o.Event {
			schemas = schemas.with("ack:"+o.Name, b.schema(b.ack(o)))
		}
	}
	for _, e := range b.serverEvents() {
		schemas = schemas.with("event:"+e.name, b.schema(e.payload))
	}
	for _, t := range b.named {
		schemas = schemas.with(t.Name, b.schema(t))
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	return indented(object{{"components", object{{"schemas", schemas}}}})
}
