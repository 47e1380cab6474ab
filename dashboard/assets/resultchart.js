// A result with a time and a number as lines: one for each combination of its texts, or for each of its numbers.
import { isKiosk, onKiosk } from "./kiosk.js";
import { text, tick } from "./numbers.js";
import { clipped, isNumber, isTime } from "./rowgrid.js";
import { element, setText, svg } from "./shell.js";
import { full, tickText, ticks, zoneName } from "./time.js";

const MOST = 8, BANDS = 2, HEIGHT = 260, RIGHT = 30, TOP = 10, BOTTOM = 26;
const SILENT = new Set(["n", "low", "high", "revision"]);
const NOT_A_NAME = new Set(["status", "window_start", "window_end", "updated_at"]);

// Returns {lines, style, left}, or null where nothing can be drawn. A line: {name, points: [[time, value, low, high, provisional]]}, oldest first.
export function linesOf(columns, rows, styles) {
  const time = columns.findIndex(([, type]) => isTime(type));
  const numbers = columns.map(([name, type], index) => ({ name, type, index })).filter(({ name, type }) => isNumber(type) && !SILENT.has(name));
  if (time < 0 || !numbers.length || rows.length < 2) return null;
  const status = columns.findIndex(([name]) => name === "status");
  const value = numbers.find(({ name }) => name === "value");
  // A text that is the same in all rows tells no line from another.
  const names = columns.map(([name, type], index) => ({ name, type, index }))
    .filter(({ name, type, index }) => type.startsWith("VARCHAR") && !NOT_A_NAME.has(name) && rows.some((row) => row[index] !== rows[0][index]));
  const drawn = value ? [value] : numbers;
  const [low, high] = ["low", "high"].map((name) => (value ? columns.findIndex(([each]) => each === name) : -1));
  const lines = new Map();
  for (const row of rows) {
    const at = Date.parse(row[time]);
    if (Number.isNaN(at)) continue;
    const key = names.map(({ index }) => row[index] ?? "\u2013").filter(Boolean).join(", ");
    for (const { name, index } of drawn) {
      if (row[index] === null) continue;
      const full = drawn.length > 1 ? [key, name].filter(Boolean).join(", ") : key || name;
      if (!lines.has(full)) lines.set(full, []);
      lines.get(full).push([at, Number(row[index]), low < 0 ? null : row[low], high < 0 ? null : row[high], row[status] === "provisional"]);
    }
  }
  const found = [...lines].map(([name, points]) => ({ name, points: points.sort((a, b) => a[0] - b[0]) })).sort((a, b) => (a.name < b.name ? -1 : 1));
  if (!found.some(({ points }) => points.length > 1)) return null;
  return { lines: found.slice(0, MOST), left: Math.max(0, found.length - MOST), style: styles[drawn[0].index] ?? "plain" };
}

export class ResultChart {
  constructor(root, legend, when, note) {
    [this.root, this.legend, this.when, this.note] = [root, legend, when, note];
    new ResizeObserver(() => this.draw()).observe(root);
    onKiosk(() => this.draw());
    root.addEventListener("pointermove", (event) => this.hover(event.clientX - root.getBoundingClientRect().left));
    root.addEventListener("pointerleave", () => this.hover(null));
  }

  show(chart) {
    this.chart = chart;
    this.legend.replaceChildren(...(chart?.lines ?? []).map((line, index) => {
      const entry = element("span", "legend-entry"), name = element("span", "legend-name", clipped(line.name));
      name.title = name.textContent;
      const mark = svg("svg", { viewBox: "0 0 18 4", class: "result-mark", "aria-hidden": "true" });
      mark.append(svg("line", { x1: 0, x2: 18, y1: 2, y2: 2, class: `line-${index}` }));
      entry.append(mark, name, element("span", "legend-value"), element("span", "legend-band"));
      return entry;
    }));
    this.draw();
    this.hover(null);
  }

  draw() {
    if (!this.chart || !this.root.clientWidth) return;
    const { lines, style } = this.chart, width = this.root.clientWidth, left = isKiosk() ? 88 : 64;
    const points = lines.flatMap((line) => line.points);
    const start = points.reduce((least, [at]) => Math.min(least, at), Infinity), end = points.reduce((most, [at]) => Math.max(most, at), -Infinity);
    const marks = steps(...extent(points));
    const [bottom, top] = [marks[0], marks.at(-1)];
    this.x = (at) => left + ((at - start) / (end - start || 1)) * (width - left - RIGHT);
    const y = (value) => TOP + ((top - value) / (top - bottom || 1)) * (HEIGHT - TOP - BOTTOM);
    const made = svg("svg", { viewBox: `0 0 ${width} ${HEIGHT}`, width, height: HEIGHT, "aria-hidden": "true" });
    for (const mark of marks) {
      const label = svg("text", { x: left - 8, y: y(mark) + 4, class: "tick-y" });
      label.textContent = tick(mark, style);
      made.append(svg("line", { x1: left, x2: width - RIGHT, y1: y(mark), y2: y(mark), class: "grid-line" }), label);
    }
    const clip = svg("clipPath", { id: "inside" });
    clip.append(svg("rect", { x: left, y: TOP - 2, width: Math.max(0, width - left - RIGHT + 4), height: HEIGHT - TOP - BOTTOM + 4 }));
    made.append(clip);
    const times = ticks({ start, end });
    times.forEach((at, index) => {
      const label = svg("text", { x: this.x(at), y: HEIGHT - 8, class: "tick-x" });
      label.textContent = tickText(at, index, times);
      made.append(label);
    });
    let thinned = false;
    lines.forEach((line, index) => {
      const kept = thin(line.points, this.x);
      thinned ||= kept.length < line.points.length;
      const together = stretches(kept);
      if (lines.length <= BANDS) made.append(svg("path", { d: together.map((each) => band(each, this.x, y)).join(""), class: `band-${index}`, "clip-path": "url(#inside)" }));
      made.append(svg("path", { d: together.map((each) => `M${each.map(([at, value]) => place(this.x(at), y(value))).join("L")}`).join(""), class: `line-${index}` }));
      for (const [at, value, , , open] of kept) if (open) made.append(svg("circle", { cx: this.x(at).toFixed(1), cy: y(value).toFixed(1), r: 3, class: `line-${index} open` }));
    });
    this.cursor = svg("line", { y1: TOP, y2: HEIGHT - BOTTOM, class: "cursor", visibility: "hidden" });
    made.append(this.cursor);
    this.root.replaceChildren(made);
    const notes = [`Times in ${zoneName(end)}.`];
    if (this.chart.left) notes.push(`The first ${lines.length} of ${lines.length + this.chart.left} lines.`);
    if (points.some(([, , , , open]) => open)) notes.push("Hollow points are provisional.");
    if (lines.length > BANDS && points.some(([, , low]) => low !== null)) notes.push("Intervals are drawn for one or two lines, and told under the pointer.");
    if (thinned) notes.push("More points than pixels: of each pixel the least and the largest.");
    setText(this.note, notes.join(" "));
  }

