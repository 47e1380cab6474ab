// One chart: colours from the style sheet, the legend with values at the cursor (or the newest), and the empty state.
import { css } from "./dom.js";
import { Drawn } from "./drawn.js";
import { isKiosk } from "./kiosk.js";
import { Limits } from "./limits.js";
import { age, text } from "./numbers.js";
import { element, find, setText } from "./shell.js";
import { full, zoneName } from "./time.js";

// Of axes: the size of their text, the room for it at the left and below, and of a heatmap that for names and a row (px). A screen on the
// wall is read from three metres.
const DESK = { text: 12, left: 62, below: 26, names: 160, row: 22, limit: 11 }, WALL = { text: 20, left: 96, below: 38, names: 250, row: 28, limit: 17 };
export const sizes = () => (isKiosk() ? WALL : DESK);

const WINDOWS = 2.5, LATE_MS = 120_000;

export class Chart {
  // `overlay` tells what is compared, where the chart does that.
  constructor(plots, range, spec, overlay) {
    this.spec = spec;
    this.overlay = overlay;
    this.range = range;
    this.card = find(`card-${spec.name}`);
    this.title = this.card.querySelector(".chart-title").textContent;
    this.legend = this.card.querySelector(".legend");
    this.when = this.card.querySelector(".when");
    this.stale = this.card.querySelector(".stale");
    this.empty = this.card.querySelector(".empty");
    this.figure = plots.get(spec.name);
    this.plot = this.card.querySelector(".plot");
    this.drawn = new Drawn(plots, range, spec);
    this.drawn.make(0);
    this.at = null;
    this.entries = spec.lines.map((line, index) => {
      const entry = element("span", "legend-entry");
      const mark = element("span", "legend-mark");
      mark.style.background = `var(--series-${line.slot})`;
      if (spec.fan && index) mark.classList.add("area", `area-${index}`);
      const name = element("span", "legend-name"), value = element("span", "legend-value"), band = element("span", "legend-band");
      entry.append(mark, name, value, band);
      this.legend.append(entry);
      return { line, entry, mark, name, value, band };
    });
    for (const name of spec.sources) plots.on(name, () => this.card.hidden || this.redraw());
    this.limits = spec.judged ? new Limits(plots, spec) : null;
    this.card.addEventListener("pointerleave", () => this.hover(null));
  }

  // Draws anew: after the columns, the range or the limits have changed.
  redraw() {
    this.drawn.make(this.plot.clientWidth);
    this.limits?.show(this.limit, this.range.at(), ...this.extent());
    this.update();
  }

  // The least and the largest of the values that are shown.
  extent() {
    const times = this.column("t"), { start, end } = this.range.at();
    let least = Infinity, most = -Infinity;
    for (const { line } of this.entries) {
      this.column(line.key).forEach((value, index) => {
        if (Number.isNaN(value) || times[index] < start || times[index] > end) return;
        least = Math.min(least, value);
        most = Math.max(most, value);
      });
    }
    return [least, most];
  }

  column(name) {
    return this.drawn.rows[name];
  }

  facts(facts) {
    this.loading = facts.loading;
    this.names = facts.names;
    if (this.spec.sources[0] === "overlay") {
      this.loading = facts.overlay_loading;
      this.restyle(facts.overlay_style);
    }
    this.card.hidden = facts.hidden.includes(this.spec.name);
    this.limit = facts.limits.find(({ metric, dimension }) => metric === this.spec.judged && dimension === (this.spec.name === "feature" ? `feature=${facts.feature}` : ""))?.limits;
    if (!this.card.hidden) this.redraw();
  }

  // The overlay's number is picked, and with it how its values are written.
  restyle(style) {
    if (style !== this.spec.style) for (const axis of this.figure.left) axis.formatter.args = { style };
    this.spec.style = style;
    const [name] = this.entries.map(({ line }) => this.names[line.key] ?? ""), several = this.entries.length > 1;
    this.title = several ? this.overlay.title() : `${this.overlay.metric}: ${name}`;
    setText(this.card.querySelector(".chart-title"), several ? this.title : name);
    this.plot.setAttribute("aria-label", this.title);
    for (const tool of this.card.querySelectorAll(".chart-tool")) tool.setAttribute("aria-label", `${tool.title}: ${this.title}`);
  }

  // Whether it fills a screen that is larger.
  get stretches() {
    return true;
  }

