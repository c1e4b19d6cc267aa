// What the client does with servers, networks and applications that misbehave. Run by client_node_test.go:
//
//   node client_test.mjs module.mjs classic-script.cjs
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import vm from "node:vm";
import { PollingServer, fakeWebSocket, handshake, until } from "./server.mjs";

const { io, Manager } = await import(pathToFileURL(process.argv[2]));

// reports gathers what the client reports as uncaught, which would fail the test otherwise.
const reports = (t) => {
  const messages = [];
  process.setUncaughtExceptionCaptureCallback((err) => messages.push(err.message));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  return messages;
};

test("is a classic script, a CommonJS module and an ES module", async () => {
  const module = await import(pathToFileURL(process.argv[2]));
  assert.deepEqual(Object.keys(module).sort(), ["Manager", "Socket", "connect", "default", "io", "protocol"]);
  assert.ok([module.default, module.connect, module.io.io, module.io.connect].every((each) => each === module.io));
  const page = vm.createContext({});
  vm.runInContext(readFileSync(process.argv[3], "utf8"), page);
  assert.deepEqual(Object.keys(page), ["io"]);
  for (const io of [page.io, createRequire(import.meta.url)(process.argv[3])]) {
    assert.deepEqual(Object.keys(io), ["io", "connect", "Manager", "Socket", "protocol"]);
    assert.equal(io.connect, io);
  }
});

test("knows addresses as people write them", () => {
  const { origin, nsp } = address("http://localhost:80/admin?x=1&y=a%20b");
  assert.deepEqual([origin, nsp], ["http://localhost", "/admin"]);
  assert.deepEqual(address("http://localhost:80/admin?x=1&y=a%20b").query, { x: "1", y: "a b" });
  globalThis.location = new URL("https://page.example:8443/a/b?c#d");
  try {
    for (const [written, wanted] of Object.entries({
      "": ["https://page.example:8443", "/"], "/admin": ["https://page.example:8443", "/admin"], "/admin?x=1": ["https://page.example:8443", "/admin"],
      "//other.example/n": ["https://other.example", "/n"], "other.example:1/n": ["https://other.example:1", "/n"], "ws://h:2": ["http://h:2", "/"],
      "wss://h/ünï": ["https://h", "/ünï"], "http://[::1]:3/": ["http://[::1]:3", "/"],
    })) {
      const { origin, nsp } = address(written || undefined);
      assert.deepEqual([origin, nsp], wanted, written);
    }
  } finally {
    delete globalThis.location;
  }
  assert.throws(() => io(), /address/);
  assert.throws(() => io("/admin"), /address/);
});

// address tells where a socket would connect to.
const address = (written) => {
  const WebSocket = fakeWebSocket({ open: false });
  const socket = io(written, { forceNew: true, autoConnect: false, transports: ["websocket"], WebSocket });
  return { origin: new URL(socket.io.uri).origin, nsp: socket.nsp, query: socket.io.opts.query };
};

// connect gives a connected socket and the fake connection below it.
const connect = async (t, options) => {
  const WebSocket = fakeWebSocket();
  const socket = io("http://fake", { forceNew: true, transports: ["websocket"], WebSocket, reconnectionDelay: 1e6, ...options });
  t.after(() => socket.disconnect());
  await until("connection", () => WebSocket.instances.length && WebSocket.instances[0].readyState === 1);
  const [ws] = WebSocket.instances;
  ws.say(handshake(), '40{"sid":"id"}');
  assert.equal(socket.connected, true);
  return { socket, ws, WebSocket };
};

const disconnects = (socket) => {
  const reasons = [];
  socket.on("disconnect", (reason) => reasons.push(reason));
  return reasons;
};

const placeholder = (num) => `451-["x",{"_placeholder":true,"num":${num}}]`;

