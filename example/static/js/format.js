// Words for times, names and lists of people.

const time = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en", { weekday: "long", day: "numeric", month: "long" });
const dayWithYear = new Intl.DateTimeFormat("en", { day: "numeric", month: "long", year: "numeric" });
const shortDay = new Intl.DateTimeFormat("en", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "short" });
const people = new Intl.ListFormat("en", { type: "conjunction" });

const DAY = 86_400_000;
const midnight = (date) => new Date(date.getFullYear(), date.getMonth(), date.getDate());
const daysAgo = (date) => Math.round((midnight(new Date()) - midnight(date)) / DAY);

export const clock = (date) => time.format(date);
export const fullDate = (date) => full.format(date);

export function dayName(date) {
  const ago = daysAgo(date);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  return (ago > 300 ? dayWithYear : day).format(date);
}

/** The time of today, the day of anything before. */
export const shortTime = (date) => (daysAgo(date) === 0 ? time : shortDay).format(date);

export function initials(name) {
  const words = name.trim().split(/[\s._-]+/u).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : ""].map((word) => [...(word ?? "")][0] ?? "");
  return letters.join("").toUpperCase() || "?";
}

/** The same one of eight colours for the same id, everywhere. */
export function hue(id) {
  let hash = 2166136261; // FNV-1a
  for (const char of id) hash = Math.imul(hash ^ char.codePointAt(0), 16777619);
  return ((hash ^ (hash >>> 15)) >>> 0) % 8;
}

export function typingLine(names) {
  if (names.length > 3) return "Several people are typing";
  return `${people.format(names)} ${names.length === 1 ? "is" : "are"} typing`;
}

export const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
