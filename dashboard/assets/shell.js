// What every page has: theme, time zone, data age, the connection's state, and the way to Bokeh's document.
import { element, find, setText, svg } from "./dom.js";
import { onKey, showOverlay } from "./keys.js";
import { asked, kept, replaceAddress, startKiosk } from "./kiosk.js";
import { age, tick } from "./numbers.js";
import { forgetRuns } from "./sqlrun.js";
import { localZone, moment, onZone, setZone, tickText, ticks, zone } from "./time.js";

export { element, find, setText, svg };
export const RETRY_MS = 1_000;
const BEHIND_MS = 30_000, ANSWER_MS = 10_000;
const ICONS = {
  ok: "M3 8.5l3.2 3.2L13 5",
  warning: "M8 2.2l6.3 11.3H1.7zM8 6.4v3.4M8 11.6v.6",
  critical: "M5.2 1.8h5.6l3.4 3.4v5.6l-3.4 3.4H5.2l-3.4-3.4V5.2zM8 4.6v4.2M8 10.8v.7",
  stale: "M8 2a6 6 0 1 0 .01 0M8 4.6V8l2.4 1.6",
  "no data": "M3.5 8h9",
};
export const STATE_TEXT = { ok: "OK", warning: "Warning", critical: "Critical", stale: "Stale", "no data": "No data" };

export function setBadge(badge, state) {
  if (badge.dataset.state === state) return;
  badge.dataset.state = state;
  const icon = svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
  icon.append(svg("path", { d: ICONS[state] }));
  badge.replaceChildren(icon, element("span", "", STATE_TEXT[state]));
}

export function sinceText(since, openStart) {
  if (!since) return "";
  return openStart ? `for more than ${age(Date.now() - since)}` : `since ${moment(since)} (${age(Date.now() - since)})`;
}

export const modelAddress = (model) => "?" + new URLSearchParams({ model, version: "*", segment: "*" });

// Theme and zone.
const dark = matchMedia("(prefers-color-scheme: dark)");
const themeListeners = new Set();

function applyTheme() {
  const choice = [kept().theme, localStorage.getItem("tower.theme")].find((each) => ["light", "dark"].includes(each)) ?? "auto";
  document.documentElement.dataset.theme = choice === "auto" ? (dark.matches ? "dark" : "light") : choice;
  find("theme").value = choice;
  themeListeners.forEach((listener) => listener());
}

export const onTheme = (listener) => themeListeners.add(listener);

// The newest event time (ms) that the page shows, and how the server's feed is.
let newest = 0, feed = { state: "connecting", since: 0 }, lost = 0;

export function setFreshness(eventTime, feedState) {
  newest = eventTime;
  feed = feedState;
  showAge();
}

function showAge() {
  const behind = Date.now() - newest;
  const state = lost ? "lost" : feed.state === "unreachable" ? "lost" : !newest || behind > BEHIND_MS ? "behind" : "live";
  find("freshness").dataset.state = state;
  setText(find("freshness-state"), state === "lost" ? "Not live" : feed.state === "catching up" ? "Catching up" : state === "live" ? "Live" : "Waiting");
  setText(find("freshness-age"), newest ? `data ${age(behind)} old` : "no data yet");
  const banner = find("banner");
  let message = "";
  if (lost) message = `Disconnected, reconnecting. What you see is from ${moment(lost)}.`;
  else if (feed.state === "unreachable") message = `Kafka cannot be reached since ${moment(feed.since)}. What you see may be old; it goes on by itself.`;
  banner.hidden = !message;
  setText(banner, message);
}

// A connection may be lost in silence: the machine slept, or is in another network. Who shows old data asks, and takes no answer for that.
let askedAt = 0;
function listen(state) {
  const overdue = askedAt && state.heard !== askedAt;
  askedAt = 0;
  if (lost || Date.now() - newest < BEHIND_MS) return;
  if (overdue) return connectionLost();
  askedAt = state.asked = Date.now();
}

// When the live connection is gone, the page asks until the server is back and then loads itself again: its address holds all it shows.
function connectionLost() {
  if (lost) return;
  lost = Date.now();
  document.documentElement.dataset.connection = "lost";
  showAge();
  const retry = async () => {
    const answer = await fetch("health", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS) }).catch(() => null);
    if (answer?.ok) location.reload();
    else setTimeout(retry, RETRY_MS);
  };
  setTimeout(retry, RETRY_MS);
}

// Resolves with Bokeh's document when it is connected and drawn.
async function connected() {
  const live = () => window.Bokeh?.documents.find((doc) => doc.get_model_by_name("state"));
  while (!live()) await new Promise((done) => setTimeout(done, 20));
  tower.live = live();
  tower.live.on_event("connection_lost", connectionLost);
  return tower.live;
}

// Bokeh tells of each connection and each chart without data; errors alone are worth a line.
window.Bokeh.set_log_level("error");

export const tower = (window.tower = { ticks, tickText, tick });

export async function start(page) {
  find("zone").value = zone === "UTC" ? "UTC" : "local";
  setText(find("zone-local"), localZone === "UTC" ? "Local (UTC)" : localZone.replaceAll("_", " "));
  find("zone").addEventListener("change", (event) => setZone(event.target.value));
  find("theme").addEventListener("change", (event) => {
    localStorage.setItem("tower.theme", event.target.value);
    replaceAddress({ ...asked(), theme: event.target.value === "auto" ? undefined : event.target.value });
    applyTheme();
  });
  dark.addEventListener("change", applyTheme);
  applyTheme();
  document.querySelector(".account")?.addEventListener("submit", forgetRuns);
  for (const link of document.querySelectorAll(".pages a")) onKey(`g ${link.textContent[0].toLowerCase()}`, `Go to ${link.textContent}`, () => link.click());
  find("shortcuts-open").addEventListener("click", () => (find("settings").hidePopover?.(), showOverlay()));
  startKiosk();
  const doc = await connected();
  await page(doc);
  onZone(showAge);
  setInterval(showAge, 1_000);
  setInterval(() => listen(doc.get_model_by_name("state")), ANSWER_MS);
  document.documentElement.dataset.ready = "yes";
}
