// The chat page of this app: one room, on the chat's client script. Nobody signs in here: the browser sends the app's
// own session cookie, which the chat reads.
//
// "retries" makes the client send an event again until it is acknowledged, also after a lost connection. The server
// stores one client_id once, so nothing is lost and nothing comes twice.

const socket = io({ retries: 50, ackTimeout: 10_000 });
const { user: me, room } = document.getElementById("chat").dataset;
const [log, list, state, people, form, field] = ["log", "messages", "state", "people", "form", "text"].map((id) => document.getElementById(id));

const shown = new Map(); // client_id or id -> node
const here = new Map(); // user id -> online
const typing = new Map(); // name -> timer
let first; // seq of the earliest message on the page
let last = 0; // and of the latest
let epoch;
let more = false; // earlier ones are on the server
let loading = false;
let said = 0; // when the others were last told that somebody types here
let joined = false; // on this connection
const early = []; // what came between the subscription and the answer to room.join

const newId = () => crypto.randomUUID?.() ?? Array.from(crypto.getRandomValues(new Uint8Array(16)), (b) => b.toString(16).padStart(2, "0")).join("");
const time = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });

function node(className, text) {
  const item = document.createElement("li");
  item.className = className;
  item.textContent = text;
  return item;
}

/** The nodes of one message: who and when, where that changes, and the text. */
function nodesOf(message, previous) {
  const own = message.user?.id === me;
  const item = node(own ? "own" : "", message.text);
  item.dir = "auto";
  shown.set(message.client_id || message.id, item);
  const sameHead = previous?.user?.id === message.user?.id && new Date(message.created_at) - new Date(previous.created_at) < 300_000;
  if (sameHead) return [item];
  const head = node(own ? "own head" : "head", `${own ? "You" : (message.user?.name ?? "Toolshed")}, ${time.format(new Date(message.created_at))}`);
  return [head, item];
}

let newest; // the message at the end
function append(message) {
  if (message.seq <= last) return;
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  const mine = shown.get(message.client_id); // waiting here since it was written
  last = message.seq;
  if (mine) {
    mine.classList.remove("waiting");
    mine.textContent = message.text; // a filter may have changed it
    if (mine !== list.lastElementChild) list.append(mine);
  } else {
    list.append(...nodesOf(message, newest));
  }
  newest = message;
  if (atEnd || mine) log.scrollTop = log.scrollHeight;
}

/** A message that has just been sent. Where some are missing before it, they are fetched, in order. */
function receive(message) {
  if (message.seq > last + 1) catchUp();
  else append(message);
}

function prepend(messages) {
  const height = log.scrollHeight - log.scrollTop;
  list.prepend(...messages.flatMap((message, i) => nodesOf(message, messages[i - 1])));
  log.scrollTop = log.scrollHeight - height;
}

// ---- connection

socket.on("connect", () => {
  state.textContent = "";
  const position = last ? { after: last, epoch, limit: 200 } : {};
  socket.emit("room.join", { room_id: room, ...position }, (error, ack) => {
    if (error) return;
    if (ack.status !== "ok") return void (state.textContent = ack.error.message);
    if (ack.resync) location.reload(); // another database: what is on the page is not in it
    epoch = ack.room.epoch;
    if (first === undefined) {
      first = ack.messages[0]?.seq ?? 1;
      more = ack.has_more_before;
    }
    ack.messages.forEach(append);
    if (ack.has_more_after) catchUp();
    joined = true;
    early.splice(0).forEach(receive);
    here.clear();
    for (const member of ack.members) here.set(member.user.id, member.online || member.user.id === me);
    countPeople();
  });
});
socket.on("disconnect", () => {
  joined = false;
  state.textContent = "You are offline. What you write is sent as soon as the connection is back.";
});
socket.on("connect_error", (error) => {
  if (error.message === "unauthorized") location.assign("/sign-in"); // the app's session has ended
  else state.textContent = "The chat cannot be reached. Trying again…";
});

function catchUp() {
  socket.emit("room.history", { room_id: room, after: last, limit: 200 }, (error, ack) => {
    if (error || ack.status !== "ok") return;
    ack.messages.forEach(append);
    if (ack.has_more_after) catchUp();
  });
}

log.addEventListener("scroll", () => {
  if (!more || loading || log.scrollTop > 400) return;
  loading = true;
  socket.emit("room.history", { room_id: room, before: first, limit: 50 }, (error, ack) => {
    loading = false;
    if (error || ack.status !== "ok") return;
    more = ack.has_more_before;
    first = ack.messages[0]?.seq ?? first;
    prepend(ack.messages);
  });
}, { passive: true });

// ---- talking

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = field.value.trim();
  if (!text) return;
  field.value = "";
  said = 0;
  const message = { client_id: newId(), text, user: { id: me }, created_at: new Date().toISOString() };
  const nodes = nodesOf(message, newest);
  const item = nodes.at(-1);
  item.classList.add("waiting");
  list.append(...nodes);
  log.scrollTop = log.scrollHeight;
  newest = message;
  socket.emit("message.send", { room_id: room, client_id: message.client_id, text }, (error, ack) => {
    if (!error && ack.status === "ok") return receive(ack.message);
    item.classList.replace("waiting", "failed");
    const why = document.createElement("span");
    why.className = "why";
    why.textContent = `Not sent: ${error ? "the server does not answer." : ack.error.message}`;
    item.append(why);
  });
});

socket.on("message.new", ({ message }) => {
  if (joined) receive(message);
  else early.push(message);
});

// ---- who is here, who types

function countPeople() {
  const online = [...here.values()].filter(Boolean).length;
  people.textContent = `${online} of ${here.size} here`;
}
socket.on("member.added", ({ user }) => { here.set(user.id, true); countPeople(); });
socket.on("member.removed", ({ user }) => { here.delete(user.id); countPeople(); });
socket.on("user.presence.changed", ({ user, status }) => {
  if (here.has(user.id)) here.set(user.id, status === "online");
  countPeople();
});

function isTyping(name, on) {
  clearTimeout(typing.get(name));
  typing.delete(name);
  if (on) typing.set(name, setTimeout(() => isTyping(name, false), 6000));
  const names = [...typing.keys()];
  state.textContent = names.length ? `${names.join(", ")} ${names.length === 1 ? "is" : "are"} typing…` : "";
}
socket.on("typing.start", ({ user }) => isTyping(user.name, true));
socket.on("typing.stop", ({ user }) => isTyping(user.name, false));

field.addEventListener("input", () => {
  if (Date.now() - said < 3000) return;
  said = Date.now();
  socket.volatile.emit("typing.start", { room_id: room }); // may be lost: not worth a retry
});
