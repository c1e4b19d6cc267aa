package chat_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"

	"github.com/echochat/echochat/chat"
	"github.com/echochat/echochat/chat/internal/apidoc"
)

const apiPrefix = "/chat/api/v1"

// watch holds what a handler answers below the API's path to the contract.
func (c *contract) watch(t testing.TB, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, path, ours := strings.Cut(r.URL.EscapedPath(), apiPrefix)
		op, found := c.route(r.Method, path)
		if !ours || !found {
			next.ServeHTTP(w, r)
			return
		}
		call := &exchange{ResponseWriter: w, op: op, path: path, query: r.URL.Query(), kind: r.Header.Get("Content-Type"), status: http.StatusOK}
		r.Body = struct {
			io.Reader
			io.Closer
		}{io.TeeReader(r.Body, &call.request), r.Body}
		next.ServeHTTP(call, r)
		call.unzip()
		if err := c.judge(call); err != nil {
			t.Errorf("%s %s: %v", r.Method, r.URL, err)
		}
	})
}

// route finds the operation of a path.
func (c *contract) route(method, path string) (apidoc.Operation, bool) {
	for _, op := range c.operations {
		if op.Method == method && params(op, path) != nil {
			return op, true
		}
	}
	return apidoc.Operation{}, false
}

// params are the parameters in a path of an operation, nil if it is not one.
func params(op apidoc.Operation, path string) map[string]string {
	want, got := strings.Split(op.Path, "/"), strings.Split(path, "/")
	if len(want) != len(got) {
		return nil
	}
	out := make(map[string]string)
	for i, part := range want {
		text, err := url.PathUnescape(got[i])
		switch name, parameter := strings.CutPrefix(part, ":"); {
		case err != nil, !parameter && part != text:
			return nil
		case parameter:
			out[name] = text
		}
	}
	return out
}

// exchange is a call of a route, and what was answered.
type exchange struct {
	http.ResponseWriter
	op      apidoc.Operation
	path    string
	query   url.Values
	kind    string // of the request
	request bytes.Buffer
	status  int
	answer  bytes.Buffer
}

// WriteHeader keeps the status.
func (e *exchange) WriteHeader(status int) {
	e.status = status
	e.ResponseWriter.WriteHeader(status)
}

// Write keeps the answer.
func (e *exchange) Write(data []byte) (int, error) {
	e.answer.Write(data)
	return e.ResponseWriter.Write(data)
}

// Unwrap lets http.ResponseController find what the connection can do.
func (e *exchange) Unwrap() http.ResponseWriter { return e.ResponseWriter }

// unzip undoes what a middleware has done to the answer.
func (e *exchange) unzip() {
	if e.Header().Get("Content-Encoding") != "gzip" {
		return
	}
	if reader, err := gzip.NewReader(bytes.NewReader(e.answer.Bytes())); err == nil {
		e.answer.Reset()
		_, _ = e.answer.ReadFrom(reader)
	}
}

// judge says what is wrong with a call.
func (c *contract) judge(e *exchange) error {
	ranged := e.op.File && (e.status == http.StatusPartialContent || e.status == http.StatusRequestedRangeNotSatisfiable)
	if e.status >= http.StatusBadRequest && !ranged {
		return c.judgeRefusal(e)
	}
	if e.status != e.op.Status && !ranged {
		return fmt.Errorf("the answer is %d, and the table says %d", e.status, e.op.Status)
	}
	if err := c.judgeRequest(e); err != nil {
		return fmt.Errorf("accepted, although the document does not allow it: %w", err)
	}
	if err := c.judgeAnswer(e, strconv.Itoa(e.status)); err != nil {
		return err
	}
	c.note(e.op.Method + " " + e.op.Path)
	return nil
}

// judgeRefusal wants the error object, with a status that goes with it, and a code that the document names.
func (c *contract) judgeRefusal(e *exchange) error {
	var body struct{ Error *chat.Error }
	if err := json.Unmarshal(e.answer.Bytes(), &body); err != nil {
		return fmt.Errorf("%w: %.200s", err, e.answer.Bytes())
	}
	if body.Error == nil || body.Error.Status != e.status {
		return fmt.Errorf("status %d with %.200s", e.status, e.answer.Bytes())
	}
	status := strconv.Itoa(e.status)
	if _, listed := c.lookup("responses", status, e).(map[string]any); !listed {
		status = "default"
	}
	err := announced(e.op, body.Error)
	if e.status == http.StatusRequestEntityTooLarge {
		err = nil // every body may be too large
	}
	return errors.Join(err, c.judgeAnswer(e, status))
}

