// The nodes: a card each, which heads the node's column where there is room for columns.

import { byName, count, find, make, paint, plural, seconds, setText } from "./dom.js";

const STATES = {
  alive: ["ok", "alive"],
  young: ["warn", "warming up"],
  silent: ["bad", "silent"],
  unheard: ["none", "not heard"],
  unready: ["bad", "not ready"],
  leaving: ["warn", "leaving"],
  stopped: ["none", "stopped"],
};

export const levelOf = (node) => (STATES[node.state] ?? ["none"])[0];
export const stateOf = (node) => (STATES[node.state] ?? ["none", node.state])[1];

const cards = new Map();

/** The card of a node, made once and kept: it moves between the list and the head of its column. */
export function cardOf(name) {
  let card = cards.get(name);
  if (!card) {
    card = make("button", { type: "button", class: "card", "aria-pressed": "false", "data-node": name });
    cards.set(name, card);
  }
  return card;
}

export function forgetCards(names) {
  for (const [name, card] of cards) {
    if (!names.has(name)) {
      card.remove();
      cards.delete(name);
    }
  }
}

/** Fill the card; `age` is in seconds, undefined if the node was never heard. */
export function fillCard(node, isChosen) {
  const card = paint(cardOf(node.name), node.name);
  card.dataset.state = node.state;
  card.dataset.level = levelOf(node);
  card.setAttribute("aria-pressed", String(isChosen));
  const granted = node.granted ?? 0;
  const served = node.served ?? 0;
  const lags = (node.generation ?? 0) !== (node.acted ?? 0);
  const lines = [
    make("span", { class: "name" }, node.name),
    make("span", { class: "state" }, make("span", {}, stateOf(node)), " ", make("span", { class: "age", title: "since its last heartbeat" })),
    make("span", { class: served === granted ? "" : "warn" }, `serves ${count(served)} of ${count(granted)}`),
    make(
      "span",
      { class: lags ? "warn" : "soft", title: "the generation of its spec, and the one that its agent has acted on" },
      lags ? `gen ${node.generation ?? 0}, acted on ${node.acted ?? 0}` : `gen ${node.generation ?? 0}, acted on`,
    ),
    make("span", { class: "nics" }, ...(node.nics ?? []).slice(0, 6).map(nicMark)),
  ];
  const notes = notesOf(node);
  if (notes) lines.push(make("span", { class: "why" }, notes));
  card.replaceChildren(...lines);
}

function nicMark(nic) {
  const isWell = nic.up && !nic.fault;
  const state = nic.fault || (nic.up ? "up" : "down");
  const speed = nic.speed ? ` ${nic.speed >= 1000 ? `${nic.speed / 1000}G` : `${nic.speed}M`}` : "";
  return make(
    "span",
    { class: `nic ${isWell ? "" : "bad"}`, title: `${nic.name}: ${state}${speed}` },
    `${nic.name}${isWell ? speed : nic.up ? " unusable" : " down"}`,
  );
}

function notesOf(node) {
  const notes = [];
  if (node.gone?.length) notes.push(`nothing answers on ${node.gone.join(", ")}`);
  if (node.answers?.length) notes.push(`still answers on ${node.answers.join(", ")}`);
  if (node.why) notes.push(node.why);
  if (node.excluded) notes.push("excluded by its label");
  if (node.failures) notes.push(plural(node.failures, "address fails", "addresses fail"));
  if (node.contested) notes.push(`another host claims ${count(node.contested)}`);
  return notes.join("; ");
}

/** How long ago a node was heard; counted on between two answers where it is silent. */
export function fillAge(node, heard) {
  const age = cards.get(node.name)?.querySelector(".age");
  if (!age) return;
  const told = heard.ages[node.name];
  if (told === undefined) return setText(age, "");
  const since = node.state === "silent" ? (performance.now() - heard.at) / 1000 : 0;
  return setText(age, seconds(told + since));
}

export function fillSegments(segments) {
  find("blocks").replaceChildren(
    ...[...segments.values()].sort((a, b) => byName(a.name, b.name)).map(segmentItem),
  );
}

function segmentItem(segment) {
  const nodes = segment.nodes ?? 0;
  const missing = segment.unwitnessed ?? [];
  const isAlone = nodes > 1 && missing.length > 0;
  const witnesses = nodes < 2
    ? "no second node to be a witness"
    : isAlone
      ? `nobody else hears ${missing.join(", ")}`
      : "every node has a witness";
  return make(
    "li",
    { "data-level": segment.message ? "bad" : isAlone ? "warn" : "ok" },
    make("strong", {}, segment.name),
    make("span", {}, `${segment.cidr ?? "?"} on ${segment.interface ?? "?"}`),
    make("span", { class: "soft" }, `${plural(nodes, "node")}, ${plural(segment.addresses ?? 0, "address", "addresses")}${segment.fencing ? `, ${segment.fencing}` : ""}`),
    make("span", { class: isAlone ? "warn" : "soft" }, witnesses),
    segment.message ? make("span", { class: "bad" }, segment.message) : "",
  );
}
