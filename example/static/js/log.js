// The messages of the open room: drawn by key, so that nodes stay while the list changes around them, and with the
// reader's place kept. Scrolling up loads earlier messages; whoever reads the newest stays at the newest.

import { author } from "./client.js";
import { $, avatar, element, nameOf } from "./dom.js";
import { clock, count, dayName, fullDate } from "./format.js";

const GROUP = 5 * 60_000; // messages closer than this, by one person, stand together
const NEAR = 80; // px from the end that still count as reading the newest
const AHEAD = 800; // px above that are loaded before they are seen

export class Log {
  #nodes = new Map();
  #chat;
  #room;
  #fresh = 0; // arrived while reading further up
  #follows = true;

  /** atNewest is called when the reader comes to the end. */
  constructor(atNewest) {
    this.atNewest = atNewest;
    this.box = $("log");
    this.list = $("messages");
    this.top = $("log-top");
    this.button = $("to-newest");

    this.box.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    this.button.addEventListener("click", () => this.toNewest());
    new ResizeObserver(() => this.#follows && this.#jump()).observe(this.box);
  }

  open(chat, room) {
    this.#chat = chat;
    this.#room = room;
    this.#fresh = 0;
    this.#follows = true;
    this.#nodes.clear();
    this.list.replaceChildren();
    this.draw();
  }

  /** Counts a message that came while the reader is further up. */
  arrived() {
    if (!this.#follows) this.#fresh++;
  }

  /** Whether the newest messages are before the reader's eyes. */
  get follows() {
    return this.#follows && document.hasFocus() && this.#seen;
  }

  // On a phone the list of rooms may hide the messages.
  get #seen() {
    return this.box.clientHeight > 0;
  }

  toNewest() {
    this.#follows = true;
    this.#fresh = 0;
    this.#jump();
    this.#drawButton();
    this.atNewest();
  }

  draw() {
    const room = this.#room;
    if (!room) return;
    const place = this.#place();
    // Earlier messages are no news: a screen reader is told of the new ones only.
    this.box.setAttribute("aria-busy", String(!room.loaded || Boolean(room.loadingEarlier)));
    this.#drawTop(room);
    this.#drawList(items(room, this.#chat));
    this.#restore(place);
    this.#drawButton();
    this.#loadAhead();
  }

  #drawList(list) {
    const live = this.#nodes.size > 0;
    const keys = new Set(list.map(({ key }) => key));
    for (const [key, { node }] of this.#nodes) {
      if (keys.has(key)) continue;
      node.remove();
      this.#nodes.delete(key);
    }
    let previous;
    for (const item of list) {
      const node = this.#node(item, live);
      const expected = previous ? previous.nextSibling : this.list.firstChild;
      if (node !== expected) this.list.insertBefore(node, expected);
      previous = node;
    }
  }

  #node(item, live) {
    const drawn = this.#nodes.get(item.key);
    if (drawn?.look === item.look) return drawn.node;
    const node = item.build(this.#chat, this.#room);
    if (drawn) drawn.node.replaceWith(node);
    else if (live && item.newest) node.classList.add("arriving");
    this.#nodes.set(item.key, { node, look: item.look });
    return node;
  }

  #drawTop(room) {
    const words = topLine(room);
    if (this.top.textContent !== words) this.top.textContent = words;
  }

  #drawButton() {
    this.button.hidden = this.#follows;
    this.button.toggleAttribute("data-new", this.#fresh > 0);
    this.button.textContent = this.#fresh ? `${count(this.#fresh, "new message")} ↓` : "Newest ↓";
  }

  #scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = this.box;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR;
    if (follows !== this.#follows) {
      this.#follows = follows;
      if (follows) {
        this.#fresh = 0;
        this.atNewest();
      }
      this.#drawButton();
    }
    this.#loadAhead();
  }

  #loadAhead() {
    const room = this.#room;
    if (!this.#seen || !room?.hasEarlier || room.loadingEarlier || this.box.scrollTop > AHEAD) return;
    this.#chat.loadEarlier(room).catch(() => {}); // the connection's return loads again
  }

  // Where the reader is: at the end, or at the first message in sight and how far it is from the top.
  #place() {
    if (this.#follows) return undefined;
    const edge = this.box.getBoundingClientRect().top;
    const anchor = [...this.list.querySelectorAll(".message")].find((node) => node.getBoundingClientRect().bottom > edge);
    return anchor && { key: anchor.dataset.key, top: anchor.getBoundingClientRect().top };
  }

  #restore(place) {
    if (!place) return this.#follows && this.#jump();
    const node = this.#nodes.get(place.key)?.node;
    if (node) this.box.scrollTop += node.getBoundingClientRect().top - place.top;
  }

  #jump() {
    this.box.scrollTop = this.box.scrollHeight;
  }
}

