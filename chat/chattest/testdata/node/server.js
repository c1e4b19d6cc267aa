// A Socket.IO server for node_test.go. It prints its port and serves until its
// standard input ends.
const http = require("http");
const { Server } = require("socket.io");

const server = http.createServer();
const io = new Server(server, {
  pingInterval: 200,
  pingTimeout: 400,
  maxHttpBufferSize: 100000,
  connectionStateRecovery: process.argv.includes("--recovery") ? { skipMiddlewares: false } : undefined,
});

io.use((socket, next) => {
  if (socket.handshake.auth.token === "wrong") {
    const refusal = new Error("unauthorized");
    refusal.data = { code: 7 };
    return next(refusal);
  }
  next();
});

function serve(socket) {
  socket.on("echo", (...args) => {
    const ack = typeof args[args.length - 1] === "function" ? args.pop() : null;
    if (ack) ack(...args);
    else socket.emit("echo", ...args);
  });
  socket.on("ask me", (question) => {
    socket.emit("question", question, (...answer) => socket.emit("answered", ...answer));
  });
  socket.on("count", (n, ack) => {
    for (let i = 0; i < n; i++) socket.emit("number", i);
    ack();
  });
  socket.on("room", (room) => socket.join(room));
  socket.on("to room", (room, text, ack) => {
    io.to(room).emit("room message", text);
    ack();
  });
  socket.on("await end", (id, ack) => {
    const other = io.sockets.sockets.get(id);
    if (other) other.on("disconnect", () => ack());
    else ack();
  });
  socket.on("leave me", (close) => socket.disconnect(close));
  socket.emit("auth", socket.handshake.auth, socket.recovered);
}
io.on("connection", serve);
io.of("/admin").on("connection", serve);

server.listen(0, "127.0.0.1", () => console.log(server.address().port));
process.stdin.on("end", () => process.exit(0)).resume();
