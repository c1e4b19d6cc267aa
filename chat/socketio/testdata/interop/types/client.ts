// What programs for the stock client commonly do: it must compile with the types of both clients.
import io, { connect, io as named, Manager, protocol, Socket } from "socket.io-client";
import type { ManagerOptions, SocketOptions } from "socket.io-client";

// Without types for the events.
const plain = io("https://chat.example/admin", {
  path: "/socket.io", transports: ["websocket"], withCredentials: true, query: { v: "1" }, extraHeaders: { authorization: "x" },
  reconnection: true, reconnectionAttempts: 5, reconnectionDelay: 1000, reconnectionDelayMax: 5000, randomizationFactor: 0.5,
  timeout: 20000, autoConnect: false, forceNew: true, multiplex: false, ackTimeout: 1000, retries: 3, auth: { token: "x" },
});
plain.on("chat message", (text, offset) => console.log(text, offset));
plain.once("hello", (who) => console.log(who)).off("hello").off();
plain.on("connect", () => console.log(plain.id, plain.connected, plain.active, plain.recovered));
plain.on("connect_error", (err) => console.log(err.message));
plain.on("disconnect", (reason, details) => {
  if (reason === "io server disconnect") plain.connect();
  console.log(details);
});
plain.onAny((event, ...args) => console.log(event, args)).offAny();
plain.onAnyOutgoing((event, ...args) => console.log(event, args)).offAnyOutgoing();
plain.emit("save", 1, { two: [3] }, new Uint8Array(4), (answer: string) => console.log(answer));
plain.volatile.emit("position", 1, 2);
plain.compress(true).emit("big", "x");
plain.timeout(1000).emit("save", (err: Error | null, answer: string) => console.log(err, answer));
plain.emitWithAck("save", 1).then((answer) => console.log(answer.id));
plain.timeout(1000).emitWithAck("save", 1).catch((err: Error) => console.log(err.message));
plain.auth = (send) => send({ token: "y" });
plain.auth = { token: "z" };
plain.send("text").disconnect().open().close();

// The connection below.
plain.io.on("reconnect", (attempt) => console.log(attempt.toFixed()));
plain.io.on("reconnect_attempt", (attempt) => console.log(attempt.toFixed()));
plain.io.on("reconnect_error", (err) => console.log(err.message));
plain.io.on("reconnect_failed", () => console.log("failed"));
plain.io.on("ping", () => console.log("ping"));
plain.io.on("error", (err) => console.log(err.message));
plain.io.engine.on("upgrade", (transport) => console.log(transport.name));
plain.io.engine.close();
plain.io.reconnection(false);
console.log(plain.io.reconnectionDelay(), plain.io.opts.path, plain.io.engine.transport.name);

// With types for them.
interface FromServer {
  message: (text: string, at: number) => void;
  question: (what: string, answer: (yes: boolean) => void) => void;
}
interface ToServer {
  save: (text: string, done: (id: number) => void) => void;
  bye: () => void;
}
const typed: Socket<FromServer, ToServer> = named();
typed.on("message", (text, at) => console.log(text.length, at.toFixed()));
typed.on("question", (what, answer) => answer(what === "?"));
typed.emit("save", "x", (id) => console.log(id.toFixed()));
typed.emit("bye");
typed.timeout(1000).emit("save", "x", (err, id) => console.log(err?.message, id.toFixed()));
const later = async (): Promise<number> => await typed.emitWithAck("save", "x") + await typed.timeout(5).emitWithAck("save", "x");

// Options in a variable, and a Manager of one's own.
const options: Partial<ManagerOptions & SocketOptions> = { path: "/x", auth: { token: "x" } };
const manager = new Manager("https://chat.example", options);
const own: Socket = manager.socket("/admin", { auth: { token: "x" } });
manager.open((err) => console.log(err?.message));
console.log(protocol, own.id, connect("/x").id, later);
