// The SQL of what is picked on the Explore page.
export const literal = (text) => `'${text.replaceAll("'", "''")}'`;
const moment = (ms) => `TIMESTAMPTZ '${new Date(ms).toISOString().slice(0, 19).replace("T", " ")}+00'`;

// What a choice can stand for beside one name: `each` is the value of a picker for every one of them.
const SPLITS = {
  model: { each: "", all: null, column: "model" },
  version: { each: "", all: "*", column: "model_version" },
  segment: { each: "", all: "*", column: "segment" },
  dimension: { each: "*", all: "", column: "dimension" },
};

// The names of what is picked to be told apart: "model", "version", "segment", "dimension".
// A segment without "=" is the name of all that begin with it: each region.
export const splits = (choice) => Object.keys(SPLITS).filter((name) => choice[name] === SPLITS[name].each || (name === "segment" && choice.segment !== "*" && !choice.segment.includes("=")));

// Layouts that there are for it: rows as they are, a column for each of one split, or one split against another in the newest window.
export function layouts(choice) {
  const found = splits(choice), columns = found.map((name) => [name, `Time by ${name}`]);
  const pairs = found.flatMap((rows) => found.filter((other) => other !== rows).map((other) => [`${rows}.${other}`, `Newest, ${rows} by ${other}`]));
  return [["", "Row by row"], ...columns, ...pairs];
}

function conditions(choice, { start, end }) {
  const found = [];
  for (const [name, { each, all, column }] of Object.entries(SPLITS)) {
    const value = choice[name];
    if (name === "segment" && splits(choice).includes("segment") && value) found.push(`starts_with(segment, ${literal(value + "=")})`);
    else if (value !== each) found.push(`${column} = ${literal(value)}`);
    else if (all !== null) found.push(`${column} <> ${literal(all)}`);
  }
  const time = timeOf(choice);
  const what = [`metric = ${literal(choice.metric)}`, `"window" = ${literal(choice.window)}`];
  return [what, found, [`${time} >= ${moment(start)}`, `${time} < ${moment(end)}`]].map((line) => line.join(" AND "));
}

// A rolling value stands at the end of its seven days, the others at the start of their window.
const timeOf = (choice) => (choice.window === "7d" ? "window_end" : "window_start");

export function sqlOf(choice, range) {
  const found = splits(choice).map((name) => SPLITS[name].column), time = timeOf(choice);
  const where = (indent) => conditions(choice, range).map((each, index) => `${indent}${index ? "  AND" : "WHERE"} ${each}`).join("\n");
  if (!choice.layout) {
    return `SELECT ${[time, ...found, "value", "n", "low", "high", "status"].join(", ")}\nFROM metrics\n${where("")}\nORDER BY ${[`${time} DESC`, ...found].join(", ")}`;
  }
  const [first, second] = choice.layout.split(".").map((name) => SPLITS[name].column);
  const [rows, columns, using, order] = second ? [first, second, `arg_max(value, ${time})`, first] : [time, first, "any_value(value)", `${time} DESC`];
  const inner = `  SELECT ${[time, ...new Set([first, second].filter(Boolean)), "value"].join(", ")}\n  FROM metrics\n${where("  ")}`;
  return `PIVOT (\n${inner}\n)\nON ${columns} USING ${using}\nGROUP BY ${rows}\nORDER BY ${order}`;
}
