// Package chat is a chat for an Echo application: in its process, on its database, behind its login.
//
//	st, err := store.Open("chat.db")
//	...
//	c, err := chat.New(st, chat.WithAuth(func(ec echo.Context) (chat.User, error) {
//		u, ok := ec.Get("user").(*app.User) // what the app's own middleware found out
//		if !ok {
//			return chat.User{}, chat.ErrNoCredentials
//		}
//		return chat.User{ID: u.ID, Name: u.Name}, nil
//	}))
//	...
//	err = c.Mount(e) // or on a group, behind the group's middleware
//	...
//	err = c.Shutdown(ctx)
//
// From then on any stock Socket.IO v4 client can sign in, join rooms, send messages, and see who is typing and who is there;
// every message and membership is in the database, and history is read by an event or over REST.
//
// # What a client says
//
// The events, their arguments and acknowledgements stand in wire.go. Each client event is
// acknowledged with {"status":"ok", …} or {"status":"error","error":{…}}, see [Error]. An acknowledged message is
// committed. A transient failure is not acknowledged, so that the stock client's retries option does the right thing:
//
//	const socket = io({ ackTimeout: 10000, retries: 3 })
//	socket.emit("room.join", { room_id: "general" }, ({ messages }) => …)
//	socket.emit("message.send", { room_id: "general", text: "hi", client_id: crypto.randomUUID() }, ack => …)
//	socket.on("message.new", ({ message }) => …)
//
// # Who somebody is
//
// Three options say who is asking, and New wants at least one of them. [WithTokenAuth] judges what the client sends on
// purpose: Socket.IO's auth payload, or REST's bearer token. [WithAuth] judges the HTTP request: the app's cookie session,
// headers, what a middleware found. [WithGuests] makes a guest of everybody else. They are asked in this order, and
// [ErrNoCredentials] passes on to the next.
//
// # Who may do what
//
// A public room can be joined by everybody who is signed in, a private one only through [Actor.AddMember]; [WithOpenRooms]
// lets users create rooms by joining them. Members read and send. A private room looks to others as if it were not there.
// [Filter] and [Hooks] are where the app has its say.
//
// # Words
//
// A room, its members and its messages are the chat's and are stored. A server, namespace, socket and the rooms of
// package socketio are the transport's and live as long as their connections: the sockets of a chat room's members are in
// the transport room "room:<id>", and all of a user's in "user:<id>". [Chat.Server] gives access to them, for events of the
// app's own.
package chat
