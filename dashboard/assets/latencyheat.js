// The heatmap of latencies: a row an interval, the slowest on top, its ends on the axis; a cell is the share of its hour's requests.
import { nearest } from "./chart.js";
import { Heat } from "./heat.js";
import { text, tick } from "./numbers.js";

const LABEL = 16;  // of the axis, in pixels

export class LatencyHeat extends Heat {
  list() {
    this.ends = this.titles.map(ends);
    const [axis] = this.figure.left, count = this.titles.length, every = Math.ceil(LABEL / this.row);
    const edges = count ? [...this.ends.map(([, high]) => high), this.ends.at(-1)[0]] : [];
    axis.formatter.args = { texts: edges.map((edge) => (Number.isFinite(edge) ? tick(edge, "ms") : "")) };
    axis.ticker.ticks = edges.map((edge, place) => place).filter((place) => (count - place) % every === 0);
  }

  told(row) {
    const { key } = this.entries[row].line, shares = this.column(key), index = nearest(this.column("t"), shares, this.at);
    if (index < 0) return "";
    const all = this.column("total")[index], [low, high] = this.ends[row];
    const name = !low ? `Up to ${tick(high, "ms")}` : Number.isFinite(high) ? `${tick(low, "ms")} to ${tick(high, "ms")}` : `Above ${tick(low, "ms")}`;
    return `${name}: ${text(shares[index], "percent")} (${text(Math.round(shares[index] * all), "count")} of ${text(all, "count")})`;
  }

  untold() {
    return "";
  }
}

// "(20,50]" is above 20 and at most 50.
const ends = (interval) => interval.slice(1, -1).split(",").map((end) => (end === "inf" ? Infinity : Number(end)));
