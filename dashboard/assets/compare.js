// The Compare page: two sides of a model, their differences with intervals, and which of them are beyond noise.
import { replaceAddress } from "./kiosk.js";
import { text } from "./numbers.js";
import { named, options } from "./pickers.js";
import { element, find, setFreshness, setText, start } from "./shell.js";
import { fromInput, onZone, span, toInput } from "./time.js";

const RANGES = {
  both: [["hour", "Newest whole hour"], ["day", "Newest whole day (UTC)"], ["7d", "7 days"], ["custom", "Custom"]],
  two: [["hour", "Hour and that of the day before"], ["day", "Day and the day before (UTC)"], ["week", "Day and that of the week before (UTC)"], ["7d", "7 days and the 7 before"], ["custom", "Custom"]],
};
const VERDICTS = { together: "Beyond noise", alone: "Perhaps", within: "Within noise", "": "No interval" };
const TIMES = ["start", "end", "start_b", "end_b"], INPUTS = ["from-a", "to-a", "from-b", "to-b"];
const NAMES = ["model", "by", "a", "b", "version", "segment", "range"], DEFAULTS = { by: "version", version: "*", segment: "*", range: "7d", a: "", b: "", model: "" };
const MOST = 40;
const METRICS = Object.fromEntries(JSON.parse(find("metrics").textContent).map((each) => [each.name, each]));
const address = new URLSearchParams(location.search);
const choice = Object.fromEntries(NAMES.map((name) => [name, address.get(name) ?? DEFAULTS[name]]));
for (const name of TIMES) choice[name] = Date.parse(address.get(name) ?? "") || 0;
if (!["version", "segment", "range"].includes(choice.by)) choice.by = "version";
let facts = {}, state = null;

const ranges = () => (choice.by === "range" ? RANGES.two : RANGES.both);

// Two of a kind to begin with: the first two versions, the first two values of one segment.
function complete() {
  if (!choice.model) choice.model = facts.models?.[0] ?? "";
  if (!ranges().some(([each]) => each === choice.range)) choice.range = "7d";
  if (choice.by === "range" || (choice.a && choice.b) || facts.model !== choice.model) return;
  const all = choice.by === "version" ? facts.versions : facts.segments;
  const kin = (name) => all.filter((each) => choice.by === "version" || each.split("=")[0] === name.split("=")[0]);
  const first = choice.a || all.find((each) => kin(each).length > 1) || all[0] || "";
  choice.a = first;
  choice.b = choice.b || kin(first).find((each) => each !== first) || (first ? "*" : "");
}

function fillPickers() {
  const ranged = choice.by === "range", all = [["*", "All together"]];
  options("model", named(facts.models ?? []), choice.model);
  const sides = [...named((choice.by === "version" ? facts.versions : facts.segments) ?? []), ...all];
  options("a", sides, choice.a);
  options("b", sides, choice.b);
  options("version", [...all, ...named(facts.versions ?? [])], choice.version);
  options("segment", [...all, ...named(facts.segments ?? [])], choice.segment);
  options("range", ranges(), choice.range);
  find("by").value = choice.by;
  for (const id of ["a", "b"]) find(`pick-${id}`).hidden = ranged;
  find("pick-version").hidden = choice.by === "version";
  find("pick-segment").hidden = choice.by === "segment";
  find("swap").hidden = ranged && choice.range !== "custom";
  find("custom-a").hidden = choice.range !== "custom";
  find("custom-b").hidden = choice.range !== "custom" || !ranged;
  TIMES.forEach((name, index) => { if (choice[name]) find(INPUTS[index]).value = toInput(choice[name]); });
}

function asked() {
  const kept = { ...choice };
  if (choice.by === "range") kept.a = kept.b = "";
  else kept[choice.by] = "*";
  if (choice.range !== "custom") for (const name of TIMES) kept[name] = 0;
  return kept;
}

function ask() {
  complete();
  fillPickers();
  const kept = asked();
  const parts = Object.entries(kept).filter(([name, value]) => value && (name === "model" || name === "by" || value !== DEFAULTS[name]));
  const query = parts.map(([name, value]) => [name, TIMES.includes(name) ? new Date(value).toISOString().slice(0, 19) + "Z" : value]);
  replaceAddress(Object.fromEntries([["page", "compare"], ...query]));
  state.choice = JSON.stringify(kept);
  draw();
}

// No more digits than the interval supports: two of its half. What is written as zero has no sign.
function signed(value, line) {
  const shown = written(value, line);
  return /[1-9]/.test(shown) ? shown : shown.slice(1);
}