function topLine(room) {
  if (!room.loaded) return "Opening the room…";
  if (room.hasEarlier) return "Loading earlier messages…";
  const empty = room.messages.length + room.outbox.length === 0;
  return empty ? "Nothing here yet. Say hello, or copy the room’s link to invite somebody." : `This is where ${room.name} begins.`;
}

/** What is to be seen, in order: days, messages in groups, the line above what is unread, and our own that wait. */
function items(room, { me, state: connection }) {
  const list = [];
  const all = [
    ...room.messages.map((message) => ({ ...message, user: author(message), state: "stored" })),
    ...room.outbox.map((item) => ({ ...item, user: me, connection })),
  ];
  let previous;
  for (const message of all) {
    const date = new Date(message.created_at);
    const newDay = !previous || dayName(date) !== dayName(previous.date);
    if (newDay) list.push(dayItem(date));
    const unread = room.firstUnread && message.seq === room.firstUnread;
    if (unread) list.push(unreadItem());

    const joins = !newDay && !unread && previous.user.id === message.user.id && date - previous.date < GROUP;
    if (previous && !joins) previous.last = true;
    previous = { ...message, date, first: !joins, last: false, own: message.user.id === me?.id };
    list.push(previous);
  }
  if (previous) previous.last = previous.newest = true;
  return list.map((item) => (item.build ? item : messageItem(item)));
}

const dayItem = (date) => ({
  key: `day ${date.toDateString()}`,
  look: dayName(date),
  build: () => element("li", { class: "divider" }, element("time", { datetime: date.toISOString().slice(0, 10) }, dayName(date))),
});

const unreadItem = () => ({
  key: "unread",
  look: "",
  build: () => element("li", { class: "divider new" }, "New"),
});

function messageItem(message) {
  // The same key before and after it is stored: the node stays, nothing flickers.
  const key = message.client_id ? `${message.user.id} ${message.client_id}` : message.id;
  const { state, reason, connection, first, last, own } = message;
  return {
    key,
    look: JSON.stringify([message.text, message.user.name, state, reason, connection, first, last, own]),
    newest: message.newest,
    build: (chat, room) => messageNode(key, message, chat, room),
  };
}

function messageNode(key, message, chat, room) {
  const { user, date, state, own } = message;
  return element(
    "li",
    { class: "message", "data-key": key, "data-own": own, "data-first": message.first, "data-last": message.last, "data-state": state },
    avatar(user.id, user.name),
    element("p", { class: "head" }, own ? element("span", { class: "visually-hidden" }, "You") : nameOf(user), " ",
      element("time", { datetime: message.created_at }, clock(date))),
    element("p", { class: "text", dir: "auto", title: fullDate(date) }, message.text),
    state === "stored" ? undefined : status(message, chat, room),
  );
}

function status(message, chat, room) {
  if (message.state === "waiting") return element("p", { class: "status" }, message.connection === "online" ? "Sending…" : "Waiting for the connection");
  const item = room.outbox.find(({ client_id }) => client_id === message.client_id);
  return element(
    "p",
    { class: "status" },
    `Not sent: ${message.reason}`,
    element("button", { type: "button", click: () => chat.retry(room, item) }, "Try again"),
    element("button", { type: "button", click: () => chat.discard(room, item) }, "Remove"),
  );
}
