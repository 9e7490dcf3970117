// The addresses: as many rows in the document as fit on the screen, however many there are.

import { addressKey, chip, count, find, make, paint, setText } from "./dom.js";
import { cardOf } from "./nodes.js";

const SPARE = 6;
const LANE = 132;
const FIXED = 580;
const WELL = new Set(["Owned", "Unmanaged"]);

const grid = find("grid");
const canvas = find("canvas");
const rows = new Map();
let filtered = [];
let nodes = [];
let lanes = false;
let active = -1;
let owner = "";
let isSorted = false;
const pool = [];

/** Everything is forgotten. */
export function clearRows() {
  rows.clear();
  isSorted = false;
}

/** Take rows that are new or differ. */
export function takeRows(changed) {
  for (const row of changed) {
    const before = rows.get(row.id);
    if (before?.address !== row.address) isSorted = false;
    row.key = before?.address === row.address ? before.key : addressKey(row.address);
    row.text = [row.address, row.id, row.owner, row.state, row.flags, row.follow, row.reason].join(" ").toLowerCase();
    rows.set(row.id, row);
  }
}

export function loseRows(ids) {
  for (const id of ids) rows.delete(id);
  isSorted = false;
}

export const rowOf = (id) => rows.get(id);
export const isUnwell = (row) => !WELL.has(row.state ?? "");

/** `[served, managed, flagged]`: how many there are. */
export function tally() {
  let served = 0;
  let managed = 0;
  let flagged = 0;
  for (const row of rows.values()) {
    if (row.state === "Unmanaged") continue;
    managed += 1;
    served += row.state === "Owned";
    flagged += Boolean(row.flags);
  }
  return [served, managed, flagged];
}

const FILTERS = {
  all: () => true,
  unwell: isUnwell,
  flagged: (row) => row.flags || row.advice,
  displaced: (row) => row.preference && row.owner !== row.preference,
};

export function chooseOwner(name) {
  owner = owner === name ? "" : name;
  return owner;
}

export const chosenOwner = () => owner;

/** Bring the grid up to date: `names` are the nodes, `urgent` the same, the worst first. */
export function fillGrid(names, urgent) {
  layOut(names);
  if (!lanes) orderCards(urgent);
  if (!isSorted) {
    const sorted = [...rows.values()].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : a.id < b.id ? -1 : 1));
    rows.clear();
    for (const row of sorted) rows.set(row.id, row);
    isSorted = true;
  }
  const words = find("search").value.toLowerCase().split(/\s+/).filter(Boolean);
  const isWanted = FILTERS[find("filter").value];
  const activeId = filtered[active]?.id;
  filtered = [...rows.values()].filter(
    (row) => isWanted(row) && (!owner || row.owner === owner) && words.every((word) => row.text.includes(word)),
  );
  if (filtered[active]?.id !== activeId) active = filtered.findIndex((row) => row.id === activeId);
  canvas.style.setProperty("--rows", filtered.length);
  grid.setAttribute("aria-rowcount", filtered.length + 1);
  setText(find("shown"), filtered.length === rows.size ? count(rows.size) : `${count(filtered.length)} of ${count(rows.size)}`);
  const empty = find("empty");
  empty.hidden = filtered.length > 0;
  setText(empty, rows.size ? "No address is like that." : "There are no addresses yet.");
  drawRows();
}

/** A column for each node where they fit, else one that names the owner. */
function layOut(names) {
  const width = grid.clientWidth;
  const wantsLanes = names.length > 0 && width >= FIXED + names.length * LANE;
  if (wantsLanes === lanes && names.join("\n") === nodes.join("\n") && find("head").firstChild) return;
  nodes = [...names];
  lanes = wantsLanes;
  document.body.classList.toggle("lanes", lanes);
  grid.style.setProperty("--nodes", nodes.length);
  const head = (text) => make("div", { role: "columnheader" }, text);
  const owners = lanes
    ? nodes.map((name) => make("div", { role: "columnheader" }, cardOf(name)))
    : [head("Owner")];
  find("head").replaceChildren(
    make("div", { role: "row", class: "row", "aria-rowindex": 1 }, head("Address"), head("Name"), head("State"), ...owners, head("Notes")),
  );
  pool.splice(0).forEach((element) => element.remove());
}

/** Put the cards in order; a card that moves would lose the focus, so none moves in vain. */
function orderCards(names) {
  const wanted = names.map(cardOf);
  const there = find("cards").children;
  if (wanted.length !== there.length || wanted.some((card, place) => card !== there[place])) {
    find("cards").replaceChildren(...wanted);
  }
}

const rowHeight = () => Number.parseFloat(getComputedStyle(grid).getPropertyValue("--row"));

