// A heatmap: rows of cells over time, the darker the more, with the scale of its colours and what is under the pointer as its legend.
import { Chart } from "./chart.js";
import { css } from "./dom.js";
import { element, setText } from "./shell.js";

const TOP = 6, BOTTOM = 26;
const ANY = Number.MIN_VALUE;
// Where the colours change, and what the scale calls them. The limits of the rule for nulls, 5 and 20 %, are two of the first.
const SCALES = {
  features: { edges: [1, 2, 5, 10, 20, 50], names: ["0", "1", "2", "5", "10", "20", "50 % and more"] },
  latencies: { edges: [ANY, 0.01, 0.05, 0.1, 0.25, 0.5], names: ["none", "> 0", "1", "5", "10", "25", "50 % and more"] },
};

// The colours of a chart's values: none for what is missing.
export function shades(chart, values) {
  const { edges } = SCALES[chart], colors = [...edges, Infinity].map((edge, index) => css(`--heat-${index}`));
  return Array.from(values, (value) => (Number.isFinite(value) ? colors[edges.filter((edge) => value >= edge).length] : "transparent"));
}

export class Heat extends Chart {
  constructor(plots, range, spec) {
    super(plots, range, spec);
    this.pointed = -1;
    this.titles = [];
    this.read = element("span", "legend-entry heat-read");
    const scale = element("span", "heat-scale");
    this.legend.replaceChildren(this.read, scale);
    this.marks().forEach(({ color, name }) => {
      const mark = element("span", "heat-mark");
      mark.style.background = color;
      scale.append(mark, element("span", "", name));
    });
    this.plot.addEventListener("pointermove", (event) => this.point(this.rowAt(event)));
  }

  // What its picture has for a legend.
  marks() {
    return SCALES[this.spec.name].names.map((name, index) => ({ color: `var(--heat-${index})`, height: 9, name, value: "" }));
  }

  // The height of a row.
  get row() {
    return (this.figure.height - TOP - BOTTOM) / Math.max(1, this.titles.length);
  }

  rowAt(event) {
    const row = Math.floor((event.clientY - this.plot.getBoundingClientRect().top - TOP) / this.row);
    return row >= 0 && row < this.titles.length ? row : -1;
  }

  // Takes the names of the rows, from the top, where they are other ones.
  facts(facts) {
    const names = this.entries.map(({ line }) => facts.names[line.key]).filter(Boolean);
    if (!this.sized || names.join("\n") !== this.titles.join("\n")) {
      this.sized = true;
      this.titles = names;
      this.figure.y_range.setv({ start: Math.max(1, names.length), end: 0 }, { sync: false });
      this.list();
    }
    super.facts(facts);
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
    setText(this.read, this.pointed >= 0 && this.at !== null ? this.told(this.pointed) : this.untold());
  }

  paint() {
    super.paint();
    this.redraw();
  }
}
