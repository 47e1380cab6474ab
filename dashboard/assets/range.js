// Which stretch of time the charts show: a preset up to now, or one that was chosen or dragged; and whether the view is frozen.
// All of it is in the address.
import { onKey } from "./keys.js";
import { find } from "./shell.js";
import { onZone, span, toInput, fromInput } from "./time.js";

const HOUR = 3_600_000, DAY = 24 * HOUR, LEAST = 60_000;
// Of these a page has those that its picker names.
const SPANS = { "3h": 3 * HOUR, "12h": 12 * HOUR, "24h": DAY, "3d": 3 * DAY, "7d": 7 * DAY, "30d": 30 * DAY, "1y": 366 * DAY };
const NAMES = { "3h": "3 hours", "12h": "12 hours", "24h": "24 hours", "3d": "3 days", "7d": "7 days", "30d": "30 days", "1y": "1 year" };

const written = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";
const read = (text) => (Number.isNaN(Date.parse(text ?? "")) ? null : Date.parse(text));

export class TimeRange {
  // `changed` is called after each change by the viewer; `newest` returns the newest event time, or 0.
  constructor(newest, changed) {
    this.newest = newest;
    this.changed = changed;
    const address = new URLSearchParams(location.search);
    const from = read(address.get("from")), to = read(address.get("to"));
    this.fixed = from !== null && to !== null && to - from >= LEAST ? { start: from, end: to } : null;
    this.preset = [...find("range").options].some(({ value }) => value in SPANS && value === address.get("range")) ? address.get("range") : "24h";
    this.pausedAt = read(address.get("paused"));
    find("range").addEventListener("change", (event) => (event.target.value === "custom" ? this.fix(this.at()) : this.pick(event.target.value)));
    find("pause")?.addEventListener("click", () => this.pause());
    find("live")?.addEventListener("click", () => this.live());
    for (const id of ["from", "to"]) find(id).addEventListener("change", () => this.typed());
    if (find("pause")) {
      onKey("p", "Pause the view, and go on", () => this.pause());
      onKey("l", "Back to live", () => this.live());
    }
    onZone(() => this.show());
    this.show();
  }

  get paused() {
    return this.pausedAt !== null;
  }

  // The stretch as it is now. A rolling value stands at the end of its hour, so a preset reaches to the coming one where that is little.
  at() {
    if (this.fixed) return this.fixed;
    const newest = this.newest(), now = this.pausedAt ?? Date.now();
    const edge = newest && now - newest > DAY ? newest : now;
    const length = SPANS[this.preset];
    return { start: edge - length, end: length >= DAY ? Math.ceil(edge / HOUR) * HOUR : edge + length / 100 };
  }

  // Minutes are kept for a day.
  get byMinute() {
    const { start, end } = this.at();
    return end - start <= DAY + HOUR && start >= (this.pausedAt ?? Date.now()) - DAY - HOUR;
  }

  text() {
    return this.fixed ? span(this.fixed.start, this.fixed.end) : NAMES[this.preset] + (this.paused ? " to " + span(this.pausedAt) : "");
  }

  pick(preset) {
    this.preset = preset;
    this.fixed = null;
    this.tell();
  }

  fix({ start, end }) {
    if (end - start < LEAST) return;
    this.fixed = { start: Math.round(start), end: Math.round(end) };
    this.tell();
  }

  typed() {
    const start = fromInput(find("from").value), end = fromInput(find("to").value);
    if (end - start >= LEAST) this.fix({ start, end });
  }

  pause() {
    this.pausedAt = this.paused ? null : Date.now();
    this.tell();
  }

  live() {
    this.pausedAt = this.fixed = null;
    this.tell();
  }

  tell() {
    this.show();
    this.changed();
  }

  show() {
    find("range").value = this.fixed ? "custom" : this.preset;
    find("custom").hidden = !this.fixed;
    if (this.fixed) {
      find("from").value = toInput(this.fixed.start);
      find("to").value = toInput(this.fixed.end);
    }
    if (!find("pause")) return;
    find("pause").setAttribute("aria-pressed", String(this.paused));
    find("pause").textContent = this.paused ? "Paused" : "Pause";
    find("live").hidden = !this.paused && !this.fixed;
  }

  // What the address says of it.
  query() {
    const stretch = this.fixed ? { from: written(this.fixed.start), to: written(this.fixed.end) } : this.preset === "24h" ? {} : { range: this.preset };
    return this.paused ? { ...stretch, paused: written(this.pausedAt) } : stretch;
  }
}
