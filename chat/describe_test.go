package chat

import (
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/echochat/echochat/chat/internal/apidoc"
	"github.com/echochat/echochat/store"
)

// Describe is what the documentation of the API is made of: the table of operations, the routes of uploads, and the table
// of permissions.
func Describe() apidoc.API {
	c := &Chat{rules: permissions()}
	api := apidoc.API{
		Server: apidoc.Server{Package: "github.com/echochat/echochat/chat", Block: "Events from the server."},
		Codes:  reflect.TypeFor[Code](),
		Code: func(code string) apidoc.Error {
			return apidoc.Error{Status: Code(code).status(), Common: slices.Contains(CommonCodes(), Code(code)), Retry: Code(code).transient()}
		},
		Error: reflect.TypeFor[wireError](), Event: reflect.TypeFor[Event](),
		Sources: map[string]string{
			"github.com/echochat/echochat/chat": ".", "github.com/echochat/echochat/store": "../store",
		},
		Special: map[reflect.Type]apidoc.Type{
			reflect.TypeFor[store.Position](): {
				Kind: apidoc.OneOf, Name: "Position", Doc: "A place in a room's history: a seq, or the id of a message.",
				Types: []*apidoc.Type{{Kind: apidoc.Integer}, {Kind: apidoc.String}},
			},
		},
		Limits: limits(),
	}
	for _, op := range c.table() {
		api.Operations = append(api.Operations, c.describe(op))
	}
	create, read := uploadOperations()
	form, file := c.describe(create), c.describe(read)
	form.Form, form.Optional = uploadField, true
	file.File, file.Optional = true, true
	api.Operations = append(api.Operations, form, file)
	return api
}

func (c *Chat) describe(op *operation) apidoc.Operation {
	return apidoc.Operation{
		Name: op.name, Doc: op.doc, Who: c.rules[op.action].who(), Event: op.event, Method: op.method, Path: op.path, Status: op.status,
		In: op.in, Out: op.out, Codes: c.codesOf(op), Once: op.method != "" && op.fields["client_id"] != nil,
	}
}

// CommonCodes are the errors that everything may end with: the sign-in's, the app's own, and those of a server in distress.
func CommonCodes() []Code {
	return []Code{
		CodeUnauthorized, CodeTokenExpired, CodeForbidden, CodeBanned, CodeInvalidArgument, CodeRateLimited, CodeServerBusy,
		CodeServerDraining, CodeInternal,
	}
}

// codesOf are the errors that an operation may end with besides: those of its action, and those in its entry of the table.
func (c *Chat) codesOf(op *operation) []string {
	var codes []Code
	for _, action := range []Action{op.action, op.others} {
		row := c.rules[action]
		if row.anywhere() {
			continue
		}
		if row.message {
			codes = append(codes, CodeMessageNotFound)
		}
		if !row.message || op.fields["room_id"] != nil {
			codes = append(codes, CodeRoomNotFound)
		}
		if least := max(row.public, row.private, row.channel); least >= reader {
			codes = append(codes, CodeNotAMember)
		}
		if row.speaks {
			codes = append(codes, CodeMuted)
		}
	}
	if op.method != http.MethodGet {
		codes = append(codes, CodeStorageFull)
	}
	var names []string
	for _, code := range append(codes, op.errors...) {
		if !slices.Contains(names, string(code)) {
			names = append(names, string(code))
		}
	}
	slices.Sort(names)
	return names
}

// who says in words who may do what a row of the table of permissions is about.
func (r rule) who() string {
	switch {
	case r.admins:
		return "admins"
	case r.anywhere():
		return ""
	}
	words := map[standing]string{
		stranger: "everybody", invited: "whoever is invited", reader: "members and read-only members", member: "members",
		moderator: "moderators", owner: "owners", admin: "admins", nobody: "nobody",
	}
	var parts []string
	for least := stranger; least <= nobody; least++ {
		var where []string
		for _, kind := range []store.RoomType{store.RoomPublic, store.RoomPrivate, store.RoomChannel, store.RoomDirect} {
			if r.least(kind) == least {
				where = append(where, string(kind))
			}
		}
		switch {
		case len(where) == 4:
			return words[least]
		case len(where) > 0 && (least < nobody || len(parts) == 0):
			parts = append(parts, words[least]+" ("+strings.Join(where, ", ")+")")
		}
	}
	return strings.Join(parts, ", ")
}

// limits are those of the fields, by their types or wherever they are arguments.
func limits() map[string]apidoc.Limits {
	return map[string]apidoc.Limits{
		"limit":     {Most: maxPage, Default: 50},
		"room_id":   {MaxLength: maxRoomIDBytes, Pattern: "^[a-z0-9._-]+$"},
		"user_id":   {MaxLength: maxUserIDBytes},
		"client_id": {MaxLength: maxClientIDBytes},
		"parent_id": {MaxLength: maxMessageID},

		"NewRoom.id":             {MaxLength: maxRoomIDBytes, Pattern: "^[a-z0-9._-]+$"},
		"NewRoom.name":           {MaxLength: maxRoomNameBytes},
		"NewRoom.topic":          {MaxLength: maxTopicBytes},
		"NewMessage.attachments": {MaxItems: maxAttachments},
		"NewMessage.text":        {MaxLength: 1 << 20},
		"Attachment.url":         {MaxLength: maxURLBytes},
		"uploadRef.id":           {Pattern: "^[a-z0-9]{26}$"},
	}
}
