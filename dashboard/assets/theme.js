// Runs before the first paint, so that a dark page does not flash white.
const choice = localStorage.getItem("tower.theme") ?? "auto";
const prefersDark = matchMedia("(prefers-color-scheme: dark)").matches;
document.documentElement.dataset.theme = choice === "auto" ? (prefersDark ? "dark" : "light") : choice;
