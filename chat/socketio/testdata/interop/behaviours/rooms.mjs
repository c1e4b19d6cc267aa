// Rooms, broadcasts, and what a server does to all sockets of a room.
import assert from "node:assert/strict";

// crowd connects sockets and puts each into its rooms.
const crowd = async (t, ...rooms) => {
  const sockets = await Promise.all(rooms.map(() => t.connect()));
  for (const [i, socket] of sockets.entries()) if (rooms[i].length) await t.ask(socket, "join", rooms[i]);
  const heard = sockets.map((socket) => t.collect(socket, "said"));
  // The first round is for the sender, whichever it is, and the second for the others.
  const everyone = async () => {
    await t.settled(...sockets);
    await t.settled(...sockets);
    return heard.map((said) => said.splice(0).flat());
  };
  return { sockets, everyone };
};

export const rooms = [
  {
    name: "joins and leaves rooms",
    async run(t) {
      const socket = await t.connect();
      assert.deepEqual(await t.ask(socket, "rooms"), [[]]);
      await t.ask(socket, "join", "one");
      await t.ask(socket, "join", ["two", "three", "two"]);
      assert.deepEqual(await t.ask(socket, "rooms"), [["one", "three", "two"]]);
      await t.ask(socket, "leave", "one");
      await t.ask(socket, "leave", "never joined");
      assert.deepEqual(await t.ask(socket, "rooms"), [["three", "two"]]);
    },
  },
  {
    name: "sends to everyone, the sender too",
    async run(t) {
      const { sockets, everyone } = await crowd(t, [], [], []);
      sockets[0].emit("all", "to all");
      assert.deepEqual(await everyone(), [["to all"], ["to all"], ["to all"]]);
    },
  },
  {
    name: "sends binary data to everyone",
    async run(t) {
      const { sockets, everyone } = await crowd(t, [], []);
      sockets[0].emit("all", { data: new Uint8Array([1, 2]) });
      for (const [{ data }] of await everyone()) assert.deepEqual([...new Uint8Array(data)], [1, 2]);
    },
  },
  {
    name: "broadcasts to everyone but the sender",
    async run(t) {
      const { sockets, everyone } = await crowd(t, [], [], []);
      sockets[0].emit("broadcast", "to the others");
      assert.deepEqual(await everyone(), [[], ["to the others"], ["to the others"]]);
    },
  },
  {
    name: "sends to a room, without and with the sender",
    async run(t) {
      const { sockets, everyone } = await crowd(t, ["r"], ["r"], []);
      sockets[0].emit("to", "r", "to");
      sockets[0].emit("in", "r", "in");
      assert.deepEqual(await everyone(), [["in"], ["to", "in"], []]);
      sockets[2].emit("to", "r", "from outside");
      assert.deepEqual(await everyone(), [["from outside"], ["from outside"], []]);
    },
  },
  {
    name: "sends once to who is in several of the rooms",
    async run(t) {
      const { sockets, everyone } = await crowd(t, [], ["a"], ["b"], ["a", "b"], ["c"]);
      sockets[0].emit("to", ["a", "b"], "once");
      assert.deepEqual(await everyone(), [[], ["once"], ["once"], ["once"], []]);
    },
  },
  {
    name: "leaves out the rooms that are excepted",
    async run(t) {
      const { sockets, everyone } = await crowd(t, [], ["a"], ["a", "b"], ["c"]);
      sockets[0].emit("except", "a", "not a");
      assert.deepEqual(await everyone(), [["not a"], [], [], ["not a"]]);
      sockets[0].emit("to except", "a", ["b", "c"], "a, not b");
      assert.deepEqual(await everyone(), [[], ["a, not b"], [], []]);
    },
  },
  {
    name: "reaches one socket by its id",
    async run(t) {
      const { sockets, everyone } = await crowd(t, [], [], []);
      sockets[0].emit("to", sockets[1].id, "private");
      assert.deepEqual(await everyone(), [[], ["private"], []]);
      sockets[0].emit("to", sockets[0].id, "to myself");
      assert.deepEqual(await everyone(), [[], [], []]);
    },
  },
  {
    name: "takes odd room names for what they are",
    async run(t) {
      for (const room of ["__proto__", "constructor", "", "a,b", "ünï"]) {
        const { sockets, everyone } = await crowd(t, [room], []);
        sockets[1].emit("to", room, "hi");
        assert.deepEqual(await everyone(), [["hi"], []], room);
        for (const socket of sockets) socket.disconnect();
      }
    },
  },
  {
    name: "sends nothing to who left",
    async run(t) {
      const { sockets, everyone } = await crowd(t, ["r"], ["r"]);
      await t.ask(sockets[1], "leave", "r");
      sockets[0].emit("in", "r", "still here");
      assert.deepEqual(await everyone(), [["still here"], []]);
    },
  },
  {
    name: "asks a room and gathers the answers",
    async run(t) {
      const { sockets } = await crowd(t, ["r"], ["r"], []);
      for (const [i, socket] of sockets.entries()) socket.on("question", (ack) => ack(i));
      assert.deepEqual(await t.ask(sockets[2], "poll room", "r", 10000), [false, [0, 1]]);
    },
  },
  {
    name: "asks a room and says who did not answer in time",
    patient: true,
    async run(t) {
      const { sockets } = await crowd(t, ["half silent"], ["half silent"], []);
      sockets[0].on("question", (ack) => ack("here"));
      assert.deepEqual(await t.ask(sockets[2], "poll room", "half silent", 1000), [true, ["here"]]);
      assert.deepEqual(await t.ask(sockets[2], "poll room", "nobody is here", 1000), [false, []]);
    },
  },
  {
    name: "lists and moves the sockets of a room",
    async run(t) {
      const { sockets } = await crowd(t, ["a"], ["a"], []);
      assert.deepEqual(await t.ask(sockets[2], "members", "a"), [[sockets[0].id, sockets[1].id].sort()]);
      sockets[2].emit("move", "a", ["b", "c"]);
      assert.deepEqual(await t.ask(sockets[2], "members", "b"), [[sockets[0].id, sockets[1].id].sort()]);
      sockets[2].emit("empty", "a", ["a", "b"]);
      await t.settled(sockets[2]);
      assert.deepEqual(await t.ask(sockets[0], "rooms"), [["c"]]);
      assert.deepEqual(await t.ask(sockets[2], "members", "a"), [[]]);
    },
  },
  {
    name: "disconnects the sockets of a room",
    async run(t) {
      const { sockets } = await crowd(t, ["a"], ["a"], []);
      const ends = sockets.slice(0, 2).map((socket) => t.event(socket, "disconnect"));
      sockets[2].emit("throw out", "a", true);
      for (const end of ends) assert.equal((await end)[0], "io server disconnect");
      await t.settled(sockets[2]);
    },
  },
  {
    name: "forgets the rooms of who disconnects",
    async run(t) {
      const { sockets } = await crowd(t, ["a", "b"], []);
      const { id } = sockets[0];
      sockets[0].disconnect();
      assert.equal(await t.reason(id), "client namespace disconnect");
      assert.deepEqual(t.rooms.sort(), ["a", "b"], "the rooms while disconnecting");
      assert.deepEqual(await t.ask(sockets[1], "members", "a"), [[]]);
    },
  },
];
