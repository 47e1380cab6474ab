// The plots of a model's page: the same for all pages, so the server makes them once, and each page draws them from its own live columns.
import { find, RETRY_MS } from "./shell.js";

export class Plots {
  // Not yet drawn, so that colours and ranges can be set before anything is seen.
  static async load(live) {
    const doc = live.constructor.from_json(await plotsJson());
    return new Plots(doc, live.roots().filter((root) => root.type === "ColumnDataSource"));
  }

  constructor(doc, live) {
    this.doc = doc;
    this.paused = false;
    this.pairs = live.map((source) => [source, doc.get_model_by_name(source.name)]);
    for (const [source, drawn] of this.pairs) this.follow(source, drawn);
    // A finger that is drawn over a chart scrolls the page.
    if (matchMedia("(pointer: coarse)").matches) doc.roots().forEach((plot) => (plot.toolbar.active_drag = null));
    this.places = doc.roots().map((plot) => find(`plot-${plot.name}`));
  }

  get(name) {
    return this.doc.get_model_by_name(name);
  }

  // The two sources have their columns in common; one of them hears from the server, the other one is drawn.
  follow(live, drawn) {
    const unlessPaused = (tell) => (rows) => {
      if (this.paused) return;
      drawn.properties.data.set_value(live.data);
      tell(rows);
    };
    live.connect(live.properties.data.change, () => this.paused || (drawn.data = live.data));
    live.connect(live.streaming, unlessPaused(() => drawn.streaming.emit()));
    live.connect(live.patching, unlessPaused((rows) => drawn.patching.emit(rows)));
    drawn.data = live.data;
  }

  // Paused, what is drawn is a copy: the server goes on changing the columns.
  pause(paused) {
    if (paused === this.paused) return;
    this.paused = paused;
    for (const [live, drawn] of this.pairs) drawn.data = paused ? copied(live.data) : live.data;
  }

  async draw() {
    await window.Bokeh.embed.add_document_standalone(this.doc, document.body, this.places);
  }
}

// A server that is being replaced knows other plots: the page loads itself anew. Whatever else fails is tried again.
async function plotsJson() {
  for (;;) {
    const answer = await fetch(find("charts").dataset.plots).catch(() => null);
    if (answer?.ok) return answer.json();
    if (answer?.status === 404) location.reload();
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
}

const copied = (data) => new Map((data instanceof Map ? [...data] : Object.entries(data)).map(([name, values]) => [name, values.slice()]));
