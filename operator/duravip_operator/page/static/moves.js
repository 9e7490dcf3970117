// The tape of the last moves, and what one address has to say for itself.

import { chip, clock, find, make, milliseconds } from "./dom.js";

const LENGTH = 200;
let shown = [];
let isFirst = true;

const order = (a, b) => (a.time < b.time ? 1 : a.time > b.time ? -1 : a.address < b.address ? 1 : -1);

/** Take moves; `isWhole` forgets those before. */
export function takeMoves(moves, isWhole) {
  shown = [...(isWhole ? [] : shown), ...moves].sort(order).slice(0, LENGTH);
  isFirst ||= isWhole;
}

export function fillTape() {
  const tape = find("tape");
  const known = new Set([...tape.children].map((item) => item.dataset.key));
  const items = shown.map((move) => {
    const key = `${move.time} ${move.id}`;
    return moveItem(move, key, !isFirst && !known.has(key));
  });
  tape.replaceChildren(...(items.length ? items : [make("li", { class: "soft" }, "Nothing has moved.")]));
  isFirst = false;
}

function moveItem(move, key, isNew) {
  const gap = move.gap === undefined ? "" : ` · gap ${milliseconds(move.gap)}`;
  return make(
    "li",
    { "data-key": key, class: isNew ? "new" : "", title: gap ? `${move.id}; gap: how long nobody was seen to serve it` : move.id },
    make("time", { datetime: move.time }, clock(move.time)),
    make("strong", {}, move.address ?? ""),
    make("span", { class: "way" }, ...(move.from ? [chip(move.from), " → "] : []), chip(move.to ?? "?")),
    make("span", { class: "soft" }, `${move.reason ?? ""}${gap}`),
  );
}

const LISTENS = { true: "somebody listens", false: "nobody listens", null: "not known" };
const FIT = { true: "fit", false: "not fit", null: "not known" };

/** What the dialog says of one address: pairs of a term and a text, or elements. */
export function describe(row) {
  const lastMove = shown.find((move) => move.id === row.id);
  return [
    ["Address", row.address ?? "none"],
    ["State", `${row.state ?? "not decided"}${row.flags ? ` (${row.flags})` : ""}`],
    ["Owner", row.owner ? chip(row.owner) : "nobody"],
    ["Interface", row.interface],
    ["Since", row.since && clock(row.since)],
    ["Why", row.message || row.reason],
    ["Prefers", row.preference && chip(row.preference)],
    ["Follows", row.follow],
    ["Nodes that may have it", row.participants && String(row.participants)],
    ...(row.listens ?? []).map(([name, port, is]) => [`${name} (${port})`, `${LISTENS[is]} at its owner`]),
    ...(row.ready ?? []).map(([kind, name, is]) => [`${row.prefers ? "Prefers" : "Requires"} ${kind} ${name}`, `its owner is ${FIT[is]}`]),
    ...(row.advice ?? []).map(([kind, reason, message]) => [kind, message || reason]),
    ["Last move", lastMove && moveItem(lastMove, "", false)],
  ].filter(([, value]) => value);
}

export function fillDetails(row) {
  find("details-title").textContent = row.id;
  find("details-list").replaceChildren(
    ...describe(row).flatMap(([term, value]) => {
      const content = value.localName === "li" ? make("div", { class: "move" }, ...value.childNodes) : value;
      return [make("dt", {}, term), make("dd", {}, content)];
    }),
  );
}
