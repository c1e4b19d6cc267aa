package socketio

import (
	"context"
	"fmt"
	"reflect"
)

// Positional is for structs to embed: then each of their fields stands for one argument, in their order. Arguments that
// the client did not send leave their fields as they are; those beyond the last field are ignored.
//
//	type privateMessage struct { // socket.emit("private message", to, text)
//		socketio.Positional
//		To   string
//		Text string
//	}
type Positional struct{}

// On registers a typed handler for an event: on a [Socket], or for all sockets of a [Namespace], [ParentNamespace] or
// [Server]. It returns a function that removes the handler again.
//
// In is decoded from the first argument, which may be missing only if In is a pointer; or from all of them if it is a
// struct that embeds [Positional]. [Args] takes them as they came, and struct{} takes none. If the client wants an acknowledgement it gets Out: as the one argument of
// its callback, as several if Out is a struct that embeds [Positional], as none if Out is struct{}. When decoding fails
// (with an [ArgumentError]) or the handler returns an error, the client gets what [WithErrorAck] makes of it.
//
//	socketio.On(srv, "join", func(ctx context.Context, s *socketio.Socket, room string) (int, error) {
//		s.Join(room)
//		return len(s.Rooms()), nil
//	})
func On[In, Out any](l Listener, event string, h func(ctx context.Context, s *Socket, in In) (Out, error)) (off func()) {
	decode := argumentsOf[In]()
	encode := resultsOf[Out]()
	return l.Handle(event, func(ctx context.Context, s *Socket, args Args, ack Ack) {
		in, err := decode(args)
		if err != nil {
			s.ackError(ctx, event, err, ack)
			return
		}
		out, err := h(ctx, s, in)
		if err != nil {
			s.ackError(ctx, event, err, ack)
			return
		}
		if !ack.Wanted() {
			return
		}
		if err := ack.Send(encode(out)...); err != nil {
			s.logAck(ctx, event, err)
		}
	})
}

// EmitWithAck sends an event to a client, waits for its acknowledgement as [Socket.EmitWithAck] does, and decodes that into
// an Out, as [On] does with the arguments of an event.
//
//	name, err := socketio.EmitWithAck[string](ctx, s, "who are you?")
func EmitWithAck[Out any](ctx context.Context, s *Socket, event string, args ...any) (Out, error) {
	answer, err := s.EmitWithAck(ctx, event, args...)
	if err != nil {
		var none Out
		return none, err
	}
	out, err := argumentsOf[Out]()(answer)
	if err != nil {
		return out, fmt.Errorf("socketio: acknowledgement of %q: %w", event, err)
	}
	return out, nil
}

// argumentsOf returns the function that decodes arguments into an In.
func argumentsOf[In any]() func(Args) (In, error) {
	t := reflect.TypeFor[In]()
	switch {
	case t == reflect.TypeFor[Args]():
		return func(args Args) (in In, err error) {
			*any(&in).(*Args) = args
			return in, nil
		}
	case t == reflect.TypeFor[struct{}]():
		return func(Args) (in In, err error) { return in, nil }
	case isPositional(t):
		fields := positions(t)
		return func(args Args) (in In, err error) {
			v := reflect.ValueOf(&in).Elem()
			for i, field := range fields[:min(len(fields), args.Len())] {
				if err := args.Decode(i, v.Field(field).Addr().Interface()); err != nil {
					return in, err
				}
			}
			return in, nil
		}
	default:
		optional := t.Kind() == reflect.Pointer
		return func(args Args) (in In, err error) {
			if optional && args.Len() == 0 {
				return in, nil
			}
			err = args.Decode(0, &in)
			return in, err
		}
	}
}

// resultsOf returns the function that turns an Out into the arguments of an acknowledgement.
func resultsOf[Out any]() func(Out) []any {
	t := reflect.TypeFor[Out]()
	switch {
	case t == reflect.TypeFor[struct{}]():
		return func(Out) []any { return nil }
	case isPositional(t):
		fields := positions(t)
		return func(out Out) []any {
			v := reflect.ValueOf(out)
			args := make([]any, len(fields))
			for i, field := range fields {
				args[i] = v.Field(field).Interface()
			}
			return args
		}
	default:
		return func(out Out) []any { return []any{out} }
	}
}

func isPositional(t reflect.Type) bool {
	if t.Kind() != reflect.Struct {
		return false
	}
	f, ok := t.FieldByName("Positional")
	return ok && f.Anonymous && f.Type == reflect.TypeFor[Positional]() && len(f.Index) == 1
}

// positions returns the indexes of the fields that stand for arguments.
func positions(t reflect.Type) []int {
	var fields []int
	for i := range t.NumField() {
		if f := t.Field(i); f.IsExported() && f.Type != reflect.TypeFor[Positional]() {
			fields = append(fields, i)
		}
	}
	return fields
}
