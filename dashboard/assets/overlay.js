// What is compared within a model: versions, or the values of a segment, laid over each other or each in a small chart on one scale.
import { named, options } from "./pickers.js";
import { find, setText } from "./shell.js";

export class Overlay {
  // `changed` is called after each choice.
  constructor(changed) {
    const asked = new URLSearchParams(location.search);
    this.kind = asked.get("overlay") ?? "";
    if ([...find("metric").options].some(({ value }) => value === asked.get("metric"))) find("metric").value = asked.get("metric");
    find("layout").value = asked.has("multiples") ? "multiples" : "";
    for (const id of ["overlay", "metric", "layout"]) {
      find(id).addEventListener("change", () => {
        this.kind = find("overlay").value;
        this.show();
        changed();
      });
    }
  }

  get multiples() {
    return find("layout").value === "multiples";
  }

  // What the address says of it.
  query() {
    return this.kind ? { overlay: this.kind, metric: find("metric").value, ...(this.multiples && { multiples: "1" }) } : {};
  }

  // The same for the server.
  choice() {
    return this.kind ? { overlay: this.kind, metric: find("metric").value, multiples: this.multiples } : {};
  }

  // Takes the kinds that can be compared: versions, and each name of a segment.
  fill(segments) {
    const names = new Set(segments.map((segment) => segment.split("=")[0]));
    options("overlay", [["", "None"], ["versions", "Versions"], ...named([...names])], this.kind);
    this.show();
  }

  show() {
    for (const id of ["overlay-metric", "overlay-layout"]) find(id).hidden = !this.kind;
  }

  // The small charts: their heading, and one scale for all of them. `charts` are all of the page.
  align(facts, charts, plots) {
    const shown = charts.filter(({ spec, card }) => spec.name.startsWith("multiple_") && !card.hidden);
    find("multiples").hidden = !shown.length;
    if (!shown.length) return;
    plots.drawRest();
    const count = facts.overlay_known > shown.length ? `: the ${shown.length} of ${facts.overlay_known} with the most predictions in the last week` : "";
    setText(find("multiples-title"), this.title() + count);
    const ends = shown.map((chart) => chart.extent()), least = Math.min(...ends.map(([low]) => low)), most = Math.max(...ends.map(([, high]) => high));
    if (!(least <= most)) return;
    const pad = 0.1 * (most - least) || 0.05 * Math.abs(most) || 0.01;
    plots.multiples.setv({ start: least >= 0 ? Math.max(0, least - pad) : least - pad, end: most + pad }, { sync: false });
  }

  title() {
    return `${this.metric}, by ${this.kind === "versions" ? "version" : this.kind}`;
  }

  get metric() {
    return find("metric").selectedOptions[0].textContent;
  }
}