  // What its picture has for a legend, and beside its rows.
  marks() {
    return this.entries.filter(({ entry }) => !entry.hidden).map(({ line, name, value, mark }) => {
      const area = mark.classList.contains("area"), { opacity } = getComputedStyle(mark);
      return { color: `var(--series-${line.slot})`, height: area ? 9 : 3, alpha: Number(opacity), name: name.textContent, value: value.textContent };
    });
  }

  sides() {
    return [];
  }

  // `x`: the time under the cursor in this chart, null when it left, undefined when it is over another chart.
  hover(x) {
    this.at = x ?? null;
    this.update();
  }

  update() {
    const times = this.column("t"), { start, end } = this.range.at();
    const newest = (values) => lastWithin(times, values, start, end);
    let any = false;
    for (const { line, entry, name, value, band } of this.entries) {
      const values = this.column(line.key);
      const index = this.at === null ? newest(values) : nearest(times, values, this.at);
      const shown = index >= 0 ? values[index] : NaN;
      any ||= newest(values) >= 0;
      const label = line.label || this.names?.[line.key] || "";
      entry.hidden = !label;
      setText(name, label);
      setText(value, text(shown, this.spec.style));
      const low = index >= 0 && line.band ? this.column(`${line.key}_low`)[index] : NaN;
      const high = index >= 0 && line.band ? this.column(`${line.key}_high`)[index] : NaN;
      setText(band, Number.isFinite(low) && Number.isFinite(high) ? `${text(low, this.spec.style)} to ${text(high, this.spec.style)}` : "");
      if (this.at !== null && Number.isFinite(shown)) setText(this.when, full(times[index]) + (this.column("open")[index] ? ", provisional" : ""));
    }
    setText(this.stale, this.staleness(times));
    if (this.at === null) setText(this.when, `${this.range.text()}, ${this.drawn.text()}, ${zoneName(Date.now())}`);
    this.empty.hidden = any && !this.loading;
    const elsewhere = !any && this.entries.some(({ line }) => this.column(line.key).some(Number.isFinite));
    setText(this.empty, this.loading ? "Loading\u2026" : elsewhere ? "Nothing in this range." : this.spec.empty);
  }

  // How old its newest value is, where another one should have come: two windows later, and a little.
  staleness(times) {
    if (this.range.paused || this.range.fixed || this.loading) return "";
    const last = Math.max(...this.entries.map(({ line }) => lastWithin(times, this.column(line.key), -Infinity, Infinity)));
    const old = last < 0 ? 0 : Date.now() - times[last];
    return old > WINDOWS * this.drawn.lengthAt(last) + LATE_MS ? `Stale: newest value ${age(old)} old` : "";
  }

  paint() {
    const axis = css("--muted"), grid = css("--grid"), ground = css("--card"), size = this.spec.heat ? DESK : sizes();
    const borders = { min_border_left: this.spec.heat ? size.names : size.left, min_border_bottom: size.below };
    this.figure.setv({ background_fill_color: ground, border_fill_color: ground, ...borders }, { sync: false });
    for (const each of [...this.figure.below, ...this.figure.left]) {
      each.setv({ axis_line_color: grid, major_tick_line_color: grid, major_label_text_color: axis, major_label_text_font_size: `${size.text}px` }, { sync: false });
    }
    for (const each of this.figure.center) {
      if (each.type === "Grid") each.setv({ grid_line_color: each.dimension === 1 ? grid : null }, { sync: false });
      if (each.type === "Span") each.setv({ line_color: axis }, { sync: false });
    }
    this.limits?.paint(size.limit);
    for (const renderer of this.figure.renderers) {
      const slot = renderer.tags?.[0];
      if (slot === undefined || slot === "annotation" || renderer.tags.includes("heat")) continue;
      const color = css(`--series-${slot}`), glyph = renderer.glyph;
      if ("line_color" in glyph.attributes && glyph.line_color !== null) glyph.setv({ line_color: color }, { sync: false });
      if ("fill_color" in glyph.attributes) glyph.setv({ fill_color: renderer.tags.includes("open") ? ground : color }, { sync: false });
    }
  }

  redrawAxis() {
    for (const axis of this.figure.below) axis.ticker.change.emit();
    this.update();
  }
}

function lastWithin(times, values, start, end) {
  for (let index = values.length - 1; index >= 0; index--) {
    if (times[index] >= start && times[index] <= end && Number.isFinite(values[index])) return index;
  }
  return -1;
}

export function nearest(times, values, x) {
  let best = -1;
  for (let index = 0; index < times.length; index++) {
    if (Number.isFinite(values[index]) && (best < 0 || Math.abs(times[index] - x) < Math.abs(times[best] - x))) best = index;
  }
  return best;
}
