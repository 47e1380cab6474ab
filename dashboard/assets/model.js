// A model's page: pickers, tiles, charts with a legend that is also the readout, and breakdowns.
import { Breakdown } from "./breakdown.js";
import { Chart } from "./chart.js";
import { Plots } from "./plots.js";
import { element, find, onTheme, setFreshness, setText, start, tower } from "./shell.js";
import { onZone } from "./time.js";
import { Tile } from "./tile.js";

const DAY = 86_400_000, HOUR = 3_600_000, FOLLOW_MS = 5_000;

function fillPicker(picker, names, chosen, all) {
  const wanted = ["*", ...names];
  if (!wanted.includes(chosen)) wanted.push(chosen);
  const have = [...picker.options].map((option) => option.value);
  if (have.join("\n") !== wanted.join("\n")) {
    picker.replaceChildren(
      ...wanted.map((name) => {
        const option = element("option", "", name === "*" ? all : name);
        option.value = name;
        return option;
      }),
    );
  }
  if (document.activeElement !== picker || picker.value !== chosen) picker.value = chosen;
}

// Keeps the right edge of the time axes at now, or at the newest data when that is long past.
function follow(plots, newest) {
  const edge = newest && Date.now() - newest > DAY ? newest : Date.now();
  const set = (name, start, end) => {
    const range = plots.get(name);
    if (Math.abs(range.end - end) > 1_000) range.setv({ start, end }, { sync: false });
  };
  set("day", edge - DAY, edge + DAY / 100);
  set("week", edge - 7 * DAY, Math.ceil(edge / HOUR) * HOUR);
}

start(async (doc) => {
  const state = doc.get_model_by_name("state");
  const specs = JSON.parse(find("charts").textContent);
  let plots = null, charts = [];
  const tiles = new Map();
  const breakdowns = ["scores", "classes", "nulls", "uplifts"].map((name) => new Breakdown(find(`breakdown-${name}`), name));
  let facts = JSON.parse(state.facts);

  const choose = () => {
    const choice = { version: find("version").value, segment: find("segment").value };
    history.replaceState(null, "", "?" + new URLSearchParams({ model: facts.model, ...choice }) + location.hash);
    state.choice = JSON.stringify(choice);
    document.documentElement.dataset.loading = "yes";
  };
  find("version").addEventListener("change", choose);
  find("segment").addEventListener("change", choose);

  const show = () => {
    facts = JSON.parse(state.facts);
    document.documentElement.dataset.loading = facts.loading ? "yes" : "no";
    fillPicker(find("version"), facts.versions, facts.version, "All versions");
    fillPicker(find("segment"), facts.segments, facts.segment, "All segments");
    for (const tile of facts.tiles) {
      if (!tiles.has(tile.category)) {
        tiles.set(tile.category, new Tile(false));
        find("tiles").append(tiles.get(tile.category).root);
      }
      tiles.get(tile.category).update(tile);
    }
    find("unknown").hidden = facts.loading || facts.known;
    for (const chart of charts) chart.facts(facts);
    for (const breakdown of breakdowns) breakdown.show(facts[breakdown.name], facts.loading);
    find("no-business").hidden = !["conversion", "uplift", "revenue"].every((name) => facts.hidden.includes(name));
    setText(find("scope-note"), facts.version === "*" && facts.segment === "*" ? "" : "The tiles above are for all versions and segments; the charts below for what is picked.");
    setFreshness(facts.newest, facts.feed);
    if (plots) follow(plots, facts.newest);
  };
  tower.hover = (name, x) => charts.forEach((chart) => chart.hover(chart.spec.name === name || x === null ? x : undefined));
  state.connect(state.properties.facts.change, show);
  onZone(() => charts.forEach((chart) => chart.redrawAxis()));
  onTheme(() => charts.forEach((chart) => chart.paint()));
  show();
  plots = await Plots.load(doc);
  charts = specs.map((spec) => new Chart(doc, plots, spec));
  charts.forEach((chart) => chart.paint());
  show();
  await plots.draw();
  setInterval(() => follow(plots, facts.newest), FOLLOW_MS);
  setInterval(() => tiles.forEach((tile) => tile.tick()), 1_000);
  if (location.hash) find(location.hash.slice(1))?.scrollIntoView();
});
