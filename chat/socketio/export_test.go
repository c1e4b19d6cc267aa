package socketio

import "weak"

// QueuedBytes returns the size of the events that wait for the socket's handlers.
func QueuedBytes(s *Socket) int {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return s.inbox.bytes
}

// WeakConn returns a pointer to the socket's connection that does not keep it.
func WeakConn(s *Socket) weak.Pointer[conn] { return weak.Make(s.conn) }
