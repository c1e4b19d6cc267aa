// A live event: a channel in which few write and five hundred read, each with the stock client.
import assert from "node:assert/strict";
import { Person, chapter, like, tell, together } from "./story.mjs";

const person = (name) => new Person(name, { token: name, transports: ["websocket"] });

const audience = 500, said = 20;

tell(async () => {
  chapter("The host opens a channel, with Mo to help her");
  const host = await person("Host").arrives(), mo = await person("Mo").arrives();
  const { room } = await host.does("room.create", { type: "channel", name: "Keynote" });
  const room_id = room.id;
  await host.does("member.add", { room_id, user_id: "mo", role: "moderator" });
  for (const each of [host, mo]) await each.enters(room_id);

  chapter("Five hundred people find it and come in, some of them early");
  const names = Array.from({ length: audience }, (_, i) => `Reader-${1000 + i}`);
  const comes = async (name) => {
    const reader = await person(name).arrives();
    await reader.enters(room_id, { limit: 1 });
    return reader;
  };
  const early = await together(names.slice(0, 150), comes), punctual = await together(names.slice(150), comes);
  const readers = [...early, ...punctual];
  like(await readers[0].does("room.list", { type: "channel" }), { rooms: [{ id: room_id, name: "Keynote", member_count: audience + 2 }] });

  chapter("They read and do not write");
  for (const reader of readers.slice(0, 3)) {
    await reader.isRefused("forbidden", "message.send", { room_id, text: "First!" });
    await reader.isRefused("forbidden", "typing.start", { room_id });
  }

  chapter("The host and Mo speak; everybody hears every message, once and in order, who drops out for a moment too");
  const unlucky = readers.slice(0, 20);
  const returning = unlucky.map((reader) => reader.returns());
  for (let i = 1; i <= said; i++) {
    await [host, mo][i % 2].does("message.send", { room_id, text: `Sentence ${i}` });
    if (i === said / 2) for (const reader of unlucky) reader.socket.io.engine.close();
  }
  await Promise.all(returning);
  await together(unlucky, async (reader) => {
    const after = reader.everHeard("message.new").at(-1)?.seq ?? 0;
    const { messages } = await reader.enters(room_id, { after, limit: 200 });
    reader.caughtUp = messages.map(({ seq }) => seq);
  });
  await host.does("message.send", { room_id, text: "Thank you all." });
  const everything = Array.from({ length: said + 1 }, (_, i) => i + 1);
  await together(readers, async (reader) => {
    await reader.hears("message.new", { seq: said + 1 });
    const heard = reader.everHeard("message.new").map(({ seq }) => seq);
    assert.deepEqual([...new Set([...heard, ...reader.caughtUp ?? []])].sort((a, b) => a - b), everything, reader.name);
    if (!reader.caughtUp) assert.deepEqual(heard, everything, reader.name);
  });

  chapter("All five hundred have read it, and the host can count on that");
  const { messages: [last] } = await host.does("room.history", { room_id, limit: 1 });
  await together(readers, async (reader) => like(await reader.does("room.read", { room_id, seq: last.seq }), { read_seq: last.seq, unread_count: 0 }));
  const who = [];
  for (let cursor; ;) {
    const page = await host.does("message.readers", { message_id: last.id, limit: 200, ...(cursor && { cursor }) });
    who.push(...page.members.map(({ user }) => user.name));
    if (!(cursor = page.next_cursor)) break;
  }
  assert.deepEqual(who.filter((name) => name.startsWith("Reader")), names);
  await readers[0].isRefused("forbidden", "message.readers", { message_id: last.id });

  chapter("Of one another, those who came when it was crowded hear nothing, and the early ones only of the early ones");
  const others = (reader) => reader.everHeardBut("message.new").map(({ user }) => user.name).filter((name) => name !== reader.name);
  for (const reader of punctual) assert.deepEqual(others(reader), [], reader.name);
  for (const reader of early) assert.ok(others(reader).length <= 2 * early.length, `${reader.name}: ${others(reader).length}`);
});
