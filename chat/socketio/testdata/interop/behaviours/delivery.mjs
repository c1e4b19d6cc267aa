// What is sent while there is no connection, what may get lost, and what is waited for.
import assert from "node:assert/strict";
import { sleep } from "../context.mjs";

export const delivery = [
  {
    name: "sends later, in order, what was emitted before the connection",
    async run(t) {
      const socket = t.socket("/", { autoConnect: false });
      const bounced = t.collect(socket, "bounced");
      for (let i = 0; i < 5; i++) socket.emit("bounce", i);
      const ack = t.ask(socket, "echo", "buffered");
      assert.equal(socket.sendBuffer.length, 6);
      socket.connect();
      assert.deepEqual(await ack, ["buffered"]);
      assert.deepEqual(bounced, [[0], [1], [2], [3], [4]]);
      assert.equal(socket.sendBuffer.length, 0);
    },
  },
  {
    name: "sends after the reconnection what was emitted without a connection",
    async run(t) {
      const proxy = await t.proxy();
      const socket = await t.connect("/", {}, proxy.url);
      await t.upgraded(socket);
      await t.cutOff(proxy, socket);
      assert.deepEqual(await t.ask(socket, "echo", "again"), ["again"]);
    },
  },
  {
    name: "drops volatile events without a connection",
    async run(t) {
      const socket = t.socket("/", { autoConnect: false });
      const bounced = t.collect(socket, "bounced");
      socket.volatile.emit("bounce", "lost");
      socket.emit("bounce", "kept");
      socket.connect();
      await t.connected(socket);
      await t.settled(socket);
      assert.deepEqual(bounced, [["kept"]]);
    },
  },
  {
    name: "delivers volatile events when nothing is in the way",
    async run(t) {
      const socket = await t.connect();
      await t.upgraded(socket);
      await t.until("nothing being sent", () => socket.io.engine.transport.writable);
      socket.volatile.emit("bounce", "arrives");
      assert.deepEqual(await t.event(socket, "bounced"), ["arrives"]);
      // Whether the server can send at once is not for the client to see: with polling, a poll must be under way.
      const ticks = t.collect(socket, "tick");
      while (!ticks.length) {
        await sleep(30);
        socket.emit("volatile", 1);
        await t.settled(socket);
      }
      assert.deepEqual(ticks[0], [0]);
    },
  },
  {
    name: "never reorders or repeats the volatile events that the server sends",
    async run(t) {
      const socket = await t.connect();
      const ticks = t.collect(socket, "tick");
      socket.emit("volatile", 50);
      await t.settled(socket);
      const seen = ticks.map(([i]) => i);
      assert.deepEqual(seen, [...new Set(seen)].sort((a, b) => a - b));
    },
  },
  {
    name: "gives an error for an acknowledgement that takes too long",
    needs: ["timeout"],
    async run(t) {
      const socket = await t.connect();
      const [err] = await new Promise((resolve) => socket.timeout(50).emit("silent", (...args) => resolve(args)));
      assert.equal(err.message, "operation has timed out");
      const [none, ...answer] = await new Promise((resolve) => socket.timeout(10000).emit("echo", 1, 2, (...args) => resolve(args)));
      assert.equal(none, null);
      assert.deepEqual(answer, [1, 2]);
    },
  },
  {
    name: "does not send what timed out before the connection",
    needs: ["timeout"],
    async run(t) {
      const socket = t.socket("/", { autoConnect: false });
      const bounced = t.collect(socket, "bounced");
      await new Promise((resolve) => socket.timeout(10).emit("bounce", "too late", resolve));
      socket.connect();
      await t.connected(socket);
      await t.settled(socket);
      assert.deepEqual(bounced, []);
    },
  },
  {
    name: "has promises for acknowledgements",
    needs: ["emitWithAck"],
    async run(t) {
      const socket = await t.connect();
      assert.equal(await socket.emitWithAck("echo", "answer"), "answer");
      assert.equal(await socket.timeout(10000).emitWithAck("echo", "in time"), "in time");
      await assert.rejects(socket.timeout(50).emitWithAck("silent"), { message: "operation has timed out" });
    },
  },
  {
    name: "applies ackTimeout to every acknowledgement",
    patient: true,
    needs: ["retries"],
    async run(t) {
      const socket = await t.connect("/", { ackTimeout: 1000 });
      await assert.rejects(socket.emitWithAck("silent"), { message: "operation has timed out" });
      assert.equal(await socket.emitWithAck("echo", "fine"), "fine");
    },
  },
  {
    name: "tells the server of an acknowledgement that did not come in time",
    async run(t) {
      const socket = await t.connect();
      assert.deepEqual(await t.ask(socket, "ask in time", 50), ["timed out", null]);
      socket.on("question", (ack) => ack("here"));
      assert.deepEqual(await t.ask(socket, "ask in time", 10000), [null, "here"]);
    },
  },
  {
    name: "gives an error for what the disconnection leaves unanswered",
    needs: ["ack errors"],
    async run(t) {
      const socket = await t.connect();
      const answers = Promise.allSettled([socket.emitWithAck("silent"), socket.timeout(10000).emitWithAck("silent")]);
      socket.disconnect();
      for (const { reason } of await answers) assert.equal(reason.message, "socket has been disconnected");
    },
  },
  {
    name: "sends again what was not acknowledged, one event at a time",
    patient: true,
    needs: ["retries"],
    async run(t) {
      const socket = await t.connect("/", { retries: 10, ackTimeout: 500 });
      const order = [];
      socket.emit("flaky", socket.id, (err, answer) => order.push([err, answer]));
      socket.emit("echo", "after it", (err, answer) => order.push([err, answer]));
      await t.until("both acknowledged", () => order.length === 2);
      assert.deepEqual(order, [[null, "at last"], [null, "after it"]]);
    },
  },
  {
    name: "gives up after the last retry and goes on",
    patient: true,
    needs: ["retries"],
    async run(t) {
      const socket = await t.connect("/", { retries: 1, ackTimeout: 700 });
      const order = [];
      socket.emit("silent", (err) => order.push(err.message));
      socket.emit("echo", "next", (err, answer) => order.push([err, answer]));
      await t.until("both done", () => order.length === 2);
      assert.deepEqual(order, ["operation has timed out", [null, "next"]]);
    },
  },
  {
    name: "sends again after a reconnection what was not acknowledged",
    needs: ["retries"],
    async run(t) {
      const proxy = await t.proxy();
      const socket = await t.connect("/", { retries: 10, ackTimeout: 500 }, proxy.url);
      await t.upgraded(socket);
      const answer = new Promise((resolve) => socket.emit("late", 150, (err, text) => resolve([err, text])));
      await sleep(50);
      await t.cutOff(proxy, socket);
      assert.deepEqual(await answer, [null, "late"]);
    },
  },
];
