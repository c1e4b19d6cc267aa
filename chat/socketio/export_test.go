package socketio

// QueuedBytes returns the size of the events that wait for the socket's handlers.
func QueuedBytes(s *Socket) int {
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	return s.inbox.bytes
}
