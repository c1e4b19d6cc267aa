// The page: sign-in, which room is open, and what is drawn when something changes.

import { Chat, Refused } from "./client.js";
import { Composer } from "./composer.js";
import { $, element } from "./dom.js";
import { hue, initials, typingLine } from "./format.js";
import { Log } from "./log.js";
import { People } from "./people.js";
import { RoomList, roomId } from "./rooms.js";

const NAME_KEY = "echochat.name";
const FIRST_ROOM = "general";
const phone = matchMedia("(max-width: 719px)");

const roomList = new RoomList({
  join: (id) => chat.join(id),
  open: (id) => open(id),
  create: (id, name) => chat.createRoom(id, name),
  others: async () => (await chat.publicRooms()).filter(({ id }) => !chat.rooms.get(id)?.joined),
});
const people = new People(() => leave());
const log = new Log(() => current && read(current));
const composer = new Composer(() => log.toNewest());
let chat, current;

function signIn(name) {
  $("name-error").textContent = "";
  chat = new Chat(name, (what, room, detail) => changed[what](room, detail));
  $("my-name").textContent = name;
  $("my-avatar").textContent = initials(name);
  drawConnection();
  show("chat");
}

function signOut(error = "") {
  chat.close();
  localStorage.removeItem(NAME_KEY);
  chat = current = undefined;
  history.replaceState(null, "", location.pathname);
  $("name-error").textContent = error;
  show("welcome");
}

function show(view) {
  for (const id of ["welcome", "chat"]) $(id).hidden = id !== view;
  if (view === "welcome") $("name").focus();
}

// ---- rooms

async function open(id) {
  const room = chat.rooms.get(id)?.loaded ? chat.rooms.get(id) : await chat.join(id);
  if (location.hash !== `#${id}`) history.pushState(null, "", `#${id}`);
  $("chat").dataset.view = "room";
  if (current && current !== room) {
    current.firstUnread = 0;
    chat.trim(current);
  }
  current = room;
  $("room-name").textContent = room.name;
  log.open(chat, room);
  read(room);
  composer.open(chat, room);
  drawTyping();
  people.draw(chat, room);
}

/** The room that the page's address names. */
function linkedRoom() {
  return roomId(location.hash.slice(1));
}

/** Back to the list, on a phone. */
function showRooms() {
  $("chat").dataset.view = "rooms";
  roomList.draw(chat, current);
  $("room-list").querySelector("[aria-current]")?.focus();
}

async function leave() {
  try {
    await chat.leave(current);
  } catch (error) {
    announce(`Could not leave: ${error.message}`);
  }
}

/** After each connect: all rooms again, with what was missed, the open one first. */
async function joinAll(mine = chat) {
  if (mine !== chat || mine.state !== "online") return;
  try {
    await mine.load();
    const wanted = linkedRoom();
    const ids = new Set([current?.id ?? wanted, ...mine.rooms.keys()].filter(Boolean));
    if (!ids.size) ids.add(FIRST_ROOM);
    $("my-avatar").dataset.hue = hue(mine.me.id);
    for (const id of ids) {
      await enter(mine, id);
      // Whoever follows a link wants that room; whoever just signs in on a phone sees the rooms first.
      if (!current && (wanted ? id === wanted : !phone.matches) && mine === chat) await open(id);
    }
  } catch {
    setTimeout(() => joinAll(mine), 3000); // an answer did not come
  }
}

/** Joins a room, or takes the server's word that it is not ours any more. */
async function enter(mine, id) {
  try {
    await mine.join(id);
  } catch (error) {
    if (!(error instanceof Refused) || error.retryAfter) throw error;
    announce(`${id}: ${error.message}`);
    mine.forget(mine.room(id));
  }
}

function read(room) {
  room.unread = 0;
  roomList.draw(chat, current);
}

// ---- what changes

const changed = {
  connection() {
    if (chat.state === "refused") return signOut(chat.reason);
    if (chat.state === "online") {
      localStorage.setItem(NAME_KEY, chat.name);
      joinAll();
    }
    drawConnection();
    if (current) {
      log.draw();
      people.draw(chat, current);
    }
  },
  rooms() {
    roomList.draw(chat, current);
  },
  left(room) {
    roomList.draw(chat, current);
    if (room !== current) return;
    if (people.shown) people.show(false);
    current = undefined;
    const next = chat.rooms.keys().next().value;
    if (next && !phone.matches) return open(next);
    history.replaceState(null, "", location.pathname);
    showRooms();
  },
  people(room) {
    if (room === current) people.draw(chat, room);
  },
  typing(room) {
    if (room === current) drawTyping();
    roomList.draw(chat, current);
  },
  messages(room) {
    if (room === current) log.draw();
    roomList.draw(chat, current);
  },
  message(room, message) {
    const own = message.user?.id === chat.me?.id;
    if (room === current && !own) log.arrived();
    if (room !== current || log.follows) chat.trim(room);
    if (own || (room === current && log.follows)) return;
    if (room.unread++ === 0) room.firstUnread = message.seq;
  },
};

function drawTyping() {
  const names = [...current.typing.values()].map(({ name }) => name);
  const dots = element("span", { class: "dots", "aria-hidden": "true" }, element("i"), element("i"), element("i"));
  $("typing").replaceChildren(...(names.length ? [dots, typingLine(names)] : []));
}

let wasOffline = false;
let backTimer;

function drawConnection() {
  const words = { connecting: "Connecting…", online: "Connected", offline: "Not connected" }[chat.state] ?? "";
  const line = $("connection");
  $("my-state").textContent = words;
  clearTimeout(backTimer);
  if (chat.state === "offline") {
    wasOffline = true;
    // A short break, as when the server restarts, is not worth a line.
    backTimer = setTimeout(() => banner("off", "You are offline. Trying to reconnect; what you write is sent as soon as that works."), 800);
  } else if (wasOffline && chat.state === "online") {
    wasOffline = false;
    if (!line.dataset.state) return;
    banner("back", "You are connected again.");
    backTimer = setTimeout(() => banner("", ""), 2500);
  }
}

function banner(state, words) {
  const line = $("connection");
  line.textContent = words;
  if (state) line.dataset.state = state;
  else delete line.dataset.state;
}

let toastTimer;

/** Says something for a moment, to the eye and to screen readers. */
function announce(words) {
  clearTimeout(toastTimer);
  $("toast").textContent = words;
  toastTimer = setTimeout(() => ($("toast").textContent = ""), 4000);
}

// ---- the page itself

$("sign-in").addEventListener("submit", (event) => {
  event.preventDefault();
  const name = $("name").value.trim().normalize("NFC");
  if (name) signIn(name);
});
$("sign-out").addEventListener("click", () => signOut());
$("back").addEventListener("click", () => {
  history.pushState(null, "", location.pathname);
  showRooms();
});
$("copy-link").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText(location.href);
    announce("The link is copied.");
  } catch {
    announce(location.href);
  }
});
addEventListener("popstate", () => {
  const id = linkedRoom();
  if (!chat) return;
  if (id) open(id).catch((error) => announce(error.message));
  else showRooms();
});
addEventListener("focus", () => current && chat && log.follows && read(current));

const name = localStorage.getItem(NAME_KEY);
if (name) signIn(name);
else show("welcome");
