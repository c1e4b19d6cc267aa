// The list of rooms, and the dialog that joins or creates one.

import { $, element } from "./dom.js";
import { hue, shortTime } from "./format.js";

export class RoomList {
  constructor(open) {
    this.open = open;
    this.list = $("room-list");
    this.#dialog();
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
    const line = typing.length ? `${typing[0].name} is typing…` : last ? `${last.user.id === chat.me?.id ? "You" : last.user.name}: ${last.text}` : "No messages yet";
    return element(
      "button",
      { type: "button", "data-room": room.id, "aria-current": current ? "page" : undefined, click: () => this.open(room.id) },
      element("span", { class: "avatar", "data-hue": hue(room.id), "aria-hidden": "true" }, [...room.name][0].toUpperCase()),
      element("bdi", { class: "name" }, room.name),
      last ? element("time", { datetime: last.created_at }, shortTime(new Date(last.created_at))) : undefined,
      element("span", { class: "line", dir: "auto" }, line),
      room.unread ? element("span", { class: "badge" }, String(room.unread), element("span", { class: "visually-hidden" }, " unread")) : undefined,
    );
  }

  #dialog() {
    const dialog = $("room-dialog");
    const error = $("room-error");
    $("new-room").addEventListener("click", () => {
      $("room-form").reset();
      error.textContent = "";
      dialog.showModal();
    });
    $("room-cancel").addEventListener("click", () => dialog.close());
    $("room-form").addEventListener("submit", async (event) => {
      event.preventDefault();
      const id = roomId($("room-id").value);
      error.textContent = "";
      if (!id) {
        error.textContent = "Use letters from a to z, digits, dots or dashes.";
        return;
      }
      try {
        await this.open(id);
        dialog.close();
      } catch (refused) {
        error.textContent = refused.message;
      }
    });
  }
}

/** "Book Club" becomes "book-club": a room's id is part of its link. */
export function roomId(name) {
  return name.normalize("NFKD").toLowerCase().replace(/\p{M}/gu, "").trim().replace(/\s+/gu, "-").replace(/[^a-z0-9._-]/gu, "").slice(0, 64);
}

function newestFirst(a, b) {
  const time = (room) => room.lastMessage?.created_at ?? "";
  return time(b).localeCompare(time(a)) || a.name.localeCompare(b.name);
}
