// One tile: a category of a model with its number, state, since when, and sparkline.
import { age } from "./numbers.js";
import { element, modelAddress, setBadge, setText, sinceText } from "./shell.js";
import { drawSpark, makeSpark } from "./spark.js";

const CATEGORIES = { performance: "Performance", operational: "Operational", data_quality: "Data quality", business: "Business" };
export const categoryName = (category) => CATEGORIES[category];

export class Tile {
  constructor(link) {
    this.root = element(link ? "a" : "div", "tile");
    const head = element("div", "tile-head");
    this.category = element("span", "tile-category");
    this.badge = element("span", "badge");
    head.append(this.category, this.badge);
    const body = element("div", "tile-body");
    const value = element("div", "tile-value");
    this.number = element("span", "tile-number");
    this.unit = element("span", "tile-unit");
    value.append(this.number, this.unit);
    this.spark = makeSpark();
    body.append(value, this.spark);
    const under = element("div", "tile-under");
    this.label = element("span", "tile-label");
    this.span = element("span", "tile-span");
    under.append(this.label, this.span);
    const notes = element("div", "tile-notes");
    this.note = element("span", "tile-note");
    this.change = element("span", "tile-change");
    notes.append(this.note, this.change);
    this.beside = element("div", "tile-beside");
    const foot = element("div", "tile-foot");
    this.since = element("span", "tile-since");
    this.age = element("span", "tile-age");
    foot.append(this.since, this.age);
    this.root.append(head, body, under, notes, this.beside, foot);
    this.link = link;
  }

  update(tile) {
    this.tile = tile;
    this.root.dataset.state = tile.state;
    this.root.dataset.category = tile.category;
    if (this.link) this.root.href = modelAddress(tile.model) + "#" + tile.category;
    setText(this.category, CATEGORIES[tile.category]);
    setBadge(this.badge, tile.state);
    setText(this.number, tile.number);
    setText(this.unit, tile.unit);
    setText(this.label, tile.label);
    this.label.title = tile.label;
    setText(this.span, tile.span_ms ? `last ${age(tile.span_ms)}` : "");
    setText(this.note, tile.note);
    this.note.title = tile.note;
    setText(this.change, tile.change);
    setText(this.beside, tile.beside);
    this.beside.title = tile.beside;
    drawSpark(this.spark, tile.spark);
    this.tick();
  }

  // Ages grow although no data comes.
  tick() {
    if (!this.tile) return;
    setText(this.since, sinceText(this.tile.since, this.tile.open_start));
    setText(this.age, this.tile.newest ? `${age(Date.now() - this.tile.newest)} old` : "");
  }
}
