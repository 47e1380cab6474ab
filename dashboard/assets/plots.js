// The plots of a model's page: the same for all pages, so the server makes them once, and each page fills them from its own live columns.
import { find, RETRY_MS, tower } from "./shell.js";

const ASKED_AFTER_MS = 40;

export class Plots {
  // None is drawn yet, so that colours and ranges can be set before anything is seen.
  static async load(live) {
    tower.plots = await made;
    return new Plots(tower.plots, live.roots().filter((root) => root.type === "ColumnDataSource"));
  }

  constructor(doc, live) {
    this.doc = doc;
    this.frozen = null;
    this.listeners = new Map(live.map((source) => [source.name, []]));
    this.live = new Map(live.map((source) => [source.name, source]));
    for (const source of live) {
      for (const signal of [source.properties.data.change, source.streaming, source.patching]) source.connect(signal, () => this.frozen || this.tell(source.name));
    }
    const plots = [...doc.roots()];
    // A finger that is drawn over a chart scrolls the page.
    if (matchMedia("(pointer: coarse)").matches) plots.forEach((plot) => (plot.toolbar.active_drag = null));
    this.places = plots.map((plot) => find(`plot-${plot.name}`));
    this.multiples = this.get("multiples");
    this.wanted = new Promise((done) => (this.drawRest = done));
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

  // Draws one after the other. Each has a task of its own, before which `ready` is called with its name: the browser shows what is there
  // meanwhile. Bokeh asks a plot for the class of its view when it comes to it, and waits until the view is made.
  // The small multiples, which few look at, come last, and wait for `drawRest`.
  draw(ready) {
    const plots = this.doc.roots(), rest = plots.filter(({ y_range }) => y_range === this.multiples);
    return new Promise((done, failed) => {
      for (const plot of plots) {
        const wait = rest.includes(plot) ? () => this.wanted : () => new Promise((turn) => setTimeout(turn));
        const View = plot.default_view;
        const value = class extends View {
          async lazy_initialize() {
            await wait();
            await super.lazy_initialize();
          }
        };
        const get = () => {
          Object.defineProperty(plot, "default_view", { value });
          if (plot.y_range === this.multiples) done(rest.splice(0).forEach(({ name }) => ready(name)));
          else ready(plot.name);
          return value;
        };
        Object.defineProperty(plot, "default_view", { get, configurable: true });
      }
      window.Bokeh.embed.add_document_standalone(this.doc, document.body, this.places).catch(failed);
    });
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

// Made while the server answers with the page's own document, for which Bokeh asks once the page is loaded.
const asked = new Promise((done) => addEventListener("load", () => setTimeout(done, ASKED_AFTER_MS)));
const made = Promise.all([plotsJson(), asked]).then(([json]) => window.Bokeh.require("document/document").Document.from_json(json));
