package apidoc

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// object is a JSON object with its members in order.
type object []member

type member struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var out bytes.Buffer
	out.WriteByte('{')
	for i, m := range o {
		if i > 0 {
			out.WriteByte(',')
		}
		var value bytes.Buffer
		encoder := json.NewEncoder(&value)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(m.value); err != nil {
			return nil, err
		}
		fmt.Fprintf(&out, "%q:%s", m.name, bytes.TrimSpace(value.Bytes()))
	}
	out.WriteByte('}')
	return out.Bytes(), nil
}

// with returns o with a member more, if it says anything.
func (o object) with(name string, value any) object {
	switch v := value.(type) {
	case string:
		if v == "" {
			return o
		}
	case []string:
		if len(v) == 0 {
			return o
		}
	case int:
		if v == 0 {
			return o
		}
	case nil:
		return o
	}
	return append(o, member{name, value})
}

// OpenAPI returns the OpenAPI 3.1 document of the routes. Its server is relative, to wherever the document is served.
func (a API) OpenAPI(title, description, version string) ([]byte, error) {
	b, err := newBuilder(a)
	if err != nil {
		return nil, err
	}
	doc := object{
		{"openapi", "3.1.1"},
		{"info", object{
			{"title", title},
			{"description", description},
			{"license", object{{"name", "MIT"}, {"identifier", "MIT"}}},
			{"version", version},
		}},
		{"servers", []object{{{"url", "../v1"}}}},
		{"security", []object{{{"token", []string{}}}, {{"session", []string{}}}, {{"guest", []string{}}}}},
		{"paths", b.paths()},
		{"components", b.components()},
	}
	if err := b.err(); err != nil {
		return nil, err
	}
	return indented(doc)
}

func indented(v any) ([]byte, error) {
	flat, err := object{{"x", v}}.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("apidoc: %w", err)
	}
	var out bytes.Buffer
	if err := json.Indent(&out, flat[len(`{"x":`):len(flat)-1], "", "  "); err != nil {
		return nil, fmt.Errorf("apidoc: %w", err)
	}
	out.WriteByte('\n')
	return out.Bytes(), nil
}

// paths are the routes, in the order of the table.
func (b *builder) paths() (paths object) {
	for _, o := range b.api.Operations {
		if o.Method == "" {
			continue
		}
		path := templated(o.Path)
		at := slices.IndexFunc(paths, func(m member) bool { return m.name == path })
		if at < 0 {
			at = len(paths)
			paths = append(paths, member{path, object{}})
		}
		paths[at].value = paths[at].value.(object).with(strings.ToLower(o.Method), b.route(o))
	}
	return paths
}

