// Events and acknowledgements in both directions, and all that can be in them.
import assert from "node:assert/strict";
import { bytes } from "../context.mjs";

const payloads = [
  ["nothing"],
  ["null", null],
  ["booleans", true, false],
  ["numbers", 0, -1, 1.5, 1e21, 9007199254740991, 5e-324],
  ["strings", "", "text", "a\nb\t\"c\"\\", "\u0000\u001f\u007f\u2028\u2029", "\u001e\u001f"],
  ["unicode", "Zoë ¡ñ €", "日本語 العربية עברית", "👩‍👩‍👧‍👦 \u{1F600}\u{10FFFF}", "\uFEFFbom", "e\u0301"],
  ["structures", {}, [], [[[]]], { a: { b: [1, { c: null }] }, "": 0, "key with \"quotes\"": 1 }],
  ["markup", "<script>alert(1)</script>", "&amp;", "</"],
  ["like a packet", "42[\"x\"]", "451-[{\"_placeholder\":true,\"num\":0}]"],
];

const names = ["", "e", "an event with spaces", "événement 🎉", "quo\"te", "a,b", "1", "constructor", "toString", "__proto__", "hasOwnProperty", "error", "message", "ping", "open", "close", "packet"];

export const events = [
  {
    name: "carries every kind of argument there and back in an acknowledgement",
    async run(t) {
      const socket = await t.connect();
      for (const [what, ...args] of payloads) assert.deepEqual(await t.ask(socket, "echo", ...args), args, what);
    },
  },
  {
    name: "carries every kind of argument there and back in an event",
    async run(t) {
      const socket = await t.connect();
      for (const [what, ...args] of payloads) {
        socket.emit("bounce", ...args);
        assert.deepEqual(await t.event(socket, "bounced"), args, what);
      }
    },
  },
  {
    name: "sends what JSON makes of a value",
    async run(t) {
      const socket = await t.connect();
      const date = new Date(0);
      assert.deepEqual(
        await t.ask(socket, "echo", date, undefined, { gone: undefined, kept: 1 }, { toJSON: () => "mine" }),
        [date.toISOString(), null, { kept: 1 }, "mine"],
      );
    },
  },
  {
    name: "keeps keys that look like a prototype's, and pollutes nothing",
    async run(t) {
      const socket = await t.connect();
      const value = JSON.parse('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"toString":2}');
      const [back] = await t.ask(socket, "echo", value);
      assert.equal(JSON.stringify(back), JSON.stringify(value));
      assert.equal({}.polluted, undefined);
    },
  },
  {
    name: "takes any event name",
    async run(t) {
      const socket = await t.connect("/watched");
      for (const name of names) {
        socket.emit(name, name);
        assert.deepEqual(await t.event(socket, "caught"), [name, [name]]);
      }
      socket.send("hello", "world");
      assert.deepEqual(await t.event(socket, "caught"), ["message", ["hello", "world"]]);
    },
  },
  {
    name: "refuses reserved event names before they leave",
    async run(t) {
      const socket = await t.connect();
      for (const name of ["connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"]) {
        assert.throws(() => socket.emit(name), /is a reserved event name/);
      }
      await t.settled(socket);
    },
  },
  {
    name: "acknowledges in the right pairs, whatever the order of the answers",
    async run(t) {
      const socket = await t.connect();
      const slow = t.ask(socket, "late", 60);
      const answers = await Promise.all(Array.from({ length: 20 }, (_, i) => t.ask(socket, "echo", i)));
      assert.deepEqual(answers, Array.from({ length: 20 }, (_, i) => [i]));
      assert.deepEqual(await slow, ["late"]);
    },
  },
  {
    name: "answers what the server asks",
    async run(t) {
      const socket = await t.connect();
      socket.on("question", (...args) => args.pop()(...args, "and more"));
      socket.emit("ask", 1, { two: 2 });
      assert.deepEqual(await t.event(socket, "answer"), [1, { two: 2 }, "and more"]);
      socket.emit("ask");
      assert.deepEqual(await t.event(socket, "answer"), ["and more"]);
    },
  },
  {
    name: "answers the server once at most",
    async run(t) {
      const socket = await t.connect();
      socket.on("question", (ack) => {
        ack("first");
        ack("second");
      });
      const answers = t.collect(socket, "answer");
      socket.emit("ask");
      await t.event(socket, "answer");
      await t.settled(socket);
      assert.deepEqual(answers, [["first"]]);
    },
  },
  {
    name: "carries binary data in every form",
    async run(t) {
      const socket = await t.connect();
      const buffer = new Uint8Array([0, 1, 2, 253, 254, 255]).buffer;
      const forms = [
        buffer, new Uint8Array(buffer), new Uint8Array(buffer, 2, 3), new Uint16Array(buffer), new DataView(buffer, 1, 2), Buffer.from("buffer"), new ArrayBuffer(0),
      ];
      for (const form of forms) {
        const [back] = await t.ask(socket, "echo", form);
        assert.deepEqual(bytes(back), bytes(form));
      }
    },
  },
  {
    name: "carries binary data nested and between other arguments, in events and acknowledgements both ways",
    async run(t) {
      const socket = await t.connect();
      const args = ["text", new Uint8Array([1]), { a: [{ b: new Uint8Array([2, 3]) }, null], c: "d", e: new Uint8Array(0) }, 4];
      assert.deepEqual(bytes(await t.ask(socket, "echo", ...args)), bytes(args));
      socket.emit("bounce", ...args);
      assert.deepEqual(bytes(await t.event(socket, "bounced")), bytes(args));
      socket.on("question", (...given) => given.pop()(given));
      socket.emit("ask", ...args);
      assert.deepEqual(bytes(await t.event(socket, "answer")), bytes([args]));
    },
  },
  {
    name: "carries ten attachments, and text and binary events in order",
    async run(t) {
      const socket = await t.connect();
      const ten = Array.from({ length: 10 }, (_, i) => new Uint8Array([i]));
      const seen = t.collect(socket, "bounced");
      for (let i = 0; i < 10; i++) {
        socket.emit("bounce", i, i % 3 ? "text" : ten);
      }
      await t.settled(socket);
      assert.deepEqual(bytes(seen), Array.from({ length: 10 }, (_, i) => [i, i % 3 ? "text" : bytes(ten)]));
    },
  },
  {
    name: "carries large payloads",
    async run(t) {
      const socket = await t.connect();
      await t.upgraded(socket);
      const text = "ä".repeat(200_000);
      assert.equal((await t.ask(socket, "echo", text))[0], text);
      const data = new Uint8Array(300_000).map((_, i) => i * 31);
      assert.deepEqual(bytes((await t.ask(socket, "echo", data))[0]), bytes(data));
    },
  },
  {
    name: "keeps the order of many events, both ways, through an upgrade",
    async run(t) {
      const socket = t.socket();
      const count = 500, sent = Array.from({ length: count }, (_, i) => i);
      const ticks = t.collect(socket, "tick"), bounced = t.collect(socket, "bounced");
      socket.emit("burst", count);
      await t.connected(socket);
      for (let i = 0; i < count; i++) {
        socket.emit("bounce", i);
        if (i % 25 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
      }
      await t.settled(socket);
      assert.deepEqual(ticks.map(([i]) => i), sent);
      assert.deepEqual(bounced.map(([i]) => i), sent);
    },
  },
  {
    name: "has once, off, listeners and removeAllListeners",
    async run(t) {
      const socket = await t.connect();
      const once = [], kept = [], removed = () => assert.fail("removed");
      socket.once("bounced", (i) => once.push(i));
      socket.on("bounced", (i) => kept.push(i));
      socket.on("bounced", removed);
      socket.off("bounced", removed);
      assert.equal(socket.listeners("bounced").length, 2);
      assert.equal(socket.hasListeners("bounced"), true);
      socket.emit("bounce", 1);
      socket.emit("bounce", 2);
      await t.settled(socket);
      assert.deepEqual([once, kept], [[1], [1, 2]]);
      socket.removeAllListeners("bounced");
      assert.equal(socket.hasListeners("bounced"), false);
      socket.on("bounced", removed).off("bounced").on("bounced", removed).off();
      socket.emit("bounce", 3);
      await t.settled(socket);
      assert.deepEqual(kept, [1, 2]);
    },
  },
  {
    name: "has catch-all listeners for what arrives",
    async run(t) {
      const socket = await t.connect();
      await t.settled(socket);
      const seen = [];
      const listener = (event, ...args) => seen.push([event, ...args]);
      socket.onAny(listener);
      socket.prependAny((event) => seen.push(["first", event]));
      assert.equal(socket.listenersAny().length, 2);
      socket.on("bounced", () => seen.push("listener"));
      socket.emit("bounce", 1);
      await t.settled(socket);
      assert.deepEqual(seen, [["first", "bounced"], ["bounced", 1], "listener"]);
      socket.offAny(listener);
      assert.equal(socket.listenersAny().length, 1);
      socket.offAny();
      socket.emit("bounce", 2);
      await t.settled(socket);
      assert.equal(seen.at(-1), "listener");
    },
  },
  {
    name: "is sent what the server's own catch-all listeners see leaving",
    async run(t) {
      const socket = await t.connect();
      const ticks = t.collect(socket, "tick");
      const [seen] = await t.ask(socket, "watch what leaves");
      assert.deepEqual(seen, [["tick", "to one"], ["tick", "to a room"]]);
      assert.deepEqual(ticks, [["to one"], ["to a room"]]);
    },
  },
  {
    name: "has catch-all listeners for what leaves",
    needs: ["onAnyOutgoing"],
    async run(t) {
      const socket = await t.connect();
      const seen = [];
      socket.onAnyOutgoing((event, ...args) => seen.push([event, ...args]));
      socket.prependAnyOutgoing((event) => seen.push(["first", event]));
      socket.emit("bounce", 1);
      await t.settled(socket);
      assert.deepEqual(seen.slice(0, 2), [["first", "bounce"], ["bounce", 1]]);
      socket.offAnyOutgoing();
      assert.equal(socket.listenersAnyOutgoing().length, 0);
      seen.length = 0;
      await t.settled(socket);
      assert.deepEqual(seen, []);
    },
  },
];
