// Namespaces: several on one connection, made on demand, guarded.
import assert from "node:assert/strict";

export const namespaces = [
  {
    name: "has several namespaces on one connection",
    async run(t) {
      const main = await t.connect();
      const plain = t.on(main, "/plain");
      assert.deepEqual(await t.event(plain, "hello"), ["/plain"]);
      assert.equal(plain.io.engine, main.io.engine);
      assert.notEqual(plain.id, main.id);
      assert.deepEqual(await t.ask(plain, "echo", "in /plain"), ["in /plain"]);
      assert.deepEqual(bytesOf(await t.ask(plain, "echo", new Uint8Array([7]))), [7]);
      await t.settled(main);
    },
  },
  {
    name: "keeps the events of namespaces apart",
    async run(t) {
      const main = await t.connect();
      const plain = await t.connected(t.on(main, "/plain"));
      const [inMain, inPlain] = [t.collect(main, "said"), t.collect(plain, "said")];
      main.emit("all", "main");
      plain.emit("all here", "plain");
      await t.settled(main, plain);
      assert.deepEqual([inMain, inPlain], [[["main"]], [["plain"]]]);
    },
  },
  {
    name: "leaves one namespace and stays in the other",
    async run(t) {
      const main = await t.connect();
      const plain = await t.connected(t.on(main, "/plain"));
      const end = t.event(plain, "disconnect");
      plain.disconnect();
      assert.equal((await end)[0], "io client disconnect");
      await t.settled(main);
      plain.connect();
      await t.connected(plain);
      await t.settled(plain, main);
    },
  },
  {
    name: "is sent out of one namespace and stays in the other",
    async run(t) {
      const main = await t.connect();
      const plain = await t.connected(t.on(main, "/plain"));
      plain.emit("disconnect me", false);
      assert.equal((await t.event(plain, "disconnect"))[0], "io server disconnect");
      assert.equal(plain.active, false);
      await t.settled(main);
    },
  },
  {
    name: "is told of a namespace that does not exist",
    async run(t) {
      const main = await t.connect();
      const nowhere = t.on(main, "/nowhere");
      const [err] = await t.event(nowhere, "connect_error");
      assert.ok(err instanceof Error);
      assert.equal(err.message, "Invalid namespace");
      assert.equal(nowhere.active, !t.features.has("inactive after a refusal"));
      await t.settled(main);
    },
  },
  {
    name: "reaches namespaces that match a pattern, each its own",
    async run(t) {
      const one = await t.connect("/room-1");
      const two = await t.connected(t.on(one, "/room-2"));
      const [inOne, inTwo] = [t.collect(one, "said"), t.collect(two, "said")];
      one.emit("all here", "to room 1");
      await t.settled(one, two);
      assert.deepEqual([inOne, inTwo], [[["to room 1"]], []]);
      const [err] = await t.event(t.on(one, "/room-x"), "connect_error");
      assert.equal(err.message, "Invalid namespace");
    },
  },
  {
    name: "reaches namespaces that a function allows",
    async run(t) {
      const open = await t.connect("/lock-1", { auth: { key: "/lock-1" } });
      assert.deepEqual(await t.ask(open, "echo", "inside"), ["inside"]);
      const [err] = await t.event(t.on(open, "/lock-2", { auth: { key: "/lock-1" } }), "connect_error");
      assert.equal(err.message, "Invalid namespace");
      await t.settled(open);
    },
  },
  {
    name: "is refused by a middleware with a message and data, and let in with other auth",
    async run(t) {
      const socket = t.socket("/members", { auth: { token: "wrong" } });
      const [err] = await t.event(socket, "connect_error");
      assert.equal(err.message, "not authorized");
      assert.deepEqual(err.data, { code: 401, hint: "a token, please" });
      assert.equal(socket.connected, false);
      assert.equal(socket.active, !t.features.has("inactive after a refusal"));
      socket.auth = { token: "secret" };
      socket.connect();
      await t.connected(socket);
      await t.settled(socket);
    },
  },
  {
    name: "is refused single events by a middleware",
    async run(t) {
      const socket = await t.connect("/guarded");
      socket.emit("forbidden");
      assert.deepEqual(await t.event(socket, "refused"), ["that is forbidden"]);
      await t.settled(socket);
    },
  },
];

const bytesOf = ([data]) => [...new Uint8Array(data)];
