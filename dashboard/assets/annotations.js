// Annotations of a model's page: spans on all charts with their text at the pointer, the list beneath, and for operators the form.
import { css } from "./dom.js";
import { onKey } from "./keys.js";
import { element, find, setText } from "./shell.js";
import { fromInput, onZone, span, toInput } from "./time.js";

const NEAR_PX = 5, MINUTE = 60_000;
export const KINDS = { deployment: "Deployment", incident: "Incident", note: "Note" };

export class Annotations {
  // `range` tells what the charts show, `model` is the page's.
  constructor(model, range) {
    this.model = model;
    this.range = range;
    this.all = [];
    this.source = null;
    this.charts = [];
    this.pointed = null;
    this.dialog = find("annotate-dialog");
    onZone(() => this.list());
    if (!this.dialog) return;
    find("annotate").addEventListener("click", () => this.open(null));
    find("annotate-form").addEventListener("submit", (event) => (event.preventDefault(), this.save()));
    find("annotate-cancel").addEventListener("click", () => this.dialog.close());
    onKey("a", "Annotate what the charts show, or what the pointer is at", () => this.open(null));
  }

  show(annotations) {
    this.all = annotations;
    this.list();
    this.draw();
  }

  // The source is what all charts draw them from.
  attach(source) {
    this.source = source;
    this.draw();
  }

  join(chart) {
    this.charts.push(chart);
    chart.tip = element("div", "tip");
    chart.tip.hidden = true;
    chart.card.querySelector(".plot").append(chart.tip);
    chart.card.addEventListener("pointerleave", () => (chart.tip.hidden = true));
  }

  draw() {
    if (!this.source) return;
    const columns = { start: [], end: [], color: [] };
    for (const { kind, start, end } of this.all) {
      columns.start.push(start);
      columns.end.push(end ?? start);
      columns.color.push(css(`--${kind}`));
    }
    this.source.data = columns;
  }

  // The time under the pointer in a chart: what was then is told there.
  hover(name, x) {
    const chart = this.charts.find(({ spec }) => spec.name === name);
    if (!chart || x === null || x === undefined) return;
    this.pointed = x;
    const { start, end } = this.range.at(), plot = chart.card.querySelector(".plot");
    const near = (NEAR_PX * (end - start)) / Math.max(1, plot.clientWidth);
    const found = this.all.filter((each) => x >= each.start - near && x <= (each.end ?? each.start) + near);
    const shown = found.map((each) => each.id + each.updated).join();
    if (chart.tip.dataset.shown !== shown) {
      chart.tip.dataset.shown = shown;
      chart.tip.replaceChildren(...found.slice(0, 4).map((each) => told(each)));
    }
    chart.tip.hidden = !found.length;
    chart.tip.dataset.side = x - start > (end - start) / 2 ? "left" : "right";
  }

  list() {
    const rows = find("annotations").querySelector("tbody");
    find("annotations").hidden = !this.all.length;
    find("annotations-empty").hidden = this.all.length > 0;
    rows.replaceChildren(...this.all.map((each) => this.row(each)));
  }

  row(annotation) {
    const row = element("tr"), kind = element("td"), acts = element("td", "number");
    kind.append(mark(annotation.kind));
    const text = element("td", "annotation-text", annotation.text);
    row.append(element("td", "", span(annotation.start, annotation.end ?? undefined)), kind, text);
    row.append(element("td", "", annotation.model === "*" ? "All models" : "This model"), element("td", "", annotation.author), acts);
    if (this.dialog) {
      acts.append(button("Edit", annotation, () => this.open(annotation)), button("Remove", annotation, () => this.remove(annotation)));
    }
    return row;
  }

  // The form: of one that is there, or of a new one at the stretch that was dragged, the time that was pointed at, or now.
  open(annotation) {
    const fixed = this.range.fixed, at = this.pointed ?? Date.now();
    const { kind, text, start, end, model } = annotation ?? { kind: "deployment", text: "", start: fixed?.start ?? at, end: fixed?.end, model: this.model };
    this.edited = annotation;
    find("annotate-title").textContent = annotation ? "Edit the annotation" : "Annotate";
    find(`kind-${kind}`).checked = true;
    find("annotate-text").value = text;
    find("annotate-from").value = toInput(start);
    find("annotate-to").value = end ? toInput(end) : "";
    find("annotate-all").checked = model === "*";
    setText(find("annotate-error"), "");
    this.dialog.showModal();
    find("annotate-text").focus();
  }

  async save() {
    const start = fromInput(find("annotate-from").value), end = fromInput(find("annotate-to").value);
    // The form knows minutes alone: what was not changed stays exact.
    const exact = (read, before) => (before && Math.floor(before / MINUTE) * MINUTE === read ? before : read);
    const draft = {
      kind: find("annotate-form").elements.kind.value,
      text: find("annotate-text").value,
      model: find("annotate-all").checked ? "*" : this.model,
      start: exact(start, this.edited?.start),
      end: Number.isFinite(end) ? exact(end, this.edited?.end) : null,
    };
    const error = this.edited ? await send("PUT", draft, this.edited.id) : await send("POST", draft);
    setText(find("annotate-error"), error);
    if (!error) this.dialog.close();
  }

  async remove(annotation) {
    const status = find("annotations-status"), error = await send("DELETE", undefined, annotation.id);
    status.replaceChildren(error || "Removed. ");
    if (error) return;
    const { kind, text, model, start, end } = annotation;
    const undo = button("Undo", annotation, async () => status.replaceChildren(await send("POST", { kind, text, model, start, end })));
    status.append(undo);
    undo.focus();
  }
}

function mark(kind) {
  const made = element("span", "annotation-kind", KINDS[kind]);
  made.dataset.kind = kind;
  return made;
}

function told(annotation) {
  const made = element("div", "tip-entry");
  made.append(mark(annotation.kind), element("span", "tip-when", span(annotation.start, annotation.end ?? undefined)), element("div", "tip-text", annotation.text));
  return made;
}

function button(text, annotation, act) {
  const made = element("button", "button small", text);
  made.type = "button";
  made.setAttribute("aria-label", `${text}: ${annotation.text}`);
  made.addEventListener("click", act);
  return made;
}

// Returns what went wrong, or nothing.
async function send(method, content, id) {
  const address = "annotations" + (id ? `/${id}` : "");
  const body = content && JSON.stringify(content), headers = { "Content-Type": "application/json" };
  const answer = await fetch(address, { method, body, headers }).catch(() => null);
  if (!answer) return "The dashboard does not answer. Try again.";
  if (answer.ok) return "";
  const said = await answer.json().catch(() => null);
  return said?.error ?? `Refused (${answer.status}).`;
}