// templated is a path with its parameters as OpenAPI writes them.
func templated(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

func (b *builder) route(o Operation) object {
	tag, _, _ := strings.Cut(o.Name, ".")
	description := o.Doc
	if o.Who != "" {
		description += " For " + o.Who + "."
	}
	out := object{{"operationId", o.Name}, {"tags", []string{tag}}, {"description", description}}
	var parameters []object
	var body []Field
	for _, f := range b.typeOf(o.In).Fields {
		switch inPath := strings.Contains(o.Path+"/", "/:"+f.Name+"/"); {
		case inPath:
			parameters = append(parameters, b.parameter(f, "path"))
		case o.bodied():
			body = append(body, f)
		default:
			parameters = append(parameters, b.parameter(f, "query"))
		}
	}
	if o.Once {
		parameters = append(parameters, object{{"$ref", "#/components/parameters/IdempotencyKey"}})
	}
	if len(parameters) > 0 {
		out = out.with("parameters", parameters)
	}
	switch {
	case o.Form != "":
		out = out.with("requestBody", form(o.Form))
	case len(body) > 0:
		out = out.with("requestBody", b.body(o, body))
	}
	return out.with("responses", b.responses(o))
}

func (b *builder) parameter(f Field, in string) object {
	out := object{{"name", f.Name}, {"in", in}}
	if in == "path" || !f.Optional {
		out = out.with("required", true)
	}
	return out.with("description", sentence(f.Doc)).with("schema", b.limited(f))
}

func (b *builder) body(o Operation, fields []Field) object {
	var schema object
	in := b.typeOf(o.In)
	if len(fields) == len(in.Fields) {
		schema = b.ref(in)
	} else {
		schema = b.schema(&Type{Kind: Object, Fields: fields})
	}
	out := object{}
	if slices.ContainsFunc(fields, func(f Field) bool { return !f.Optional }) {
		out = out.with("required", true)
	}
	return out.with("content", content(schema))
}

// form is the body of a route that takes a file.
func form(field string) object {
	properties := object{{field, object{{"contentMediaType", "application/octet-stream"}}}}
	schema := object{{"type", "object"}, {"required", []string{field}}, {"properties", properties}}
	return object{{"required", true}, {"content", object{{"multipart/form-data", object{{"schema", schema}}}}}}
}

func content(schema object) object {
	return object{{"application/json", object{{"schema", schema}}}}
}

// responses are those of a route: its own, those of its errors by their statuses, and whatever the app's own code refuses with.
func (b *builder) responses(o Operation) object {
	out := b.answers(o)
	codes := make(map[int][]string)
	for _, e := range b.errors() {
		if e.Common || slices.Contains(o.Codes, e.Code) {
			codes[e.Status] = append(codes[e.Status], e.Code)
		}
	}
	if o.bodied() {
		codes[http.StatusRequestEntityTooLarge] = []string{"message_too_large"}
		codes[http.StatusUnsupportedMediaType] = []string{"invalid_argument"}
	}
	if o.Optional || o.File {
		codes[http.StatusNotFound] = append(codes[http.StatusNotFound], "invalid_argument")
	}
	statuses := make([]int, 0, len(codes))
	for status := range codes {
		statuses = append(statuses, status)
	}
	slices.Sort(statuses)
	for _, status := range statuses {
		out = out.with(strconv.Itoa(status), b.refusal(status, codes[status]))
	}
	return out.with("default", object{{"$ref", "#/components/responses/Refused"}})
}

// answers are those that are not errors of the chat's.
func (b *builder) answers(o Operation) (out object) {
	if o.File {
		for _, status := range []int{o.Status, http.StatusPartialContent, http.StatusRequestedRangeNotSatisfiable} {
			answer := object{{"description", http.StatusText(status)}, {"content", object{{"*/*", object{}}}}}
			out = out.with(strconv.Itoa(status), answer)
		}
		return out
	}
	answer := object{{"description", http.StatusText(o.Status)}}
	if o.Status != http.StatusNoContent {
		answer = answer.with("content", content(b.ref(b.typeOf(o.Out))))
	}
	return out.with(strconv.Itoa(o.Status), answer)
}

// refusal refers to the answer with one of some codes, which many routes have.
func (b *builder) refusal(status int, codes []string) object {
	name := strconv.Itoa(status) + "-" + strings.Join(codes, "-")
	if slices.ContainsFunc(b.refusals, func(m member) bool { return m.name == name }) {
		return object{{"$ref", "#/components/responses/" + name}}
	}
	answer := object{{"description", quoted(codes)}}
	switch status {
	case http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable:
		answer = answer.with("headers", object{{"Retry-After", object{{"$ref", "#/components/headers/RetryAfter"}}}})
	}
	b.refusals = b.refusals.with(name, answer.with("content", content(object{{"$ref", "#/components/schemas/ErrorAnswer"}})))
	return object{{"$ref", "#/components/responses/" + name}}
}

// components are what the routes refer to. It comes after them.
func (b *builder) components() object {
	failure := Field{Name: "error", Type: b.typeOf(b.api.Error)}
	schemas := object{{"ErrorAnswer", b.schema(&Type{Kind: Object, Fields: []Field{failure}})}}
	for _, t := range b.named {
		if b.referred[t] {
			schemas = schemas.with(t.Name, b.schema(t))
		}
	}
	byName := func(x, y member) int { return strings.Compare(x.name, y.name) }
	slices.SortFunc(schemas, byName)
	slices.SortFunc(b.refusals, byName)
	return object{
		{"schemas", schemas},
		{"parameters", object{{"IdempotencyKey", object{
			{"name", "Idempotency-Key"},
			{"in", "header"},
			{"description", "Stands for `client_id`, which it must not contradict."},
			{"schema", object{{"type", "string"}}},
		}}}},
		{"headers", object{{"RetryAfter", object{
			{"description", "Seconds after which the same request may succeed, where that is known."},
			{"schema", object{{"type", "integer"}}},
		}}}},
		{"responses", b.refusals.with("Refused", object{
			{"description", "What a hook, a filter or an authenticator of the app has refused with a status of its own."},
			{"content", content(object{{"$ref", "#/components/schemas/ErrorAnswer"}})},
		})},
		{"securitySchemes", object{
			{"token", object{
				{"type", "http"},
				{"scheme", "bearer"},
				{"description", "A token that the app has given out, where the app has set chat.WithTokenAuth."},
			}},
			{"session", object{
				{"type", "apiKey"},
				{"in", "cookie"},
				{"name", "session"},
				{"description", "The app's own login, under whatever name it has, where the app has set chat.WithAuth."},
			}},
			{"guest", object{
				{"type", "apiKey"},
				{"in", "cookie"},
				{"name", "echochat_guest"},
				{"description", "A guest, where the app has set chat.WithGuests. Who has no such cookie gets one with the answer."},
			}},
		}},
	}
}
