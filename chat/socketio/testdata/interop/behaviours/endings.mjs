// How connections end, what each side is told, and coming back.
import assert from "node:assert/strict";

const lost = ["transport close", "transport error"];

export const endings = [
  {
    name: "disconnects, and both sides know who did",
    async run(t) {
      const socket = await t.connect();
      const { id } = socket;
      const end = t.event(socket, "disconnect");
      socket.disconnect();
      assert.equal((await end)[0], "io client disconnect");
      assert.equal(socket.id, undefined);
      assert.equal(socket.active, false);
      assert.equal(await t.reason(id), "client namespace disconnect");
    },
  },
  {
    name: "delivers what was emitted right before the disconnect",
    beyond: true, // Node's server drops an event that is directly followed by the disconnect
    async run(t) {
      const [socket, other] = [await t.connect(), await t.connect()];
      const said = t.event(other, "said");
      socket.emit("broadcast", "last words");
      socket.disconnect();
      assert.deepEqual(await said, ["last words"]);
    },
  },
  {
    name: "may disconnect before it is connected",
    async run(t) {
      const socket = t.socket();
      const connects = t.collect(socket, "connect");
      socket.disconnect();
      await t.settled(await t.connect());
      assert.deepEqual(connects, []);
      assert.equal(socket.active, false);
      socket.connect();
      await t.connected(socket);
      await t.settled(socket);
    },
  },
  ...[false, true].map((close) => ({
    name: close ? "is disconnected by the server, connection and all" : "is disconnected by the server",
    async run(t) {
      const socket = await t.connect();
      const { id } = socket, { engine } = socket.io;
      const closed = new Promise((resolve) => engine.once("close", resolve));
      const attempts = t.collect(socket.io, "reconnect_attempt");
      socket.emit("disconnect me", close);
      assert.equal((await t.event(socket, "disconnect"))[0], "io server disconnect");
      assert.equal(socket.active, false);
      assert.equal(await t.reason(id), "server namespace disconnect");
      await closed;
      assert.deepEqual(attempts, [], "no reconnection");
      socket.connect();
      await t.connected(socket);
      await t.settled(socket);
    },
  })),
  {
    name: "reconnects after its own transport was closed",
    async run(t) {
      const socket = await t.connect();
      await t.upgraded(socket);
      const { id } = socket;
      const end = t.event(socket, "disconnect"), again = t.event(socket.io, "reconnect");
      socket.io.engine.close();
      assert.equal((await end)[0], "forced close");
      assert.equal(socket.active, true);
      assert.deepEqual(await again, [1]);
      await t.back(socket);
      assert.notEqual(socket.id, id);
      assert.ok(lost.includes(await t.reason(id)));
    },
  },
  {
    name: "reconnects after the server closed the connection below",
    async run(t) {
      const socket = await t.connect();
      await t.upgraded(socket);
      const { id } = socket, end = t.event(socket, "disconnect");
      socket.emit("close my connection");
      assert.equal((await end)[0], "transport close");
      assert.equal(socket.active, true);
      await t.back(socket);
      assert.notEqual(socket.id, id);
      assert.equal(await t.reason(id), "forced close");
    },
  },
  {
    name: "reconnects after the network cut it off",
    async run(t) {
      const proxy = await t.proxy();
      const socket = await t.connect("/", {}, proxy.url);
      await t.upgraded(socket);
      const { id } = socket;
      const again = t.event(socket.io, "reconnect");
      const [reason, details] = await t.cutOff(proxy, socket);
      assert.ok(lost.includes(reason), reason);
      if (t.features.has("details")) assert.notEqual(details, undefined);
      await again;
      await t.back(socket);
      assert.notEqual(socket.id, id);
      await t.settled(socket);
      assert.ok([...lost, "ping timeout"].includes(await t.reason(id)));
    },
  },
  {
    name: "reconnects in every namespace",
    async run(t) {
      const proxy = await t.proxy();
      const main = await t.connect("/", {}, proxy.url);
      const plain = await t.connected(t.on(main, "/plain"));
      await t.upgraded(main);
      const end = t.event(plain, "disconnect");
      await t.cutOff(proxy, main);
      await end;
      await t.back(main);
      await t.back(plain);
      await t.settled(main, plain);
    },
  },
  {
    name: "does not reconnect if told not to",
    async run(t) {
      const proxy = await t.proxy();
      const socket = await t.connect("/", { reconnection: false }, proxy.url);
      await t.upgraded(socket);
      const attempts = t.collect(socket.io, "reconnect_attempt");
      await t.cutOff(proxy, socket);
      await t.settled(await t.connect());
      assert.deepEqual(attempts, []);
      assert.equal(socket.connected, false);
    },
  },
  {
    name: "notices on both sides that the network swallows everything",
    patient: true,
    async run(t) {
      const proxy = await t.proxy();
      const socket = await t.connect("/", { reconnection: false }, proxy.url);
      await t.upgraded(socket);
      const { id } = socket;
      proxy.silence(true);
      assert.equal((await t.event(socket, "disconnect"))[0], "ping timeout");
      assert.equal(await t.reason(id), "ping timeout");
    },
  },
  {
    name: "is cut off for a message over the limit, which harms nobody else",
    async run(t) {
      const [socket, other] = [await t.connect("/", { reconnection: false }), await t.connect()];
      await t.upgraded(socket);
      const { id } = socket;
      const end = t.event(socket, "disconnect");
      socket.emit("echo", "x".repeat(1_500_000));
      assert.ok(lost.includes((await end)[0]));
      assert.ok(lost.includes(await t.reason(id)));
      await t.settled(other);
    },
  },
  {
    name: "is cut off for too many attachments, which harms nobody else",
    async run(t) {
      const [socket, other] = [await t.connect("/", { reconnection: false }), await t.connect()];
      await t.upgraded(socket);
      const { id } = socket;
      const end = t.event(socket, "disconnect");
      socket.emit("echo", Array.from({ length: 11 }, () => new Uint8Array(1)));
      assert.ok(lost.includes((await end)[0]));
      // The documentation says parse error; Node's server says forced close.
      assert.ok(["parse error", "forced close"].includes(await t.reason(id)));
      await t.settled(other);
    },
  },
];
