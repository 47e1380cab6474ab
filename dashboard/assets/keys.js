// Keyboard shortcuts: whoever has one names it here, and the overlay (?) lists them all.
import { element } from "./dom.js";

const SEQUENCE_MS = 1_500, OFF = "tower.keys";
const shortcuts = new Map();
let first = "", pressedAt = 0, overlay = null;
const enabled = () => localStorage.getItem(OFF) !== "off";

// `keys` is one key, or two after another: "p", "g f". What is named later under the same keys is left out.
export function onKey(keys, text, act) {
  if (!shortcuts.has(keys)) shortcuts.set(keys, { text, act });
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea, dialog")) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const sequence = first && event.timeStamp - pressedAt < SEQUENCE_MS ? `${first} ${key}` : key;
  const found = key === "?" ? { act: showOverlay } : enabled() ? shortcuts.get(sequence) : undefined;
  [first, pressedAt] = found || key.length > 1 ? ["", 0] : [key, event.timeStamp];
  if (!found) return;
  event.preventDefault();
  found.act();
});

export function showOverlay() {
  overlay?.remove();
  overlay = element("dialog", "dialog shortcuts");
  overlay.setAttribute("aria-labelledby", "shortcuts-title");
  const title = element("h2", "", "Keyboard shortcuts"), list = element("dl", "keys");
  title.id = "shortcuts-title";
  for (const [keys, { text }] of [...shortcuts, ["?", { text: "This list" }]]) {
    const line = element("div"), names = element("dt");
    names.append(...keys.split(" ").map((key) => element("kbd", "", key.length === 1 ? key.toUpperCase() : key)));
    line.append(names, element("dd", "", text));
    list.append(line);
  }
  // Somebody who dictates would otherwise press keys by talking.
  const label = element("label", "check-field"), box = element("input"), close = element("button", "button", "Close");
  box.type = "checkbox";
  box.checked = enabled();
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "on" : "off"));
  label.append(box, element("span", "", "Use keyboard shortcuts"));
  close.type = "button";
  close.addEventListener("click", () => overlay.close());
  const foot = element("div", "dialog-foot spread");
  foot.append(label, close);
  overlay.append(title, list, foot);
  document.body.append(overlay);
  overlay.showModal();
  close.focus();
}
