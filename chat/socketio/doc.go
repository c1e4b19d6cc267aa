// Package socketio is a Socket.IO server: the protocol that the Socket.IO clients of versions 3 and 4 speak in every
// language, with the words of Socket.IO and the shapes of Go.
//
//	srv, err := socketio.New()
//	if err != nil {
//		return err
//	}
//	srv.OnConnection(func(ctx context.Context, s *socketio.Socket) {
//		s.Emit("hello", "world")
//	})
//	socketio.On(srv, "chat message", func(ctx context.Context, s *socketio.Socket, text string) (struct{}, error) {
//		return struct{}{}, srv.Emit("chat message", text)
//	})
//	http.Handle("/socket.io/", srv)
//
// A [Server] is an http.Handler and leaves the HTTP server to its host. It has namespaces; a client that connects to a
// [Namespace] is a [Socket] there; sockets join rooms, which are just names; a [Broadcast] is a choice of sockets by
// their rooms. The server also serves the client script, at the path where pages expect it (/socket.io/socket.io.js).
//
// # In Node, in Go
//
//	in Node                                       in Go
//	new Server({ cors: { origin } })              socketio.New(socketio.WithOrigins(origin))
//	io.attach(httpServer)                         http.Handle("/socket.io/", srv)
//	io.on("connection", (socket) => …)            srv.OnConnection(func(ctx, s) …)
//	io.of("/admin")                               srv.Of("/admin")
//	io.of(/^\/room-\d+$/), io.of(fn)              srv.OfPattern(re), srv.OfFunc(fn)
//	io.on("new_namespace", …)                     srv.OnNewNamespace(…)
//	io.use((socket, next) => next(err))           srv.Use(func(ctx, s) error)
//	err.data = { … }                              &socketio.ConnectError{Message: …, Data: …}
//	socket.on("event", (a, b, callback) => …)     socketio.On(srv, "event", func(ctx, s, in) (out, error))
//	                                              s.Handle("event", func(ctx, s, args, ack))
//	socket.once, socket.off                       s.Once(…), off := s.Handle(…); off()
//	socket.removeAllListeners, eventNames         s.Off(), s.Events()
//	socket.onAny, socket.onAnyOutgoing            s.OnAny(…), s.OnAnyOutgoing(…)
//	socket.use(([event, ...args], next) => …)     s.Use(func(ctx, s, event) error)
//	socket.emit("event", a, b)                    s.Emit("event", a, b)
//	socket.emitWithAck("event", a)                s.EmitWithAck(ctx, "event", a)
//	socket.timeout(5000).emitWithAck("event")     a ctx with a deadline
//	socket.volatile.emit("event")                 s.EmitVolatile("event")
//	io.emit, socket.broadcast.emit                srv.Emit, s.Broadcast().Emit
//	io.to("a").to("b").except("c").emit           srv.To("a", "b").Except("c").Emit
//	socket.to("a").emit                           s.To("a").Emit
//	io.timeout(5000).emitWithAck("event")         srv.Timeout(5*time.Second).EmitWithAck(ctx, "event")
//	err.responses                                 Replies.Received, Replies.Missing
//	io.local, io.volatile                         srv.Local(), srv.Volatile()
//	socket.join, leave, rooms                     s.Join, Leave, Rooms
//	io.of("/").adapter.on("create-room", …)       srv.OnRoomEvent(…)
//	io.in("a").fetchSockets()                     srv.In("a").FetchSockets(ctx)
//	io.in("a").socketsJoin("b")                   srv.In("a").SocketsJoin("b")
//	io.in("a").disconnectSockets(true)            srv.In("a").DisconnectSockets(true)
//	io.of("/").sockets                            srv.Sockets(), srv.Socket(id)
//	io.engine.clientsCount                        srv.Connections()
//	socket.id, recovered, data                    s.ID(), Recovered(), Data(), SetData(v)
//	socket.handshake                              s.Handshake()
//	socket.conn.transport.name, socket.conn.close s.Transport(), CloseConnection()
//	socket.conn.on("upgrade", …)                  s.OnUpgrade(…)
//	socket.disconnect(true)                       s.Disconnect(true)
//	socket.on("disconnecting" / "disconnect")     s.OnDisconnecting, s.OnDisconnect
//	connectionStateRecovery: { … }                WithRecovery(socketio.Recovery{…})
//	allowRequest                                  WithGate
//	io.engine.use(middleware)                     WithMiddleware
//	io.engine.on("headers" / "initial_headers")   WithMiddleware, with w.Header().Set(…)
//	io.engine.on("connection_error", …)           srv.OnConnectionError(…)
//	cookie: true                                  WithCookie(http.Cookie{})
//	maxHttpBufferSize                             WithMaxPayload
//	serveClient: false                            WithoutClient()
//	io.close()                                    srv.Shutdown(ctx), which leaves the HTTP server alone
//
// Left out are permessage-deflate and the compression of polls, parsers other than the default one, WebTransport,
// clients of versions 1 and 2, and serverSideEmit.
//
// # Events
//
// Register the handlers of all sockets once, on the server or a namespace; those of one socket, which come after them,
// on the socket. The events of a socket are handled one after another in the order in which they came, so a handler that
// takes long holds back the events behind it; nothing else waits for it, and an idle socket has no goroutine. A handler
// that starts work of its own may keep the [Ack].
//
// The context of a handler is the socket's: it ends with the socket. Work that has to be finished, such as storing what
// was sent, goes on with context.WithoutCancel.
//
// A panic in a handler, a middleware or a hook is logged with its stack and costs the client its connection, and nobody
// else anything.
//
// # Limits
//
// Everything that a client can make the server hold is bounded: what waits to be sent ([WithSendBuffer]; a client that
// reads too slowly is disconnected with [ReasonSlowClient], and nothing is dropped silently), what waits for handlers
// ([WithMaxQueuedBytes]; then no more is read from it), messages and attachments ([WithMaxPayload],
// [WithMaxAttachments], [WithMaxEventBytes]), acknowledgements ([WithMaxAcks]), namespaces ([WithMaxNamespaces]), the time
// until it is in one ([WithConnectTimeout]), and what is kept for its return ([Recovery]). How many clients there are is
// bounded by [WithMaxConnections] alone, and how many rooms a socket joins is up to the application. Also bounded, beyond
// what Node does, are the nesting of what a client sends (256 levels) and its arguments (1024).
//
// # Where it differs from Node
//
//   - Pages of other origins are refused unless [WithOrigins] names them.
//   - A broadcast to an empty list of rooms goes to nobody, not to everybody.
//   - A middleware with an error that has no Data tells the client the error's text, as in Node; an error of a typed
//     handler tells it nothing but that there was one, until [WithErrorAck] says otherwise.
//   - Per-packet middleware comes before the catch-all handlers, which do not see what it refuses, and the client is told
//     of its error in the acknowledgement; there is no "error" event.
//   - When the server sends a socket away, what its client sent in the meantime is ignored. Node closes the connection,
//     with the client's other namespaces.
//   - An event that stock clients would close the connection for, with more than ten attachments, is refused.
//   - With [WithRecovery] middleware always runs, and clients recover that had received nothing yet, that received
//     nothing for long, or that the server still believed to be there.
package socketio
