package socketio

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// bareSocket returns a socket that is in the index and has no connection.
func bareSocket(x *index, id string, rooms ...string) *Socket {
	s := &Socket{id: id}
	for _, name := range rooms {
		x.join(s, name)
	}
	x.add(s)
	return s
}

// ids returns the ids of a target's sockets, sorted, each as often as it was met.
func (x *index) ids(t target) []string {
	ids := []string{}
	x.each(t, func(s *Socket) { ids = append(ids, s.id) })
	slices.Sort(ids)
	return ids
}

func to(rooms ...string) target { return target{narrowed: true, rooms: rooms} }

func TestIndexTargets(t *testing.T) {
	t.Parallel()
	x := &index{}
	bareSocket(x, "a", "red", "big")
	bareSocket(x, "b", "red")
	bareSocket(x, "c", "blue", "big")
	bareSocket(x, "d")
	for _, test := range []struct {
		name string
		in   target
		want []string
	}{
		{"everybody", target{}, []string{"a", "b", "c", "d"}},
		{"nobody", to(), []string{}},
		{"no such room", to("green"), []string{}},
		{"a room", to("red"), []string{"a", "b"}},
		{"several rooms, each socket once", to("red", "big", "red"), []string{"a", "b", "c"}},
		{"a socket by its id", to("d"), []string{"d"}},
		{"a socket by its id and its room", to("a", "red", "a"), []string{"a", "b"}},
		{"everybody except a room", target{except: []string{"red"}}, []string{"c", "d"}},
		{"everybody except a socket", target{except: []string{"b"}}, []string{"a", "c", "d"}},
		{"a room except another", target{narrowed: true, rooms: []string{"big"}, except: []string{"blue"}}, []string{"a"}},
		{"a socket except itself", target{narrowed: true, rooms: []string{"a"}, except: []string{"a"}}, []string{}},
		{
			"many rooms and exceptions", target{
				narrowed: true, rooms: []string{"1", "2", "3", "4", "red", "big"}, except: []string{"5", "6", "7", "8", "c"},
			}, []string{"a", "b"},
		},
	} {
		require.Equal(t, test.want, x.ids(test.in), test.name)
	}
}

// A room with the name of a socket's id has that socket in it, and whoever joins it.
func TestIndexOwnRoom(t *testing.T) {
	t.Parallel()
	x := &index{}
	a := bareSocket(x, "a")
	b := bareSocket(x, "b", "a")
	x.join(a, "a")
	require.Equal(t, []string{"a", "b"}, x.ids(to("a")))
	require.Equal(t, []string{"a"}, a.roomNames())
	require.Equal(t, []string{"b", "a"}, b.roomNames())
	x.leave(a, "a")
	require.Equal(t, []string{"a", "b"}, x.ids(to("a")))
	x.remove(a)
	require.Equal(t, []string{"b"}, x.ids(to("a")))
}

func TestIndexBeforeAndAfter(t *testing.T) {
	t.Parallel()
	x := &index{}
	s := &Socket{id: "s"}
	x.join(s, "one")
	x.join(s, "two")
	x.leave(s, "one")
	require.Equal(t, []string{"s", "two"}, s.roomNames())
	require.Empty(t, x.ids(target{}))
	x.add(s)
	require.Equal(t, []string{"s"}, x.ids(to("two")))
	x.remove(s)
	require.Empty(t, x.ids(target{}))
	require.Equal(t, []string{"s", "two"}, s.member.names, "the rooms that it was in")
	x.join(s, "three")
	x.leave(s, "two")
	x.remove(s)
	require.Empty(t, x.rooms)
	require.Equal(t, []string{"s", "two"}, s.member.names)
}

// Against a plain model, with many random steps.
func TestIndexAgainstModel(t *testing.T) {
	t.Parallel()
	x := &index{}
	random := rand.New(rand.NewPCG(1, 2))
	sockets := map[string]*Socket{}
	rooms := map[string]map[string]bool{} // room -> ids
	for step := range 20_000 {
		id := fmt.Sprintf("s%d", random.IntN(40))
		room := fmt.Sprintf("r%d", random.IntN(15))
		s := sockets[id]
		switch {
		case s == nil:
			sockets[id] = bareSocket(x, id)
		case random.IntN(20) == 0:
			x.remove(s)
			delete(sockets, id)
			for _, members := range rooms {
				delete(members, id)
			}
		case random.IntN(2) == 0:
			x.join(s, room)
			if rooms[room] == nil {
				rooms[room] = map[string]bool{}
			}
			rooms[room][id] = true
		default:
			x.leave(s, room)
			delete(rooms[room], id)
		}
		if step%50 != 0 {
			continue
		}
		nonempty := 0
		for room, members := range rooms {
			want := []string{}
			for id := range members {
				want = append(want, id)
			}
			slices.Sort(want)
			require.Equal(t, want, x.ids(to(room)))
			if len(want) > 0 {
				nonempty++
			}
		}
		require.Len(t, x.rooms, nonempty, "empty rooms go")
		require.Len(t, x.ids(target{}), len(sockets))
	}
}
