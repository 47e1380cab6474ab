// The plots of a model's page: the same for all pages, so the server makes them once, and each page draws them from its own live columns.
import { find, RETRY_MS } from "./shell.js";

export class Plots {
  // Not yet drawn, so that colours and ranges can be set before anything is seen.
  static async load(live) {
    const doc = live.constructor.from_json(await plotsJson());
    for (const source of live.roots().filter((root) => root.type === "ColumnDataSource")) follow(source, doc.get_model_by_name(source.name));
    return new Plots(doc);
  }

  constructor(doc) {
    this.doc = doc;
    this.places = doc.roots().map((plot) => find(`plot-${plot.name}`));
  }

  get(name) {
    return this.doc.get_model_by_name(name);
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

// The two sources have their columns in common; one of them hears from the server, the other one is drawn.
function follow(live, drawn) {
  const share = () => drawn.properties.data.set_value(live.data);
  live.connect(live.properties.data.change, () => (drawn.data = live.data));
  live.connect(live.streaming, () => (share(), drawn.streaming.emit()));
  live.connect(live.patching, (rows) => (share(), drawn.patching.emit(rows)));
  drawn.data = live.data;
}
