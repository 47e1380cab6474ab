// A screen on the wall: `&kiosk` in the address, or K. The header is reduced, the text larger (kiosk.css), the screen stays awake, and
// the page loads itself anew now and then, as it does when the server was away.
import { find } from "./dom.js";
import { onKey } from "./keys.js";

const RELOAD_MS = 6 * 3_600_000, RETRY_MS = 60_000;
const root = document.documentElement;
const listeners = new Set();
let lock = null;

export const isKiosk = () => root.dataset.kiosk === "yes";

export const onKiosk = (listener) => listeners.add(listener);

// What the address of every page says beside its own: the mode, and the theme where one was picked.
export function kept() {
  const { theme } = asked();
  return { ...(theme ? { theme } : {}), ...(isKiosk() ? { kiosk: "" } : {}) };
}

// What the address says now.
export const asked = () => Object.fromEntries(new URLSearchParams(location.search));

export function replaceAddress(values) {
  const all = Object.entries({ ...values, ...kept(), ...values }).filter(([, value]) => value !== undefined);
  const query = new URLSearchParams(all).toString().replace(/(^|&)kiosk=(?=&|$)/, "$1kiosk");
  history.replaceState(null, "", (query ? "?" + query : "./") + location.hash);
}

// Refused without https, on battery, or when the page is hidden: then the screen sleeps as it otherwise does.
async function stayAwake() {
  if (!isKiosk() || document.visibilityState !== "visible" || (lock && !lock.released)) return;
  lock = await navigator.wakeLock?.request("screen").catch(() => null);
}

async function reload() {
  const answer = await fetch("health", { cache: "no-store" }).catch(() => null);
  if (isKiosk() && answer?.ok) location.reload();
  else setTimeout(reload, RETRY_MS);
}

function toggle() {
  root.dataset.kiosk = isKiosk() ? "no" : "yes";
  replaceAddress({ ...asked(), kiosk: isKiosk() ? "" : undefined });
  find("settings").hidePopover?.();
  if (isKiosk()) stayAwake();
  else lock?.release();
  listeners.forEach((listener) => listener());
  window.dispatchEvent(new Event("resize"));
}

export function startKiosk() {
  onKey("k", "Kiosk: for a screen on the wall, and back", toggle);
  document.addEventListener("visibilitychange", stayAwake);
  stayAwake();
  setTimeout(reload, RELOAD_MS);
}
