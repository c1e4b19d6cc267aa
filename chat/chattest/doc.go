// Package chattest is a test kit for applications that embed the chat or a
// Socket.IO server: a client that speaks the wire itself, a loopback server, a
// leak check, and ways to break a connection on purpose.
//
// The client shares no code with the server, so a mistake in one is not
// repeated in the other. It speaks Engine.IO v4 and Socket.IO v5 over
// WebSocket, over HTTP long-polling, and over polling upgraded to WebSocket.
//
//	srv := chattest.Serve(t, handler)
//	alice := chattest.Connect(t, srv.URL, chattest.Options{Auth: map[string]any{"name": "alice"}})
//	ack := alice.ExpectAck(t, "message.send", map[string]any{"room_id": "general", "text": "hi"})
//	event := alice.Expect(t, "message.new")
//
// # Two ways to call it
//
// Functions and methods that take a [testing.TB] ([Open], [Connect],
// [Socket.Expect], [Socket.ExpectAck], …) end the test when something does not
// happen in time, and are called from the test's own goroutine. Those that take
// a context ([Dial], [Conn.Connect], [Socket.Next], [Socket.EmitWithAck], …)
// return errors and may be called from any goroutine.
//
// Nothing here sleeps: an expectation returns as soon as what it waits for has
// arrived, and [Socket.ExpectNone] makes a round trip with the server instead
// of waiting for a silence.
//
// # Breaking things
//
// [Conn.Reset], [Conn.HalfClose], [Conn.CutMidFrame], [Conn.Vanish],
// [Conn.CutAfterReading] and [Conn.CutAfterWriting] end a connection the way
// networks do. [Conn.StopReading] and [Conn.LimitReading] make a slow reader,
// [Conn.AnswerPings] a dead one. [Options.Raw] hands over every packet for tests of the protocol
// itself. [Socket.Reconnect] comes back as the stock client does, with the
// private id and offset of connection state recovery.
//
// Import this package from tests only.
package chattest
