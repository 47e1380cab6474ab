// Elements and text. What came with the data is only ever set as text.
export const find = (id) => document.getElementById(id);

// Sets text only where it differs, so that nothing is laid out again without need.
export function setText(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

export function svg(tag, attributes) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

// A colour or a length of the style sheet, as the theme has it.
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
