// A chart as a picture for a report: with its title, what it is of, and its legend; and a chart on the whole screen.
import { css } from "./dom.js";
import { element, svg } from "./shell.js";
import { full, zoneName } from "./time.js";

const HEAD = 64, PAD = 16, NAMES = 152;
const resolved = (color) => color.replace(/^var\((.*)\)$/, (all, name) => css(name));

// Buttons at the right of a chart's title. `about` returns what the chart is of: model, version and segment.
export function addTools(chart, about) {
  const tools = element("span", "chart-tools");
  const button = (title, act, face) => {
    const made = element("button", "chart-tool");
    made.append(face);
    made.type = "button";
    made.title = title;
    made.setAttribute("aria-label", `${title}: ${chart.title}`);
    made.addEventListener("click", act);
    tools.append(made);
  };
  const icon = svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
  icon.append(svg("path", { d: "M9.8 2.8h3.4v3.4M6.2 13.2H2.8V9.8M13.2 2.8L9.3 6.7M2.8 13.2l3.9-3.9" }));
  button("Save as a picture", () => save(chart, about(), Pixels), "PNG");
  button("Save as SVG, for print", () => save(chart, about(), Vectors), "SVG");
  button("Show on the whole screen", () => (document.fullscreenElement ? document.exitFullscreen() : chart.card.requestFullscreen()), icon);
  chart.card.querySelector("figcaption").append(tools);
  document.addEventListener("fullscreenchange", () => {
    const height = document.fullscreenElement === chart.card && chart.stretches ? window.innerHeight - 120 : chart.spec.height;
    chart.card.querySelector(".plot").style.height = `${height}px`;
    chart.figure.height = height;
  });
}

async function save(chart, about, Sheet) {
  chart.hover(null);  // the newest values, not those under the pointer
  const view = window.Bokeh.index.find_one(chart.figure), size = [view.bbox.width + 2 * PAD, view.bbox.height + HEAD + 2 * PAD];
  const sheet = new Sheet(...size);
  sheet.fill(0, 0, ...size, css("--card"));
  await sheet.plot(view, PAD, HEAD + PAD);
  const write = (text, x, y, size, weight, color, end = false) => sheet.write(text, x, y, { size, weight, color: css(color), end });
  write(chart.title, PAD, 26, 15, 600, "--ink");
  write(`${about} \u00b7 ${chart.when.textContent} \u00b7 made ${full(Date.now())} ${zoneName(Date.now())}`, PAD, 46, 12, 400, "--muted");
  let x = PAD;
  for (const { color, height, alpha = 1, name, value } of chart.marks()) {
    sheet.fill(x, 61.5 - height / 2, 12, height, resolved(color), alpha);
    x += 18 + write(name, x + 18, 66, 12, 400, "--muted");
    x += 14 + (value ? 4 + write(value, x + 4, 66, 12, 600, "--ink") : 0);
  }
  for (const [name, y] of chart.sides()) write(fitted(name), PAD + NAMES, HEAD + PAD + y + 4, 12, 400, "--ink", true);
  const link = element("a");
  link.href = URL.createObjectURL(await sheet.blob());
  link.download = `${about} ${chart.spec.name} ${new Date().toISOString().slice(0, 16)}.`.replaceAll(/[^\p{L}\p{N}.-]+/gu, "-") + sheet.ending;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const family = () => getComputedStyle(document.body).fontFamily;
const pen = document.createElement("canvas").getContext("2d");

function measured(text, { size, weight }) {
  pen.font = `${weight} ${size}px ${family()}`;
  return pen.measureText(text).width;
}

// A name as far as there is room for it beside the plot.
function fitted(name) {
  const style = { size: 12, weight: 400 };
  if (measured(name, style) <= NAMES) return name;
  let length = name.length;
  while (length && measured(`${name.slice(0, length)}\u2026`, style) > NAMES) length--;
  return `${name.slice(0, length)}\u2026`;
}

// Where a picture is drawn, all in pixels of the page; `write` returns how wide a text is.
class Pixels {
  ending = "png";

  constructor(width, height) {
    this.scale = window.devicePixelRatio;
    this.canvas = document.createElement("canvas");
    this.canvas.width = width * this.scale;
    this.canvas.height = height * this.scale;
    this.pen = this.canvas.getContext("2d");
    this.pen.scale(this.scale, this.scale);
  }

  async plot(view, x, y) {
    const plot = await createImageBitmap(await view.export("png", true).to_blob());
    this.pen.drawImage(plot, x, y, view.bbox.width, view.bbox.height);
  }

  fill(x, y, width, height, color, alpha = 1) {
    Object.assign(this.pen, { fillStyle: color, globalAlpha: alpha });
    this.pen.fillRect(x, y, width, height);
    this.pen.globalAlpha = 1;
  }

  write(text, x, y, { size, weight, color, end }) {
    Object.assign(this.pen, { font: `${weight} ${size}px ${family()}`, fillStyle: color, textAlign: end ? "right" : "left" });
    this.pen.fillText(text, x, y);
    return this.pen.measureText(text).width;
  }

  blob() {
    return new Promise((done) => this.canvas.toBlob(done));
  }
}

class Vectors {
  ending = "svg";

  constructor(width, height) {
    this.root = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  }

  // Bokeh paints it once more, as vectors.
  async plot(view, x, y) {
    const place = svg("g", { transform: `translate(${x} ${y})` });
    place.append(document.importNode(view.export("svg").canvas, true));
    this.root.append(place);
  }

  fill(x, y, width, height, fill, alpha = 1) {
    this.root.append(svg("rect", { x, y, width, height, fill, "fill-opacity": alpha }));
  }

  write(text, x, y, { size, weight, color, end }) {
    const made = svg("text", { x, y, fill: color, "font-family": family(), "font-size": size, "font-weight": weight, "text-anchor": end ? "end" : "start" });
    made.textContent = text;
    this.root.append(made);
    return measured(text, { size, weight });
  }

  async blob() {
    return new Blob([new XMLSerializer().serializeToString(this.root)], { type: "image/svg+xml" });
  }
}
