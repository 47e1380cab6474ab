// A list of names with a number, its interval as a bar or against zero. Names are data: they are only ever set as text.
import { text } from "./numbers.js";
import { element, setText } from "./shell.js";

export class Breakdown {
  constructor(root, name) {
    this.root = root;
    this.name = name;
    this.list = root.querySelector("ul");
    this.empty = root.querySelector(".breakdown-empty");
    this.style = root.dataset.style;
    this.aroundZero = root.dataset.zero === "yes";
  }

  show(rows, loading) {
    this.root.hidden = rows === null;
    if (rows === null) return;
    // Keeps its room while the rows of another choice are on their way.
    this.root.style.minHeight = loading ? `${this.root.offsetHeight}px` : "";
    this.empty.hidden = rows.length > 0;
    setText(this.empty, loading ? "Loading\u2026" : this.root.dataset.empty);
    while (this.list.children.length > rows.length) this.list.lastChild.remove();
    while (this.list.children.length < rows.length) this.list.append(this.make());
    const ends = rows.flatMap((row) => [row.value, row.low ?? row.value, row.high ?? row.value]);
    const low = Math.min(0, ...ends), high = Math.max(this.aroundZero ? 0 : 1e-9, ...ends);
    const pad = this.aroundZero ? (high - low || 1) * 0.08 : 0;
    const place = (value) => `${(100 * (value - low + pad)) / (high - low + 2 * pad || 1)}%`;
    rows.forEach((row, index) => this.fill(this.list.children[index], row, place));
  }

  make() {
    const item = element("li", "breakdown-row");
    const track = element("span", "track");
    track.append(element("span", "zero"), element("span", "bar"), element("span", "whisker"), element("span", "point"));
    item.append(element("span", "breakdown-name"), track, element("span", "breakdown-value"), element("span", "breakdown-band"));
    return item;
  }

  fill(item, row, place) {
    const [name, track, value, band] = item.children;
    const [zero, bar, whisker, point] = track.children;
    setText(name, row.name);
    name.title = row.name;
    setText(value, text(row.value, this.style));
    const interval = row.low !== null && row.high !== null;
    setText(band, interval ? `${text(row.low, this.style)} to ${text(row.high, this.style)}` : "");
    zero.hidden = !this.aroundZero;
    zero.style.left = place(0);
    bar.hidden = this.aroundZero;
    bar.style.width = place(row.value);
    whisker.hidden = !interval;
    if (interval) {
      whisker.style.left = place(row.low);
      whisker.style.right = `calc(100% - ${place(row.high)})`;
    }
    point.hidden = !this.aroundZero;
    point.style.left = place(row.value);
    item.dataset.sign = !interval ? "" : row.low > 0 ? "above" : row.high < 0 ? "below" : "around";
  }
}
