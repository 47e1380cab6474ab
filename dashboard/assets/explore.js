// The Explore page: what is picked becomes SQL, which the server runs in a sandbox; and SQL that was written by hand.
import { replaceAddress } from "./kiosk.js";
import { named, options } from "./pickers.js";
import { TimeRange } from "./range.js";
import { ResultChart, linesOf } from "./resultchart.js";
import { RowGrid } from "./rowgrid.js";
import { categoryName } from "./tile.js";
import { element, find, setFreshness, setText, start } from "./shell.js";
import { layouts, sqlOf } from "./sqlbuilder.js";
import { examples } from "./sqlexamples.js";
import { noteRun, wasRun } from "./sqlrun.js";
import { onZone } from "./time.js";

const metrics = JSON.parse(find("metrics").textContent), limits = JSON.parse(find("query").textContent);
const styleOf = Object.fromEntries(metrics.map((each) => [each.name, each.style]));
const DEFAULTS = { model: "", metric: "latency_p99_ms", window: "1h", version: "*", segment: "*", dimension: "", layout: "" };
const MOST_COLUMNS = 200;
const count = (value) => value.toLocaleString("en-US");
const address = new URLSearchParams(location.search);
const choice = Object.fromEntries(Object.entries(DEFAULTS).map(([name, usual]) => [name, address.get(name) ?? usual]));
let written = address.get("sql"), facts = {}, asked = null, shown = null;

const grid = new RowGrid(find("grid"));
const chart = new ResultChart(find("plot"), find("legend"), find("when"), find("chart-note"));

function fillPickers() {
  const prefixes = [...new Set((facts.segments ?? []).map((each) => each.split("=")[0]))];
  options("model", [["", "Each"], ...named(facts.models ?? [])], choice.model);
  options("version", [["*", "All together"], ["", "Each"], ...named(facts.versions ?? [])], choice.version);
  options("segment", [["*", "All together"], ["", "Each"], ...prefixes.map((each) => [each, `Each ${each}`]), ...named(facts.segments ?? [])], choice.segment);
  options("dimension", [["", "Whole"], ["*", "Each feature, class, variant"], ...named(facts.dimensions ?? [])], choice.dimension);
  const known = layouts(choice);
  if (!known.some(([each]) => each === choice.layout)) choice.layout = "";
  options("layout", known, choice.layout);
  find("window").value = choice.window;
  find("metric").value = choice.metric;
}

function fillMetrics() {
  const groups = new Map();
  for (const { name, label, category, meaning } of metrics) {
    if (!groups.has(category)) groups.set(category, element("optgroup"));
    groups.get(category).label = categoryName(category);
    const option = element("option", "", label);
    option.value = name;
    option.title = `${name}: ${meaning}`;
    groups.get(category).append(option);
  }
  find("metric").replaceChildren(...groups.values());
}

function remember(range) {
  const parts = Object.entries(choice).filter(([name, value]) => name === "model" || value !== DEFAULTS[name]);
  const query = written !== null ? { page: "explore", sql: written } : { page: "explore", ...Object.fromEntries(parts), ...range.query() };
  replaceAddress(query);
}

// The style of each column: of a metric's values where the statement asks for one metric.
function stylesOf(sql, columns) {
  const asked = [...new Set([...sql.matchAll(/\bmetric = '(\w+)'/g)].map((found) => found[1]))];
  const style = asked.length === 1 ? styleOf[asked[0]] : undefined;
  const pivoted = /^\s*PIVOT\b/i.test(sql);
  return columns.map(([name, type]) => (["value", "low", "high"].includes(name) || (pivoted && type === "DOUBLE") ? style : undefined));
}

function fileAddress(sql, format) {
  return "query?" + new URLSearchParams({ key: limits.key, format, sql });
}

function say(text, state) {
  setText(find("status"), text);
  find("cancel").hidden = state !== "running";
  document.documentElement.dataset.loading = state === "running" ? "yes" : "no";
  find("result-title").closest(".result").dataset.state = state;
}

function fail(text) {
  find("error").hidden = false;
  setText(find("error"), text);
  for (const id of ["chart", "grid", "nothing", "csv", "parquet"]) find(id).hidden = true;
  shown = null;
  say("", "failed");
}

function show(sql, { rows, more, seconds }, whole) {
  const left = whole.columns.length - MOST_COLUMNS;
  const table = left > 0 ? { columns: whole.columns.slice(0, MOST_COLUMNS), rows: whole.rows.map((row) => row.slice(0, MOST_COLUMNS)) } : whole;
  const styles = stylesOf(sql, table.columns), time = `${seconds.toFixed(seconds < 10 ? 2 : 0)}\u202fs`;
  shown = { sql, table, styles };
  find("error").hidden = true;
  find("nothing").hidden = rows > 0;
  draw();
  for (const format of ["csv", "parquet"]) {
    find(format).hidden = false;
    find(format).href = fileAddress(sql, format);
    find(format).title = `Download up to ${count(limits.fileRows)} rows`;
  }
  const told = more ? `First ${count(rows)} rows of more, in ${time}. A file has up to ${count(limits.fileRows)}.` : `${count(rows)} ${rows === 1 ? "row" : "rows"} in ${time}`;
  say(left > 0 ? `${told} The first ${MOST_COLUMNS} of ${count(whole.columns.length)} columns; a file has all.` : told, "done");
}

