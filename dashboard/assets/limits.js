// The limits of the rules in a chart: a line where it is near what is shown, else a word at the edge that says where it would be.
import { css } from "./dom.js";
import { text } from "./numbers.js";

const FARTHEST = 2.5;  // a limit that would make the axis so many times as long is not drawn
const LEVELS = ["warning", "critical"];

export class Limits {
  constructor(plots, spec) {
    this.spec = spec;
    this.figure = plots.get(spec.name);
    this.reach = plots.get(`${spec.name}-reach`);
    this.levels = LEVELS.map((level) => ({ level, line: plots.get(`${spec.name}-${level}`), label: plots.get(`${spec.name}-${level}-text`) }));
  }

  // `limits` as the server told them, or undefined; `least` and `most` of what is shown between `start` and `end`.
  show(limits, { start, end }, least, most) {
    if (this.spec.floor !== null) least = Math.min(least, this.spec.floor);
    const span = Math.max(most - least, Math.abs(most) * 0.02);
    const told = this.levels.map((each) => ({ ...each, value: limits?.[each.level] ?? NaN })).filter(({ value }) => Number.isFinite(value) && least <= most);
    const drawn = told.filter(({ value }) => Math.max(most, value) - Math.min(least, value) <= FARTHEST * span);
    const away = told.filter((each) => !drawn.includes(each)).map(({ level, value }) => `${level} ${limits.above ? "above" : "below"} ${text(value, this.spec.style)}`);
    for (const each of this.levels) {
      const here = drawn.find(({ level }) => level === each.level);
      set(each.line, here ? { visible: true, location: here.value } : { visible: false });
      set(each.label, here ? { visible: true, x: start, y: here.value, y_units: "data", text: `${each.level} ${text(here.value, this.spec.style)}` } : { visible: false });
    }
    // What is not drawn is told by the line that is, or else at the edge beyond which it lies.
    if (away.length && drawn.length) set(drawn[0].label, { text: [drawn[0].label.text, ...away].join(", ") });
    else if (away.length) set(told[0].label, { visible: true, x: start, y: limits.above ? this.figure.height - this.figure.min_border_bottom - 24 : 0, y_units: "screen", text: away.join(", ") });
    const ends = drawn.flatMap(() => [start, end]), values = drawn.flatMap(({ value }) => [value, value + (value > most ? 0.1 * (value - least) : 0)]);  // with room for its label
    if (String([ends, values]) !== String([this.reach.data.t, this.reach.data.y])) this.reach.data = { t: ends, y: values };
  }

  // `size` of its text (px).
  paint(size) {
    for (const { level, line, label } of this.levels) {
      line.setv({ line_color: css(`--${level}`) }, { sync: false });
      label.setv({ text_color: css(`--${level}`), background_fill_color: css("--card"), text_font_size: `${size}px` }, { sync: false });
    }
  }
}

// Only what differs, so that nothing is painted without need.
function set(model, values) {
  const different = Object.entries(values).filter(([name, value]) => model[name] !== value);
  if (different.length) model.setv(Object.fromEntries(different), { sync: false });
}