function written(value, line) {
  const points = ["percent", "points", "percentage"].includes(line.style), sign = value < 0 ? "\u2212" : "+";
  if (line.low === null || (!points && line.style !== "score")) {
    const size = Math.abs(value), usual = points ? text(line.style === "percentage" ? size / 100 : size, "points").replace("+", "") : text(size, line.style);
    return sign + (/[1-9]/.test(usual) || !value ? usual : size.toPrecision(2));
  }
  const scale = points && line.style !== "percentage" ? 100 : 1, half = ((line.high - line.low) / 2) * scale;
  const digits = half > 0 ? Math.min(Math.max(1 - Math.floor(Math.log10(half)), 0), 4) : 1;
  const shown = Math.abs(value * scale).toLocaleString("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits });
  return sign + shown + (points ? "\u202fpp" : "");
}

function valueCell(value, style) {
  const cell = element("td", "number");
  if (!value) return (cell.textContent = "\u2013"), cell;
  cell.append(element("strong", "", text(value.value, style)));
  const band = value.low !== null && value.high !== null ? `${text(value.low, style)} to ${text(value.high, style)}` : "";
  cell.append(element("span", "side-band", band), element("span", "side-n", `n\u202f=\u202f${value.n.toLocaleString("en-US")}`));
  return cell;
}

// The interval of a difference about zero, each line on its own scale.
function track(line) {
  const cell = element("td");
  if (line.low === null) return cell;
  const most = Math.max(Math.abs(line.low), Math.abs(line.high)) * 1.1 || 1, at = (value) => `${50 + (value / most) * 50}%`;
  const root = element("div", "track interval"), zero = element("span", "zero"), whisker = element("span", "whisker"), point = element("span", "point");
  zero.style.left = at(0);
  whisker.style.left = at(line.low);
  whisker.style.right = `calc(100% - ${at(line.high)})`;
  point.style.left = at(line.difference);
  root.append(zero, whisker, point);
  cell.append(root, element("span", "side-band", `${signed(line.low, line)} to ${signed(line.high, line)}`));
  return cell;
}

const nameOf = (line) => [METRICS[line.metric].label, part(line)].filter(Boolean).join(", ");
// What it is a part of, as "feature age".
const part = ({ dimension }) => dimension.replace("=", " ");
const relative = (line) => {
  const share = line.a?.value > 0 && !["percent", "points", "percentage", "score"].includes(line.style) ? line.difference / line.a.value : null;
  return share === null ? "" : ` (${share < 0 ? "\u2212" : "+"}${(Math.abs(share) * 100).toLocaleString("en-US", { maximumFractionDigits: Math.abs(share) < 0.1 ? 1 : 0 })}\u202f%)`;
};
const told = (line) => (line.difference === null ? "\u2013" : signed(line.difference, line) + relative(line));

// The metric over time on the Explore page, with the two sides as lines of it.
function overTime(line) {
  const { model, by, version, segment, a, b } = asked(), prefix = a.split("=")[0];
  const kept = { model, metric: line.metric, range: "7d", version, segment, dimension: line.dimension };
  if (by === "version") kept.version = "";
  if (by === "segment") kept.segment = a !== "*" && prefix === b.split("=")[0] ? prefix : "";
  return "?" + new URLSearchParams({ page: "explore", ...kept });
}

function row(line) {
  const made = element("tr"), name = element("th"), link = element("a", "", METRICS[line.metric].label), verdict = element("td", "verdict", VERDICTS[line.verdict]);
  made.dataset.verdict = line.verdict;
  link.href = overTime(line);
  name.append(link);
  name.scope = "row";
  if (line.dimension) name.append(element("span", "side-n", part(line)));
  link.title = `${line.metric} over time: ${METRICS[line.metric].meaning}`;
  if (line.change) verdict.append(element("span", `change ${line.change}`, `B ${line.change}`));
  made.append(name, valueCell(line.a, line.style), valueCell(line.b, line.style), element("td", "number", told(line)), track(line), verdict);
  return made;
}

function sideName(side) {
  const parts = [side.version === "*" ? "all versions" : side.version, side.segment === "*" ? "all segments" : side.segment, span(side.start, side.end)];
  return parts.join(", ");
}

function notes({ left_out, shared, lines, empty }) {
  const found = [];
  const looked = lines.filter((line) => line.low !== null).length, alone = lines.filter((line) => line.verdict === "alone").length;
  if (looked) found.push(`${looked} differences have an interval.${alone ? ` ${alone} more ${alone === 1 ? "is" : "are"} beyond noise by ${alone === 1 ? "itself" : "themselves"}, which may be chance among so many.` : ""}`);
  if (left_out.length) found.push(`Not known for a range of several windows: ${left_out.map((name) => METRICS[name]?.label ?? name).join(", ")}. Choose a whole hour, a whole day or 7 days.`);
  if (shared) found.push("The sides share predictions, so that the intervals are wider than need be.");
  if (empty.some(Boolean) && !empty.every(Boolean)) found.push(`Nothing has been seen of ${empty[0] ? "A" : "B"}.`);
  return found.join(" ");
}

function draw() {
  const current = facts.comparison && JSON.stringify(Object.entries(facts.choice).sort()) === JSON.stringify(Object.entries(asked()).sort());
  document.documentElement.dataset.loading = current || !(asked().a || choice.by === "range") ? "no" : "yes";
  find("compared").classList.toggle("behind", !current);
  const comparison = facts.comparison, none = !comparison || comparison.error || comparison.empty.every(Boolean);
  find("compared").hidden = none;
  find("waiting").hidden = !none;
  if (none) {
    const single = choice.by !== "range" && facts.model === choice.model && !choice.a;
    setText(find("waiting"), comparison?.error || (single ? `No ${choice.by} of this model has been seen yet.` : current ? "Nothing has been seen of either side in this range." : "Loading\u2026"));
    return;
  }
  const beyond = comparison.lines.filter((line) => line.verdict === "together");
  setText(find("beyond-title"), beyond.length ? `${beyond.length} ${beyond.length === 1 ? "difference is" : "differences are"} beyond noise` : "No difference is beyond noise");
  find("sides").replaceChildren(element("strong", "", "A "), element("span", "", sideName(comparison.a)), element("strong", "", " \u00b7 B "), element("span", "", sideName(comparison.b)));
  find("beyond").replaceChildren(...beyond.slice(0, 8).map((line) => {
    const item = element("li", `change-item ${line.change}`);
    item.append(element("span", "beyond-name", nameOf(line)), element("strong", "", told(line)), element("span", `change ${line.change}`, line.change ? `B ${line.change}` : ""));
    return item;
  }));
  setText(find("notes"), notes(comparison));
  for (const section of document.querySelectorAll(".differences")) {
    const lines = comparison.lines.filter((line) => line.category === section.id);
    section.hidden = !lines.length;
    const made = lines.slice(0, MOST).map(row);
    if (lines.length > MOST) {
      const rest = element("td", "breakdown-note", `and ${lines.length - MOST} more that differ less`);
      rest.colSpan = 6;
      made.push(element("tr"));
      made.at(-1).append(rest);
    }
    section.querySelector("tbody").replaceChildren(...made);
  }
}

start((doc) => {
  state = doc.get_model_by_name("state");
  const hear = () => {
    const before = facts;
    facts = JSON.parse(state.lasting);
    const names = (of) => JSON.stringify([of.models, of.model, of.versions, of.segments]);
    const lacks = !choice.model || (choice.by !== "range" && !(choice.a && choice.b));
    if (names(before) !== names(facts) && lacks) return ask();
    fillPickers();
    if (JSON.stringify(before.comparison) !== JSON.stringify(facts.comparison)) draw();
  };
  for (const name of NAMES) {
    find(name).addEventListener("change", (event) => {
      choice[name] = event.target.value;
      if (name === "by") Object.assign(choice, { a: "", b: "" });
      if (name === "model") Object.assign(choice, { a: "", b: "", version: "*", segment: "*" });
      if (name === "range" && choice.range === "custom" && facts.comparison) {
        const { a, b } = facts.comparison;
        Object.assign(choice, { start: a.start, end: a.end, start_b: b.start, end_b: b.end });
      }
      ask();
    });
  }
  TIMES.forEach((name, index) => find(INPUTS[index]).addEventListener("change", (event) => {
    const at = fromInput(event.target.value);
    if (Number.isFinite(at)) choice[name] = at;
    if (choice.start < choice.end && (choice.by !== "range" || choice.start_b < choice.end_b)) ask();
  }));
  find("swap").addEventListener("click", () => {
    [choice.a, choice.b, choice.start, choice.end, choice.start_b, choice.end_b] = choice.by === "range"
      ? [choice.a, choice.b, choice.start_b, choice.end_b, choice.start, choice.end]
      : [choice.b, choice.a, choice.start, choice.end, choice.start_b, choice.end_b];
    ask();
  });
  const showFreshness = () => {
    const { newest, feed } = JSON.parse(state.facts);
    setFreshness(newest, feed);
  };
  state.connect(state.properties.facts.change, showFreshness);
  state.connect(state.properties.lasting.change, hear);
  facts = JSON.parse(state.lasting);
  showFreshness();
  onZone(() => { fillPickers(); draw(); });
  ask();
});
