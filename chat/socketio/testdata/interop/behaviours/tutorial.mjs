// What the clients of the Socket.IO tutorials do with example/tutorial.
import assert from "node:assert/strict";
import { bytes } from "../context.mjs";

// people connects some, and gathers what each hears under an event's name.
const people = async (t, event, count = 3) => {
  const sockets = await Promise.all(Array.from({ length: count }, () => t.connect()));
  const heard = sockets.map((socket) => t.collect(socket, event));
  // The first round is for the sender, whichever it is, and the second for the others.
  const everyone = async () => {
    await t.settled(...sockets);
    await t.settled(...sockets);
    return bytes(heard.map((list) => list.splice(0)));
  };
  return { sockets, everyone };
};

export const tutorial = [
  {
    name: "is greeted",
    async run(t) {
      assert.deepEqual(await t.event(t.socket(), "message-sent"), ["hello, world!"]);
    },
  },
  {
    name: "talks to everyone, itself too",
    async run(t) {
      const { sockets, everyone } = await people(t, "chat message");
      await t.upgraded(sockets[0]);
      sockets[0].emit("chat message", "hello");
      sockets[0].emit("chat message", { text: "Zoë 🎉", list: [1, null] });
      assert.deepEqual(await everyone(), Array(3).fill([["hello"], [{ text: "Zoë 🎉", list: [1, null] }]]));
    },
  },
  {
    name: "sends binary data to everyone",
    async run(t) {
      const { sockets, everyone } = await people(t, "chat message", 2);
      const picture = { name: "p.png", data: new Uint8Array([137, 80, 78, 71]) };
      sockets[0].emit("chat message", picture);
      assert.deepEqual(await everyone(), Array(2).fill([[bytes(picture)]]));
    },
  },
  {
    name: "talks to all others without a room, and to the others of a room with one",
    async run(t) {
      const { sockets, everyone } = await people(t, "receive-message");
      sockets[0].emit("send-message", "to all others", "");
      sockets[0].emit("send-message", "to all others, too");
      assert.deepEqual(await everyone(), [[], [["to all others"], ["to all others, too"]], [["to all others"], ["to all others, too"]]]);
      assert.deepEqual(await t.ask(sockets[0], "join-room", "r"), ["Joined r"]);
      assert.deepEqual(await t.ask(sockets[1], "join-room", "r"), ["Joined r"]);
      sockets[0].emit("send-message", "to the room", "r");
      await t.settled(sockets[0]);
      sockets[2].emit("send-message", "from outside", "r");
      assert.deepEqual(await everyone(), [[["from outside"]], [["to the room"], ["from outside"]], []]);
    },
  },
  {
    name: "leaves the others alone when it leaves, and can come back",
    async run(t) {
      const { sockets, everyone } = await people(t, "chat message");
      const end = t.event(sockets[2], "disconnect");
      sockets[2].disconnect();
      assert.equal((await end)[0], "io client disconnect");
      await t.settled(sockets[0], sockets[1]);
      sockets[0].emit("chat message", "without you");
      await t.event(sockets[1], "chat message");
      sockets[2].connect();
      await t.connected(sockets[2]);
      sockets[2].emit("chat message", "I am back");
      assert.deepEqual(await everyone(), [[["without you"], ["I am back"]], [["without you"], ["I am back"]], [["I am back"]]]);
    },
  },
  {
    name: "reconnects when the network is back",
    async run(t) {
      const proxy = await t.proxy();
      const socket = await t.connect("/", {}, proxy.url);
      await t.upgraded(socket);
      await t.cutOff(proxy, socket);
      await t.back(socket);
      socket.emit("chat message", "again");
      assert.deepEqual(await t.event(socket, "chat message"), ["again"]);
    },
  },
];
