// Small helpers. Everything that comes from the cluster becomes text, never markup.

/** An element with attributes and children; strings among the children become text. */
export function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== undefined && child !== ""));
  return element;
}

export const find = (id) => document.getElementById(id);

/** Sets the text of an element, if it is another one. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const names = new Intl.Collator("en", { numeric: true });
/** The order of names, in which n2 comes before n10. */
export const byName = (one, other) => names.compare(one, other);

const hues = new Map();

/** Each node has a colour by its place in the order of names, so all replicas show the same. */
export function setNodeOrder(names) {
  hues.clear();
  [...names].sort(byName).forEach((name, place) => hues.set(name, Math.round((210 + place * 137.508) % 360)));
}

/** Gives an element the colour of a node; a node that is gone is grey. */
export function paint(element, node) {
  const hue = hues.get(node);
  element.classList.toggle("grey", hue === undefined);
  element.style.setProperty("--hue", hue ?? 0);
  return element;
}

export const chip = (node) => paint(make("span", { class: "chip node" }, node), node);

const whole = new Intl.NumberFormat("en", { useGrouping: true });
export const count = (number) => whole.format(number).replaceAll(",", "\u202f");
export const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

export function seconds(value) {
  if (value < 10) return `${value.toFixed(value < 1 ? 2 : 1)} s`;
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`;
}

export const milliseconds = (value) => (value < 1000 ? `${value} ms` : seconds(value / 1000));

/** The local time of day; with the date if that is another one. */
export function clock(time) {
  const when = new Date(time);
  if (Number.isNaN(when.getTime())) return time;
  const two = (number) => String(number).padStart(2, "0");
  const day = `${when.getFullYear()}-${two(when.getMonth() + 1)}-${two(when.getDate())} `;
  const isToday = when.toDateString() === new Date().toDateString();
  return `${isToday ? "" : day}${two(when.getHours())}:${two(when.getMinutes())}:${two(when.getSeconds())}`;
}

/** A text by which addresses sort as numbers, IPv4 first. */
export function addressKey(address) {
  if (!address) return "9";
  if (!address.includes(":")) return `4${address.split(".").map((part) => part.padStart(3, "0")).join("")}`;
  const [left, right] = address.split("::").map((half) => (half ? half.split(":") : []));
  const zeros = right === undefined ? [] : Array(Math.max(0, 8 - left.length - right.length)).fill("0");
  return `6${[...left, ...zeros, ...(right ?? [])].map((part) => part.padStart(4, "0")).join("")}`;
}