const malformed = {
  "no packet type": ["4"], "unknown packet type": ["47"], "no digit": ["4x"], "no payload": ["42"], "payload is no JSON": ['42["x"'],
  "payload is an object": ["42{}"], "empty payload": ["42[]"], "event name null": ["42[null]"], "event name object": ['42[{"toString":1}]'],
  "event name list": ['42[["x"]]'], "reserved connect": ['42["connect"]'], "reserved disconnect": ['42["disconnect","x"]'],
  "reserved connect_error": ['42["connect_error",{}]'], "reserved newListener": ['42["newListener"]'], "ack without an id": ['43["x"]'],
  "ack without a payload": ["431"], "ack with an object": ["431{}"], "ack id too long": ['431234567890123456["x"]'],
  "CONNECT with a string": ['40"x"'], "CONNECT with a list": ["40[]"], "DISCONNECT with a payload": ["41{}"],
  "CONNECT_ERROR without payload": ["44"], "CONNECT_ERROR with a list": ["44[]"], "CONNECT_ERROR with a number": ["441"],
  "text event with attachments": ['421-["x"]'], "binary event without attachments": ['45["x"]'], "binary event with no attachment": ['450-["x"]'],
  "too many attachments": ['4511-["x"]'], "absurdly many attachments": ['45999999999999-["x"]'], "negative attachments": ['45-1-["x"]'],
  "text where an attachment is due": [placeholder(0), '42["x"]'], "attachment that nobody waits for": [[1, 2, 3]],
  "placeholder -1": [placeholder(-1), [1]], "placeholder 1": [placeholder(1), [1]], "placeholder 0.5": [placeholder(0.5), [1]],
  "placeholder string": [placeholder('"0"'), [1]], "placeholder length": [placeholder('"length"'), [1]], "placeholder null": [placeholder(null), [1]],
  "placeholder object": [placeholder('{"toString":0}'), [1]], "placeholder huge": [placeholder(1e300), [1]],
  "deep payload": ['451-["x",' + "[".repeat(200_000) + "]".repeat(200_000) + "]", [1]],
};

for (const [what, messages] of Object.entries(malformed)) {
  test(`parse error: ${what}`, async (t) => {
    const { socket, ws } = await connect(t);
    const reasons = disconnects(socket), seen = [];
    socket.onAny((...args) => seen.push(args));
    ws.say(...messages);
    assert.deepEqual(reasons, ["parse error"]);
    assert.deepEqual(seen, []);
    assert.equal(ws.closed, true);
    assert.equal(socket.active, true, "it reconnects");
  });
}

for (const [what, message] of Object.entries({ "empty": "", "unknown type": "9", "a pong": "3", "an upgrade": "5", "a second handshake": handshake(), "broken Base64": "b*" })) {
  test(`engine: ${what} ends the connection`, async (t) => {
    const { socket, ws } = await connect(t);
    const reasons = disconnects(socket);
    ws.say(message);
    assert.deepEqual(reasons, ["transport error"]);
  });
}

for (const [what, message] of Object.entries({
  "no JSON": "0x", "null": "0null", "no sid": '0{"pingInterval":1,"pingTimeout":1}', "sid of another type": handshake({ sid: 1 }),
  "no intervals": '0{"sid":"x"}', "intervals of another type": handshake({ pingInterval: {}, pingTimeout: [] }), "an event first": '42["x"]',
})) {
  test(`handshake: ${what} is a connect_error`, async (t) => {
    const WebSocket = fakeWebSocket();
    const socket = io("http://fake", { forceNew: true, transports: ["websocket"], WebSocket, reconnection: false });
    const errors = [];
    socket.on("connect_error", (err) => errors.push(err.message));
    await until("connection", () => WebSocket.instances[0]?.readyState === 1);
    WebSocket.instances[0].say(message);
    assert.deepEqual(errors, ["server error"]);
  });
}

test("nothing from the network reaches a prototype", async (t) => {
  const { socket, ws } = await connect(t);
  const seen = [];
  socket.on("x", (...args) => seen.push(args));
  ws.say('42["x",{"__proto__":{"polluted":1}}]', '451-["x",{"__proto__":{"polluted":{"_placeholder":true,"num":0}}}]', [7]);
  assert.equal(seen.length, 2);
  assert.equal({}.polluted, undefined);
  assert.equal(seen[1][0].polluted, undefined);
  assert.equal(new Uint8Array(Object.entries(seen[1][0])[0][1].polluted)[0], 7);
  for (const name of ["__proto__", "constructor", "toString", "hasOwnProperty", "valueOf"]) ws.say(`42["${name}",1]`, `42/${name},["x"]`);
  ws.say('43999["x"]', '430["never asked"]');
  assert.equal(socket.connected, true);
});

test("sends the prototype's names as the keys they are", async (t) => {
  const { socket, ws } = await connect(t);
  ws.sent.length = 0;
  socket.emit("x", JSON.parse('{"__proto__":1}'), new Uint8Array([1]));
  await until("sent", () => ws.sent.length === 2);
  assert.equal(ws.sent[0], '451-["x",{"__proto__":1},{"_placeholder":true,"num":0}]');
});

