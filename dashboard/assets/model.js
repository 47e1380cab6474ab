// A model's page: pickers, tiles, charts with a legend that is also the readout, and breakdowns.
import { Annotations } from "./annotations.js";
import { Breakdown } from "./breakdown.js";
import { Chart } from "./chart.js";
import { onKiosk, replaceAddress } from "./kiosk.js";
import { FeatureHeat } from "./featureheat.js";
import { shades } from "./heat.js";
import { LatencyHeat } from "./latencyheat.js";
import { showMatrix } from "./matrix.js";
import { Overlay } from "./overlay.js";
import { named, options } from "./pickers.js";
import { addTools } from "./picture.js";
import { Plots } from "./plots.js";
import { TimeRange } from "./range.js";
import { find, onTheme, setFreshness, setText, start, tower } from "./shell.js";
import { onZone } from "./time.js";
import { Tile } from "./tile.js";

const FOLLOW_MS = 5_000, HOUR = 3_600_000;

start(async (doc) => {
  const state = doc.get_model_by_name("state");
  const specs = JSON.parse(find("charts").textContent);
  const charts = [];
  let plots = null, shown = false;
  const tiles = new Map();
  const breakdowns = ["scores", "classes", "nulls", "uplifts"].map((name) => new Breakdown(find(`breakdown-${name}`), name));
  const told = () => ({ ...JSON.parse(state.facts), ...JSON.parse(state.lasting) });
  let facts = told();

  const address = () => replaceAddress({ model: facts.model, ...chosen(), ...overlay.query(), ...range.query() });
  let feature = new URLSearchParams(location.search).get("feature") ?? "";
  const chosen = () => ({ version: find("version").value, segment: find("segment").value, ...(feature && { feature }) });
  const choose = () => {
    shown = false;
    address();
    send();
    document.documentElement.dataset.loading = "yes";
  };
  // What was picked, and the hours that the charts show.
  const send = () => {
    const { start, end } = range.at();
    const choice = JSON.stringify({ ...chosen(), ...overlay.choice(), start: Math.floor(start / HOUR) * HOUR, end: Math.ceil(Math.min(end, Date.now()) / HOUR) * HOUR });
    if (state.choice !== choice) state.choice = choice;
  };
  const pick = (name) => {
    feature = name;
    address();
    send();
  };
  const overlay = new Overlay(() => {
    address();
    send();
  });
  tower.shades = shades;
  find("version").addEventListener("change", choose);
  find("segment").addEventListener("change", choose);

  // Puts the axis where the range is; what the viewer drags comes back as a change of the axis that is none of ours.
  let ours = false;
  const follow = () => {
    if (!plots) return;
    send();
    const axis = plots.get("time"), { start, end } = range.at();
    if (Math.abs(axis.end - end) > 1_000 || Math.abs(axis.start - start) > 1_000) {
      ours = true;
      axis.setv({ start, end }, { sync: false });
      ours = false;
    }
    charts.forEach((chart) => chart.card.hidden || chart.redraw());
    overlay.align(facts, charts, plots);
  };
  const range = new TimeRange(() => facts.newest, () => {
    address();
    show();
  });

  const annotations = new Annotations(facts.model, range);
  const annotate = () => annotations.show(JSON.parse(state.annotations));
  state.connect(state.properties.annotations.change, annotate);
  annotate();

  const show = () => {
    const now = told();
    setFreshness(now.newest, now.feed);
    plots?.pause(range.paused && shown);
    showMatrix(now.matrix, now.hidden.includes("f1_hour"), now.loading);
    if (range.paused && shown) return follow();
    facts = now;
    shown = !facts.loading;
    plots?.pause(range.paused && shown);
    document.documentElement.dataset.loading = facts.loading ? "yes" : "no";
    options("version", [["*", "All versions"], ...named(facts.versions)], facts.version);
    options("segment", [["*", "All segments"], ...named(facts.segments)], facts.segment);
    overlay.fill(facts.segments);
    for (const tile of facts.tiles) {
      if (!tiles.has(tile.category)) {
        tiles.set(tile.category, new Tile(false));
        find("tiles").append(tiles.get(tile.category).root);
      }
      tiles.get(tile.category).update(tile);
    }
    find("tiles").hidden = !facts.loading && !facts.tiles.length;
    find("unknown").hidden = !find("tiles").hidden;
    follow();
    for (const chart of charts) chart.facts(facts);
    if (plots) overlay.align(facts, charts, plots);
    for (const breakdown of breakdowns) breakdown.show(facts[breakdown.name], facts.loading);
    find("no-business").hidden = !["conversion", "uplift", "revenue"].every((name) => facts.hidden.includes(name));
    const whole = facts.version === "*" && facts.segment === "*", seen = facts.loading || facts.known || !facts.tiles.length;
    setText(find("scope-note"), !seen ? "Nothing has been seen of this version and segment in the last seven days." : whole ? "" : "The tiles above are for all versions and segments; the charts below for what is picked.");
  };
  tower.hover = (name, x) => {
    charts.forEach((chart) => chart.hover(chart.spec.name === name || x === null ? x : undefined));
    annotations.hover(name, x);
  };
  // Both may change in one message: they are shown together.
  let due = false;
  for (const { change } of [state.properties.facts, state.properties.lasting]) {
    state.connect(change, () => {
      if (!due) queueMicrotask(() => ((due = false), show()));
      due = true;
    });
  }
  onZone(() => charts.forEach((chart) => chart.redrawAxis()));
  onKiosk(() => charts.forEach((chart) => chart.paint()));
  onTheme(() => (charts.forEach((chart) => chart.paint()), annotations.draw()));
  show();
  plots = await Plots.load(doc);
  annotations.attach(plots.get("annotations"));
  shown = false;
  show();
  plots.get("time").connect(plots.get("time").change, () => ours || range.fix(plots.get("time")));
  const about = () => [facts.model, facts.version, facts.segment].filter((name) => name !== "*").join(" \u00b7 ");
  await plots.draw((name) => {
    const spec = specs.find((each) => each.name === name);
    const chart = spec.shares ? new LatencyHeat(plots, range, spec) : spec.heat ? new FeatureHeat(plots, range, spec, pick) : new Chart(plots, range, spec, overlay);
    charts.push(chart);
    chart.paint();
    addTools(chart, about);
    annotations.join(chart);
    chart.facts(facts);
  });
  overlay.align(facts, charts, plots);
  plots.on("overlay", () => overlay.align(facts, charts, plots));
  follow();
  setInterval(follow, FOLLOW_MS);
  setInterval(() => tiles.forEach((tile) => tile.tick()), 1_000);
  if (location.hash) find(location.hash.slice(1))?.scrollIntoView();
});
