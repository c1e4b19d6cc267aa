package chat

import (
	"context"
	"encoding/json"
	"reflect"
)

// RemoveMemberOf is RemoveMember for a room and a user that were read before.
var RemoveMemberOf = (*Chat).removeMember

// Evict is the second half of a removal, after the membership has ended.
var Evict = (*Chat).evict

// OperationInfo is an entry of the table of operations.
type OperationInfo struct {
	Name, Method, Path, Doc string
	Event                   bool
	Action, Others          Action
	In, Out                 reflect.Type
	Fields                  map[string][]int
	Status                  int

	// OnRoom or OnMessage is set for what the table of permissions decides about.
	Known, OnRoom, OnMessage, Personal bool
}

// Operations is the table of operations.
func Operations(c *Chat) []OperationInfo {
	var all []OperationInfo
	for _, op := range c.operations {
		row, known := c.rules[op.action]
		if op.others != "" {
			_, both := c.rules[op.others]
			known = known && both
		}
		all = append(all, OperationInfo{
			Name: op.name, Method: op.method, Path: op.path, Doc: op.doc, Event: op.event, Action: op.action, Others: op.others,
			In: op.in, Out: op.out, Fields: op.fields, Status: op.status,
			Known: known, OnRoom: !row.anywhere() && !row.message, OnMessage: row.message, Personal: row.personal,
		})
	}
	return all
}

// Perform runs an operation by its name, with its argument in JSON, as an Actor does.
func Perform(ctx context.Context, a *Actor, name string, arg []byte) (json.RawMessage, error) {
	if a.err != nil {
		return nil, a.err
	}
	op := a.c.byName[name]
	in := op.newIn()
	if err := json.Unmarshal(arg, in); err != nil {
		return nil, a.c.errorOf(err)
	}
	out, err := a.do(ctx, op, in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

// AdmissionAge is for how long a permission holds.
const AdmissionAge = admissionAge