function draw() {
  if (!shown) return;
  const { table, styles } = shown, lines = linesOf(table.columns, table.rows, styles);
  find("chart").hidden = lines === null;
  chart.show(lines);
  grid.show(table.columns, table.rows, styles);
}

// Each answer is lines of JSON: that it waits or runs, and in the end an error or the rows.
async function run(sql) {
  asked?.abort();
  const mine = (asked = new AbortController()), began = Date.now();
  let state = "Asking";
  const tell = () => say(`${state}\u2026 ${Math.floor((Date.now() - began) / 1000)}\u202fs`, "running");
  const clock = setInterval(tell, 1000);
  for (const id of ["csv", "parquet"]) find(id).hidden = true;
  tell();
  try {
    const answer = await fetch(fileAddress(sql, "page"), { signal: mine.signal, cache: "no-store" });
    if (!answer.ok) return fail(answer.statusText || `The server answered ${answer.status}.`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "", head = null;
    for (;;) {
      const { done, value } = await reader.read();
      rest += value ?? "";
      for (let end; !head && (end = rest.indexOf("\n")) >= 0; rest = rest.slice(end + 1)) {
        const line = JSON.parse(rest.slice(0, end));
        if ("before" in line) state = `Waiting for ${line.before} other ${line.before === 1 ? "query" : "queries"}`;
        else if ("running" in line) state = "Running";
        else head = line;
        tell();
      }
      if (done) break;
    }
    if (mine.signal.aborted) return;
    const last = rest ? JSON.parse(rest) : { error: "The server ended before the rows came." };
    if (head) show(sql, head, last);
    else fail(last.error);
  } catch (error) {
    if (mine === asked) {
      if (mine.signal.aborted) say("Cancelled", "cancelled");
      else fail("The dashboard cannot be reached.");
    }
  } finally {
    clearInterval(clock);
  }
}

async function copy() {
  const area = find("sql");
  try {
    await navigator.clipboard.writeText(area.value);
  } catch {
    area.select();  // without https there is no clipboard to write to
    document.execCommand("copy");
  }
  setText(find("copy"), "Copied");
  setTimeout(() => setText(find("copy"), "Copy"), 1500);
}

start((doc) => {
  const state = doc.get_model_by_name("state");
  let newest = 0;
  const showFreshness = () => {
    const told = JSON.parse(state.facts);
    newest = told.newest;
    setFreshness(newest, told.feed);
  };
  const told = () => {
    facts = JSON.parse(state.lasting);
    fillPickers();
  };
  fillMetrics();
  for (const name of ["metric", "window"]) if (![...find(name).options].some(({ value }) => value === choice[name])) choice[name] = DEFAULTS[name];
  showFreshness();
  told();
  if (!choice.model && !address.has("model") && facts.models.length) choice.model = facts.models[0];
  const pick = () => {
    written = null;
    again();
  };
  const range = new TimeRange(() => newest, pick);
  if (choice.model !== facts.model) state.choice = JSON.stringify({ model: choice.model });
  function fill() {
    fillPickers();
    find("rebuild").hidden = written === null;
    setText(find("sql-note"), written === null ? "Made of the choices above; edit it as you like." : "Written by hand; the choices above do not count.");
    find("builder").classList.toggle("idle", written !== null);
    find("sql").value = written ?? sqlOf(choice, range.at());
    find("sql").rows = Math.min(Math.max(find("sql").value.split("\n").length + 1, 7), 14);
    remember(range);
  }
  function again() {
    fill();
    if (written !== null) noteRun(written);
    run(find("sql").value);
  }
  for (const name of Object.keys(DEFAULTS)) {
    find(name).addEventListener("change", (event) => {
      choice[name] = event.target.value;
      if (name === "model") {
        Object.assign(choice, { version: "*", segment: "*", dimension: "" });
        state.choice = JSON.stringify({ model: choice.model });
      }
      pick();
    });
  }
  find("sql").addEventListener("input", () => {
    written = find("sql").value;
    find("rebuild").hidden = false;
  });
  find("sql").addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) again();
  });
  find("run").addEventListener("click", () => again());
  options("example", [["", "Examples"], ...examples("").map(([name]) => [name, name])], "");
  find("example").addEventListener("change", (event) => {
    written = examples(choice.model).find(([name]) => name === event.target.value)?.[1] ?? written;
    event.target.value = "";
    again();
  });
  find("rebuild").addEventListener("click", pick);
  find("copy").addEventListener("click", copy);
  find("cancel").addEventListener("click", () => asked?.abort());
  state.connect(state.properties.facts.change, showFreshness);
  state.connect(state.properties.lasting.change, told);
  onZone(draw);
  if (written === null || wasRun(written)) again();
  else {
    fill();
    setText(find("sql-note"), "This came with a link: read it before you run it.");
    say("Not run yet", "waiting");
  }
});
