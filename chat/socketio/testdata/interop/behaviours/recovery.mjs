// Connection state recovery: after a short interruption the server restores id, rooms and data, and sends what was missed.
import assert from "node:assert/strict";

const needs = ["recovery"];

// recoverable connects through a proxy that can be cut. Its timeout is for attempts that the proxy has swallowed.
const recoverable = async (t) => {
  const proxy = await t.proxy(t.recoveryURL);
  const socket = await t.connect("/", { timeout: 3000 }, proxy.url);
  await t.upgraded(socket);
  return { proxy, socket };
};

// interrupt cuts the connection, lets something happen meanwhile, and waits until the socket is back. Node's server cannot
// recover a socket of which it does not know yet that it is gone, so another socket asks for that.
const interrupt = async (t, proxy, socket, other, meanwhile) => {
  const { id } = socket;
  await t.cutOff(proxy, socket);
  proxy.refuse(true);
  if (socket.nsp === "/") await t.ask(other, "reason", id);
  await meanwhile();
  proxy.refuse(false);
  await t.back(socket);
};

// heard gathers what was said, without the position that the server appends to each event.
const heard = (t, socket) => {
  const said = [];
  socket.on("said", (text) => said.push(text));
  return said;
};

export const recovery = [
  {
    name: "restores id, rooms and data, and sends what was missed once and in order",
    needs,
    async run(t) {
      const { proxy, socket } = await recoverable(t);
      const other = await t.connect("/", {}, t.recoveryURL);
      assert.equal(!!socket.recovered, false);
      await t.ask(socket, "join", ["r"]);
      await t.ask(socket, "data", "mine");
      const { id } = socket, said = heard(t, socket);
      other.emit("to", "r", "before");
      await t.settled(other, socket);
      await interrupt(t, proxy, socket, other, async () => {
        for (let i = 0; i < 20; i++) other.emit("to", i % 2 ? "r" : "elsewhere", i);
        other.emit("all", "to all");
        await t.settled(other);
      });
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      await t.settled(socket);
      assert.deepEqual(said, ["before", 1, 3, 5, 7, 9, 11, 13, 15, 17, 19, "to all"]);
      assert.deepEqual(await t.ask(socket, "rooms"), [["r"]]);
      assert.deepEqual(await t.ask(socket, "data", null), ["mine"]);
      other.emit("to", "r", "after");
      await t.settled(other, socket);
      assert.equal(said.at(-1), "after");
    },
  },
  {
    name: "recovers again and again",
    needs,
    async run(t) {
      const { proxy, socket } = await recoverable(t);
      const other = await t.connect("/", {}, t.recoveryURL);
      const said = heard(t, socket);
      other.emit("all", 0);
      await t.settled(other, socket);
      for (let i = 1; i <= 3; i++) {
        await interrupt(t, proxy, socket, other, async () => {
          other.emit("all", i);
          await t.settled(other);
        });
        assert.equal(socket.recovered, true, `interruption ${i}`);
        await t.upgraded(socket);
      }
      await t.settled(socket);
      assert.deepEqual(said, [0, 1, 2, 3]);
    },
  },
  {
    name: "recovers binary events",
    needs,
    async run(t) {
      const { proxy, socket } = await recoverable(t);
      const other = await t.connect("/", {}, t.recoveryURL);
      const said = heard(t, socket);
      other.emit("all", "before");
      await t.settled(other, socket);
      await interrupt(t, proxy, socket, other, async () => {
        other.emit("all", { data: new Uint8Array([1, 2, 3]) });
        await t.settled(other);
      });
      await t.settled(socket);
      assert.deepEqual([...new Uint8Array(said.at(-1).data)], [1, 2, 3]);
    },
  },
  {
    name: "does not recover who left",
    needs,
    async run(t) {
      const { socket } = await recoverable(t);
      const other = await t.connect("/", {}, t.recoveryURL);
      const { id } = socket;
      await t.ask(socket, "join", ["r"]);
      socket.disconnect();
      await t.ask(other, "reason", id); // or the farewell could come behind the new connection
      socket.connect();
      await t.connected(socket);
      assert.equal(socket.recovered, false);
      assert.notEqual(socket.id, id);
      assert.deepEqual(await t.ask(socket, "rooms"), [[]]);
    },
  },
  {
    name: "recovers who had received nothing yet",
    needs,
    beyond: true,
    async run(t) {
      const proxy = await t.proxy(t.recoveryURL);
      const socket = await t.connect("/quiet", {}, proxy.url);
      await t.upgraded(socket);
      const other = await t.connect("/quiet", {}, t.recoveryURL);
      const said = heard(t, socket), { id } = socket;
      await interrupt(t, proxy, socket, other, async () => {
        other.emit("all here", "first ever");
        await t.settled(other);
      });
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      await t.settled(socket);
      assert.deepEqual(said, ["first ever"]);
    },
  },
  {
    name: "takes over from a connection that the server still believes in",
    needs,
    beyond: true,
    async run(t) {
      const { proxy, socket } = await recoverable(t);
      const other = await t.connect("/", {}, t.recoveryURL);
      const { id } = socket, said = heard(t, socket);
      // The client goes away without the server hearing of it: only its own side of the connection ends.
      proxy.silence(true);
      const lost = t.event(socket, "disconnect");
      socket.io.engine.close();
      await lost;
      other.emit("all", "missed");
      await t.settled(other);
      proxy.silence(false);
      await t.back(socket);
      assert.equal(socket.recovered, true);
      assert.equal(socket.id, id);
      await t.settled(socket);
      assert.deepEqual(said, ["missed"]);
    },
  },
];
