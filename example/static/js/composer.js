// The field to write in. Enter sends, Shift+Enter breaks the line; what was begun in a room is kept while looking at another.

import { $ } from "./dom.js";

const TYPING_AGAIN = 3_000; // how often "is typing" is repeated
const TYPING_ENDS = 4_000; // after the last key

export class Composer {
  #drafts = new WeakMap();
  #chat;
  #room;
  #sentTyping = 0;
  #idle;

  /** sent is called after each message. */
  constructor(sent) {
    this.sent = sent;
    this.text = $("text");
    this.button = $("composer").querySelector("button");
    $("composer").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.text.addEventListener("keydown", (event) => {
      // While an input method composes a syllable, Enter belongs to it.
      if (event.key !== "Enter" || event.shiftKey || event.isComposing || event.keyCode === 229) return;
      event.preventDefault();
      this.#send();
    });
    this.text.addEventListener("input", () => this.#changed());
    this.text.addEventListener("blur", () => this.#typing(false));
  }

  open(chat, room) {
    if (this.#room) {
      this.#typing(false);
      this.#drafts.set(this.#room, this.text.value);
    }
    this.#chat = chat;
    this.#room = room;
    this.text.value = this.#drafts.get(room) ?? "";
    this.text.placeholder = `Write to ${room.name}`;
    this.#fit();
    const touch = matchMedia("(pointer: coarse)").matches; // there a keyboard would jump up
    (touch ? $("log") : this.text).focus({ preventScroll: true });
  }

  #send() {
    const text = this.text.value.trim();
    if (!text || !this.#room) return;
    this.text.value = "";
    this.#fit();
    this.#typing(false);
    this.#chat.send(this.#room, text);
    this.sent();
    this.text.focus({ preventScroll: true });
  }

  #changed() {
    this.#fit();
    this.#typing(this.text.value.trim() !== "");
  }

  #fit() {
    this.text.style.height = "auto";
    this.text.style.height = `${this.text.scrollHeight}px`;
    this.button.setAttribute("aria-disabled", String(!this.text.value.trim()));
  }

  #typing(on) {
    clearTimeout(this.#idle);
    if (on) {
      this.#idle = setTimeout(() => this.#typing(false), TYPING_ENDS);
      if (Date.now() - this.#sentTyping < TYPING_AGAIN) return;
      this.#sentTyping = Date.now();
    } else if (!this.#sentTyping) {
      return;
    } else {
      this.#sentTyping = 0;
    }
    this.#chat.typing(this.#room, on);
  }
}
