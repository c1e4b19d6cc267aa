// The list of rooms, and the dialog that joins or creates one.

import { author } from "./client.js";
import { $, element } from "./dom.js";
import { count, hue, shortTime } from "./format.js";

export class RoomList {
  /** join(id) enters a room, open(id) shows it, create(id, name) makes one and returns its id, others() lists what may be joined. */
  constructor({ join, open, create, others }) {
    Object.assign(this, { join, open, create, others });
    this.list = $("room-list");
    this.dialog = $("room-dialog");
    this.error = $("room-error");
    $("new-room").addEventListener("click", () => this.#ask());
    $("room-cancel").addEventListener("click", () => this.dialog.close());
    $("room-form").addEventListener("submit", (event) => {
      event.preventDefault();
      const name = $("room-name-field").value.trim();
      if (name) this.#go(() => this.create(roomId(name), name));
    });
  }

  draw(chat, current) {
    const focused = document.activeElement?.dataset?.room;
    const rooms = [...chat.rooms.values()].sort(newestFirst);
    this.list.replaceChildren(...rooms.map((room) => element("li", {}, this.#row(chat, room, room === current))));
    if (focused) this.list.querySelector(`[data-room="${CSS.escape(focused)}"]`)?.focus();
    const unread = rooms.reduce((sum, room) => sum + room.unread, 0);
    document.title = [unread ? `(${unread})` : "", current?.name ?? "", current ? "·" : "", "echochat"].filter(Boolean).join(" ");
  }

  #row(chat, room, current) {
    const last = room.lastMessage;
    const typing = [...room.typing.values()];
    const line = typing.length ? `${typing[0].name} is typing…` : last ? `${last.user?.id === chat.me?.id ? "You" : author(last).name}: ${last.text}` : "No messages yet";
    return element(
      "button",
      { type: "button", "data-room": room.id, "aria-current": current ? "page" : undefined, click: () => this.open(room.id) },
      tile(room),
      element("bdi", { class: "name" }, room.name),
      last ? element("time", { datetime: last.created_at }, shortTime(new Date(last.created_at))) : undefined,
      element("span", { class: "line", dir: "auto" }, line),
      room.unread ? element("span", { class: "badge" }, String(room.unread), element("span", { class: "visually-hidden" }, " unread")) : undefined,
    );
  }

  async #ask() {
    $("room-form").reset();
    this.error.textContent = "";
    $("other-rooms").hidden = true;
    this.dialog.showModal();
    const rooms = await this.others().catch(() => []); // without the list, a name can still be typed
    $("other-rooms").hidden = rooms.length === 0;
    $("other-rooms-list").replaceChildren(...rooms.map((room) => element("li", {}, this.#offer(room))));
  }

  #offer(room) {
    return element(
      "button",
      { type: "button", class: "offer", click: () => this.#go(() => room.id) },
      tile(room),
      element("bdi", { class: "name" }, room.name),
      element("span", { class: "muted small" }, count(room.member_count, "person", "people")),
    );
  }

  async #go(which) {
    this.error.textContent = "";
    try {
      const id = await which();
      await this.join(id);
      this.dialog.close();
      await this.open(id);
    } catch (error) {
      this.error.textContent = error.message;
    }
  }
}

const tile = (room) => element("span", { class: "avatar", "data-hue": hue(room.id), "aria-hidden": "true" }, [...room.name][0].toUpperCase());

/** "Book Club" becomes "book-club": a room's id is part of its link. Other alphabets leave nothing: the server makes an id. */
export function roomId(name) {
  return name.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").trim().replace(/\s+/gu, "-").replace(/[^a-z0-9._-]/gu, "").slice(0, 64);
}

function newestFirst(a, b) {
  const time = (room) => room.lastMessage?.created_at ?? "";
  return time(b).localeCompare(time(a)) || a.name.localeCompare(b.name);
}