test("a listener that throws is reported and holds up nothing", async (t) => {
  const { socket, ws } = await connect(t);
  const seen = [], uncaught = reports(t);
  socket.onAny(() => { throw new Error("any"); });
  socket.on("x", () => { throw new Error("listener"); });
  socket.on("x", (i) => seen.push(i));
  socket.on("disconnect", () => { throw new Error("disconnect"); });
  ws.say('42["x",1]', '42["x",2]');
  assert.deepEqual(seen, [1, 2]);
  ws.lose();
  assert.equal(socket.connected, false);
  assert.equal(socket.active, true);
  await until("reports", () => uncaught.length === 5);
  assert.deepEqual(uncaught.sort(), ["any", "any", "disconnect", "listener", "listener"]);
});

test("what cannot be encoded is refused, or reported if it was buffered, and holds up nothing", async (t) => {
  const { socket } = await connect(t);
  const circular = {};
  circular.self = circular;
  assert.throws(() => socket.emit("x", circular));
  assert.throws(() => socket.emit("x", 1n));
  const WebSocket = fakeWebSocket();
  const late = io("http://fake", { forceNew: true, transports: ["websocket"], WebSocket, autoConnect: false });
  t.after(() => late.disconnect());
  const uncaught = reports(t);
  late.emit("x", 1n).emit("y").connect();
  await until("connection", () => WebSocket.instances[0]?.readyState === 1);
  const [ws] = WebSocket.instances;
  ws.say(handshake(), '40{"sid":"id"}');
  assert.equal(late.connected, true);
  await until("buffered event", () => ws.sent.includes('42["y"]'));
  await until("report", () => uncaught.length === 1);
});

test("waits longer and longer between attempts, at random, up to the maximum", async (t) => {
  const { setTimeout: real } = globalThis, { random } = Math;
  t.after(() => {
    globalThis.setTimeout = real;
    Math.random = random;
  });
  // waits gives the first delays of a Manager whose attempts all fail, without waiting for them.
  const waits = async (options, luck) => {
    const delays = [];
    Math.random = () => luck;
    globalThis.setTimeout = (fn, ms) => {
      if (ms !== undefined) delays.push(ms); // without a delay it is the failure of an attempt
      if (delays.length < 6) real(fn);
    };
    const failing = class { constructor() { throw new Error("no network"); } };
    new Manager("http://fake", { transports: ["websocket"], WebSocket: failing, timeout: false, ...options });
    for (const end = Date.now() + 20000; delays.length < 6 && Date.now() < end;) await new Promise((resolve) => setImmediate(resolve));
    return delays.map(Math.round);
  };
  assert.deepEqual(await waits({ randomizationFactor: 0 }, 0), [1000, 2000, 4000, 5000, 5000, 5000]);
  assert.deepEqual(await waits({}, 0), [500, 1000, 2000, 4000, 5000, 5000]);
  assert.deepEqual(await waits({}, 0.999999), [1500, 3000, 5000, 5000, 5000, 5000]);
  assert.deepEqual(await waits({ reconnectionDelay: 10, reconnectionDelayMax: 50, randomizationFactor: 0 }, 0), [10, 20, 40, 50, 50, 50]);
});

test("an auth function is heard once, and not after the connection was lost", async (t) => {
  const WebSocket = fakeWebSocket(), asked = [];
  const socket = io("http://fake", {
    forceNew: true, transports: ["websocket"], WebSocket, reconnectionDelay: 1, reconnectionDelayMax: 1, auth: (send) => asked.push(send),
  });
  t.after(() => socket.disconnect());
  await until("first connection", () => WebSocket.instances[0]?.readyState === 1);
  WebSocket.instances[0].say(handshake());
  WebSocket.instances[0].lose();
  await until("second connection", () => WebSocket.instances[1]?.readyState === 1);
  WebSocket.instances[1].say(handshake());
  asked[0]({ n: 1 });
  socket.connect();
  asked[1]({ n: 2 });
  asked[1]({ n: 3 });
  await until("CONNECT", () => WebSocket.instances[1].sent.length);
  socket.emit("after it");
  WebSocket.instances[1].say('40{"sid":"id"}');
  await until("event", () => WebSocket.instances[1].sent.length > 1);
  assert.deepEqual(WebSocket.instances[1].sent, ['40{"n":2}', '42["after it"]']);
});