  hover(x) {
    if (!this.chart || !this.x) return;
    let at = null;
    if (x !== null) {
      const times = this.chart.lines.flatMap((line) => line.points.map(([time]) => time));
      at = times.reduce((best, time) => (best === null || Math.abs(this.x(time) - x) < Math.abs(this.x(best) - x) ? time : best), null);
    }
    this.cursor?.setAttribute("visibility", at === null ? "hidden" : "visible");
    if (at !== null) for (const end of ["x1", "x2"]) this.cursor.setAttribute(end, this.x(at));
    this.chart.lines.forEach((line, index) => {
      const point = at === null ? line.points.at(-1) : line.points.find(([time]) => time === at);
      const [, , value, band] = this.legend.children[index].children, style = this.chart.style;
      setText(value, point ? text(point[1], style) : "\u2013");
      setText(band, point && point[2] !== null && point[3] !== null ? `${text(point[2], style)} to ${text(point[3], style)}` : "");
    });
    setText(this.when, at === null ? "" : full(at));
  }
}

// What the values span, and of their intervals so much that the values still fill a third of it.
function extent(points) {
  const of = (numbers) => numbers.filter(Number.isFinite).reduce(([least, most], each) => [Math.min(least, each), Math.max(most, each)], [Infinity, -Infinity]);
  const [least, most] = of(points.map(([, value]) => value)), [low, high] = of(points.flatMap(([, value, ...ends]) => [value, ...ends.slice(0, 2).map((end) => end ?? value)]));
  const room = most - least || Infinity;
  return [Math.max(low, least - room), Math.min(high, most + room)];
}

// Of each pixel the first, the last, the least and the largest point.
function thin(points, x) {
  const kept = [];
  for (let from = 0; from < points.length; ) {
    let to = from;
    const pixel = Math.round(x(points[from][0]));
    while (to < points.length && Math.round(x(points[to][0])) === pixel) to++;
    const of = points.slice(from, to);
    if (of.length <= 4) kept.push(...of);
    else {
      const least = of.reduce((a, b) => (b[1] < a[1] ? b : a)), largest = of.reduce((a, b) => (b[1] > a[1] ? b : a));
      kept.push(...new Set([of[0], least, largest, of.at(-1)].sort((a, b) => a[0] - b[0])));
    }
    from = to;
  }
  return kept;
}

const place = (x, y) => `${x.toFixed(1)},${y.toFixed(1)}`;

// The points in parts that hang together: ten windows or more without data are a break.
function stretches(points) {
  const gaps = points.slice(1).map(([at], index) => at - points[index][0]).filter((gap) => gap > 0).sort((a, b) => a - b);
  const usual = gaps[Math.floor(gaps.length / 2)] ?? 0;
  return split(points, ([at], [before]) => at - before > 10 * usual);
}

function split(points, apart) {
  const parts = [];
  points.forEach((point, index) => (index && !apart(point, points[index - 1]) ? parts.at(-1).push(point) : parts.push([point])));
  return parts;
}

// The area of the intervals: none bridges points without, and one by itself is as wide as a line.
export function band(points, x, y) {
  const known = ([, , low, high]) => low !== null && high !== null;
  const parts = split(points, (point, before) => known(point) !== known(before)).filter(([first]) => known(first));
  const edge = (part, end) => part.map((point) => place(x(point[0]), y(point[end])));
  const bar = ([at, , low, high]) => `M${place(x(at) - 1.5, y(low))}V${y(high).toFixed(1)}h3V${y(low).toFixed(1)}Z`;
  return parts.map((part) => (part.length > 1 ? `M${[...edge(part, 2), ...edge(part, 3).reverse()].join("L")}Z` : bar(part[0]))).join("");
}

// Some four round numbers that the values lie between.
function steps(low, high) {
  if (!(high > low)) [low, high] = [low - (Math.abs(low) * 0.1 || 1), high + (Math.abs(high) * 0.1 || 1)];
  const rough = high / 4 - low / 4, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  // Counted by itself: among numbers beyond 2 ** 53 one more is the same.
  const first = Math.floor(low / step);
  return Array.from({ length: Math.ceil(high / step) - first + 1 }, (_, index) => (first + index) * step);
}
