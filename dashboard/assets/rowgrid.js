// The rows of a result as a table that scrolls: only those in sight are in the document. All of it is text.
import { element, setText } from "./shell.js";
import { stamp, zoneName } from "./time.js";
import { text } from "./numbers.js";

const ROW = 28, BEYOND = 12, SAMPLE = 300, LONGEST = 300, LONGEST_TITLE = 2_000;
const NUMBERS = /^(U?(TINY|SMALL|BIG|HUGE)?INT|INTEGER|UINTEGER|DOUBLE|FLOAT|DECIMAL|NUMBER|BIGNUM)/;
export const isTime = (type) => /^(TIMESTAMP|DATE)/.test(type) || type === "DATETIME";
export const isNumber = (type) => NUMBERS.test(type);
const isWhole = (type) => isNumber(type) && !/^(DOUBLE|FLOAT|DECIMAL)/.test(type);

// A text as long as anybody reads in a cell: one of megabytes would hold the browser up.
export const clipped = (value, longest = LONGEST) => (value.length > longest ? value.slice(0, longest) + "\u2026" : value);

// Returns how a column's cells are written. `style` is that of its metric, where it has one.
function writer(type, style) {
  if (isTime(type)) return (value) => { const at = Date.parse(value); return Number.isNaN(at) ? String(value) : stamp(at); };
  if (!isNumber(type)) return (value) => (typeof value === "object" ? JSON.stringify(value) : String(value));
  if (style) return (value) => text(Number(value), style);
  // Whole numbers beyond those that a browser's numbers hold come as text.
  if (isWhole(type)) return (value) => (typeof value === "string" ? BigInt(value) : value).toLocaleString("en-US").replace("-", "\u2212");
  return (value) => (typeof value === "number" ? Number(value.toPrecision(6)).toLocaleString("en-US", { maximumSignificantDigits: 6 }).replace("-", "\u2212") : String(value));
}

export class RowGrid {
  constructor(root) {
    this.root = root;
    root.addEventListener("scroll", () => this.draw(), { passive: true });
    new ResizeObserver(() => this.draw()).observe(root);
  }

  // `styles` has the style of the columns that are values of a metric.
  show(columns, rows, styles) {
    this.columns = columns.map(([name, type], index) => {
      const write = writer(type, styles[index]);
      return { name: clipped(name), type: clipped(type), number: isNumber(type), write: (value) => clipped(write(value)) };
    });
    this.rows = this.sorted = rows;
    this.order = null;
    const table = element("table", "rows"), head = element("thead"), line = element("tr"), widths = element("colgroup");
    table.setAttribute("aria-rowcount", rows.length + 1);
    this.heads = this.columns.map((column, index) => {
      const cell = element("th", column.number ? "number" : ""), button = element("button", "sorter");
      cell.scope = "col";
      button.type = "button";
      button.append(element("span", "", isTime(column.type) ? `${column.name} (${zoneName(Date.now())})` : column.name), element("span", "sort-mark"));
      button.title = `${column.name}: ${column.type}, sort by it`;
      button.addEventListener("click", () => this.sort(index));
      cell.append(button);
      const width = element("col");
      width.style.width = `${this.width(column, index)}ch`;
      widths.append(width);
      return cell;
    });
    line.append(...this.heads);
    head.append(line);
    this.body = element("tbody");
    table.style.width = `${[...widths.children].reduce((sum, each) => sum + parseInt(each.style.width), 0)}ch`;
    table.append(widths, head, this.body);
    this.root.replaceChildren(table);
    this.root.hidden = !rows.length;
    this.root.scrollTo(0, 0);
    this.first = -1;
    this.draw();
  }

  width(column, index) {
    const step = Math.max(1, Math.floor(this.rows.length / SAMPLE));
    let most = column.name.length + (isTime(column.type) ? 8 : 2);
    for (let at = 0; at < this.rows.length; at += step) if (this.rows[at][index] !== null) most = Math.max(most, column.write(this.rows[at][index]).length);
    return Math.min(Math.max(most + 3, 8), 44);
  }

  sort(index) {
    const down = this.order?.index === index ? !this.order.down : this.columns[index].number || isTime(this.columns[index].type);
    this.order = { index, down };
    const key = this.columns[index].number ? Number : (value) => (typeof value === "object" ? JSON.stringify(value) : value);
    const known = this.rows.filter((row) => row[index] !== null), missing = this.rows.filter((row) => row[index] === null);
    known.sort((a, b) => { const x = key(a[index]), y = key(b[index]); return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1); });
    this.sorted = [...known, ...missing];
    this.heads.forEach((head, at) => {
      if (at === index) head.setAttribute("aria-sort", down ? "descending" : "ascending");
      else head.removeAttribute("aria-sort");
      setText(head.querySelector(".sort-mark"), at === index ? (down ? "\u25be" : "\u25b4") : "");
    });
    this.root.scrollTop = 0;
    this.first = -1;
    this.draw();
  }

  draw() {
    if (!this.rows?.length) return;
    const first = Math.max(0, Math.floor(this.root.scrollTop / ROW) - BEYOND);
    const last = Math.min(this.sorted.length, Math.ceil((this.root.scrollTop + this.root.clientHeight) / ROW) + BEYOND);
    if (first === this.first && last === this.last) return;
    [this.first, this.last] = [first, last];
    const space = (count) => {
      const row = element("tr", "space");
      row.setAttribute("aria-hidden", "true");
      row.style.height = `${count * ROW}px`;
      return row;
    };
    const made = this.sorted.slice(first, last).map((values, at) => {
      const row = element("tr");
      row.setAttribute("aria-rowindex", first + at + 2);
      values.forEach((value, index) => {
        const column = this.columns[index], shown = value === null ? "\u2013" : column.write(value);
        const cell = element("td", column.number ? "number" : "", shown);
        if (value !== null && (column.number || shown.length > 40)) cell.title = clipped(String(typeof value === "object" ? shown : value), LONGEST_TITLE);
        row.append(cell);
      });
      return row;
    });
    this.body.replaceChildren(space(first), ...made, space(this.sorted.length - last));
  }
}
