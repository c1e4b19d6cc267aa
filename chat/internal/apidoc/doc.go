// Package apidoc writes the documentation of the chat's API: an OpenAPI document of its routes, a page of its events, and
// TypeScript declarations of the events. It is made from Go types by reflection, and from the comments beside them in the
// source, so that what is said about a field is said once. Only tests import it: what it writes is kept in files.
package apidoc

import (
	"net/http"
	"reflect"
)

// API is what there is to document.
type API struct {
	Operations []Operation
	Server     Server
	// Codes is the type of the error object's codes, and Code says of each what is not in its comment.
	Codes reflect.Type
	Code  func(code string) Error
	// Error is the error object as it is written, and Event what every event of the server carries.
	Error, Event reflect.Type
	// Sources are the folders of the packages that the types are from, by their import paths.
	Sources map[string]string
	// Special says what is written for types that write themselves.
	Special map[reflect.Type]Type
	// Limits are what a client's values must keep to, by "Type.field", or by "field" for each argument with such a field.
	Limits map[string]Limits
}

// Operation is something that a client asks for, by an event, by a route or by both.
type Operation struct {
	Name, Doc string
	Who       string // may do it, in a few words
	Event     bool
	Method    string // of the route; empty where there is none
	Path      string // with parameters as Echo writes them, such as /rooms/:room_id
	Status    int    // of the route's answer
	In, Out   reflect.Type
	Codes     []string // of its errors, besides those that everything may answer with
	Guarded   bool     // about something that the caller may not be allowed to know of
	Once      bool     // takes a header Idempotency-Key
	Form      string   // the field with the file in the form that the route takes; empty for one that takes JSON
	File      bool     // the route answers with a file of any type, or the part that a header Range asks for; 404 with invalid_argument if there is none
	Optional  bool     // not every app has the route: the others answer with 404 and invalid_argument
}

// Server names the events that the server sends: the constants of the block in package Package whose comment begins with
// Block. A comment behind each constant lists the fields that its event always has, those that it may have with a question
// mark, and says after a semicolon when it is sent.
type Server struct {
	Package, Block string
}

// Error is a code of the error object.
type Error struct {
	Code, Doc string // filled in
	Status    int
	Common    bool // everything may answer with it
	Retry     bool // not acknowledged: the client sends again
}

// bodied reports whether the operation's route has a body.
func (o Operation) bodied() bool {
	return o.Method != "" && o.Method != http.MethodGet && o.Method != http.MethodDelete
}
