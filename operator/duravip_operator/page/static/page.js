// Takes what the operator tells, and has each part of the page shown.

import { byName, chip, clock, count, find, make, milliseconds, plural, seconds, setNodeOrder, setText } from "./dom.js";
import { chooseOwner, chosenOwner, clearRows, fillGrid, listen, loseRows, rowOf, takeRows, tally } from "./grid.js";
import { fillDetails, fillTape, takeMoves } from "./moves.js";
import { cardOf, fillAge, fillCard, fillSegments, forgetCards, levelOf, stateOf } from "./nodes.js";

const SILENT_AFTER_MS = 3000;
const AGAIN_AFTER_MS = 2000;
const AGES_EVERY_MS = 250;

const nodes = new Map();
const segments = new Map();
let operator = {};
let apiMs;
let heard = { at: 0, ages: {} };
let lastTold = 0;
let goneSince = 0;
let crowd = 0;
let isKnown = false;
let opened = "";
let source;
const stale = new Set();

// --- what is told

function take(message) {
  if (message.full) {
    crowd = message.full;
    return;
  }
  lastTold = performance.now();
  crowd = 0;
  goneSince = 0;
  if (message.begin) {
    nodes.clear();
    segments.clear();
    clearRows();
    takeMoves([], true);
    isKnown = false;
  }
  if (message.operator) operator = message.operator;
  for (const node of message.nodes ?? []) nodes.set(node.name, node);
  for (const name of message.lostNodes ?? []) nodes.delete(name);
  for (const segment of message.segments ?? []) segments.set(segment.name, segment);
  for (const name of message.lostSegments ?? []) segments.delete(name);
  if (message.rows) takeRows(message.rows);
  if (message.lostRows) loseRows(message.lostRows);
  if (message.moves) takeMoves(message.moves, false);
  if (message.heard) {
    heard = { at: lastTold, ages: message.heard };
    apiMs = message.apiMs;
  }
  if (message.end) isKnown = true;
  const isAny = (...names) => names.some((name) => message[name]);
  if (isAny("begin", "nodes", "lostNodes")) redraw("nodes", "grid", "tape");
  if (isAny("begin", "segments", "lostSegments")) redraw("segments");
  if (isAny("rows", "lostRows", "end")) redraw("grid", "details");
  if (isAny("begin", "moves")) redraw("tape", "details");
  redraw("summary");
}

function connect() {
  source = new EventSource("events");
  source.onmessage = (event) => take(JSON.parse(event.data));
  source.onerror = () => {
    source.close();
    lose();
    setTimeout(connect, AGAIN_AFTER_MS);
  };
}

function lose() {
  goneSince ||= Date.now();
  redraw("summary");
}

/** An operator whose machine has died closes nothing: it is gone when it has not told anything. */
function watch() {
  if (lastTold && !goneSince && performance.now() - lastTold > SILENT_AFTER_MS) {
    source.close();
    lose();
    setTimeout(connect, AGAIN_AFTER_MS);
  }
  for (const node of nodes.values()) fillAge(node, heard);
}

// --- what is shown

const parts = { nodes: drawNodes, segments: () => fillSegments(segments), grid: drawGrid, tape: fillTape, details: drawDetails, summary: drawSummary };

/** Have these parts drawn in the next frame, each once. */
function redraw(...names) {
  if (!stale.size) requestAnimationFrame(drawStale);
  names.forEach((name) => stale.add(name));
}

function drawStale() {
  const wanted = Object.keys(parts).filter((name) => stale.has(name));
  stale.clear();
  for (const name of wanted) parts[name]();
}

const names = () => [...nodes.keys()].sort(byName);

/** Those first that need somebody's attention. */
const urgency = { bad: 0, warn: 1, none: 2, ok: 3 };
const byUrgency = (a, b) => urgency[levelOf(nodes.get(a))] - urgency[levelOf(nodes.get(b))];

function drawNodes() {
  setNodeOrder(nodes.keys());
  forgetCards(nodes);
  for (const node of nodes.values()) {
    fillCard(node, chosenOwner() === node.name);
    fillAge(node, heard);
  }
}

function drawGrid() {
  if (chosenOwner() && !nodes.has(chosenOwner())) choose(chosenOwner());
  fillGrid(names(), names().sort(byUrgency));
}

