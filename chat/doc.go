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
// # What one can ask for
//
// Everything that one can do is an operation, which has a name such as message.send. Clients ask for it by an event of that
// name or over REST, and the app from Go, as a user or as the system: [Chat.As] and [Chat.System] return an [Actor], whose
// methods are the operations. Whoever asks in whatever way, the same code runs under the same permissions and hooks.
//
// The events stand in EVENTS.md, beside this file. Each client event carries one object and is acknowledged with
// {"status":"ok", …} or {"status":"error","error":{…}}, see [Error]; REST takes and returns the same objects, as openapi.json
// says, which is served at /chat/api/v1/openapi.json. An acknowledged message is
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
// A sign-in with User.ExpiresAt set ends: the client hears session.expiring ([WithExpiryNotice]), may go on by auth.refresh with
// a new token, and is disconnected otherwise.
//
// # Who may do what
//
// One table decides, by the action, the type of the room and what somebody is in it, from what the database says at that
// moment; see [Action]. A public room or a channel can be joined by everybody who is signed in, a private room by those
// who were invited or added; [WithOpenRooms] lets users create rooms by joining them. Members read and send, in a channel
// moderators send. What somebody may not see looks as if it were not there. [User].Admin is an owner everywhere.
//
// The app has its say in [WithAuthorizer], which narrows or widens the table room by room, [WithBefore], which refuses or
// rewrites any operation, [WithFilter] for the texts of messages, and [Hooks] and [WithAfter], which hear what has happened.
//
// # Rooms and those in them
//
// [Actor.CreateRoom], [Actor.UpdateRoom] and [Actor.DeleteRoom] make, change and end rooms; [Actor.Direct] is the one room of two
// users. [Actor.Invite], [Actor.AddMember], [Actor.SetRole] and [Actor.TransferRoom] say who is in it and as what. Somebody may
// leave at any time: a room whose owner has left is kept by its moderators, until the app or an admin hands it to one of them.
// [Actor.Rooms] lists one's own rooms with the last message and what is unread, [Actor.MarkRead] says what is not any more.
//
// [Actor.Mute] and [Actor.Ban] act in a room or everywhere, at once; [Actor.Flags] is what members have reported, and
// [Actor.Audit] who has used which privilege.
//
// # Words
//
// A room, its members and its messages are the chat's and are stored. A server, namespace, socket and the rooms of
// package socketio are the transport's and live as long as their connections: the sockets of a chat room's members are in
// the transport room "room:<id>", and all of a user's in "user:<id>". [Chat.Server] gives access to them, for events of the
// app's own.
package chat
