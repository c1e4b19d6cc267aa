// What stories are told with: people, each of whom has a socket of the stock client and calls routes, and remembers what they hear.
//
//   node team.mjs --url http://… --by events|rest
//
// What can be done over both is done --by one of them: a story that is told twice shows each operation over both, with one outcome.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { parseArgs } from "node:util";

const { io } = createRequire(new URL("../../socketio/testdata/interop/package.json", import.meta.url))("socket.io-client");

const { values: args } = parseArgs({
  options: { url: { type: "string" }, by: { type: "string", default: "events" } },
});
const { url } = args;
const api = `${url}/chat/api/v1`;

// How long an answer may take. Long, because tests run on busy machines; what is there sooner is not waited for.
const patience = 20000;

const within = (what, promise) => {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing for ${patience} ms`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

// routes says where each operation is found over REST, from the document that the chat serves.
const routes = new Map(Object.entries((await (await fetch(`${api}/openapi.json`)).json()).paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, { operationId }]) => [operationId, { method: method.toUpperCase(), path }])));

// restOnly has no events: who one is, and what is an administrator's.
const restOnly = /^user\.(me|ban|unban|bans|mute|unmute|mutes)$|\.all$/;

// like fails unless actual has everything that expected has; an object may have more.
export const like = (actual, expected, what = "") => {
  if (expected === null || typeof expected !== "object") return assert.deepEqual(actual, expected, what && `${what}: ${JSON.stringify(actual)}`);
  assert.ok(actual !== null && typeof actual === "object", `${what}: ${JSON.stringify(actual)}`);
  if (Array.isArray(expected)) assert.equal(actual.length, expected.length, `${what}: ${JSON.stringify(actual)}`);
  for (const [key, value] of Object.entries(expected)) like(actual[key], value, `${what}.${key}`);
};

const isLike = (actual, expected) => {
  try {
    like(actual, expected);
    return true;
  } catch {
    return false;
  }
};

export class Person {
  events = []; // what was heard and not yet asked for
  #told = []; // the same, and what was asked for
  #changed = () => {};

  // Whoever signs in with a token has it as auth payload and as bearer token; others are guests, told apart by a cookie.
  constructor(name, { token, cookie, transports } = {}) {
    Object.assign(this, { name, token, cookie });
    this.socket = io(url, {
      forceNew: true, transports, reconnectionDelay: 50, auth: token ? { token } : { name }, extraHeaders: cookie ? { cookie } : {},
    });
    this.socket.onAny((type, event) => {
      assert.equal(event.type, type);
      this.events.push(event);
      this.#told.push(event);
      this.#changed();
    });
  }

  // arrives waits for the connection.
  async arrives() {
    if (!this.socket.connected) await within(`${this.name} connects`, new Promise((resolve, reject) => {
      this.socket.once("connect", resolve).once("connect_error", reject);
    }));
    return this;
  }

  // does performs an operation, which must succeed, and resolves with its answer.
  async does(operation, argument = {}) {
    const answer = await this.attempts(operation, argument);
    assert.equal(answer.error, undefined, `${this.name}, ${operation}: ${JSON.stringify(answer.error)}`);
    return answer;
  }

  // isRefused performs an operation, which must fail with a code, and resolves with the error.
  async isRefused(code, operation, argument = {}) {
    const { error } = await this.attempts(operation, argument);
    assert.equal(error?.code, code, `${this.name}, ${operation}: ${JSON.stringify(error ?? "ok")}`);
    assert.ok(error.message, "there is a sentence for people");
    return error;
  }

  // isRefusedByRoute is isRefused over REST, whatever --by says.
  async isRefusedByRoute(code, operation, argument = {}) {
    const { error } = await this.#calls(routes.get(operation), argument);
    assert.equal(error?.code, code);
  }

  attempts(operation, argument) {
    const route = routes.get(operation);
    return route && (args.by === "rest" || restOnly.test(operation)) ? this.#calls(route, argument) : this.says(operation, argument);
  }

  // says performs an operation over the socket, whatever --by says.
  async says(operation, argument = {}) {
    const { status, ...answer } = await within(`${this.name}, ${operation}`, this.socket.emitWithAck(operation, argument));
    assert.equal(status, answer.error ? "error" : "ok");
    return answer;
  }

  async #calls({ method, path }, argument) {
    const rest = { ...argument };
    const place = path.replaceAll(/\{(\w+)\}/g, (_, name) => {
      const value = rest[name];
      delete rest[name];
      return encodeURIComponent(value);
    });
    const plain = method === "GET" || method === "DELETE";
    const query = plain ? `?${new URLSearchParams(rest)}` : "";
    const answer = await within(`${this.name}, ${method} ${place}`, fetch(api + place + query, {
      method,
      headers: {
        ...(this.token ? { Authorization: `Bearer ${this.token}` } : { Cookie: this.cookie }),
        ...(plain ? {} : { "Content-Type": "application/json" }),
      },
      body: plain ? undefined : JSON.stringify(rest),
    }));
    const text = await answer.text();
    const body = text ? JSON.parse(text) : {};
    assert.equal(answer.ok, !body.error, text);
    if (body.error) assert.equal(answer.status, body.error.status, text);
    return body;
  }

  // enters lets the socket hear what is said in a room, and resolves with the room and its latest messages.
  async enters(room_id, more) {
    const answer = await this.says("room.join", { room_id, ...more });
    assert.equal(answer.error, undefined, `${this.name} enters ${room_id}: ${JSON.stringify(answer.error)}`);
    return answer;
  }

  // hears resolves with the next event of a type that is like about, heard already or to come.
  async hears(type, about = {}) {
    const next = () => this.events.findIndex((event) => event.type === type && isLike(event, about));
    const arrival = async () => {
      while (next() < 0) await new Promise((resolve) => { this.#changed = resolve; });
    };
    await within(`${this.name} waits for ${type} ${JSON.stringify(about)}, having heard ${this.#told.map(({ type }) => type)}`, arrival());
    return this.events.splice(next(), 1)[0];
  }

  // returns resolves when the connection has been lost and is there again.
  returns() {
    return within(`${this.name} comes back`, new Promise((resolve) => {
      this.socket.once("disconnect", () => this.socket.once("connect", resolve));
    }));
  }

  // everHeard is every event of a type so far.
  everHeard(type) {
    return this.#told.filter((event) => event.type === type);
  }

  everHeardBut(type) {
    return this.#told.filter((event) => event.type !== type);
  }

  // leaves ends the connection, as who closes the tab.
  leaves() {
    this.socket.disconnect();
  }
}

// aGuest is a visitor whose browser has loaded a page of the app, and with it the cookie that tells guests apart.
export const aGuest = async (name) => {
  const page = await fetch(`${api}/me`);
  const [cookie] = page.headers.getSetCookie()[0].split(";");
  return new Person(name, { cookie }).arrives();
};

// together lets each of many do something, fifty at a time, and resolves with what they have done, in their order.
export const together = async (many, act) => {
  const done = [], rest = many.entries();
  await Promise.all(Array.from({ length: 50 }, async () => {
    for (const [i, each] of rest) done[i] = await act(each);
  }));
  return done;
};

const began = Date.now();
let title = "";

// chapter says what comes now, which is told when it fails.
export const chapter = (text) => {
  title = text;
  console.log(`${String(Date.now() - began).padStart(6)} ms: ${text}`);
};

// tell runs a story and ends the process.
export const tell = async (story) => {
  try {
    await story();
    console.log(`told by ${args.by} in ${Date.now() - began} ms`);
    process.exit(0);
  } catch (err) {
    console.log(`FAILS in "${title}" (${Date.now() - began} ms)\n${err.stack}`);
    process.exit(1);
  }
};
