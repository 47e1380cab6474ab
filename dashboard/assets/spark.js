// A sparkline: the last values as one line, the newest as a dot. Decoration beside the number, so hidden from screen readers.
import { svg } from "./shell.js";

const WIDTH = 120, HEIGHT = 36, PAD = 4;

export function makeSpark() {
  const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", "aria-hidden": "true", preserveAspectRatio: "none" });
  root.append(svg("polyline", { points: "" }), svg("circle", { r: 2.5, visibility: "hidden" }));
  return root;
}

export function drawSpark(root, values) {
  const [line, dot] = root.children;
  const low = Math.min(...values), high = Math.max(...values), span = high - low || 1;
  const x = (index) => PAD + (values.length > 1 ? (index / (values.length - 1)) * (WIDTH - 2 * PAD) : WIDTH - 2 * PAD);
  const y = (value) => (high === low ? HEIGHT / 2 : HEIGHT - PAD - ((value - low) / span) * (HEIGHT - 2 * PAD));
  line.setAttribute("points", values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  dot.setAttribute("visibility", values.length ? "visible" : "hidden");
  if (!values.length) return;
  dot.setAttribute("cx", x(values.length - 1));
  dot.setAttribute("cy", y(values.at(-1)));
}
