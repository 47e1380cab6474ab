// Times in the viewer's zone or in UTC: text, and axis ticks that fall on whole local hours and days.
import { isKiosk } from "./kiosk.js";

const QUARTER = 900_000, HOUR = 4 * QUARTER, DAY = 24 * HOUR;
const STEPS = [HOUR / 60, HOUR / 12, HOUR / 6, HOUR / 4, HOUR / 2, HOUR, 2 * HOUR, 3 * HOUR, 4 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY];
const LOCAL = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
const formats = new Map();
const listeners = new Set();

export const localZone = LOCAL;
export let zone = localStorage.getItem("tower.zone") === "UTC" ? "UTC" : LOCAL;

export function setZone(name) {
  zone = name === "UTC" ? "UTC" : LOCAL;
  localStorage.setItem("tower.zone", zone === "UTC" ? "UTC" : "local");
  listeners.forEach((listener) => listener());
}

export const onZone = (listener) => listeners.add(listener);

function format(options) {
  const key = zone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options }));
  return formats.get(key);
}

const clock = (ms) => format({ hour: "2-digit", minute: "2-digit" }).format(ms);
const day = (ms) => format({ day: "numeric", month: "short" }).format(ms);

export const full = (ms) => format({ weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }).format(ms);
// The time alone for today, else with its day.
export const moment = (ms) => (day(ms) === day(Date.now()) ? clock(ms) : `${day(ms)}, ${clock(ms)}`);

// The zone's short name at that time: UTC, CET, GMT+5:30.
export const zoneName = (ms) => format({ timeZoneName: "short" }).formatToParts(ms).find((part) => part.type === "timeZoneName").value;

// What to add to UTC to get the zone's wall clock at that time, in ms: the same for a quarter of an hour, in every zone.
const offsets = new Map();
function offset(ms) {
  const key = `${zone} ${Math.floor(ms / QUARTER)}`;
  if (!offsets.has(key)) {
    if (offsets.size > 10_000) offsets.clear();
    offsets.set(key, offsetAt(ms));
  }
  return offsets.get(key);
}

function offsetAt(ms) {
  const parts = Object.fromEntries(
    format({ year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" })
      .formatToParts(ms)
      .map((part) => [part.type, Number(part.value)]),
  );
  return Date.UTC(parts.year, parts.month - 1, parts.day, parts.hour, parts.minute, parts.second) - Math.floor(ms / 1000) * 1000;
}

// At most so many as have room on the whole width of the page, or `most`.
export function ticks({ start, end }, most = window.innerWidth < 700 ? 4 : isKiosk() ? 5 : 8) {
  const span = end - start;
  if (!Number.isFinite(span)) return [];  // a range without data yet has no ends, and no tick would ever lie beyond them
  const step = STEPS.find((each) => span / each <= most) ?? Math.ceil(span / most / (30 * DAY)) * 30 * DAY;
  const found = [];
  for (let wall = Math.ceil((start + offset(start)) / step) * step; ; wall += step) {
    // Twice, since the offset at the wall clock's own time may be another one where summer time begins or ends.
    const at = wall - offset(wall - offset(wall));
    if (at > end) return found;
    if (at >= start) found.push(at);
  }
}

export function tickText(ms, index, all) {
  const days = all.length > 1 && all[1] - all[0] >= 0.9 * DAY;
  return days || clock(ms) === "00:00" ? day(ms) : clock(ms);
}

// One moment, or from one to another: the day is told once where both are of the same.
export function span(start, end) {
  const one = `${day(start)}, ${clock(start)}`;
  if (end === undefined) return moment(start);
  return day(start) === day(end) ? `${one} to ${clock(end)}` : `${one} to ${day(end)}, ${clock(end)}`;
}

// As one writes it in a table: 2026-11-27 12:04:30, and no seconds where there are none.
export const stamp = (ms) => new Date(ms + offset(ms)).toISOString().slice(0, ms % 60_000 ? 19 : 16).replace("T", " ");

// What an input of the type datetime-local has for a time, in the zone that was picked, and back.
export const toInput = (ms) => new Date(ms + offset(ms)).toISOString().slice(0, 16);
export function fromInput(text) {
  const wall = Date.parse(text + "Z");
  return wall - offset(wall - offset(wall));
}
