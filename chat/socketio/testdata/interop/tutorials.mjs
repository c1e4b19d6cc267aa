// Does what the clients of Socket.IO's tutorials and examples do, with the stock client, against a chat with their events.
//
//   node tutorials.mjs --url http://… --transport default|polling|websocket
import assert from "node:assert/strict";
import { parseArgs } from "node:util";
import { io } from "socket.io-client";

const { values: args } = parseArgs({ options: { url: { type: "string" }, transport: { type: "string", default: "default" } } });
const transports = args.transport === "default" ? undefined : [args.transport];

const sockets = [];
const connect = (options = {}) => {
  const socket = io(args.url, { forceNew: true, transports, ...options });
  sockets.push(socket);
  const inbox = [];
  const waiting = [];
  socket.onAny((event, ...values) => {
    inbox.push({ event, values });
    for (const look of [...waiting]) look();
  });
  // The next event of that name, which nobody has asked for yet.
  socket.next = (event, fits = () => true) =>
    new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`no ${event}, only ${JSON.stringify(inbox)}`)), 10000);
      const look = () => {
        const at = inbox.findIndex((e) => e.event === event && fits(...e.values));
        if (at < 0) return;
        clearTimeout(late);
        waiting.splice(waiting.indexOf(look), 1);
        resolve(inbox.splice(at, 1)[0].values);
      };
      waiting.push(look);
      look();
    });
  socket.has = (event, fits = () => true) => inbox.some((e) => e.event === event && fits(...e.values));
  return socket;
};
const ready = async (socket) => {
  await socket.next("users"); // the last thing that a client is sent when it comes
  return socket;
};

// Get started, step by step: the text comes back to everybody with an offset; who comes later is sent what was said.
const ann = await ready(connect());
const bob = await ready(connect());
ann.emit("chat message", "hello");
const [, first] = await ann.next("chat message", (text) => text === "hello");
assert.equal(typeof first, "number");
assert.deepEqual(await bob.next("chat message", (text) => text === "hello"), ["hello", first]);

const retrying = await ready(connect({ auth: { serverOffset: 0 }, ackTimeout: 10000, retries: 3 }));
assert.ok(retrying.has("chat message", (text) => text === "hello"), "history from the beginning");
const offset = `${retrying.id}-0`;
await retrying.emitWithAck("chat message", "once", offset);
await retrying.emitWithAck("chat message", "once", offset); // as after a lost answer
await retrying.emitWithAck("chat message", "and on", `${retrying.id}-1`);
const [, last] = await bob.next("chat message", (text) => text === "and on");
await bob.next("chat message", (text) => text === "once");
assert.ok(!bob.has("chat message", (text) => text === "once"), "stored once");

const late = await ready(connect({ auth: { serverOffset: first } }));
assert.ok(!late.has("chat message", (text) => text === "hello"), "it has that");
assert.ok(late.has("chat message", (text, seq) => text === "and on" && seq === last));

// The chat example.
const cleo = await ready(connect());
cleo.emit("add user", "Cleo");
const [{ numUsers }] = await cleo.next("login");
const dave = await ready(connect());
dave.emit("add user", "Dave");
assert.deepEqual(await dave.next("login"), [{ numUsers: numUsers + 1 }]);
assert.deepEqual(await cleo.next("user joined"), [{ username: "Dave", numUsers: numUsers + 1 }]);
cleo.emit("typing");
assert.deepEqual(await dave.next("typing"), [{ username: "Cleo" }]);
cleo.emit("stop typing");
assert.deepEqual(await dave.next("stop typing"), [{ username: "Cleo" }]);
cleo.emit("new message", "hi all");
assert.deepEqual(await dave.next("new message", ({ message }) => message === "hi all"), [{ username: "Cleo", message: "hi all" }]);
await cleo.next("chat message", (text) => text === "hi all");
dave.emit("new message", "hi Cleo");
await cleo.next("new message", ({ message }) => message === "hi Cleo");
assert.ok(!cleo.has("new message", ({ message }) => message === "hi all"), "it shows its own by itself");
dave.disconnect();
assert.deepEqual(await cleo.next("user left"), [{ username: "Dave", numUsers }]);

// Private messaging.
const eve = connect({ auth: { username: "Eve" } });
const [{ sessionID, userID: eveID }] = await eve.next("session");
assert.equal(typeof sessionID, "string");
await ready(eve);
const fay = connect({ auth: { username: "Fay" } });
const [{ userID: fayID }] = await fay.next("session");
const [users] = await fay.next("users");
assert.deepEqual(users.find((user) => user.userID === eveID), { userID: eveID, username: "Eve", connected: true, messages: [] });
const [come] = await eve.next("user connected", (user) => user.userID === fayID);
assert.deepEqual(come, { userID: fayID, username: "Fay", connected: true, messages: [] });
eve.emit("private message", { content: "psst", to: fayID });
assert.deepEqual(await fay.next("private message"), [{ content: "psst", from: eveID, to: fayID }]);
fay.emit("private message", { content: "what?", to: eveID });
assert.deepEqual(await eve.next("private message"), [{ content: "what?", from: fayID, to: eveID }]);
assert.ok(!bob.has("private message"), "nobody else hears it");
fay.disconnect();
assert.deepEqual(await eve.next("user disconnected", (id) => id === fayID), [fayID]);

for (const socket of sockets) socket.disconnect();
console.log("all of the tutorials' clients are at home");
