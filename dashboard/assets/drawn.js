// What a chart draws of the columns that the server sends: what lies in the range, the finest windows that hold enough events to mean
// something, and never more points than there are pixels.
const ENOUGH = 30, AROUND = 2, MINUTE = 60_000, HOUR = 60 * MINUTE;
const MARGIN = 80;  // of a plot's width, what its axis takes, and the rows at its edges

export class Drawn {
  constructor(plots, range, spec) {
    this.source = plots.get(`${spec.name}-drawn`);
    this.plots = plots;
    this.range = range;
    this.spec = spec;
    this.keys = spec.lines.map(({ key }) => key);
    this.bands = spec.lines.filter(({ band }) => band).flatMap(({ key }) => [`${key}_low`, `${key}_high`]);
  }

  get byMinute() {
    return this.spec.sources.length > 1 && this.range.byMinute;
  }

  // Makes the rows anew: `rows` are all of them, for the legend, and the source has those that are drawn.
  make(width) {
    const { start, end } = this.range.at(), names = [...this.keys, ...this.bands];
    const columns = (name) => {
      const found = pick(this.plots.columns(name), ["t", "open", ...names, ...(name === "minute" ? ["n"] : [])]);
      for (const { key, product } of this.spec.lines) if (product) found[key] = multiplied(pick(this.plots.columns(name), product), product);
      return found;
    };
    const [finest, hour] = this.spec.sources;
    this.mixed = false;
    if (!hour) this.rows = columns(finest);
    else if (!this.byMinute) this.rows = columns(hour);
    else {
      this.rows = chosen(columns(finest), columns(hour), this.spec.steady);
      this.mixed = this.rows.mixed.some((coarse, index) => coarse && this.rows.t[index] >= start && this.rows.t[index] <= end);
    }
    if (this.spec.shares) this.rows = shared(this.rows, this.keys);
    if (this.spec.sums) this.rows = summed(within(this.rows, start, end, 0), this.keys);
    const { rows, step } = thinned(within(this.rows, start, end), this.keys, this.bands, { start, end }, this.spec.heat ? 0 : width - MARGIN);
    this.step = step;
    this.source.data = this.finished(rows);
  }

  // How long the window of a row is.
  lengthAt(row) {
    return this.byMinute && !this.rows.mixed[row] ? MINUTE : HOUR;
  }

  // How it says what it is made of.
  text() {
    if (!this.byMinute) return "by hour";
    return "by minute" + (this.step > MINUTE ? ` (lowest and highest of ${this.step / MINUTE})` : "") + (this.mixed ? ", by hour where few" : "");
  }

  // Columns that glyphs need beside the values: what is final, areas that end where a line is broken, and 0.
  finished(whole) {
    const rows = broken(whole, this.keys);
    const data = { t: rows.t, open: rows.open, solid: rows.open.map((open) => (open ? 0.55 : 1)), zero: rows.t.map(() => 0) };
    for (const key of this.keys) {
      data[key] = rows[key];
      data[`${key}_final`] = rows[key].map((value, index) => (rows.open[index] ? NaN : value));
      if (this.spec.fan) data[`${key}_edge`] = [...rows[key]];
    }
    for (const name of this.bands) data[name] = rows[name];
    if (this.spec.fan) for (let index = 1; index < this.keys.length; index++) closed(data[`${this.keys[index - 1]}_edge`], data[`${this.keys[index]}_edge`]);
    for (let index = 0; index < this.bands.length; index += 2) closed(data[this.bands[index]], data[this.bands[index + 1]]);
    return data;
  }
}

const pick = (data, names) => {
  const get = (name) => (data instanceof Map ? data.get(name) : data[name]) ?? [];
  return Object.fromEntries(names.map((name) => [name, Array.from(get(name))]));
};
const multiplied = (columns, [one, other]) => columns[one].map((value, row) => value * columns[other][row]);
const take = (columns, rows) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, rows.map((row) => values[row])]));

// Minutes where most around hold enough events (`steady`: everywhere), and the hours most of whose minutes do not.
export function chosen(minute, hour, steady) {
  const real = minute.n.map((n, index) => index).filter((index) => Number.isFinite(minute.n[index]));
  const dense = new Array(minute.t.length).fill(false);
  real.forEach((row, place) => {
    const near = real.slice(Math.max(0, place - AROUND), place + AROUND + 1);
    dense[row] = steady || 2 * near.filter((each) => minute.n[each] >= ENOUGH).length > near.length;
  });
  const hours = new Map();
  const kept = [];
  minute.t.forEach((time, row) => {
    const gap = !Number.isFinite(minute.n[row]), at = Math.floor(time / HOUR);
    if (!hours.has(at)) hours.set(at, { dense: 0, few: 0, first: Infinity, last: -Infinity });
    const of = hours.get(at);
    if (!gap && !dense[row]) of.few++;
    if (!(gap ? dense[row - 1] : dense[row])) return;
    kept.push({ time, from: minute, row, coarse: false });
    if (!gap) Object.assign(of, { dense: of.dense + 1, first: Math.min(of.first, time), last: time });
  });
  hour.t.forEach((time, row) => {
    const of = hours.get(Math.floor(time / HOUR));
    if (!of?.dense || (of.few > of.dense && (time < of.first || time > of.last))) kept.push({ time, from: hour, row, coarse: true });
  });
  kept.sort((one, other) => one.time - other.time);
  const columns = Object.fromEntries(Object.keys(hour).map((name) => [name, kept.map(({ from, row }) => from[name][row])]));
  return { ...columns, mixed: kept.map(({ coarse }) => coarse) };
}

