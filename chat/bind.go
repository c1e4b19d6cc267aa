package chat

import (
	"encoding"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"reflect"
	"strconv"
	"time"

	"github.com/labstack/echo/v4"
)

// bodyTimeout is how long a request's body may take to arrive.
const bodyTimeout = 30 * time.Second

// idempotencyKey is a header that may stand for the field client_id.
const idempotencyKey = "Idempotency-Key"

// bind fills the fields of in from a REST call: the body's, then those in the query of a call without a body, then those in
// the path and the header, which the body must not contradict.
func (c *Chat) bind(ec echo.Context, op *operation, in any) error {
	v := reflect.ValueOf(in).Elem()
	switch op.method {
	case http.MethodGet, http.MethodDelete:
		if err := bindQuery(op, v, ec.QueryParams()); err != nil {
			return err
		}
	default:
		if err := c.readJSON(ec, in); err != nil {
			return err
		}
	}
	for i, name := range ec.ParamNames() {
		text := ec.ParamValues()[i]
		if ec.Request().URL.RawPath != "" { // which Echo routes by as it is
			var err error
			if text, err = url.PathUnescape(text); err != nil {
				return invalid(name, "is not encoded as a part of an address")
			}
		}
		if err := bindParam(op, v, name, text); err != nil {
			return err
		}
	}
	if _, ok := op.fields["client_id"]; ok {
		if key := ec.Request().Header.Get(idempotencyKey); key != "" {
			return bindOnce(v.FieldByIndex(op.fields["client_id"]), idempotencyKey, key)
		}
	}
	return nil
}

// bindQuery reads the parameters of the query that are fields. It leaves the others alone: they may be a proxy's, or of tomorrow.
func bindQuery(op *operation, v reflect.Value, query url.Values) error {
	for name, values := range query {
		at, ok := op.fields[name]
		if !ok || len(values) == 1 && values[0] == "" {
			continue
		}
		if len(values) > 1 {
			return invalid(name, "is given more than once")
		}
		if err := bindText(v.FieldByIndex(at), values[0]); err != nil {
			return invalid(name, err.Error())
		}
	}
	return nil
}

// bindParam reads a parameter of the path. An id that no room can have is that of a room which is not there.
func bindParam(op *operation, v reflect.Value, name, text string) error {
	at, ok := op.fields[name]
	if !ok {
		return nil
	}
	if name == "room_id" && checkRoomID(text) != nil {
		return roomNotFound()
	}
	return bindOnce(v.FieldByIndex(at), name, text)
}

// bindOnce sets a field that the body may have set already, to the same value.
func bindOnce(field reflect.Value, name, text string) error {
	said := field.Interface()
	if err := bindText(field, text); err != nil {
		return invalid(name, err.Error())
	}
	if !reflect.ValueOf(said).IsZero() && !reflect.DeepEqual(said, field.Interface()) {
		return invalid(name, "differs from the body's")
	}
	return nil
}

// bindText reads a field from the text of a URL.
func bindText(field reflect.Value, text string) error {
	if field.Kind() == reflect.Pointer {
		field.Set(reflect.New(field.Type().Elem()))
		field = field.Elem()
	}
	if own, ok := field.Addr().Interface().(encoding.TextUnmarshaler); ok {
		return own.UnmarshalText([]byte(text))
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("must be true or false")
		}
		field.SetBool(b)
	case reflect.Int, reflect.Int64:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || field.OverflowInt(n) {
			return errors.New("must be a whole number")
		}
		field.SetInt(n)
	default:
		return errors.New("cannot be given in the address")
	}
	return nil
}

// readJSON decodes the body of a call, if it has one. It wants to be told that it is JSON: a form of another site cannot
// say that.
func (c *Chat) readJSON(ec echo.Context, in any) error {
	r := ec.Request()
	if r.ContentLength == 0 && r.Header.Get(echo.HeaderContentType) == "" {
		return nil
	}
	if kind, _, err := mime.ParseMediaType(r.Header.Get(echo.HeaderContentType)); err != nil || kind != echo.MIMEApplicationJSON {
		e := invalid("Content-Type", "must be application/json")
		e.Status = http.StatusUnsupportedMediaType
		return e
	}
	// A server that the deadline cannot be set on has one of its own, or none.
	_ = http.NewResponseController(ec.Response()).SetReadDeadline(time.Now().Add(bodyTimeout))
	data, err := io.ReadAll(http.MaxBytesReader(ec.Response(), r.Body, int64(c.cfg.maxPayload)))
	if err != nil {
		var tooLarge *http.MaxBytesError
		var he *echo.HTTPError
		if errors.As(err, &tooLarge) || errors.As(err, &he) && he.Code == http.StatusRequestEntityTooLarge {
			return NewError(CodeMessageTooLarge, "The request is too large.")
		}
		return invalid("body", "could not be read")
	}
	if len(data) == 0 {
		return nil
	}
	if err := json.Unmarshal(data, in); err != nil {
		if own, ok := asError(err); ok {
			return own
		}
		return malformed("body", err)
	}
	return nil
}
