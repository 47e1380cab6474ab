// The heatmap of nulls: a row a feature, its name a button that picks it. Names are data: they are only ever set as text.
import { Heat } from "./heat.js";
import { element } from "./shell.js";

const LEAST_ROW = 22, LEAST = 8 * LEAST_ROW, EDGES = 32, TOP = 6, DRAG = 4;

export class FeatureHeat extends Heat {
  // `pick` is called with the feature that is clicked, or "" for the one that was picked already.
  constructor(plots, range, spec, pick) {
    super(plots, range, spec);
    this.labels = element("div", "heat-names");
    this.plot.setAttribute("role", "group");  // an image has no buttons
    this.pick = pick;
    this.plot.append(this.labels);
    this.plot.addEventListener("pointerdown", (event) => (this.pressed = event.clientX));
    this.plot.addEventListener("click", (event) => {
      const row = this.rowAt(event);
      if (!event.target.closest(".heat-name") && row >= 0 && Math.abs(event.clientX - this.pressed) < DRAG) this.choose(row);
    });
  }

  // Its rows are as high as their names.
  get stretches() {
    return false;
  }

  choose(row) {
    this.pick(this.titles[row] === this.picked ? "" : this.titles[row]);
  }

  facts(facts) {
    this.picked = facts.feature;
    super.facts(facts);
    this.beyond = facts.features - this.titles.length;
    for (const row of this.labels.children) row.setAttribute("aria-pressed", String(row.textContent === this.picked));
    this.update();
  }

  list() {
    // Room for eight, however few there are, so that nothing moves when they come.
    const count = Math.max(1, this.titles.length), height = EDGES + Math.max(LEAST_ROW * count, LEAST);
    this.spec.height = height;
    this.plot.style.height = `${height}px`;
    this.figure.setv({ height }, { sync: false });
    this.labels.replaceChildren(...this.titles.map((name, index) => {
      const row = element("button", "heat-name", name);
      row.type = "button";
      row.title = name;
      row.style.top = `${TOP + index * this.row}px`;
      row.style.height = `${this.row}px`;
      row.addEventListener("click", () => this.choose(index));
      return row;
    }));
  }

  // The names, for a picture: [text, middle of its row].
  sides() {
    return this.titles.map((name, index) => [name, TOP + (index + 0.5) * this.row]);
  }

  told(row) {
    return `${this.titles[row]}: ${this.entries[row].value.textContent}`;
  }

  untold() {
    return this.beyond > 0 ? `The ${this.titles.length} of ${this.titles.length + this.beyond} features with the most nulls` : "";
  }
}
