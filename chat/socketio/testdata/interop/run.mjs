// Runs the behaviours with one client, on one choice of transports, against one server, and says which hold.
//
//   node run.mjs --client stock|stock-4.0|own|all --transport default|polling|websocket|all [--suite server|tutorial|chat]
//                [--reference | --url http://… --recovery-url http://… --path /socket.io]
//                [--own http://…/socket.io.esm.min.js or a file] [--only text]
//
// --reference starts Node's own server. The suite says what server is behind the address: one with the handlers of
// reference.mjs, example/tutorial, or a chat. The exit code is 0 if every behaviour holds, or 1.
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { parseArgs } from "node:util";
import { Context, sleep, within } from "./context.mjs";
import { chat } from "./behaviours/chat.mjs";
import { connection } from "./behaviours/connection.mjs";
import { delivery } from "./behaviours/delivery.mjs";
import { endings } from "./behaviours/endings.mjs";
import { events } from "./behaviours/events.mjs";
import { namespaces } from "./behaviours/namespaces.mjs";
import { recovery } from "./behaviours/recovery.mjs";
import { rooms } from "./behaviours/rooms.mjs";
import { shutdown } from "./behaviours/shutdown.mjs";
import { tutorial } from "./behaviours/tutorial.mjs";

// A barrier is an event with an acknowledgement, which the server sends behind everything it has sent before.
const suites = {
  server: { behaviours: [...connection, ...events, ...namespaces, ...rooms, ...delivery, ...endings, ...recovery, ...shutdown], barrier: ["echo"] },
  tutorial: { behaviours: tutorial, barrier: ["join-room", "a room to wait for"] },
  chat: { behaviours: chat, barrier: ["echo"] },
};

const { values: args } = parseArgs({
  options: {
    client: { type: "string", default: "stock" },
    transport: { type: "string", default: "default" },
    suite: { type: "string", default: "server" },
    url: { type: "string" },
    path: { type: "string" },
    "recovery-url": { type: "string" },
    own: { type: "string" },
    only: { type: "string" },
    reference: { type: "boolean", default: false },
  },
});

const transports = { default: undefined, polling: ["polling"], websocket: ["websocket"] };

// What a client has beyond the oldest of them.
const everything = ["timeout", "emitWithAck", "retries", "onAnyOutgoing", "recovery", "ack errors", "addTrailingSlash", "details", "ping", "inactive after a refusal"];

const loadOwn = async () => {
  if (!args.own) throw new Error("--own: where is the script?");
  if (!/^https?:/.test(args.own)) return import(pathToFileURL(args.own));
  const answer = await fetch(args.own);
  if (!answer.ok) throw new Error(`${args.own}: ${answer.status}`);
  const folder = await mkdtemp(join(tmpdir(), "echochat-interop-"));
  const file = join(folder, "client.mjs");
  await writeFile(file, await answer.text());
  try {
    return await import(pathToFileURL(file));
  } finally {
    await rm(folder, { recursive: true });
  }
};

const version = async (name) => JSON.parse(await readFile(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;

const clients = {
  stock: async () => ({ ...await import("socket.io-client"), version: await version("socket.io-client"), features: new Set(everything) }),
  "stock-4.0": async () => ({ ...(await import("socket.io-client-4.0")).default, version: await version("socket.io-client-4.0"), features: new Set() }),
  own: async () => ({ ...await loadOwn(), version: "of this repository", features: new Set(everything) }),
};

const chosen = (value, all, what) => {
  if (value === "all") return Object.keys(all);
  if (!(value in all)) throw new Error(`--${what}: one of ${Object.keys(all)}, or all`);
  return [value];
};

// lacking says why a behaviour cannot be asked of a client or server, if so.
const lacking = ({ needs = [], on, beyond }, setup) => {
  const missing = needs.find((need) => !setup.features.has(need));
  if (missing) return `the client has no ${missing}`;
  if (needs.includes("recovery") && !setup.recoveryURL) return "the server has no recovery";
  if (on && !on.includes(setup.transport)) return `is about ${on.join(" and ")}`;
  if (beyond && args.reference) return "goes beyond the stock server";
};

let failed = 0;

// runOne tells whether a behaviour holds: true, false, or nothing if it cannot be asked for.
const runOne = async (behaviour, setup) => {
  const why = lacking(behaviour, setup);
  if (why) {
    console.log(`skip   ${behaviour.name} (${why})`);
    return undefined;
  }
  const context = new Context(setup);
  const began = Date.now();
  let holds = false;
  try {
    await within(60000, behaviour.name, behaviour.run(context));
    holds = true;
    console.log(`holds  ${behaviour.name} (${Date.now() - began} ms)`);
  } catch (err) {
    failed++;
    console.log(`FAILS  ${behaviour.name}\n       ${String(err?.stack || err).replaceAll("\n", "\n       ")}`);
  }
  await context.end();
  return holds;
};

// runAll runs one behaviour after the other, beside those that are patient: they do little but wait, and hear nothing of what
// the others make the server say. What ends the server comes last.
const runAll = async (setup) => {
  const started = Date.now();
  const chosen = behaviours.filter(({ name }) => !args.only || name.includes(args.only));
  const waiting = chosen.filter(({ patient }) => patient).map((each) => runOne(each, setup));
  const results = [];
  for (const each of chosen.filter(({ patient, last }) => !patient && !last)) results.push(await runOne(each, setup));
  results.push(...await Promise.all(waiting));
  for (const each of chosen.filter(({ last }) => last)) results.push(await runOne(each, setup));
  const count = (wanted) => results.filter((each) => each === wanted).length;
  console.log(`${setup.client} ${setup.version}, ${setup.transport}: ${count(true)} hold, ${count(undefined)} skipped, ${Date.now() - started} ms\n`);
};

// What a listener throws must not pass unseen.
process.on("uncaughtException", (err) => {
  failed++;
  console.log(`FAILS  uncaught: ${err.stack}`);
});

if (!args.url && !args.reference) throw new Error("--reference or --url");

// A server of its own for each run: clients remember the servers they know.
const startServer = async () => args.reference ? (await import("./reference.mjs")).start()
  : { url: args.url, recoveryURL: args["recovery-url"], path: args.path, close() {} };

const { behaviours, barrier } = suites[chosen(args.suite, suites, "suite")[0]];

for (const client of chosen(args.client, clients, "client")) {
  const { io, version, features } = await clients[client]();
  for (const transport of chosen(args.transport, transports, "transport")) {
    const server = await startServer();
    await runAll({ ...server, barrier, io, version, features, client, transport, transports: transports[transport] });
    await Promise.race([server.close(), sleep(2000)]);
  }
}
if (failed) console.log(`${failed} failed`);
await sleep(100); // for the last goodbyes to leave
process.exit(failed ? 1 : 0);