function drawDetails() {
  const row = rowOf(opened);
  if (row && find("details").open) fillDetails(row);
}

function drawSummary() {
  const [level, text] = verdict();
  find("verdict").dataset.level = level;
  setText(find("verdict"), text);
  document.title = level === "ok" || level === "none" ? "DuraVIP" : `(!) ${text} – DuraVIP`;
  const gone = find("gone");
  gone.hidden = !goneSince;
  document.body.classList.toggle("gone", Boolean(goneSince));
  if (crowd) {
    setText(gone, `${crowd} are looking already, and the page lets no more in. Trying again …`);
  } else if (goneSince) {
    setText(gone, `No operator answers since ${clock(goneSince)}. ${lastTold ? "What you see is how things were then; addresses stay where they are." : ""} Trying again …`);
  }
  drawFacts();
}

function drawFacts() {
  const leader = operator.leader ? `${operator.leader}${operator.leads ? " (this replica)" : ""}` : "nobody";
  const facts = [
    ["Leader", leader],
    ["Epoch", operator.epoch],
    ["Replicas", operator.replicas],
    ["API", apiMs === undefined ? undefined : milliseconds(apiMs)],
    ["Shown by", operator.leads ? undefined : operator.replica],
    ["Version", operator.version],
  ].filter(([, value]) => value !== undefined);
  const list = find("facts");
  const text = JSON.stringify(facts);
  if (list.dataset.text === text) return;
  list.dataset.text = text;
  list.replaceChildren(...facts.map(([term, value]) => make("div", {}, make("dt", {}, term), make("dd", {}, String(value)))));
}

/** How things are, in one sentence, and how bad that is. */
function verdict() {
  if (crowd) return ["none", "Not shown"];
  if (goneSince) return ["bad", "No operator answers"];
  if (!isKnown) return ["none", "Reading …"];
  const [served, managed, flagged] = tally();
  const lost = [...nodes.values()].filter((node) => levelOf(node) === "bad").sort((a, b) => byName(a.name, b.name));
  const problems = [];
  if (!operator.leader) problems.push("Nobody leads: no address can move");
  if (lost.length > 2) problems.push(`${count(lost.length)} nodes are silent or not ready`);
  else problems.push(...lost.map((node) => `${node.name} is ${stateOf(node)}`));
  if (served < managed) problems.push(`${count(managed - served)} of ${plural(managed, "address", "addresses")} not served`);
  if (problems.length) return ["bad", problems.join(", ")];
  if (flagged) return ["warn", `All ${plural(managed, "address", "addresses")} served, ${count(flagged)} flagged`];
  if (!managed) return ["ok", "No address to serve"];
  return ["ok", managed === 1 ? "The one address is served" : `All ${count(managed)} addresses served`];
}

// --- what people do

function choose(name) {
  const owner = chooseOwner(name);
  const button = find("owner");
  button.hidden = !owner;
  button.replaceChildren("of ", chip(owner), " ✕");
  button.setAttribute("aria-label", `Show the addresses of all nodes, not of ${owner} alone`);
  redraw("nodes", "grid");
}

function open(id) {
  const row = rowOf(id);
  if (!row) return;
  opened = id;
  fillDetails(row);
  find("details").showModal();
}

function showPart(name) {
  document.body.dataset.part = name;
  for (const button of document.querySelectorAll("nav button")) {
    button.setAttribute("aria-pressed", String(button.dataset.part === name));
  }
  redraw("grid");
}

document.addEventListener("click", (event) => {
  const card = event.target.closest(".card");
  if (card) {
    choose(card.dataset.node);
    showPart("addresses");
  }
  const part = event.target.closest("nav button")?.dataset.part;
  if (part) showPart(part);
  if (event.target === find("details")) find("details").close();
});
find("owner").addEventListener("click", () => choose(chosenOwner()));
document.addEventListener("keydown", (event) => {
  const search = find("search");
  if (event.key === "/" && document.activeElement !== search && !find("details").open) {
    event.preventDefault();
    showPart("addresses");
    search.focus();
  } else if (event.key === "Enter" && document.activeElement === search) {
    find("grid").focus();
  }
});
listen(open, () => redraw("grid"));
setInterval(watch, AGES_EVERY_MS);
connect();