// The rows of a range and `more` at each side, so that lines run to the edges.
export function within(columns, start, end, more = 1) {
  let first = columns.t.findIndex((time) => time >= start), last = columns.t.findLastIndex((time) => time <= end);
  if (first < 0) first = columns.t.length;
  const rows = [];
  for (let row = Math.max(0, first - more); row <= Math.min(columns.t.length - 1, last + more); row++) rows.push(row);
  return take(columns, rows);
}

// Of each row the share of each value in the sum of all, which is `total`; what is missing is none, unless all is.
export function shared(columns, keys) {
  const known = (key, row) => (Number.isFinite(columns[key][row]) ? columns[key][row] : 0);
  const total = columns.t.map((time, row) => keys.reduce((sum, key) => sum + known(key, row), 0));
  const shares = keys.map((key) => [key, total.map((all, row) => (all ? known(key, row) / all : NaN))]);
  return { ...columns, ...Object.fromEntries(shares), total };
}

// Each value with all before it.
function summed(columns, keys) {
  const sums = keys.map((key) => {
    let total = 0;
    return [key, columns[key].map((value) => (Number.isFinite(value) ? (total += value) : NaN))];
  });
  return { ...columns, ...Object.fromEntries(sums) };
}

// Where there are more rows than pixels: of each `step` (ms since the epoch, so that a range that follows the clock changes no peak) two
// rows, that with the lowest and that with the highest value, in their order, of each column by itself; bands as wide as the widest. A row
// without any value breaks a line, and stays.
export function thinned(columns, keys, bands, { start, end }, width) {
  if (columns.t.length <= width || !(width > 0)) return { rows: columns, step: 0 };
  const step = Math.max(1, Math.ceil((2 * (end - start)) / width / MINUTE)) * MINUTE;
  const made = { t: [], open: [], ...Object.fromEntries([...keys, ...bands].map((name) => [name, []])) };
  let group = [];
  const flush = () => {
    const two = group.length > 2;
    const places = two ? [group[0], group.at(-1)] : group;
    for (const row of places) {
      made.t.push(columns.t[row]);
      made.open.push(two ? Math.max(...group.map((each) => columns.open[each])) : columns.open[row]);
    }
    for (const key of keys) made[key].push(...(two ? ends(columns[key], group) : group.map((row) => columns[key][row])));
    for (const band of bands) {
      const extreme = band.endsWith("_low") ? Math.min : Math.max, values = group.map((row) => columns[band][row]).filter(Number.isFinite);
      made[band].push(...(two ? [0, 1].map(() => (values.length ? extreme(...values) : NaN)) : group.map((row) => columns[band][row])));
    }
    group = [];
  };
  columns.t.forEach((time, row) => {
    const gap = keys.every((key) => !Number.isFinite(columns[key][row]));
    if (group.length && (gap || Math.floor(time / step) !== Math.floor(columns.t[group[0]] / step))) flush();
    group.push(row);
    if (gap) flush();
  });
  flush();
  return { rows: made, step };
}

function ends(values, rows) {
  let low = NaN, high = NaN;
  for (const row of rows) {
    if (!Number.isFinite(values[row])) continue;
    if (!(values[low] <= values[row])) low = row;
    if (!(values[high] >= values[row])) high = row;
  }
  if (Number.isNaN(low)) return [NaN, NaN];
  return low < high ? [values[low], values[high]] : [values[high], values[low]];
}

// Two rows where a line is broken, so that what ends there and what begins again after it are told apart.
function broken(columns, keys) {
  const rows = [], times = [];
  columns.t.forEach((time, row) => {
    rows.push(row);
    times.push(time);
    const gap = keys.every((key) => !Number.isFinite(columns[key][row])), next = columns.t[row + 1];
    if (gap && next - time > 1) {
      rows.push(row);
      times.push(next - 1);
    }
  });
  return { ...take(columns, rows), t: times };
}

// An area is filled from its first row to its last one: where it has no value it is given no height.
function closed(lower, upper) {
  const known = lower.map((value, row) => Number.isFinite(value) && Number.isFinite(upper[row]));
  known.forEach((here, row) => {
    if (here) return;
    const near = known[row + 1] && !known[row - 1] ? row + 1 : row - 1;
    lower[row] = upper[row] = (lower[near] + upper[near]) / 2;
  });
}
