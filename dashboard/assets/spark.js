// A sparkline: the last values as one line, the newest as a dot. Decoration beside the number, so hidden from screen readers.
import { svg } from "./shell.js";

const WIDTH = 120, HEIGHT = 36, PAD = 4;
// At least this part of the middle value fills the height: what hardly moves shall not look wild.
const LEAST_SPAN = 0.1;

export function makeSpark() {
  const root = svg("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "spark", "aria-hidden": "true", preserveAspectRatio: "none" });
  root.append(svg("polyline", { points: "" }), svg("circle", { r: 2.5, visibility: "hidden" }));
  return root;
}

export function drawSpark(root, values) {
  const [line, dot] = root.children;
  const least = Math.min(...values), most = Math.max(...values), middle = (least + most) / 2;
  const span = Math.max(most - least, LEAST_SPAN * Math.abs(middle)) || 1, low = middle - span / 2;
  const x = (index) => PAD + (values.length > 1 ? (index / (values.length - 1)) * (WIDTH - 2 * PAD) : WIDTH - 2 * PAD);
  const y = (value) => HEIGHT - PAD - ((value - low) / span) * (HEIGHT - 2 * PAD);
  line.setAttribute("points", values.map((value, index) => `${x(index).toFixed(1)},${y(value).toFixed(1)}`).join(" "));
  dot.setAttribute("visibility", values.length ? "visible" : "hidden");
  if (!values.length) return;
  dot.setAttribute("cx", x(values.length - 1));
  dot.setAttribute("cy", y(values.at(-1)));
}
