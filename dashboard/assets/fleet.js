// The fleet page: a row a model, a tile a category, and above them what needs attention.
import { element, find, modelAddress, setBadge, setFreshness, setText, sinceText, start, STATE_TEXT } from "./shell.js";
import { onKey } from "./keys.js";
import { replaceAddress } from "./kiosk.js";
import { onZone } from "./time.js";
import { categoryName, Tile } from "./tile.js";

const GRADE = { critical: 0, warning: 1, stale: 2 };
const rows = new Map();
const byName = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const tiles = [], texts = [];
let arranged = "", pointed = false;

function rowOf(model) {
  let row = rows.get(model);
  if (row) return row;
  const root = element("section", "model-row");
  const name = element("h2", "model-name");
  const link = element("a", "", model);
  link.href = modelAddress(model);
  name.append(link);
  const grid = element("div", "tiles");
  root.append(name, grid);
  row = { root, grid, tiles: new Map() };
  rows.set(model, row);
  return row;
}

// Puts the rows in their order: those with the worst state first, the newest of these, or all by name. Nothing moves under the pointer.
function arrange() {
  const worst = new Map();
  for (const { model, state, since } of tiles) {
    const [grade, start] = worst.get(model) ?? [9, 0], own = GRADE[state] ?? 8;
    if (own < grade || (own === grade && since > start)) worst.set(model, [own, own < 8 ? since : 0]);
  }
  const attention = (a, b) => worst.get(a)[0] - worst.get(b)[0] || worst.get(b)[1] - worst.get(a)[1] || byName(a, b);
  const order = [...rows.keys()].sort(find("sort").value === "name" ? byName : attention), key = order.join("\n");
  if (key === arranged || (pointed && arranged.split("\n").length === order.length)) return;
  arranged = key;
  find("models").append(...order.map((model) => rows.get(model).root));
}

function search() {
  const text = find("search").value.trim().toLowerCase();
  let shown = 0;
  rows.forEach(({ root }, model) => (root.hidden = !model.toLowerCase().includes(text)) || shown++);
  setText(find("found"), text ? `${shown} of ${rows.size} models` : `${rows.size} model${rows.size === 1 ? "" : "s"}`);
  find("fleet-bar").hidden = !rows.size;
}

// The address holds what was searched and how it is sorted.
function address() {
  const wanted = new URLSearchParams();
  if (find("search").value) wanted.set("q", find("search").value);
  if (find("sort").value !== "attention") wanted.set("sort", find("sort").value);
  replaceAddress(Object.fromEntries(wanted));
}

function draw(source) {
  const data = source.data;
  (data instanceof Map ? data.get("tile") : data.tile).forEach((text, index) => {
    if (texts[index] === text) return;
    texts[index] = text;
    const tile = (tiles[index] = JSON.parse(text)), row = rowOf(tile.model);
    let view = row.tiles.get(tile.category);
    if (!view) {
      view = new Tile(true);
      row.tiles.set(tile.category, view);
      row.grid.append(view.root);
    }
    view.update(tile);
  });
  arrange();
  search();
  drawAttention();
}

function drawAttention() {
  const wanted = tiles
    .filter((tile) => tile.state in GRADE)
    .sort((a, b) => GRADE[a.state] - GRADE[b.state] || b.since - a.since || (a.model < b.model ? -1 : 1));
  const list = find("attention");
  while (list.children.length > wanted.length) list.lastChild.remove();
  while (list.children.length < wanted.length) {
    const item = element("li");
    const link = element("a", "attention-item");
    link.append(element("span", "badge"), element("span", "attention-where"), element("span", "attention-what"), element("span", "attention-why"), element("span", "attention-since"));
    item.append(link);
    list.append(item);
  }
  wanted.forEach((tile, index) => {
    const link = list.children[index].firstChild;
    const [badge, where, what, why, since] = link.children;
    link.href = modelAddress(tile.model) + "#" + tile.category;
    setBadge(badge, tile.state);
    setText(where, `${tile.model} \u00b7 ${categoryName(tile.category)}`);
    setText(what, `${tile.number}${tile.unit ? "\u202f" + tile.unit : ""} \u00b7 ${tile.label}`);  // a long name may be cut, the number may not
    setText(why, tile.note);
    setText(since, sinceText(tile.since, tile.open_start));
  });
  const count = (state) => tiles.filter((tile) => tile.state === state).length;
  for (const cell of find("summary").children) {
    const many = count(cell.dataset.state);
    cell.dataset.any = many > 0;
    setText(cell.firstElementChild, tiles.length ? many.toLocaleString("en") : "\u2013");
  }
  find("all-well").hidden = !tiles.length || wanted.length > 0;
  document.title = (count("critical") ? `(${count("critical")}) ` : "") + document.documentElement.dataset.title;
}

start((doc) => {
  const state = doc.get_model_by_name("state"), source = doc.get_model_by_name("tiles");
  const facts = () => {
    const now = JSON.parse(state.facts);
    find("loading").hidden = !now.loading;
    find("empty").hidden = now.loading || now.models > 0;
    setFreshness(now.newest, now.feed);
  };
  const redraw = () => draw(source);
  state.connect(state.properties.facts.change, facts);
  for (const signal of [source.properties.data.change, source.patching, source.streaming]) source.connect(signal, redraw);
  const asked = new URLSearchParams(location.search);
  find("search").value = asked.get("q") ?? "";
  find("sort").value = asked.get("sort") === "name" ? "name" : "attention";
  find("search").addEventListener("input", () => (search(), address()));
  find("sort").addEventListener("change", () => ((pointed = false), arrange(), address()));
  find("models").addEventListener("pointerenter", () => (pointed = true));
  find("models").addEventListener("pointerleave", () => ((pointed = false), arrange()));
  onKey("/", "Search", () => find("search").focus());
  for (const cell of find("summary").children) setBadge(cell.lastElementChild, cell.dataset.state);
  redraw();
  facts();
  onZone(() => (rows.forEach((row) => row.tiles.forEach((tile) => tile.tick())), drawAttention()));
  setInterval(() => rows.forEach((row) => row.tiles.forEach((tile) => tile.tick())), 1_000);
  setInterval(drawAttention, 5_000);
});
