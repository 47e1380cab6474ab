// The confusion matrix of the range as a table: a row an actual class, a column a predicted one. Names are data: they are only ever set as text.
import { number } from "./numbers.js";
import { element, find, setText } from "./shell.js";
import { span } from "./time.js";

const count = (value) => number(value, "count")[0];
const percent = (share) => `${(100 * share).toFixed(share > 0 && share < 0.0995 ? 1 : 0)} %`;
let shown = "";

export function showMatrix(matrix, hidden, loading) {
  const card = find("matrix"), table = card.querySelector("table"), some = matrix?.classes.length > 0;
  card.hidden = hidden;
  // What was shown stays until that of another choice has come.
  if (loading && !some) return;
  const total = some ? matrix.counts.flat().reduce((sum, each) => sum + each, 0) : 0;
  const rest = total < 0.995 * matrix?.labelled ? ` of ${count(matrix.labelled)} (rare classes, and hours with more than 100 kinds of answers, are left out)` : "";
  setText(card.querySelector(".breakdown-note"), some ? `${count(total)} labelled predictions${rest} of whole hours, ${span(matrix.start, matrix.end)}. In percent of each actual class.` : "");
  card.querySelector(".breakdown-empty").hidden = some;
  setText(card.querySelector(".breakdown-empty"), "No labels in this range.");
  const key = JSON.stringify(matrix?.counts ?? []) + (matrix?.classes ?? []);
  if (key === shown) return;
  shown = key;
  table.hidden = !some;
  if (!some) return table.replaceChildren();
  const head = element("tr");
  const corner = element("th", "matrix-corner", "actual \u2193  predicted \u2192");
  head.append(corner, ...matrix.classes.map((name) => title(name, "col")));
  const rows = matrix.counts.map((counts, row) => {
    const line = element("tr"), all = counts.reduce((sum, each) => sum + each, 0);
    line.append(title(matrix.classes[row], "row"), ...counts.map((value, column) => cell(value, all, row === column)));
    return line;
  });
  table.replaceChildren(head, ...rows);
}

function title(name, scope) {
  const made = element("th", "", name);
  made.scope = scope;
  made.title = name;
  return made;
}

function cell(value, all, right) {
  const made = element("td", right ? "right" : "wrong");
  made.style.setProperty("--share", all ? (value / all).toFixed(3) : 0);
  made.append(element("span", "matrix-count", count(value)), element("span", "matrix-share", all ? percent(value / all) : "\u2013"));
  return made;
}
