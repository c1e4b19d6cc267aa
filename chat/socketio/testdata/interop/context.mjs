// What a behaviour gets to work with.
import assert from "node:assert/strict";
import WebSocket from "ws";
import { startProxy } from "./proxy.mjs";

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// within fails with words if a promise takes too long.
export const within = (ms, what, promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing for ${ms} ms`)), ms);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// bytes makes the kinds of binary data comparable that the clients deliver: Buffer and ArrayBuffer.
export const bytes = (value) => {
  if (value instanceof ArrayBuffer) return { bytes: [...new Uint8Array(value)] };
  if (ArrayBuffer.isView(value)) return { bytes: [...new Uint8Array(value.buffer, value.byteOffset, value.byteLength)] };
  if (Array.isArray(value)) return value.map(bytes);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, bytes(each)]));
};

// How long an answer may take. Long, because tests run on busy machines; what is there sooner is not waited for.
const patience = 15000;

export class Context {
  #ends = [];

  constructor(setup) {
    // url, recoveryURL, path, io, client, transport, transports, features, barrier
    Object.assign(this, setup);
  }

  // options of every client here: short waits, and no connection shared unless asked for.
  options(more) {
    return { forceNew: true, transports: this.transports, path: this.path, reconnectionDelay: 50, reconnectionDelayMax: 200, WebSocket, ...more };
  }

  // socket makes a client; it is gone after the behaviour.
  socket(nsp = "/", options, url = this.url) {
    const socket = this.io(url + nsp, this.options(options));
    this.after(() => socket.disconnect());
    return socket;
  }

  // on is a socket of another namespace on the connection of the first.
  on(socket, nsp, options) {
    const other = socket.io.socket(nsp, options);
    this.after(() => other.disconnect());
    return other;
  }

  async connect(nsp, options, url) {
    return this.connected(this.socket(nsp, options, url));
  }

  async connected(socket) {
    if (socket.connected) return socket;
    return within(patience, "connect", new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(socket));
      socket.once("connect_error", reject);
    }));
  }

  // back waits for a connection, however many attempts fail before.
  async back(socket) {
    if (!socket.connected) await this.event(socket, "connect");
  }

  async proxy(url = this.url) {
    const proxy = await startProxy(url);
    this.after(() => proxy.close());
    return proxy;
  }

  after(fn) {
    this.#ends.push(fn);
  }

  async end() {
    for (const fn of this.#ends.reverse()) await fn();
  }

  // event resolves with the arguments of the next event of that name.
  event(socket, name, ms = patience) {
    return within(ms, `event "${name}"`, new Promise((resolve) => socket.once(name, (...args) => resolve(args))));
  }

  // ask emits with an acknowledgement and resolves with its arguments.
  ask(socket, ...args) {
    return within(patience, `ack of "${args[0]}"`, new Promise((resolve) => socket.emit(...args, (...answer) => resolve(answer))));
  }

  // collect gathers the arguments of all events of a name from now on.
  collect(socket, name) {
    const seen = [];
    socket.on(name, (...args) => seen.push(args));
    return seen;
  }

  // settled waits until everything that the server sent these sockets before has arrived: nothing overtakes an ack.
  async settled(...sockets) {
    for (const socket of sockets) await this.ask(socket, ...this.barrier);
  }

  async until(what, condition, ms = patience) {
    for (const end = Date.now() + ms; !condition();) {
      if (Date.now() > end) assert.fail(`not within ${ms} ms: ${what}`);
      await sleep(5);
    }
  }

  // upgraded waits for WebSocket where this run starts with polling and may upgrade.
  async upgraded(socket) {
    if (this.transport === "default") await this.until("upgrade", () => socket.io.engine.transport.name === "websocket");
  }

  // cutOff resets the connections of a client until it notices: a client that polls has none for a moment. It resolves with
  // the arguments of its disconnect event.
  async cutOff(proxy, socket) {
    const cutting = setInterval(proxy.cut, 10);
    try {
      return await this.event(socket, "disconnect");
    } finally {
      clearInterval(cutting);
    }
  }

  // reason asks the server why it thinks that a socket is gone.
  async reason(id) {
    const [{ reason, rooms }] = await this.ask(await this.connect(), "reason", id);
    this.rooms = rooms;
    return reason;
  }
}
