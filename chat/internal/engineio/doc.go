// Package engineio is an Engine.IO v4 server: sessions over HTTP long-polling and WebSocket, the upgrade from one to the
// other, the heartbeat, and the limits that keep every session bounded.
//
// A [Server] is a plain http.Handler that looks at the query only, so whoever mounts it decides the path. For each client
// it makes a [Session] and asks Config.OnSession for the [Handler] of what arrives. What is sent is a [Message]: encoded
// once, immutable, shared by all its receivers.
//
// # Sending
//
// [Session.Send] appends a reference to the message to the session's queue and marks the connection dirty; it never
// blocks and never allocates per receiver. A flusher, the only writer of its connections, then yields once and writes
// everything that has gathered in each dirty connection with one system call: under light load a message leaves at once,
// under heavy load messages leave together. A connection that cannot take its bytes is finished by a goroutine of its
// own, so a slow reader never holds up another. The queue is bounded in bytes, packets and age; exceeding a bound
// closes the session with a reason instead of dropping a message silently.
//
// # Receiving
//
// WebSocket connections are upgraded, read and closed by Melody, which sees a wrapped net.Conn: what it or
// gorilla/websocket write after the handshake are control frames, and those join the session's queue at a frame
// boundary. Incoming messages of one session are handed to its Handler one at a time; a Handler that blocks holds back
// its own client and nobody else.
package engineio
