// A program whose marked lines must not compile, and no others.
import { io, type Socket } from "socket.io-client";
import type { ClientToServerEvents, ServerToClientEvents } from "echochat";

const socket: Socket<ServerToClientEvents, ClientToServerEvents> = io();

socket.on("message.new", (event) => console.log(event.message.txt)); // mistake: no such field
socket.on("message.new", (event) => console.log(event.message.seq.length)); // mistake: a number
socket.on("message.new", (event) => console.log(event.user.name)); // mistake: the system may have said it
socket.on("message.neu", () => {}); // mistake: no such event
socket.on("member.added", (event) => console.log(event.message)); // mistake: not in this event
socket.emit("message.sent", { room_id: "general", text: "hi" }, () => {}); // mistake: no such event
socket.emit("message.send", { room_id: "general" }, () => {}); // mistake: without a text
socket.emit("message.send", { room_id: 7, text: "hi" }, () => {}); // mistake: an id is a string
socket.emit("message.send", { room_id: "general", text: "hi", colour: "red" }, () => {}); // mistake: no such field
socket.emit("message.send", { room_id: "general", text: "hi" }); // mistake: the answer matters
socket.emit("room.join", "general", () => {}); // mistake: an object is asked for
socket.emit("room.join", { room_id: "general" }, (answer) => console.log(answer.room)); // mistake: it may have failed
socket.emit("room.create", { type: "secret" }, () => {}); // mistake: no such type
const answer = await socket.emitWithAck("room.get", { room_id: "general" });
if (answer.status === "error") console.log(answer.error.code === "room_lost"); // mistake: no such code
else console.log(answer.error); // mistake: there is none