/** Draw those that are in sight. */
export function drawRows() {
  const height = rowHeight();
  const first = Math.max(0, Math.floor(grid.scrollTop / height) - SPARE);
  const last = Math.min(filtered.length, Math.ceil((grid.scrollTop + grid.clientHeight) / height) + SPARE);
  const wanted = Math.max(0, last - first);
  while (pool.length > wanted) pool.pop().remove();
  while (pool.length < wanted) pool.push(canvas.appendChild(emptyRow()));
  for (let place = 0; place < wanted; place += 1) {
    fillRow(pool[(first + place) % wanted], first + place, height);
  }
  const shown = active >= first && active < last ? `row-${active}` : "";
  if (shown) grid.setAttribute("aria-activedescendant", shown);
  else grid.removeAttribute("aria-activedescendant");
}

function emptyRow() {
  const cell = (name) => make("div", { role: "gridcell", class: name });
  const owners = lanes ? nodes.map(() => cell("lane")) : [cell("owner")];
  return make("div", { role: "row", class: "row" }, cell("address"), cell("name"), cell("state"), ...owners, cell("notes"));
}

function fillRow(element, index, height) {
  const row = filtered[index];
  element.style.transform = `translateY(${index * height}px)`;
  element.classList.toggle("active", index === active);
  if (element.row === row && element.index === index) return;
  element.row = row;
  element.index = index;
  element.id = `row-${index}`;
  element.dataset.state = row.state ?? "";
  element.dataset.owner = row.owner ?? "";
  element.setAttribute("aria-rowindex", index + 2);
  element.setAttribute("aria-selected", String(index === active));
  const cells = [...element.children];
  setText(cells[0], row.address ?? "–");
  setText(cells[1], row.id.slice(row.id.indexOf(" ") + 1));
  cells[1].title = row.id;
  setText(cells[2], row.state ?? "not decided");
  if (lanes) nodes.forEach((name, place) => fillLane(cells[3 + place], row, name));
  else cells[3].replaceChildren(...(row.owner ? [chip(row.owner)] : []));
  cells.at(-1).replaceChildren(...notes(row));
}

function fillLane(cell, row, name) {
  const isOwner = row.owner === name;
  const isPreferred = row.preference === name;
  cell.className = isOwner ? "lane owns" : isPreferred ? "lane preferred" : "lane";
  paint(cell, name);
  setText(cell, isOwner ? `${isPreferred ? "★ " : ""}${row.interface ?? "owner"}` : isPreferred ? "☆ preferred" : "");
}

const FIT = { endpointsOf: "ready by", listening: "needs a listener on", check: "checked by" };
const UNFIT = { endpointsOf: "no ready endpoint of", listening: "nobody listens on", check: "fails" };

function notes(row) {
  const found = [];
  const add = (text, kind = "") => found.push(make("span", { class: `note ${kind}` }, text));
  if (row.flags) add(row.flags, "bad");
  if (isUnwell(row) && row.message) add(row.message, "bad");
  for (const [kind] of row.advice ?? []) if (!row.flags?.includes(kind)) add(kind, "warn");
  for (const [kind, name, is] of row.ready ?? []) {
    if (is === false) add(`${UNFIT[kind] ?? kind} ${name}`, "warn");
    else add(`${FIT[kind] ?? kind} ${name}`);
  }
  for (const [name, , is] of row.listens ?? []) add(is === false ? `${name}: nobody listens` : name, is === false ? "warn" : "");
  if (row.follow) add(`follows ${row.follow}`);
  if (!lanes && row.preference) add(`prefers ${row.preference}`);
  return found;
}

/** Keys and clicks; `open` shows one row. */
export function listen(open, refill) {
  grid.addEventListener("scroll", drawRows, { passive: true });
  canvas.addEventListener("click", (event) => {
    const index = event.target.closest(".row")?.index;
    if (index === undefined) return;
    activate(index);
    open(filtered[index].id);
  });
  grid.addEventListener("keydown", (event) => {
    if (event.target !== grid) return;
    const page = Math.max(1, Math.floor(grid.clientHeight / rowHeight()) - 2);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key in steps) {
      activate(Math.min(filtered.length - 1, Math.max(0, active + steps[event.key])));
    } else if ((event.key === "Enter" || event.key === " ") && filtered[active]) {
      open(filtered[active].id);
    } else {
      return;
    }
    event.preventDefault();
  });
  for (const id of ["search", "filter"]) {
    find(id).addEventListener("input", () => {
      grid.scrollTop = 0;
      refill();
    });
  }
  new ResizeObserver(refill).observe(grid);
}

function activate(index) {
  const before = pool.find((element) => element.index === active);
  before?.setAttribute("aria-selected", "false");
  active = index;
  const height = rowHeight();
  const head = find("head").offsetHeight;
  const top = index * height;
  if (top < grid.scrollTop) grid.scrollTop = top;
  const room = grid.clientHeight - head - height;
  if (top > grid.scrollTop + room) grid.scrollTop = top - room;
  drawRows();
  pool.find((element) => element.index === active)?.setAttribute("aria-selected", "true");
}
