// A support desk: visitors without an account, and agents who keep order.
import assert from "node:assert/strict";
import { agent } from "./agents.mjs";
import { aGuest, chapter, like, tell } from "./story.mjs";

tell(async () => {
  chapter("Agents open the desk: a room for everybody, one of their own, and a channel for news");
  const ina = await agent("Ina"), joe = await agent("Joe"), boss = await agent("Boss", { admin: true });
  const opens = async (type, name) => (await ina.does("room.create", { type, name })).room.id;
  const desk = await opens("public", "Help"), backstage = await opens("private", "Backstage"), news = await opens("channel", "News");
  for (const room_id of [desk, backstage, news]) {
    await ina.enters(room_id);
    await ina.does("member.add", { room_id, user_id: "joe", role: "moderator" });
    await joe.enters(room_id);
  }

  chapter("Visitors come without an account, and see what is theirs to see");
  const vera = await aGuest("Vera"), max = await aGuest("Max");
  like(await vera.does("room.list", { type: "public" }), { rooms: [{ id: desk, name: "Help" }] });
  for (const visitor of [vera, max]) {
    await visitor.enters(desk);
    await joe.hears("member.added", { room_id: desk, user: { name: visitor.name } });
    await visitor.enters(news);
    await visitor.isRefused("room_not_found", "room.get", { room_id: backstage });
    await visitor.isRefused("forbidden", "message.send", { room_id: news, text: "Me, too!" });
    await visitor.isRefused("forbidden", "room.create", { type: "private", name: "Mine" });
    visitor.id = (await visitor.does("user.me")).user.id;
  }

  chapter("Vera asks, Ina answers, and the news reach everybody");
  const say = async (who, room_id, text) => (await who.does("message.send", { room_id, text })).message;
  await say(vera, desk, "My invoice is wrong.");
  await ina.hears("message.new", { room_id: desk, user: { name: "Vera" }, message: { text: "My invoice is wrong." } });
  await say(ina, desk, "Let me look.");
  await vera.hears("message.new", { user: { name: "Ina" }, message: { text: "Let me look." } });
  await say(ina, news, "Invoices of May are being corrected.");
  for (const each of [vera, max, joe]) await each.hears("message.new", { room_id: news });
  await say(joe, backstage, "May again?");
  await ina.hears("message.new", { room_id: backstage });

  chapter("A message that a filter refuses is told to its sender alone");
  const refusal = await max.isRefused("message_rejected", "message.send", { room_id: desk, text: "Darn it!" });
  assert.equal(refusal.message, "Please stay polite.");

  chapter("Who writes too fast is told how long to wait");
  for (let i = 1; i < 5; i++) await say(vera, desk, `And another thing, number ${i}.`);
  const limit = await vera.isRefused("rate_limited", "message.send", { room_id: desk, text: "And a fifth." });
  assert.ok(limit.retry_after_ms > 0 && limit.retry_after_ms <= 12_000, `${limit.retry_after_ms} ms`);
  assert.equal(limit.retryable, true);

  chapter("Vera reports what Max has written; Joe looks at it and mutes him for a while");
  const rude = await say(max, desk, "You are all idiots.");
  await vera.does("message.flag", { message_id: rude.id, reason: "rude" });
  await vera.isRefused("forbidden", "flag.list", { room_id: desk });
  const { flags } = await joe.does("flag.list", { room_id: desk });
  like(flags, [{ message: { id: rude.id, text: "You are all idiots." }, user: { name: "Vera" }, reason: "rude" }]);
  await joe.does("member.mute", { room_id: desk, user_id: max.id, duration_ms: 600_000, reason: "rude" });
  await max.hears("member.updated", { user: { name: "Max" }, member: { muted: true } });
  const muted = await max.isRefused("muted", "message.send", { room_id: desk, text: "What?" });
  assert.ok(muted.retry_after_ms > 500_000 && muted.retry_after_ms <= 600_000, `${muted.retry_after_ms} ms`);
  like(await max.does("room.history", { room_id: desk, limit: 1 }), { messages: [{ id: rude.id }] });

  chapter("The mute is lifted, Max goes on, and is banned: he hears nothing more and cannot come back");
  await joe.does("member.unmute", { room_id: desk, user_id: max.id });
  await max.hears("member.updated", { user: { name: "Max" } });
  const ruder = await say(max, desk, "Idiots, I said.");
  await joe.hears("message.new", { message: { id: ruder.id } });
  await joe.does("member.ban", { room_id: desk, user_id: max.id, reason: "rude again" });
  await max.hears("user.banned", { room_id: desk, user: { name: "Max" } });
  await vera.hears("member.removed", { room_id: desk, user: { name: "Max" } });
  await max.isRefused("banned", "room.join", { room_id: desk });
  await max.isRefused("banned", "room.history", { room_id: desk });
  const after = await say(ina, desk, "Sorry about that, Vera.");
  await vera.hears("message.new", { message: { id: after.id } });
  await joe.does("flag.resolve", { room_id: desk, flag_id: flags[0].id, resolution: "banned" });
  like(await joe.does("flag.list", { room_id: desk }), { flags: [] });
  like(await joe.does("ban.list", { room_id: desk }), { sanctions: [{ user: { name: "Max" }, set_by: { name: "Joe" }, reason: "rude again" }] });

  chapter("Who did what stands in the log, which the owner reads, and an administrator");
  await joe.isRefused("forbidden", "audit.list", { room_id: desk });
  for (const reader of [ina, boss]) {
    const { entries } = await reader.does("audit.list", { room_id: desk });
    assert.deepEqual(entries.map(({ actor, action, user }) => `${actor.name} ${action} ${user?.name ?? ""}`.trim()).reverse(), [
      "Ina member.add Joe", "Joe member.mute Max", "Joe member.unmute Max", "Joe member.ban Max", "Joe flag.resolve Max",
    ]);
  }
  await ina.isRefused("forbidden", "audit.all");

  chapter("The boss keeps Max out of everything");
  const gone = new Promise((resolve) => max.socket.once("disconnect", resolve));
  await boss.does("user.ban", { user_id: max.id });
  assert.equal(await gone, "io server disconnect");
  max.socket.connect();
  await assert.rejects(max.arrives(), { message: "banned" });
  assert.deepEqual(max.everHeard("message.new").map(({ message }) => message.id).includes(after.id), false);
});
