// Package socketio is a Socket.IO server: the protocol that the Socket.IO clients of version 3 and 4 speak in every
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
package socketio