test("a heartbeat that was missed while timers slept is noticed at the next event", async (t) => {
  const { socket, ws } = await connect(t);
  const reasons = disconnects(socket), { now } = Date;
  t.after(() => { Date.now = now; });
  Date.now = () => now() + 60_000;
  socket.emit("x");
  Date.now = now;
  await until("disconnect", () => reasons.length);
  assert.deepEqual(reasons, ["ping timeout"]);
  assert.equal(ws.sent.includes('42["x"]'), false);
  assert.equal(socket.sendBuffer.length, 1, "it will be sent after the reconnection");
});

const polling = async (t, options) => {
  const server = await new PollingServer().start();
  t.after(() => server.close());
  const socket = io(server.url, { forceNew: true, reconnectionDelay: 1e6, ...options });
  t.after(() => socket.disconnect());
  return { server, socket };
};

const pollingConnected = async (t, options, more) => {
  const { server, socket } = await polling(t, options);
  server.say(handshake(more));
  await until("CONNECT", () => server.posted.includes("40"));
  server.say('40{"sid":"id"}');
  await until("connect", () => socket.connected);
  return { server, socket };
};

test("polling: takes several packets of one answer, and stops at a close", async (t) => {
  const { server, socket } = await pollingConnected(t, { transports: ["polling"] });
  const reasons = disconnects(socket), seen = [];
  socket.on("x", (value) => seen.push(value instanceof ArrayBuffer ? [...new Uint8Array(value)] : value));
  server.say('42["x",1]', '451-["x",{"_placeholder":true,"num":0}]', "bAQI=", "1", '42["x",3]');
  await until("close", () => reasons.length);
  assert.deepEqual(reasons, ["transport close"]);
  assert.deepEqual(seen, [1, [1, 2]]);
});

test("polling: keeps requests below the server's maxPayload", async (t) => {
  const { server, socket } = await pollingConnected(t, { transports: ["polling"] }, { maxPayload: 60 });
  const sizes = [];
  const { fetch } = globalThis;
  t.after(() => { globalThis.fetch = fetch; });
  globalThis.fetch = (url, init) => {
    if (init.body) sizes.push(Buffer.byteLength(init.body));
    return fetch(url, init);
  };
  for (let i = 0; i < 10; i++) socket.emit("x", i, "ä€");
  socket.emit("b", new Uint8Array(20));
  await until("all posted", () => server.posted.length === 1 + 10 + 2);
  assert.ok(Math.max(...sizes) <= 60, `${sizes}`);
  assert.ok(sizes.length < 12, "packets share requests");
});

test("polling: a session that comes of a connection nobody wants any more is ended", async (t) => {
  const { server, socket } = await polling(t, { transports: ["polling"] });
  await until("poll", () => server.polled);
  socket.disconnect();
  server.say(handshake());
  await until("close packet", () => server.posted.includes("1"));
  assert.ok(server.urls.at(-1).includes("sid=s1"));
});

test("upgrade: a probe that is never answered, refused or cut off changes nothing", async (t) => {
  for (const end of [() => {}, (ws) => ws.say("3nonsense"), (ws) => ws.lose(), (ws) => ws.onerror({})]) {
    const WebSocket = fakeWebSocket();
    const { server, socket } = await pollingConnected(t, { WebSocket }, { upgrades: ["websocket"] });
    await until("probe", () => WebSocket.instances[0]?.sent.length);
    assert.deepEqual(WebSocket.instances[0].sent, ["2probe"]);
    assert.ok(WebSocket.instances[0].url.includes("sid=s1"));
    end(WebSocket.instances[0]);
    const seen = [];
    socket.on("x", (value) => seen.push(value));
    server.say('42["x",1]');
    await until("event by polling", () => seen.length);
    socket.emit("y");
    await until("event posted", () => server.posted.includes('42["y"]'));
    assert.equal(socket.io.engine.transport.name, "polling");
    socket.disconnect();
  }
});

test("upgrade: waits for the requests under way, keeps the order, and sends the rest by WebSocket", async (t) => {
  const WebSocket = fakeWebSocket();
  const { server, socket } = await pollingConnected(t, { WebSocket }, { upgrades: ["websocket"] });
  const seen = [];
  socket.on("x", (value) => seen.push(value));
  await until("probe", () => WebSocket.instances[0]?.sent.length);
  const [ws] = WebSocket.instances;
  await until("poll", () => server.polled);
  server.holdPosts = true;
  socket.emit("a", 1);
  ws.say("3probe");
  socket.emit("a", 2);
  await until("first event posted", () => server.posted.includes('42["a",1]'));
  server.say('42["x",1]', "2");
  await until("last poll", () => seen.length);
  assert.deepEqual(ws.sent, ["2probe"], "a post is still under way");
  server.releasePosts();
  await until("switch", () => ws.sent.length === 4);
  assert.deepEqual(ws.sent, ["2probe", "5", '42["a",2]', "3"]);
  assert.equal(server.polled, false);
  ws.say('42["x",2]');
  assert.deepEqual(seen, [1, 2]);
  assert.equal(socket.connected, true);
});

