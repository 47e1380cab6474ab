// The health page: Control Tower itself. What came with the data is only ever set as text.
import { age, text } from "./numbers.js";
import { element, find, setBadge, setFreshness, setText, start } from "./shell.js";
import { drawSpark, makeSpark } from "./spark.js";
import { full, moment, onZone } from "./time.js";

const COUNTS = { predictions: "Predictions", outcomes: "Outcomes", duplicates: "Duplicate predictions", "unmatched outcomes": "Outcomes without a prediction", "expired predictions": "Predictions whose labels expired" };
const DASHBOARD = { viewers: "Open pages", models: "Models", models_refused: "Models beyond the limit", fleet_series: "Series of the fleet", open_scopes: "Scopes in detail" };
const count = (value) => value.toLocaleString("en-US");

function bytes(value) {
  for (const [size, unit] of [[2 ** 40, "TiB"], [2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]]) {
    if (value >= size) return (value / size).toLocaleString("en-US", { maximumSignificantDigits: 3 }) + "\u202f" + unit;
  }
  return value + "\u202fB";
}

// Makes the children of `root` as many as `rows`, and fills each.
function fill(root, rows, make, set) {
  while (root.children.length > rows.length) root.lastChild.remove();
  while (root.children.length < rows.length) root.append(make());
  rows.forEach((row, index) => set(root.children[index], row));
}

function figures(id, rows) {
  fill(find(id), rows, () => {
    const row = element("div");
    row.append(element("dt"), element("dd"));
    return row;
  }, (row, [name, value]) => {
    setText(row.firstChild, name);
    setText(row.lastChild, value);
  });
}

function table(id, rows) {
  const root = find(id), heads = [...root.querySelectorAll("th")];
  root.hidden = !rows.length;
  find(`${id}-empty`).hidden = rows.length > 0;
  fill(root.tBodies[0], rows, () => {
    const row = element("tr");
    row.append(...heads.map((head) => element("td", head.className)));
    return row;
  }, (row, cells) => cells.forEach((value, index) => {
    setText(row.children[index], value);
    row.children[index].title = value.length > 60 ? value : "";
  }));
}

function trend(name, samples, style) {
  const values = samples.slice(-150);
  if (!find(`${name}-spark`).firstChild) find(`${name}-spark`).append(makeSpark());
  drawSpark(find(`${name}-spark`).firstChild, values);
  setText(find(name), values.length ? text(values.at(-1), style) : "\u2013");
}

function show({ report, dashboard }) {
  if (!report) return;
  fill(find("checks"), report.checks, () => {
    const item = element("li", "card check");
    item.append(element("span", "badge"), element("span", "check-name"), element("span", "check-text"));
    return item;
  }, (item, check) => {
    item.dataset.state = check.state;
    setBadge(item.children[0], check.state);
    setText(item.children[1], check.name);
    setText(item.children[2], check.text);
  });
  const pipeline = report.pipeline;
  trend("rate", report.samples.map(([, rate]) => rate), "count");
  trend("lag", report.samples.map(([, , lag]) => lag), "count");
  const folded = Object.entries(pipeline?.counts ?? {}).filter(([name]) => name.startsWith("folded "));
  figures("counts", [
    ["Started", pipeline ? full(pipeline.started_at) : "\u2013"],
    ...Object.entries(COUNTS).map(([name, label]) => [label, pipeline ? count(pipeline.counts[name] ?? 0) : "\u2013"]),
    ...folded.map(([name, value]) => [`Names beyond a limit: ${name.slice(7)}`, count(value)]),
    ["Event time", pipeline?.newest_event_time ? full(pipeline.newest_event_time) : "\u2013"],
  ]);
  figures("work", [
    ...(pipeline?.shards ?? []).map((shard) => [`Shard ${shard.shard}, commit`, `${text(shard.commit_ms, "ms")}, ${age(report.at - shard.committed_at)} ago`]),
    ["Publishing", pipeline?.published_at ? `${text(pipeline.publish_ms, "ms")}, ${age(report.at - pipeline.published_at)} ago` : "\u2013"],
    ["Processes", pipeline ? count(pipeline.processes) : "\u2013"],
  ]);
  figures("sizes", [...Object.entries(report.sizes).map(([name, size]) => [name, bytes(size)]), ["Free", bytes(report.disk_free)]]);
  figures("dashboard", [
    ...Object.entries(DASHBOARD).map(([name, label]) => [label, count(dashboard[name])]),
    ["Memory", bytes(report.memory)],
  ]);
  figures("versions", Object.entries({ ...report.versions, ...pipeline?.versions }));
  table("partitions", report.partitions.map((each) => [each.topic, `${each.partition}`, count(each.offset), count(each.end), count(Math.max(each.end - each.offset, 0))]));
  table("reasons", report.letters.reasons.map((each) => [each.example, count(each.count), moment(each.newest)]));
  table("letters", report.letters.last.map((each) => [moment(each.received_at), `${each.topic}/${each.partition} at ${each.offset}`, each.reason, count(each.size), each.shown]));
}

// What the server knew when it made the page, so that nothing jumps when the live connection is there.
show(JSON.parse(find("facts").textContent));

start((doc) => {
  const state = doc.get_model_by_name("state");
  const draw = () => {
    const facts = JSON.parse(state.facts);
    setFreshness(facts.newest, facts.feed);
    show(facts);
  };
  state.connect(state.properties.facts.change, draw);
  onZone(draw);
  draw();
});
