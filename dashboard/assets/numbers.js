// Numbers and ages as text: the twin of dashboard/format.py (a test compares the two).
const MINUS = "\u2212", SPACE = "\u202f";

// Made once each: that takes longer than to use one a hundred times.
const formats = new Map();
function format(least, most) {
  const key = 100 * least + most;
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat("en-US", { minimumFractionDigits: least, maximumFractionDigits: most }));
  return formats.get(key);
}

function digits(value, count) {
  const text = format(count, count).format(Math.abs(value));
  return (value < 0 && Number(text.replaceAll(",", "")) !== 0 ? MINUS : "") + text;
}

function significant(value) {
  const size = Math.abs(value);
  return digits(value, size >= 99.5 ? 0 : size >= 9.95 ? 1 : 2);
}

function large(value, count) {
  if (Math.abs(value) >= 999_500) return significant(value / 1e6) + SPACE + "M";
  return count === null ? significant(value) : digits(value, count);
}

// Returns [number, unit].
export function number(value, style) {
  if (Number.isNaN(value)) return ["\u2013", ""];
  if (style === "percent" || style === "percentage") {
    const share = style === "percent" ? value * 100 : value;
    return [digits(share, Math.abs(share) > 0 && Math.abs(share) < 1 ? 2 : 1), "%"];
  }
  if (style === "points") return [(value > 0 ? "+" : "") + digits(value * 100, 1), "pp"];
  if (style === "score") return [digits(value, 3), ""];
  if (style === "ms") return Math.abs(value) >= 1000 ? [significant(value / 1000), "s"] : [significant(value), "ms"];
  if (style === "count") return [large(value, 0), ""];
  return [large(value, null), style === "rate" ? "/s" : ""];
}

export const text = (value, style) => number(value, style).filter(Boolean).join(SPACE);

export function age(milliseconds) {
  const seconds = Math.max(0, milliseconds) / 1000;
  for (const [length, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= length) return Math.floor(seconds / length) + SPACE + unit;
  }
  return Math.floor(seconds) + SPACE + "s";
}

// Axis labels: as short as the axis allows, so without needless zeros.
export function tick(value, style) {
  const plain = (number) => format(0, 4).format(Number(number.toPrecision(6))).replace("-", MINUS);
  if (style === "percent") return plain(value * 100) + SPACE + "%";
  if (style === "percentage") return plain(value) + SPACE + "%";
  if (style === "points") return (value > 0 ? "+" : "") + plain(value * 100) + SPACE + "pp";
  if (style === "ms") return value >= 1000 ? plain(value / 1000) + SPACE + "s" : plain(value) + SPACE + "ms";
  if (Math.abs(value) >= 1e6) return plain(value / 1e6) + SPACE + "M";
  return plain(value) + (style === "rate" ? "/s" : "");
}
