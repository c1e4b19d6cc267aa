// The shift of two agents of a support desk is longer than their sign-ins hold.
import assert from "node:assert/strict";
import { agent, token } from "./agents.mjs";
import { chapter, like, tell } from "./story.mjs";

tell(async () => {
  chapter("Lea's sign-in is about to expire; Kim's is, too, a little later, and both are told");
  const lea = await agent("Lea", { seconds: 1.5 }), kim = await agent("Kim", { seconds: 30 });
  for (const each of [lea, kim]) await each.hears("session.expiring");
  const { room } = await kim.does("room.create", { type: "public", name: "Help" });

  chapter("Kim sends a new token, which must be hers, and stays");
  const someone = await kim.says("auth.refresh", { token: token("Lea") });
  assert.equal(someone.error.code, "forbidden");
  kim.token = token("Kim");
  const { expires_at } = await kim.does("auth.refresh", { token: kim.token });
  assert.ok(Date.parse(expires_at) > Date.now() + 3_000_000, expires_at);

  chapter("Lea does not, is disconnected with the reason, and let in again with a new one only");
  await lea.hears("session.expired");
  if (lea.socket.connected) await new Promise((resolve) => lea.socket.once("disconnect", resolve));
  await lea.isRefusedByRoute("token_expired", "room.get", { room_id: room.id });
  lea.socket.connect();
  await assert.rejects(lea.arrives(), { message: "token_expired" });
  lea.token = token("Lea");
  lea.socket.auth = { token: lea.token };
  lea.socket.connect();
  await lea.arrives();

  chapter("Both go on working");
  await kim.enters(room.id);
  await lea.enters(room.id);
  await kim.does("message.send", { room_id: room.id, text: "Here again?" });
  like(await lea.hears("message.new"), { user: { name: "Kim" }, message: { text: "Here again?" } });
  assert.deepEqual(kim.everHeard("session.expired"), []);
});
