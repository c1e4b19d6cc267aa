// Small helpers to build the page. Text from people becomes text nodes, never markup.

import { hue, initials } from "./format.js";

export const $ = (id) => document.getElementById(id);

/** element("p", { class: "text" }, "words", child): false and undefined attributes are left out. */
export function element(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") node.addEventListener(name, value);
    else if (value !== undefined && value !== false) node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.filter((child) => child !== undefined));
  return node;
}

export const avatar = (id, name) =>
  element("span", { class: "avatar", "data-hue": hue(id), "aria-hidden": "true" }, initials(name));

/** Names are isolated, so that their writing direction stays theirs. */
export const nameOf = (user) => element("bdi", {}, user.name);
