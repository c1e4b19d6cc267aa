// What a stock client does with a chat: the events of the chat, and those of the app beside them.
import assert from "node:assert/strict";
import { bytes, sleep } from "../context.mjs";

let rooms = 0;

// talk gives people who have joined a room that nobody else is in.
const talk = async (t, ...names) => {
  const room_id = `room-${process.pid}-${++rooms}`;
  const sockets = [];
  for (const name of names) {
    const socket = await t.connect("/", { auth: { name } });
    await request(t, socket, "room.join", { room_id });
    sockets.push(socket);
  }
  return { room_id, sockets };
};

// request emits one object and resolves with the acknowledgement, which must be a success.
const request = async (t, socket, event, argument) => {
  const [answer, ...more] = await t.ask(socket, event, argument);
  assert.equal(answer.status, "ok", JSON.stringify(answer));
  assert.equal(more.length, 0);
  return answer;
};

// refused is request for what must fail.
const refused = async (t, socket, event, argument) => {
  const [answer] = await t.ask(socket, event, argument);
  assert.equal(answer.status, "error", JSON.stringify(answer));
  return answer.error;
};

const texts = (messages) => messages.map(({ text }) => text);

export const chat = [
  {
    name: "signs in with auth, as the same user again",
    async run(t) {
      const { sockets: [ada] } = await talk(t, "Ada");
      const { room_id, sockets: [again] } = await talk(t, "Ada");
      const { members } = await request(t, again, "room.join", { room_id });
      assert.deepEqual(members.map(({ user }) => user.name), ["Ada"]);
      assert.notEqual(ada.id, again.id);
    },
  },
  {
    name: "is refused without auth, and told why",
    async run(t) {
      const socket = t.socket();
      const [err] = await t.event(socket, "connect_error");
      assert.equal(err.message, "unauthorized");
      assert.equal(err.data.code, "unauthorized");
      assert.equal(err.data.status, 401);
      socket.auth = { name: "Ada" };
      socket.connect();
      await t.connected(socket);
    },
  },
  {
    name: "is told when its sign-in expires, and disconnected when it has",
    async run(t) {
      const until = Date.now() + 2000;
      const socket = t.socket("/", { auth: { name: "Ada", until } });
      const heard = [];
      socket.onAny((event) => heard.push(event));
      const expiring = t.event(socket, "session.expiring");
      await t.connected(socket);
      const [{ expires_at }] = await expiring;
      assert.equal(Date.parse(expires_at), until);
      const [reason] = await t.event(socket, "disconnect");
      assert.ok(Date.now() >= until);
      assert.equal(reason, "io server disconnect");
      assert.equal(socket.active, false, "it does not reconnect by itself");
      assert.deepEqual(heard, ["session.expiring", "session.expired"]);

      socket.connect();
      const [err] = await t.event(socket, "connect_error");
      assert.equal(err.message, "token_expired");
      assert.equal(err.data.code, "token_expired");
      socket.auth = { name: "Ada" };
      socket.connect();
      await t.connected(socket);
    },
  },
  {
    name: "goes on when it refreshes its sign-in",
    async run(t) {
      const until = Date.now() + 2000;
      const socket = t.socket("/", { auth: { name: "Ada", until } });
      let ended = false;
      socket.on("disconnect", () => { ended = true; });
      const expiring = t.event(socket, "session.expiring");
      await t.connected(socket);
      await expiring;
      assert.equal((await refused(t, socket, "auth.refresh", { token: "Bob" })).code, "forbidden");
      const answer = await request(t, socket, "auth.refresh", { token: "Ada" });
      assert.equal(answer.expires_at, undefined, "it does not expire any more");
      await sleep(until - Date.now() + 200);
      assert.equal(ended, false);
      await request(t, socket, "room.join", { room_id: `room-${process.pid}-${++rooms}` });
    },
  },
  {
    name: "talks: the sender gets an acknowledgement, and everybody the message",
    async run(t) {
      const { room_id, sockets: [ada, bob] } = await talk(t, "Ada", "Bob");
      await t.upgraded(ada);
      const heard = [t.collect(ada, "message.new"), t.collect(bob, "message.new")];
      const { message } = await request(t, ada, "message.send", { room_id, text: "Zoë <b>& 🎉", client_id: "c-1", metadata: { a: [1] } });
      assert.equal(message.text, "Zoë <b>& 🎉");
      assert.equal(message.seq, 1);
      await request(t, bob, "message.send", { room_id, text: "hi" });
      await t.until("both messages", () => heard.every((list) => list.length === 2));
      for (const list of heard) {
        assert.deepEqual(list.map(([event]) => [event.type, event.seq, event.user.name, event.message.text]), [
          ["message.new", 1, "Ada", "Zoë <b>& 🎉"], ["message.new", 2, "Bob", "hi"],
        ]);
        assert.deepEqual(list[0][0].message, message);
      }
    },
  },
  {
    name: "sends the same message twice and it is there once",
    async run(t) {
      const { room_id, sockets: [ada] } = await talk(t, "Ada");
      const argument = { room_id, text: "once", client_id: "c-1" };
      const answers = [await request(t, ada, "message.send", argument), await request(t, ada, "message.send", argument)];
      assert.deepEqual(answers[0], answers[1]);
      assert.deepEqual(texts((await request(t, ada, "room.history", { room_id })).messages), ["once"]);
    },
  },
  {
    name: "is refused a message by a filter, which nobody hears",
    async run(t) {
      const { room_id, sockets: [ada, bob] } = await talk(t, "Ada", "Bob");
      const heard = t.collect(bob, "message.new");
      const error = await refused(t, ada, "message.send", { room_id, text: "something forbidden" });
      assert.equal(error.code, "message_rejected");
      assert.match(error.message, /forbidden words/);
      await t.settled(ada, bob);
      assert.deepEqual(heard, []);
      assert.deepEqual((await request(t, ada, "room.history", { room_id })).messages, []);
    },
  },
  {
    name: "is told what is wrong with a request",
    async run(t) {
      const { room_id, sockets: [ada] } = await talk(t, "Ada");
      assert.equal((await refused(t, ada, "message.send", { room_id })).code, "invalid_argument");
      assert.equal((await refused(t, ada, "message.send", { room_id: "no-such-room", text: "x" })).code, "room_not_found");
      assert.equal((await refused(t, ada, "message.send", "not an object")).code, "invalid_argument");
      assert.equal((await refused(t, ada, "room.history", { room_id, before: 1, after: 1 })).code, "invalid_argument");
      const { sockets: [eve] } = await talk(t, "Eve");
      assert.equal((await refused(t, eve, "message.send", { room_id, text: "x" })).code, "not_a_member");
    },
  },
  {
    name: "pages through the history",
    async run(t) {
      const { room_id, sockets: [ada] } = await talk(t, "Ada");
      for (let i = 1; i <= 5; i++) await request(t, ada, "message.send", { room_id, text: `${i}` });
      const latest = await request(t, ada, "room.history", { room_id, limit: 2 });
      assert.deepEqual([texts(latest.messages), latest.has_more_before], [["4", "5"], true]);
      const before = await request(t, ada, "room.history", { room_id, before: 4, limit: 3 });
      assert.deepEqual([texts(before.messages), before.has_more_before], [["1", "2", "3"], false]);
    },
  },
  {
    name: "sees who types and who is there",
    async run(t) {
      const { room_id, sockets: [ada, bob] } = await talk(t, "Ada", "Bob");
      const typing = t.event(bob, "typing.start"), stopped = t.event(bob, "typing.stop");
      ada.emit("typing.start", { room_id });
      assert.equal((await typing)[0].user.name, "Ada");
      ada.emit("typing.stop", { room_id });
      assert.equal((await stopped)[0].room_id, room_id);
      const added = t.event(bob, "member.added");
      const eve = await t.connect("/", { auth: { name: `Eve-${room_id}` } });
      await request(t, eve, "room.join", { room_id });
      assert.equal((await added)[0].user.name, `Eve-${room_id}`);
      const gone = new Promise((resolve) => bob.on("user.presence.changed", (event) => event.status === "offline" && resolve(event)));
      eve.disconnect();
      assert.equal((await gone).user.name, `Eve-${room_id}`);
    },
  },
  {
    name: "leaves a room and hears nothing of it any more",
    async run(t) {
      const { room_id, sockets: [ada, bob] } = await talk(t, "Ada", "Bob");
      const removed = t.event(ada, "member.removed"), heard = t.collect(bob, "message.new");
      await request(t, bob, "room.leave", { room_id });
      assert.equal((await removed)[0].user.name, "Bob");
      await request(t, ada, "message.send", { room_id, text: "to myself" });
      await t.settled(ada, bob);
      assert.deepEqual(heard, []);
    },
  },
  {
    name: "comes back after an interruption and asks for what it missed",
    async run(t) {
      const proxy = await t.proxy();
      const { room_id, sockets: [bob] } = await talk(t, "Bob");
      const ada = await t.connect("/", { auth: { name: "Ada" } }, proxy.url);
      await request(t, ada, "room.join", { room_id });
      await request(t, bob, "message.send", { room_id, text: "seen" });
      await t.upgraded(ada);
      await t.cutOff(proxy, ada);
      proxy.refuse(true);
      for (const text of ["missed", "missed, too"]) await request(t, bob, "message.send", { room_id, text });
      proxy.refuse(false);
      await t.back(ada);
      const { messages, resync } = await request(t, ada, "room.join", { room_id, after: 1 });
      assert.deepEqual([texts(messages), resync], [["missed", "missed, too"], undefined]);
    },
  },
  {
    name: "sends with the retries option through an interruption, once",
    needs: ["retries"],
    async run(t) {
      const proxy = await t.proxy();
      const { room_id, sockets: [bob] } = await talk(t, "Bob");
      const ada = await t.connect("/", { auth: { name: "Ada" }, retries: 10, ackTimeout: 1000 }, proxy.url);
      await new Promise((resolve) => ada.emit("room.join", { room_id }, resolve));
      await t.upgraded(ada);
      const done = Array.from({ length: 20 }, (_, i) => new Promise((resolve) => {
        ada.emit("message.send", { room_id, text: `${i}`, client_id: `c-${i}` }, (err, answer) => resolve(err ?? answer.status));
      }));
      await sleep(20);
      await t.cutOff(proxy, ada);
      assert.deepEqual(await Promise.all(done), Array(20).fill("ok"));
      const { messages } = await request(t, bob, "room.history", { room_id });
      assert.deepEqual(texts(messages), Array.from({ length: 20 }, (_, i) => `${i}`));
    },
  },
  {
    name: "uses the app's own events beside the chat's: acknowledgements both ways, binary data, rooms, broadcasts",
    async run(t) {
      const { sockets: [ada, bob, eve] } = await talk(t, "Ada", "Bob", "Eve");
      await t.upgraded(ada);
      const args = ["text", { data: new Uint8Array([1, 2, 3]) }];
      assert.deepEqual(bytes(await t.ask(ada, "echo", ...args)), bytes(args));
      ada.on("question", (...given) => given.pop()(...given, ada.id));
      ada.emit("ask", 1, new Uint8Array([4]));
      assert.deepEqual(bytes(await t.event(ada, "answer")), bytes([1, new Uint8Array([4]), ada.id]));
      const heard = [ada, bob, eve].map((socket) => t.collect(socket, "said"));
      await t.ask(bob, "join", "app-room");
      ada.emit("to", "app-room", "to the room");
      ada.emit("broadcast", "to the others");
      await t.settled(ada, bob, eve);
      assert.deepEqual(heard, [[], [["to the room"], ["to the others"]], [["to the others"]]]);
    },
  },
  {
    name: "has the messages of REST and events in one room",
    async run(t) {
      const { room_id, sockets: [ada] } = await talk(t, "Ada");
      const api = `${t.url}${t.path.replace(/\/socket\.io$/, "")}/chat/api/v1/rooms/${room_id}/messages`;
      const headers = { Authorization: "Bearer Ada", "Content-Type": "application/json" };
      const heard = t.event(ada, "message.new");
      const posted = await fetch(api, { method: "POST", headers, body: JSON.stringify({ text: "by REST" }) });
      assert.ok(posted.ok, `${posted.status}`);
      assert.equal((await heard)[0].message.text, "by REST");
      await request(t, ada, "message.send", { room_id, text: "by event" });
      const { messages } = await (await fetch(api, { headers })).json();
      assert.deepEqual(texts(messages), ["by REST", "by event"]);
      const refusedRequest = await fetch(api);
      assert.equal(refusedRequest.status, 401);
      assert.equal((await refusedRequest.json()).error.code, "unauthorized");
    },
  },
  {
    name: "disconnects and comes back as the same user",
    async run(t) {
      const { room_id, sockets: [ada] } = await talk(t, "Ada");
      const end = t.event(ada, "disconnect");
      ada.disconnect();
      assert.equal((await end)[0], "io client disconnect");
      ada.connect();
      await t.connected(ada);
      await request(t, ada, "message.send", { room_id, text: "still a member" });
    },
  },
];
