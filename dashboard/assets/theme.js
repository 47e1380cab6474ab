// Runs before the first paint, so that a dark page does not flash white, and a kiosk does not jump.
const address = new URLSearchParams(location.search);
const choice = ["light", "dark"].includes(address.get("theme")) ? address.get("theme") : (localStorage.getItem("tower.theme") ?? "auto");
const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = choice === "auto" ? (prefersDark ? "dark" : "light") : choice;
if (address.has("kiosk")) document.documentElement.dataset.kiosk = "yes";
