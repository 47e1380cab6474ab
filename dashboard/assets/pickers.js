// Pickers whose choices come with the data.
import { element, find } from "./shell.js";

export const named = (names) => names.map((name) => [name, name]);

// Fills a picker with [value, label], and keeps what is picked in the list, also while the server has not told its name yet.
export function options(id, pairs, value) {
  const all = value === "" || pairs.some(([each]) => each === value) ? pairs : [...pairs, [value, value]];
  const select = find(id);
  if (select.dataset.options !== JSON.stringify(all)) {
    select.dataset.options = JSON.stringify(all);
    select.replaceChildren(...all.map(([each, label]) => {
      const option = element("option", "", label);
      option.value = each;
      return option;
    }));
  }
  if (select.value !== value) select.value = value;
}
