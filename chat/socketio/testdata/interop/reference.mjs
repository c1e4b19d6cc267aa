// The server that the behaviours talk to, on Node's own socket.io: what happens here is the stock behaviour. The Go test has
// the same handlers on package socketio (interop_server_test.go); whoever changes one changes both.
import http from "node:http";
import { Server } from "socket.io";

const listen = (server) => new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(`http://127.0.0.1:${server.address().port}`)));

// start returns the addresses of two servers, the second with connection state recovery.
export const start = async () => {
  const allowRequest = (request, answer) => answer(null, !new URL(request.url, "http://x").searchParams.has("refuse"));
  const options = { pingInterval: 1000, pingTimeout: 3000, cors: { origin: "*" }, allowRequest };
  const elsewhere = (_, response) => response.writeHead(404).end();
  const servers = [http.createServer(elsewhere), http.createServer(elsewhere)];
  const ios = [
    new Server(servers[0], options),
    new Server(servers[1], { ...options, connectionStateRecovery: { maxDisconnectionDuration: 60000, skipMiddlewares: false } }),
  ];
  ios.forEach(handle);
  return {
    url: await listen(servers[0]),
    recoveryURL: await listen(servers[1]),
    close: () => Promise.all(ios.map((io) => io.close())),
  };
};

const handle = (io) => {
  const left = new Map(); // socket id -> {reason, rooms}
  const waiting = new Map(); // socket id -> ack of whoever asked for it
  const flaky = new Set();

  // tell answers who asked for the end of a socket, once it is known. What was told is forgotten: a socket may come back.
  const tell = (id) => {
    if (!left.has(id) || !waiting.has(id)) return;
    waiting.get(id)(left.get(id));
    left.delete(id);
    waiting.delete(id);
  };

  io.on("connection", (socket) => {
    socket.emit("hello", "world", socket.id);

    socket.on("whoami", (ack) => ack(socket.id, socket.nsp.name));
    socket.on("handshake", (ack) => {
      const { auth, query, headers, url, address, secure, xdomain, time } = socket.handshake;
      ack({ auth, flavour: query.flavour, header: headers["x-flavour"], url, address, secure, xdomain, timed: !!time });
    });
    socket.on("transport", (ack) => ack(socket.conn.transport.name));
    socket.on("data", (value, ack) => {
      if (value !== null) socket.data.value = value;
      ack(socket.data.value ?? null);
    });
    socket.on("late", (ms, ack) => setTimeout(ack, ms, "late"));
    socket.on("silent", () => {});
    socket.on("flaky", (id, ack) => flaky.has(id) ? ack("at last") : flaky.add(id));

    // Events that arrive and are sent back, with and without an acknowledgement.
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("bounce", (...args) => socket.emit("bounced", ...args));
    socket.on("burst", (count) => {
      for (let i = 0; i < count; i++) socket.emit("tick", i);
    });
    socket.on("volatile", (count) => {
      for (let i = 0; i < count; i++) socket.volatile.emit("tick", i);
    });

    // What leaves is seen by listeners of the server's side.
    socket.on("watch what leaves", (ack) => {
      const seen = [];
      socket.onAnyOutgoing((event, ...args) => seen.push([event, ...args]));
      socket.emit("tick", "to one");
      io.to(socket.id).emit("tick", "to a room");
      socket.broadcast.emit("tick", "to others");
      ack(seen);
      socket.offAnyOutgoing();
    });

    // The server asks, and tells what it was answered.
    socket.on("ask", (...args) => socket.emit("question", ...args, (...answers) => socket.emit("answer", ...answers)));
    socket.on("ask in time", async (ms, ack) => {
      try {
        ack(null, await socket.timeout(ms).emitWithAck("question"));
      } catch {
        ack("timed out", null);
      }
    });

    // Rooms.
    socket.on("join", (rooms, ack) => ack(void socket.join(rooms)));
    socket.on("leave", (room, ack) => ack(void socket.leave(room)));
    socket.on("rooms", (ack) => ack([...socket.rooms].filter((room) => room !== socket.id).sort()));
    socket.on("to", (rooms, text) => socket.to(rooms).emit("said", text));
    socket.on("in", (rooms, text) => io.in(rooms).emit("said", text));
    socket.on("except", (rooms, text) => io.except(rooms).emit("said", text));
    socket.on("to except", (rooms, others, text) => socket.to(rooms).except(others).emit("said", text));
    socket.on("broadcast", (text) => socket.broadcast.emit("said", text));
    socket.on("all", (...args) => io.emit("said", ...args));
    socket.on("poll room", (room, ms, ack) => io.to(room).timeout(ms).emit("question", (err, answers) => ack(!!err, answers.sort())));
    socket.on("members", async (room, ack) => ack((await io.in(room).fetchSockets()).map(({ id }) => id).sort()));
    socket.on("move", (from, to) => io.in(from).socketsJoin(to));
    socket.on("empty", (room, from) => io.in(room).socketsLeave(from));
    socket.on("throw out", (room, close) => io.in(room).disconnectSockets(close));

    // Ends.
    socket.on("disconnect me", (close) => socket.disconnect(close));
    socket.on("close my connection", () => socket.conn.close());
    socket.on("shut down", () => io.close());
    socket.on("disconnecting", (reason) => left.set(socket.id, { reason, rooms: [...socket.rooms].filter((room) => room !== socket.id) }));
    socket.on("disconnect", () => tell(socket.id));
    socket.on("reason", (id, ack) => {
      waiting.set(id, ack);
      tell(id);
    });
  });

  const echo = (socket) => {
    if (socket.nsp.name !== "/quiet") socket.emit("hello", socket.nsp.name);
    socket.on("echo", (...args) => args.pop()(...args));
    socket.on("all here", (text) => socket.nsp.emit("said", text));
    socket.on("disconnect me", (close) => socket.disconnect(close));
  };
  io.of("/plain").on("connection", echo);
  io.of("/quiet").on("connection", echo);
  io.of(/^\/room-\d+$/).on("connection", echo);
  io.of((name, { key }, allow) => allow(null, name.startsWith("/lock-") && key === name)).on("connection", echo);

  io.of("/members").use((socket, next) => {
    if (socket.handshake.auth.token === "secret") return next();
    next(Object.assign(new Error("not authorized"), { data: { code: 401, hint: "a token, please" } }));
  }).on("connection", echo);

  io.of("/guarded").on("connection", (socket) => {
    socket.use(([event], next) => event === "forbidden" ? next(new Error("that is forbidden")) : next());
    socket.on("error", (err) => socket.emit("refused", err.message));
    echo(socket);
  });

  io.of("/watched").on("connection", (socket) => {
    socket.onAny((event, ...args) => socket.emit("caught", event, args.filter((arg) => typeof arg !== "function")));
  });
};
