package chat_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/stretchr/testify/require"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/internal/apidoc"
)

// contract holds what the tests send and get, over REST and events, to the documentation of the API: what a route has
// accepted must be what the document allows, and every answer must be one that it announces. It notes what it has seen.
type contract struct {
	operations []apidoc.Operation
	events     []string       // of the server
	document   map[string]any // of the routes
	schemas    *jsonschema.Compiler

	mu       sync.Mutex
	compiled map[string]*jsonschema.Schema
	seen     map[string]bool // "GET /me", "ack:room.join", "event:message.new"
}

// theContract is that of the code as it is, which TestGenerated compares with the files.
var theContract = sync.OnceValues(func() (*contract, error) {
	api := chat.Describe()
	routes, err := api.OpenAPI("", "", "")
	if err != nil {
		return nil, err
	}
	events, err := api.Schemas()
	if err != nil {
		return nil, err
	}
	c := &contract{
		operations: api.Operations, schemas: jsonschema.NewCompiler(),
		compiled: make(map[string]*jsonschema.Schema), seen: make(map[string]bool),
	}
	c.schemas.AssertFormat()
	// What the server sends has no fields but those documented; a client may send more, which is ignored.
	for name, text := range map[string][]byte{"requests": routes, "answers": routes, "events": events} {
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			return nil, err
		}
		switch name {
		case "requests":
			c.document = doc.(map[string]any)
		case "events":
			for schema := range doc.(map[string]any)["components"].(map[string]any)["schemas"].(map[string]any) {
				if event, ok := strings.CutPrefix(schema, "event:"); ok {
					c.events = append(c.events, event)
				}
			}
			fallthrough
		default:
			closeObjects(doc)
		}
		if err := c.schemas.AddResource("http://test/"+name, doc); err != nil {
			return nil, err
		}
	}
	return c, nil
})

// closeObjects lets the objects of a schema have no other fields than those listed.
func closeObjects(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		_, listed := s["properties"].(map[string]any)
		if _, open := s["additionalProperties"]; s["type"] == "object" && !open && (listed || s["required"] == nil) {
			s["additionalProperties"] = false
		}
		for _, part := range s {
			closeObjects(part)
		}
	case []any:
		for _, part := range s {
			closeObjects(part)
		}
	}
}

// agreement returns the contract.
func agreement(t testing.TB) *contract {
	t.Helper()
	c, err := theContract()
	require.NoError(t, err)
	return c
}

func (c *contract) note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen[what] = true
}

// unseen are the operations, acknowledgements and events of the server that no test has seen succeed.
func (c *contract) unseen() (missing []string) {
	want := make(map[string]bool)
	for _, op := range c.operations {
		if op.Method != "" {
			want[op.Method+" "+op.Path] = true
		}
		if op.Event {
			want["ack:"+op.Name] = true
		}
	}
	for _, name := range c.events {
		want["event:"+name] = true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for what := range want {
		if !c.seen[what] {
			missing = append(missing, what)
		}
	}
	slices.Sort(missing)
	return missing
}

// check says whether a value is what a part of a document describes: of the routes, or of the events.
func (c *contract) check(document string, value any, path ...string) error {
	at := "http://test/" + document + "#"
	for _, step := range path {
		at += "/" + url.PathEscape(strings.NewReplacer("~", "~0", "/", "~1").Replace(step))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	schema, ok := c.compiled[at]
	if !ok {
		var err error
		if schema, err = c.schemas.Compile(at); err != nil {
			return err
		}
		c.compiled[at] = schema
	}
	return schema.Validate(value)
}

// text is check for JSON text.
func (c *contract) text(document string, text []byte, path ...string) error {
	value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("%w: %.200s", err, text)
	}
	return c.check(document, value, path...)
}

// ack checks the acknowledgement of an event of the chat's.
func (c *contract) ack(t testing.TB, event string, text []byte) {
	t.Helper()
	at := slices.IndexFunc(c.operations, func(o apidoc.Operation) bool { return o.Event && o.Name == event })
	if at < 0 {
		return
	}
	var answer struct {
		Status string
		Error  *chat.Error
	}
	require.NoError(t, json.Unmarshal(text, &answer), "%s", text)
	if answer.Status == "ok" {
		require.NoError(t, c.text("events", text, "components", "schemas", "ack:"+event), "%s: %s", event, text)
		c.note("ack:" + event)
		return
	}
	require.NoError(t, c.text("events", text, "components", "schemas", "error"), "%s: %s", event, text)
	require.NoError(t, announced(c.operations[at], answer.Error))
}

// event checks an event of the server.
func (c *contract) event(t testing.TB, name string, text []byte) {
	t.Helper()
	if slices.Contains(c.events, name) {
		require.NoError(t, c.text("events", text, "components", "schemas", "event:"+name), "%s: %s", name, text)
		c.note("event:" + name)
	}
}

// announced says whether an operation may end with an error.
func announced(op apidoc.Operation, e *chat.Error) error {
	if e == nil || e.Code == "" {
		return errors.New("there is no error in the answer")
	}
	if slices.Contains(chat.CommonCodes(), e.Code) || slices.Contains(op.Codes, string(e.Code)) {
		return nil
	}
	return fmt.Errorf("%s answers with %s (%s): name the code in the errors of its entry in the table of operations", op.Name, e.Code, e.Message)
}