test("upgrade: goes back to polling if the WebSocket is lost before the switch", async (t) => {
  const WebSocket = fakeWebSocket();
  const { server, socket } = await pollingConnected(t, { WebSocket }, { upgrades: ["websocket"] });
  await until("probe", () => WebSocket.instances[0]?.sent.length);
  const [ws] = WebSocket.instances;
  await until("poll", () => server.polled);
  ws.say("3probe");
  socket.emit("a", 1);
  assert.equal(server.posted.includes('42["a",1]'), false);
  ws.lose();
  await until("event posted", () => server.posted.includes('42["a",1]'));
  const seen = [];
  socket.on("x", (value) => seen.push(value));
  server.say('42["x",1]');
  await until("event by polling", () => seen.length);
  assert.equal(socket.connected, true);
});

test("a disconnect during the upgrade lets what was emitted out first", async (t) => {
  const WebSocket = fakeWebSocket();
  const { server, socket } = await pollingConnected(t, { WebSocket }, { upgrades: ["websocket"] });
  await until("probe", () => WebSocket.instances[0]?.sent.length);
  const [ws] = WebSocket.instances;
  await until("poll", () => server.polled);
  ws.say("3probe");
  socket.emit("a").disconnect();
  server.say("6");
  await until("all sent", () => ws.closed);
  assert.deepEqual(ws.sent, ["2probe", "5", '42["a"]', "41"]);
});

test("an acknowledgement is not sent over another connection than its event came on", async (t) => {
  const { socket, ws, WebSocket } = await connect(t, { reconnectionDelay: 1, reconnectionDelayMax: 1 });
  const acks = [];
  socket.on("question", (ack) => acks.push(ack));
  ws.say('420["question"]', '421["question"]', '422["question"]');
  acks[0]("in time");
  ws.lose();
  acks[1]("without a connection");
  await until("second connection", () => WebSocket.instances[1]?.readyState === 1);
  const [, again] = WebSocket.instances;
  acks[2]("before the answer to CONNECT");
  again.say(handshake(), '40{"sid":"other"}', '420["question"]');
  acks[1]("to nobody who asked");
  acks[3]("in time");
  await until("acknowledgement", () => again.sent.length > 1);
  assert.deepEqual([ws.sent.at(-1), ...again.sent], ['430["in time"]', "40", '430["in time"]']);
});

test("an application that asks again when it has no answer does so once per disconnection", async (t) => {
  const { socket, ws } = await connect(t);
  const errors = [];
  const ask = () => socket.volatile.timeout(20).emit("question", (err) => {
    errors.push(err.message);
    if (errors.length < 1000) ask();
  });
  ask();
  ws.lose();
  assert.deepEqual(errors, ["socket has been disconnected"]);
  await until("the time is over", () => errors.length === 2);
  assert.equal(errors[1], "operation has timed out");
  errors.length = 1000;
});

test("no auth, in whatever way, is no payload", async (t) => {
  for (const auth of [undefined, null, (send) => send(), (send) => send(null)]) {
    const { ws } = await connect(t, { auth });
    assert.deepEqual(ws.sent, ["40"]);
  }
});

test("who leaves does not ask to be recovered, who is cut off does", async (t) => {
  const { socket, ws, WebSocket } = await connect(t, { reconnectionDelay: 1, reconnectionDelayMax: 1 });
  const greet = async (n) => {
    await until(`connection ${n}`, () => WebSocket.instances[n]?.readyState === 1);
    WebSocket.instances[n].say(handshake(), '40{"sid":"id","pid":"p"}', '42["x","offset"]');
    return WebSocket.instances[n].sent.find((packet) => packet.startsWith("40"));
  };
  ws.lose();
  assert.equal(await greet(1), "40");
  WebSocket.instances[1].lose();
  assert.equal(await greet(2), '40{"pid":"p","offset":"offset"}');
  assert.equal(socket.recovered, true);
  socket.disconnect().connect();
  assert.equal(await greet(3), "40");
  assert.equal(socket.recovered, false);
});
