// Who is in the room and who is there now: the panel on the side, and the line under the room's name.

import { $, avatar, element, nameOf } from "./dom.js";
import { count } from "./format.js";

export class People {
  constructor(leave) {
    this.frame = $("chat");
    this.button = $("show-people");
    this.button.addEventListener("click", () => this.show(true));
    $("hide-people").addEventListener("click", () => this.show(false));
    document.addEventListener("keydown", (event) => event.key === "Escape" && this.shown && this.show(false));
    document.querySelector(".room").addEventListener("click", (event) => {
      if (this.shown && !this.button.contains(event.target)) this.show(false);
    });
    $("leave").addEventListener("click", leave);
  }

  get shown() {
    return this.frame.hasAttribute("data-people");
  }

  /** Opens or closes the panel where it lies over the messages; a wide window always shows it. */
  show(on) {
    this.frame.toggleAttribute("data-people", on);
    this.button.setAttribute("aria-expanded", String(on));
    (on ? $("hide-people") : this.button).focus();
  }

  draw(chat, room) {
    const members = [...room.members.values()].sort((a, b) => a.user.name.localeCompare(b.user.name));
    const here = members.filter((member) => isHere(chat, member));
    const away = members.filter((member) => !isHere(chat, member));
    const all = count(members.length, "person", "people");
    if (chat.state === "online") {
      $("room-people").textContent = `${all}, ${here.length} here`;
      $("people-list").replaceChildren(...group(chat, "Here now", "here", here), ...group(chat, "Away", "away", away));
    } else { // nobody can know
      $("room-people").textContent = all;
      $("people-list").replaceChildren(...group(chat, "Members", "away", members));
    }
  }
}

const isHere = (chat, { user, online }) => online || user.id === chat.me?.id;

function group(chat, title, kind, members) {
  if (!members.length) return [];
  const list = members.map(({ user }) =>
    element("li", { class: kind }, avatar(user.id, user.name), element("span", { class: "who" }, nameOf(user), user.id === chat.me?.id ? " (you)" : "")),
  );
  return [element("h3", {}, `${title} · ${members.length}`), element("ul", {}, ...list)];
}
