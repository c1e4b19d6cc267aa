// Connecting, the handshake, upgrading, and what is told when it does not work.
import assert from "node:assert/strict";
import { sleep } from "../context.mjs";

export const connection = [
  {
    name: "connects",
    async run(t) {
      const socket = t.socket();
      assert.equal(socket.connected, false);
      assert.equal(socket.disconnected, true);
      assert.equal(socket.active, true);
      assert.equal(socket.id, undefined);
      await t.connected(socket);
      assert.equal(socket.connected, true);
      assert.equal(socket.disconnected, false);
      assert.match(socket.id, /^[\w-]{20}$/);
      const [id, nsp] = await t.ask(socket, "whoami");
      assert.equal(id, socket.id);
      assert.equal(nsp, "/");
    },
  },
  {
    name: "uses the transport that was asked for",
    async run(t) {
      const socket = await t.connect();
      await t.upgraded(socket);
      const expected = t.transport === "polling" ? "polling" : "websocket";
      assert.equal(socket.io.engine.transport.name, expected);
      const [transport] = await t.ask(socket, "transport");
      assert.equal(transport, expected);
    },
  },
  {
    name: "starts with polling, and keeps its session through the upgrade",
    on: ["default"],
    async run(t) {
      const socket = t.socket(), { engine } = socket.io;
      assert.equal(engine.transport.name, "polling");
      const upgraded = t.event(engine, "upgrade");
      await t.connected(socket);
      const { id } = socket, session = engine.id;
      assert.equal((await upgraded)[0].name, "websocket");
      await t.settled(socket);
      assert.equal(socket.id, id);
      assert.equal(socket.io.engine.id, session);
    },
  },
  {
    name: "stays with polling if told to",
    on: ["default"],
    async run(t) {
      const socket = await t.connect("/", { upgrade: false });
      await sleep(100);
      assert.equal(socket.io.engine.transport.name, "polling");
    },
  },
  {
    name: "sends auth, query and headers with the handshake",
    async run(t) {
      const socket = await t.connect("/", {
        auth: { user: "Zoë", deep: [1, { two: null }] }, query: { flavour: "ä&b=c d" }, extraHeaders: { "X-Flavour": "mint" },
      });
      const [seen] = await t.ask(socket, "handshake");
      assert.match(seen.url, /^\/socket\.io\/\?.*EIO=4/);
      assert.equal(typeof seen.address, "string");
      delete seen.url;
      delete seen.address;
      assert.deepEqual(seen, {
        auth: { user: "Zoë", deep: [1, { two: null }] }, flavour: "ä&b=c d", header: "mint", secure: false, xdomain: false, timed: true,
      });
    },
  },
  {
    name: "sends no auth as an empty object",
    async run(t) {
      const [seen] = await t.ask(await t.connect(), "handshake");
      assert.deepEqual(seen.auth, {});
    },
  },
  {
    name: "asks an auth function at each connect",
    async run(t) {
      let asked = 0;
      const socket = await t.connect("/", { auth: (send) => setTimeout(send, 5, { asked: ++asked }) });
      assert.deepEqual((await t.ask(socket, "handshake"))[0].auth, { asked: 1 });
      socket.disconnect().connect();
      await t.connected(socket);
      assert.deepEqual((await t.ask(socket, "handshake"))[0].auth, { asked: 2 });
    },
  },
  {
    name: "delivers what the server sends in its connection handler",
    async run(t) {
      const socket = t.socket();
      const [text, id] = await t.event(socket, "hello");
      assert.equal(text, "world");
      assert.equal(id, socket.id);
    },
  },
  {
    name: "connects later if autoConnect is off",
    async run(t) {
      const socket = t.socket("/", { autoConnect: false });
      assert.equal(socket.active, false);
      await sleep(30);
      assert.equal(socket.connected, false);
      socket.connect();
      assert.equal(socket.active, true);
      await t.connected(socket);
    },
  },
  {
    name: "connects anew after disconnect and connect",
    async run(t) {
      const socket = await t.connect();
      const { id } = socket;
      socket.disconnect();
      assert.equal(socket.connected, false);
      assert.equal(socket.active, false);
      socket.connect();
      await t.connected(socket);
      assert.notEqual(socket.id, id);
      await t.settled(socket);
    },
  },
  {
    name: "shares a connection between namespaces, not between sockets of one",
    async run(t) {
      const make = (nsp) => {
        const socket = t.io(t.url + nsp, t.options({ forceNew: false }));
        t.after(() => socket.disconnect());
        return socket;
      };
      const first = make("/"), second = make("/plain"), third = make("/");
      assert.equal(first.io, second.io);
      assert.notEqual(first.io, third.io);
      for (const socket of [first, second, third]) await t.connected(socket);
      assert.notEqual(first.id, second.id);
      assert.notEqual(first.id, third.id);
    },
  },
  {
    name: "hears the heartbeat",
    patient: true,
    needs: ["ping"],
    async run(t) {
      const socket = await t.connect();
      await t.event(socket.io, "ping");
      await t.event(socket.io, "ping");
      assert.equal(socket.connected, true);
    },
  },
  {
    name: "tells of a server that is not there, tries again, and gives up when told to",
    async run(t) {
      const proxy = await t.proxy();
      proxy.refuse(true);
      const socket = t.socket("/", { reconnectionAttempts: 2 }, proxy.url);
      const attempts = t.collect(socket.io, "reconnect_attempt"), errors = t.collect(socket.io, "reconnect_error");
      const refusals = t.collect(socket, "connect_error");
      await t.event(socket.io, "reconnect_failed");
      assert.deepEqual(attempts, [[1], [2]]);
      assert.equal(errors.length, 2);
      assert.equal(refusals.length, 3);
      const [err] = refusals[0];
      assert.ok(err instanceof Error);
      assert.equal(err.message, t.transport === "websocket" ? "websocket error" : "xhr poll error");
      assert.equal(err.type, "TransportError");
      assert.equal(socket.active, true);
    },
  },
  {
    name: "connects once the server is there",
    async run(t) {
      const proxy = await t.proxy();
      proxy.refuse(true);
      const socket = t.socket("/", {}, proxy.url);
      await t.event(socket, "connect_error");
      const again = t.event(socket.io, "reconnect");
      proxy.refuse(false);
      const [attempt] = await again;
      assert.ok(attempt >= 1);
      await t.back(socket);
    },
  },
  {
    name: "tells of a server that does not answer in time",
    async run(t) {
      const proxy = await t.proxy();
      proxy.silence(true);
      const socket = t.socket("/", { timeout: 200, reconnection: false }, proxy.url);
      const [err] = await t.event(socket, "connect_error");
      // The oldest client hears first how its own end of the attempt sounds.
      assert.ok(["timeout", t.client === "stock-4.0" && "websocket error"].includes(err.message), err.message);
    },
  },
  {
    name: "tells of a refusal before the handshake",
    async run(t) {
      const socket = t.socket("/", { query: { refuse: "yes" }, reconnection: false });
      const [err] = await t.event(socket, "connect_error");
      assert.equal(err.type, "TransportError");
      if (t.transport !== "websocket") assert.equal(err.description, 403);
    },
  },
  {
    name: "tells of a path where no server is",
    async run(t) {
      const socket = t.socket("/", { path: "/elsewhere", reconnection: false });
      const [err] = await t.event(socket, "connect_error");
      assert.equal(err.type, "TransportError");
      if (t.transport !== "websocket") assert.equal(err.description, 404);
    },
  },
  {
    name: "works without the trailing slash",
    needs: ["addTrailingSlash"],
    beyond: true, // Node's server wants the same option as the client
    async run(t) {
      const socket = await t.connect("/", { addTrailingSlash: false });
      await t.settled(socket);
      assert.match((await t.ask(socket, "handshake"))[0].url, /^\/socket\.io\?/);
    },
  },
  {
    name: "keeps two clients apart",
    async run(t) {
      const [one, two] = [await t.connect(), await t.connect()];
      const heard = t.collect(two, "bounced");
      one.emit("bounce", "for one");
      assert.deepEqual(await t.event(one, "bounced"), ["for one"]);
      await t.settled(two);
      assert.deepEqual(heard, []);
    },
  },
];
