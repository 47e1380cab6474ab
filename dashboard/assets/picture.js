// A chart as a picture for a report: with its title, what it is of, and its legend; and a chart on the whole screen.
import { element, svg } from "./shell.js";
import { full, zoneName } from "./time.js";

const HEAD = 64, PAD = 16;
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Two buttons at the right of a chart's title. `about` returns what the chart is of: model, version and segment.
export function addTools(chart, about) {
  const tools = element("span", "chart-tools");
  const button = (path, title, act) => {
    const made = element("button", "chart-tool"), icon = svg("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
    icon.append(svg("path", { d: path }));
    made.append(icon);
    made.type = "button";
    made.title = title;
    made.setAttribute("aria-label", `${title}: ${chart.title}`);
    made.addEventListener("click", act);
    tools.append(made);
  };
  button("M8 2.5v7.5M4.8 7L8 10.2 11.2 7M2.8 13.3h10.4", "Save as a picture", () => save(chart, about()));
  button("M9.8 2.8h3.4v3.4M6.2 13.2H2.8V9.8M13.2 2.8L9.3 6.7M2.8 13.2l3.9-3.9", "Show on the whole screen", () => (document.fullscreenElement ? document.exitFullscreen() : chart.card.requestFullscreen()));
  chart.card.querySelector("figcaption").append(tools);
  document.addEventListener("fullscreenchange", () => {
    const height = document.fullscreenElement === chart.card && !chart.spec.heat ? window.innerHeight - 120 : chart.spec.height;
    chart.card.querySelector(".plot").style.height = `${height}px`;
    chart.figure.height = height;
  });
}

async function save(chart, about) {
  chart.hover(null);  // the newest values, not those under the pointer
  const view = window.Bokeh.index.find_one(chart.figure);
  const plot = await createImageBitmap(await view.export("png", true).to_blob());
  const scale = plot.width / view.bbox.width;
  const canvas = document.createElement("canvas");
  canvas.width = plot.width + 2 * PAD * scale;
  canvas.height = plot.height + (HEAD + 2 * PAD) * scale;
  const pen = canvas.getContext("2d");
  pen.fillStyle = css("--card");
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(plot, PAD * scale, (HEAD + PAD) * scale);
  pen.scale(scale, scale);
  const family = getComputedStyle(document.body).fontFamily;
  const write = (text, x, y, font, color) => {
    pen.font = `${font} ${family}`;
    pen.fillStyle = color;
    pen.fillText(text, x, y);
    return x + pen.measureText(text).width;
  };
  write(chart.title, PAD, 26, "600 15px", css("--ink"));
  write(`${about} \u00b7 ${chart.when.textContent} \u00b7 made ${full(Date.now())} ${zoneName(Date.now())}`, PAD, 46, "12px", css("--muted"));
  let x = PAD;
  for (const { line, entry, name, value } of chart.entries) {
    if (entry.hidden) continue;
    pen.fillStyle = css(`--series-${line.slot}`);
    pen.fillRect(x, 60, 12, 3);
    x = write(`${name.textContent} `, x + 18, 66, "12px", css("--muted"));
    x = write(value.textContent, x, 66, "600 12px", css("--ink")) + 18;
  }
  canvas.toBlob((blob) => {
    const link = element("a");
    link.href = URL.createObjectURL(blob);
    link.download = `${about} ${chart.spec.name} ${new Date().toISOString().slice(0, 16)}.png`.replaceAll(/[^\p{L}\p{N}.-]+/gu, "-");
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  });
}
