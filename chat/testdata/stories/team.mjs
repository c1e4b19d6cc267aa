// A team has a room of its own.
import assert from "node:assert/strict";
import { Person, chapter, like, tell } from "./story.mjs";

const person = (name, more) => new Person(name, { token: name, ...more }).arrives();

tell(async () => {
  const ada = await person("Ada"), bob = await person("Bob"), cleo = await person("Cleo"), dan = await person("Dan");

  chapter("Ada opens a private room, which nobody else finds");
  const { room } = await ada.does("room.create", { type: "private", name: "Release 2", topic: "October" });
  const room_id = room.id;
  like(room, { type: "private", name: "Release 2", topic: "October", created_by: "ada", member_count: 1, last_seq: 0 });
  await ada.hears("room.created", { room_id });
  await bob.isRefused("room_not_found", "room.get", { room_id });
  await bob.isRefused("room_not_found", "room.join", { room_id });
  await bob.isRefused("room_not_found", "message.send", { room_id, text: "Knock, knock." });
  like(await bob.does("room.list"), { rooms: [] });
  await ada.enters(room_id);

  chapter("She invites Bob, Cleo and Dan; Bob and Cleo accept, and Dan declines");
  for (const user_id of ["bob", "cleo", "dan"]) await ada.does("member.invite", { room_id, user_id });
  like(await ada.does("invitation.list", { room_id }), { invitations: [{ user: { name: "Bob" } }, { user: { name: "Cleo" } }, { user: { name: "Dan" } }] });
  for (const each of [bob, cleo, dan]) {
    await each.hears("notification.invited", { user: { name: "Ada" }, room: { name: "Release 2" } });
    like(await each.does("user.invitations"), { invitations: [{ room: { name: "Release 2" }, invited_by: { name: "Ada" } }] });
    await each.isRefused("not_a_member", "room.history", { room_id });
  }
  await dan.does("invitation.decline", { room_id });
  await ada.hears("invitation.removed", { user: { name: "Dan" } });
  await dan.isRefused("room_not_found", "room.get", { room_id });
  for (const each of [bob, cleo]) {
    like(await each.does("invitation.accept", { room_id }), { member: { user: { name: each.name }, role: "member" } });
    await ada.hears("member.added", { user: { name: each.name } });
    await ada.hears("message.new", { message: { type: "system", text: `${each.name} has joined.` } });
    await each.enters(room_id);
  }
  like(await bob.does("member.list", { room_id }), {
    members: [{ user: { name: "Ada" }, role: "owner", online: true }, { user: { name: "Bob" } }, { user: { name: "Cleo" } }],
  });

  chapter("Bob keeps order, Cleo only reads for a while, and neither does what is not theirs to do");
  await ada.does("member.update", { room_id, user_id: "bob", role: "moderator" });
  await bob.hears("member.updated", { member: { role: "moderator" } });
  await bob.does("member.update", { room_id, user_id: "cleo", role: "readonly" });
  await cleo.hears("member.updated", { member: { role: "readonly" } });
  await cleo.isRefused("forbidden", "message.send", { room_id, text: "May I?" });
  await cleo.isRefused("forbidden", "room.update", { room_id, topic: "Mine" });
  await bob.isRefused("forbidden", "member.update", { room_id, user_id: "ada", role: "member" });
  await bob.isRefused("forbidden", "room.delete", { room_id });
  await bob.does("member.update", { room_id, user_id: "cleo", role: "member" });
  await cleo.hears("member.updated", { member: { role: "member" } });

  chapter("Bob says what the room is about, and everybody sees it");
  like(await bob.does("room.update", { room_id, topic: "Ships on Friday", metadata: { color: "green" } }), {
    room: { name: "Release 2", topic: "Ships on Friday", metadata: { color: "green" } },
  });
  for (const each of [ada, bob, cleo]) await each.hears("room.updated", { user: { name: "Bob" }, room: { topic: "Ships on Friday" } });

  chapter("They talk: each message has its place, is there once, and reaches everybody");
  cleo.socket.emit("typing.start", { room_id });
  await ada.hears("typing.start", { user: { name: "Cleo" } });
  const say = async (who, text, more) => (await who.does("message.send", { room_id, text, ...more })).message;
  const first = await say(cleo, "Who takes the changelog? 📝", { client_id: "c-1" });
  await ada.hears("typing.stop", { user: { name: "Cleo" } });
  assert.equal((await say(cleo, "Who takes the changelog? 📝", { client_id: "c-1" })).id, first.id, "sent again, stored once");
  const second = await say(bob, "I do.");
  assert.deepEqual([first.seq, second.seq], [3, 4], "after two who have joined");
  for (const each of [ada, bob, cleo]) {
    await each.hears("message.new", { seq: 3, user: { name: "Cleo" }, message: { id: first.id, text: "Who takes the changelog? 📝" } });
    await each.hears("message.new", { seq: 4, user: { name: "Bob" }, message: { id: second.id, text: "I do." } });
  }
  const { messages } = await cleo.does("room.history", { room_id });
  assert.deepEqual(messages.map(({ seq, text }) => [seq, text]), [
    [1, "Bob has joined."], [2, "Cleo has joined."], [3, "Who takes the changelog? 📝"], [4, "I do."],
  ]);

  chapter("Ada reads in one tab, and the other knows; the rest see how far she is");
  const tab = await person("Ada");
  const mine = async (who) => (await who.does("room.list")).rooms.find(({ id }) => id === room_id);
  like(await mine(tab), { unread_count: 4, last_message: { id: second.id }, role: "owner" });
  like(await ada.does("room.read", { room_id, seq: 3 }), { read_seq: 3, unread_count: 1 });
  await tab.hears("message.read", { seq: 3, user: { name: "Ada" } });
  await bob.hears("message.read", { seq: 3, user: { name: "Ada" } });
  like(await mine(tab), { read_seq: 3, unread_count: 1 });
  like(await tab.does("room.read", { room_id, message_id: second.id }), { read_seq: 4, unread_count: 0 });
  await ada.hears("message.read", { seq: 4 });
  like(await ada.does("user.unread"), { unread_rooms: 0, unread_count: 0 });
  const readers = (await bob.does("message.readers", { message_id: second.id })).members.map(({ user }) => user.name);
  assert.deepEqual(readers, ["Ada", "Bob"], "who has sent it has read it");
  like(await ada.does("room.unread", { room_id, seq: 4 }), { read_seq: 3, unread_count: 1 });
  like(await mine(tab), { read_seq: 3, unread_count: 1 });

  chapter("They find what was said, by its words, in the rooms that they may read");
  const { results } = await ada.does("search", { q: "CHANGELOG" });
  assert.deepEqual(results.map(({ message }) => message.id), [first.id]);
  const { text, highlights: [{ start, end }] } = results[0].excerpt;
  assert.equal(text.slice(start, end), "changelog");
  like(await ada.does("search", { q: "do", from: "bob", room_id }), { results: [{ message: { id: second.id } }] });
  like(await dan.does("search", { q: "changelog" }), { results: [] });
  await dan.isRefused("room_not_found", "search", { q: "changelog", room_id });

  chapter("Bob names Ada, who is told in the tab that has not opened the room; he mends what he has written, and nobody else may");
  const named = await say(bob, "Shp on Friday, @ada?");
  assert.deepEqual(named.mentioned_user_ids, ["ada"]);
  await tab.hears("notification.message_new", { room_id, user: { name: "Bob" }, message: { id: named.id } });
  like(await mine(tab), { unread_mentions: 1 });
  await cleo.isRefused("forbidden", "message.update", { message_id: named.id, text: "Never" });
  const { message: mended } = await bob.does("message.update", { message_id: named.id, text: "Ship on Friday, @ada?" });
  like(mended, { id: named.id, seq: named.seq, text: "Ship on Friday, @ada?", mentioned_user_ids: ["ada"], created_at: named.created_at });
  assert.ok(Date.parse(mended.edited_at) >= Date.parse(named.created_at));
  for (const each of [ada, cleo]) await each.hears("message.updated", { seq: named.seq, user: { name: "Bob" }, message: { text: "Ship on Friday, @ada?" } });
  like(await ada.does("search", { q: "ship" }), { results: [{ message: { id: named.id } }] });
  like(await ada.does("search", { q: "shp" }), { results: [] });

  chapter("Cleo answers in a thread, and Ada quotes");
  const reply = await say(cleo, "I would.", { parent_id: named.id });
  like(reply, { type: "reply", parent_id: named.id });
  like(await ada.does("room.history", { room_id, thread: named.id }), { messages: [{ id: reply.id, text: "I would." }] });
  like(await ada.does("room.history", { room_id, around: named.id, limit: 1 }), { messages: [{ id: named.id, reply_count: 1 }] });
  const quote = await say(ada, "Good.", { quoted_message_id: second.id });
  await bob.hears("message.new", { message: { id: quote.id, quoted_message_id: second.id } });

  chapter("They react, and one of them takes it back");
  for (const each of [ada, cleo, cleo]) await each.does("reaction.add", { message_id: quote.id, emoji: "👍" });
  await bob.hears("reaction.new", { user: { name: "Ada" }, message: { id: quote.id, reaction_counts: { "👍": 1 } }, reaction: { emoji: "👍" } });
  await bob.hears("reaction.new", { user: { name: "Cleo" }, message: { id: quote.id, reaction_counts: { "👍": 2 } } });
  like(await cleo.does("room.history", { room_id, around: quote.id, limit: 1 }), { messages: [{ reaction_counts: { "👍": 2 }, own_reactions: ["👍"] }] });
  await cleo.does("reaction.remove", { message_id: quote.id, emoji: "👍" });
  await bob.hears("reaction.deleted", { user: { name: "Cleo" }, message: { reaction_counts: { "👍": 1 } } });

  chapter("Bob pins what matters");
  await cleo.isRefused("forbidden", "message.pin", { message_id: first.id });
  await bob.does("message.pin", { message_id: first.id });
  await ada.hears("message.updated", { user: { name: "Bob" }, message: { id: first.id, pinned_by: "bob" } });
  like(await cleo.does("room.pins", { room_id }), { messages: [{ id: first.id, pinned_by: "bob" }] });
  await bob.does("message.unpin", { message_id: first.id });
  like(await cleo.does("room.pins", { room_id }), { messages: [] });

  chapter("Cleo takes back what she has said, and Bob what he must not leave there: their places stay, and nothing else");
  const slip = await say(cleo, "My password is swordfish.");
  await cleo.does("message.delete", { message_id: slip.id });
  for (const each of [ada, bob]) await each.hears("message.deleted", { seq: slip.seq, user: { name: "Cleo" }, message: { id: slip.id, type: "deleted", text: "" } });
  await cleo.isRefused("forbidden", "message.delete", { message_id: quote.id });
  await bob.does("message.delete", { message_id: reply.id });
  await cleo.hears("message.deleted", { seq: reply.seq, user: { name: "Bob" }, message: { deleted_by: "bob" } });
  const { messages: left } = await ada.does("room.history", { room_id, after: 4 });
  assert.deepEqual(left.map(({ seq, type, text }) => [seq, type, text]), [
    [5, "regular", "Ship on Friday, @ada?"], [6, "deleted", ""], [7, "regular", "Good."], [8, "deleted", ""],
  ]);
  assert.equal(left[0].reply_count ?? 0, 0);
  like(await ada.does("search", { q: "swordfish" }), { results: [] });
  await cleo.isRefused("message_not_found", "message.update", { message_id: slip.id, text: "There is nothing to see." });

  chapter("Ada and Dan talk among themselves");
  const { room: direct } = await ada.does("room.direct", { user_id: "dan" });
  assert.equal((await dan.does("room.direct", { user_id: "ada" })).room.id, direct.id, "there is one for the two of them");
  assert.equal(direct.type, "direct");
  await dan.hears("notification.added_to_room", { room_id: direct.id, user: { name: "Ada" } });
  await dan.enters(direct.id);
  await ada.does("message.send", { room_id: direct.id, text: "No hard feelings?" });
  await dan.hears("message.new", { room_id: direct.id, message: { text: "No hard feelings?" } });
  await bob.isRefused("room_not_found", "room.history", { room_id: direct.id });
  like(await dan.does("user.unread"), { unread_rooms: 1, unread_count: 1 });

  chapter("Ada hands the room over to Bob and leaves; what comes then, she does not hear");
  await ada.does("room.transfer", { room_id, user_id: "bob" });
  await bob.hears("member.updated", { user: { name: "Bob" }, member: { role: "owner" } });
  await ada.does("room.leave", { room_id });
  for (const each of [bob, tab]) await each.hears("member.removed", { user: { name: "Ada" } });
  await bob.hears("message.new", { message: { type: "system", text: "Ada has left." } });
  const last = await say(cleo, "She will be missed.");
  await bob.hears("message.new", { message: { id: last.id } });
  await ada.isRefused("room_not_found", "room.history", { room_id });
  like(await ada.does("search", { q: "missed" }), { results: [] });

  chapter("She closes one tab and is still there, and then the other; Dan, who shares a room with her, sees her go");
  tab.leaves();
  await ada.does("message.send", { room_id: direct.id, text: "I am off." });
  await dan.hears("message.new", { message: { text: "I am off." } });
  assert.deepEqual(dan.everHeard("user.presence.changed"), []);
  ada.leaves();
  await dan.hears("user.presence.changed", { user: { name: "Ada" }, status: "offline" });

  chapter("Nobody has heard what was not theirs, and nothing twice");
  await say(bob, "The end.");
  for (const each of [bob, cleo]) await each.hears("message.new", { message: { text: "The end." } });
  const seqs = (who) => who.everHeard("message.new").filter((event) => event.room_id === room_id).map(({ seq }) => seq);
  const places = (from, to) => Array.from({ length: to - from + 1 }, (_, i) => from + i);
  assert.deepEqual([seqs(ada), seqs(bob), seqs(cleo), seqs(dan)], [places(1, 8), places(2, 11), places(3, 11), []]);
});