// lookup returns a part of an operation in the document.
func (c *contract) lookup(part, name string, e *exchange) any {
	paths := c.document["paths"].(map[string]any)
	operation := paths[documented(e.op.Path)].(map[string]any)[strings.ToLower(e.op.Method)].(map[string]any)
	in, _ := operation[part].(map[string]any)
	return in[name]
}

// documented is a path as the document writes it.
func documented(path string) string {
	parts := strings.Split(path, "/")
	for i, part := range parts {
		if name, ok := strings.CutPrefix(part, ":"); ok {
			parts[i] = "{" + name + "}"
		}
	}
	return strings.Join(parts, "/")
}

// judgeAnswer holds a body to the schema for its status.
func (c *contract) judgeAnswer(e *exchange, status string) error {
	answer := c.lookup("responses", status, e).(map[string]any)
	at := []string{"paths", documented(e.op.Path), strings.ToLower(e.op.Method), "responses", status}
	if ref, ok := answer["$ref"].(string); ok {
		at = strings.Split(strings.TrimPrefix(ref, "#/"), "/")
		answer = c.document["components"].(map[string]any)["responses"].(map[string]any)[at[2]].(map[string]any)
	}
	if answer["content"] == nil {
		if e.answer.Len() > 0 {
			return fmt.Errorf("there is a body, and the document has none: %.200s", e.answer.Bytes())
		}
		return nil
	}
	kind := e.Header().Get("Content-Type")
	if _, anything := answer["content"].(map[string]any)["*/*"]; anything && kind != "" {
		return nil
	}
	if kind != "application/json" {
		return fmt.Errorf("the answer is %q", kind)
	}
	return c.text("answers", e.answer.Bytes(), append(at, "content", "application/json", "schema")...)
}

// judgeRequest holds parameters and body of an accepted call to their schemas.
func (c *contract) judgeRequest(e *exchange) error {
	at := []string{"paths", documented(e.op.Path), strings.ToLower(e.op.Method)}
	inPath := params(e.op, e.path)
	operation := c.document["paths"].(map[string]any)[at[1]].(map[string]any)[at[2]].(map[string]any)
	list, _ := operation["parameters"].([]any)
	for i, parameter := range list {
		p := parameter.(map[string]any)
		name, _ := p["name"].(string)
		text, given := inPath[name]
		if p["in"] == "query" {
			text, given = e.query.Get(name), e.query.Get(name) != ""
		}
		if !given {
			if p["required"] == true {
				return fmt.Errorf("without %s", name)
			}
			continue
		}
		if err := c.parameter(text, append(at, "parameters", strconv.Itoa(i), "schema")...); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	body, ok := operation["requestBody"].(map[string]any)
	switch {
	case !ok:
		return nil
	case e.request.Len() == 0 && body["required"] == true:
		return errors.New("without a body")
	case e.request.Len() == 0:
		return nil
	case e.op.Form != "":
		form, err := e.form()
		if err != nil {
			return err
		}
		return c.check("requests", form, append(at, "requestBody", "content", "multipart/form-data", "schema")...)
	}
	return c.text("requests", e.request.Bytes(), append(at, "requestBody", "content", "application/json", "schema")...)
}

// form is the first field of a form: the server reads no further.
func (e *exchange) form() (map[string]any, error) {
	_, params, err := mime.ParseMediaType(e.kind)
	if err != nil {
		return nil, err
	}
	part, err := multipart.NewReader(&e.request, params["boundary"]).NextPart()
	if err != nil {
		return nil, err
	}
	content, err := io.ReadAll(part)
	return map[string]any{part.FormName(): string(content)}, err
}

// parameter checks the text of a parameter, which is a string or what it spells.
func (c *contract) parameter(text string, at ...string) error {
	err := c.check("requests", text, at...)
	if err != nil && (text == "true" || text == "false") {
		return c.check("requests", text == "true", at...)
	}
	if _, number := strconv.ParseInt(text, 10, 64); err != nil && number == nil {
		return c.check("requests", json.Number(text), at...)
	}
	return err
}
