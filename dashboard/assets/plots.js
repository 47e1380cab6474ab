// The plots of a model's page: the same for all pages, so the server makes them once, and each page fills them from its own live columns.
import { find, RETRY_MS } from "./shell.js";

export class Plots {
  // Not yet drawn, so that colours and ranges can be set before anything is seen.
  static async load(live) {
    const doc = live.constructor.from_json(await plotsJson());
    return new Plots(doc, live.roots().filter((root) => root.type === "ColumnDataSource"));
  }

  constructor(doc, live) {
    this.doc = doc;
    this.frozen = null;
    this.listeners = new Map(live.map((source) => [source.name, []]));
    this.live = new Map(live.map((source) => [source.name, source]));
    for (const source of live) {
      for (const signal of [source.properties.data.change, source.streaming, source.patching]) source.connect(signal, () => this.frozen || this.tell(source.name));
    }
    // A finger that is drawn over a chart scrolls the page.
    if (matchMedia("(pointer: coarse)").matches) doc.roots().forEach((plot) => (plot.toolbar.active_drag = null));
    this.places = doc.roots().map((plot) => find(`plot-${plot.name}`));
    this.multiples = this.get("multiples");
    this.rest = [];
  }

  get(name) {
    return this.doc.get_model_by_name(name);
  }

  // The columns that are shown: those that the server goes on changing, or while paused a copy of them.
  columns(name) {
    return this.frozen?.get(name) ?? this.live.get(name).data;
  }

  // `listener` is called after the columns of a source have changed.
  on(name, listener) {
    this.listeners.get(name).push(listener);
  }

  tell(name) {
    for (const listener of this.listeners.get(name)) listener();
  }

  pause(paused) {
    if (paused === (this.frozen !== null)) return;
    this.frozen = paused ? new Map([...this.live].map(([name, { data }]) => [name, copied(data)])) : null;
    for (const name of this.live.keys()) this.tell(name);
  }

  // All but the small multiples, which few look at: they are the last ones, so the others keep their places.
  async draw() {
    const rest = this.doc.roots().filter(({ y_range }) => y_range === this.multiples);
    for (const plot of rest) this.doc.remove_root(plot);
    await window.Bokeh.embed.add_document_standalone(this.doc, document.body, this.places);
    this.rest = rest;
  }

  drawRest() {
    for (const plot of this.rest.splice(0)) {
      this.doc.add_root(plot);
      this.doc._idle_roots.add(plot);  // a document that has been idle is told of no other plot, and would never be so again
    }
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
