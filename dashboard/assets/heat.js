// The heatmap of nulls: a row a feature, its name a button that picks it. Names are data: they are only ever set as text.
import { Chart } from "./chart.js";
import { element, setText } from "./shell.js";

const LEAST_ROW = 22, LEAST = 8 * LEAST_ROW, TOP = 6, BOTTOM = 26, DRAG = 4;
const EDGES = [1, 2, 5, 10, 20, 50];  // percent; the limits of the rule, 5 and 20, are two of them
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// The colours of percentages: none for what is missing, else the darker the more.
export function shades(values) {
  const colors = [...EDGES, Infinity].map((edge, index) => css(`--heat-${index}`));
  return Array.from(values, (value) => (Number.isFinite(value) ? colors[EDGES.filter((edge) => value >= edge).length] : "transparent"));
}

export class Heat extends Chart {
  // `pick` is called with the feature that is clicked, or "" for the one that was picked already.
  constructor(plots, range, spec, pick) {
    super(plots, range, spec);
    this.labels = element("div", "heat-names");
    this.plot.setAttribute("role", "group");  // an image has no buttons
    this.rows = [];
    this.pick = pick;
    this.plot.append(this.labels);
    this.scale = element("span", "heat-scale");
    this.read = element("span", "legend-entry heat-read");
    this.legend.replaceChildren(this.read, this.scale);
    [0, ...EDGES].forEach((edge, index) => {
      const mark = element("span", "heat-mark");
      mark.style.background = `var(--heat-${index})`;
      this.scale.append(mark, element("span", "", index === EDGES.length ? `${edge} % and more` : `${edge}`));
    });
    this.plot.addEventListener("pointermove", (event) => this.point(this.rowAt(event)));
    this.plot.addEventListener("pointerdown", (event) => (this.pressed = event.clientX));
    this.plot.addEventListener("click", (event) => {
      const row = this.rowAt(event);
      if (!event.target.closest(".heat-name") && row >= 0 && Math.abs(event.clientX - this.pressed) < DRAG) this.choose(row);
    });
  }

  rowAt(event) {
    const row = Math.floor((event.clientY - this.plot.getBoundingClientRect().top - TOP) / this.row);
    return row >= 0 && row < this.rows.length ? row : -1;
  }

  choose(row) {
    const name = this.rows[row].textContent;
    this.pick(name === this.picked ? "" : name);
  }

  facts(facts) {
    this.picked = facts.feature;
    const names = this.entries.map(({ line }) => facts.names[line.key]).filter(Boolean);
    this.beyond = facts.features - names.length;
    if (names.join("\n") !== this.rows.map((row) => row.textContent).join("\n") || !this.sized) this.list(names);
    for (const row of this.rows) row.setAttribute("aria-pressed", String(row.textContent === this.picked));
    super.facts(facts);
  }

  list(names) {
    this.sized = true;
    // Room for eight, however few there are, so that nothing moves when they come.
    const count = Math.max(1, names.length);
    this.row = Math.max(LEAST_ROW, LEAST / count);
    this.rows = names.map((name, index) => {
      const row = element("button", "heat-name", name);
      row.type = "button";
      row.title = name;
      row.style.top = `${TOP + index * this.row}px`;
      row.style.height = `${this.row}px`;
      row.addEventListener("click", () => this.choose(index));
      return row;
    });
    this.labels.replaceChildren(...this.rows);
    const height = TOP + BOTTOM + count * this.row;
    this.spec.height = height;
    this.plot.style.height = `${height}px`;
    this.figure.setv({ height }, { sync: false });
    this.figure.y_range.setv({ start: count, end: 0 }, { sync: false });
  }

  point(row) {
    this.pointed = row;
    this.update();
  }

  hover(x) {
    if (x === null || x === undefined) this.pointed = -1;
    super.hover(x);
  }

  update() {
    super.update();
    const row = this.rows?.[this.pointed];
    if (row && this.at !== null) setText(this.read, `${row.textContent}: ${this.entries[this.pointed].value.textContent}`);
    else setText(this.read, this.beyond > 0 ? `The ${this.rows.length} of ${this.rows.length + this.beyond} features with the most nulls` : "");
  }

  paint() {
    super.paint();
    this.redraw();
  }
}
