// A program that uses the chat's events as they are meant to be used. It must compile with the stock client's types and with
// those of the chat's own client.
import { io, type Socket } from "socket.io-client";
import type { Answer, ClientToServerEvents, JoinedRoom, Message, ServerEvent, ServerToClientEvents } from "echochat";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io("https://chat.example", { auth: { token: "…" } });
const messages: Message[] = [];

socket.on("message.new", (event) => {
  messages.push(event.message);
  const author: string = event.user?.name ?? "the system";
  console.log(event.type satisfies "message.new", event.seq.toFixed(), author, event.created_at.slice(0, 10));
});
socket.on("user.presence.changed", ({ user, status }) => console.log(user.id, status === "online"));
socket.on("member.added", ({ member }) => console.log(member.role === "owner", member.user.avatar_url?.length));
socket.on("server.draining", () => console.log("back in a moment"));
socket.on("disconnect", (reason) => console.log(reason));

socket.on("session.expiring", async ({ expires_at }) => {
  const answer = await socket.emitWithAck("auth.refresh", { token: `until ${new Date(expires_at)}` });
  if (answer.status === "ok") console.log(answer.expires_at ?? "never");
});

export async function join(room_id: string): Promise<JoinedRoom | undefined> {
  const answer = await socket.timeout(5000).emitWithAck("room.join", { room_id, after: 0, limit: 50 });
  if (answer.status === "error") {
    console.error(answer.error.code satisfies string, answer.error.retry_after_ms.toFixed(), answer.error.details["field"]);
    if (answer.error.code === "not_a_member") return undefined;
    throw new Error(answer.error.message);
  }
  messages.push(...answer.messages);
  console.log(answer.room.type === "private", answer.members.length, answer.has_more_before, answer.next_cursor);
  return answer;
}

socket.emit("typing.start", { room_id: "general" });
socket.emit("room.leave", { room_id: "general" }, (answer: Answer) => console.log(answer.status));
socket.emit("room.history", { room_id: "general", before: 120 }, (answer) => answer.status === "ok" && answer.messages.at(-1)?.seq);
socket.emit("room.history", { room_id: "general", around: "019822b0-0000-7000-8000-000000000000" }, () => {});
socket.timeout(1000).emit("message.send", { room_id: "general", text: "hi", metadata: { mood: "fine" } }, (late, answer) => {
  if (late) return;
  if (answer.status === "ok") console.log(answer.message.seq);
});

// One listener for all events tells them apart by their type.
socket.onAny((_name: string, event: ServerEvent) => {
  if (event.type === "message.new") messages.push(event.message);
  if (event.type === "typing.stop") console.log(event.user.name, event.parent_id);
});
