// Elements. Text that others wrote becomes a text node, never markup, and reaches no further than itself.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element. `props`: attributes; `on…`: listeners; null and false leave one out. */
export function h(tag, props = {}, ...children) {
  return furnished(document.createElement(tag), props, children);
}

/** An SVG element. */
export function s(tag, props = {}, ...children) {
  return furnished(document.createElementNS(SVG, tag), props, children);
}

/** Control characters and directional formatting, by which a text would reverse the words after it: as in cluster/trace/terminal.py. */
const UNSAFE = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/g;

const escaped = (found) => {
  const code = found.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, "0")}` : `\\x${code.padStart(2, "0")}`;
};

const safe = (child) => (typeof child === "string" ? child.replace(UNSAFE, escaped) : child);

function furnished(element, props, children) {
  for (const [name, value] of Object.entries(props)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value") element.value = value;
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false).map(safe));
  return element;
}

/** Replace the children of an element where they differ, so that focus and selection stay. */
export function fill(element, ...children) {
  const holder = h("div", {}, ...children);
  if (!sameChildren(element, holder)) element.replaceChildren(...holder.childNodes);
}

function sameChildren(one, other) {
  if (one.childNodes.length !== other.childNodes.length) return false;
  // listeners are not compared: whoever fills again passes ones that do the same
  return [...one.childNodes].every((child, at) => child.isEqualNode(other.childNodes[at]));
}

export const button = (text, onclick, props = {}) => h("button", { type: "button", onclick, ...props }, text);

export const field = (label, input) => h("label", { class: "field" }, h("span", {}, label), input);
