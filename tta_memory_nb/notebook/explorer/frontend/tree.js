// The tree of a value, whose branches are made when they are opened.

import { h } from "./dom.js";
import { count, plural } from "./format.js";
import { ExactNumber, Fields } from "./json.js";
import { treeMove } from "./keyboard.js";
import { harmless, harmlessLines } from "./text.js";

const LONG_TEXT = 2000; // characters of a text that are shown at first
const STEP = 100; // children of a branch that are made at a time
const FEW = 8; // a branch with so few children is open from the beginning

/** Opens and closes the branches. @type {WeakMap<Element, (isOpen: boolean) => void>} */
const branches = new WeakMap();

/**
 * A value without children.
 *
 * @param {unknown} value
 * @returns {HTMLElement}
 */
function leaf(value) {
  if (value === null) return h("span", { class: "tta-null" }, "null");
  if (value instanceof ExactNumber) return h("span", { class: "tta-number" }, value.text);
  if (typeof value !== "string") return h("span", { class: "tta-number" }, String(value));
  const text = h("span", { class: "tta-string" }, harmlessLines(value.slice(0, LONG_TEXT)));
  if (value.length <= LONG_TEXT) return text;
  const more = h("button", { type: "button", class: "tta-link", onclick: () => {
    text.textContent = harmlessLines(value);
    more.remove();
  } }, `… show all ${count(value.length)} characters`);
  return h("span", {}, text, more);
}

/**
 * @param {unknown} value
 * @returns {[name: string, value: unknown][] | null} null for a value without children
 */
function childrenOf(value) {
  if (value instanceof Fields) return value.entries;
  return Array.isArray(value) ? value.map((item, at) => [String(at), item]) : null;
}

/**
 * An item of the tree.
 *
 * @param {string | null} name null for the rest of a long list
 * @param {unknown} value
 * @param {number} level 1 for the outermost
 * @param {boolean} isOpen
 */
function treeItem(name, value, level, isOpen) {
  const item = h("li", { role: "treeitem", "aria-level": level, tabindex: "-1" });
  const label = name === null ? [] : [h("span", { class: "tta-name" }, harmless(name)), ": "];
  const children = childrenOf(value);
  if (!children) {
    item.append(h("span", { class: "tta-line" }, label, leaf(value)));
    return item;
  }
  const size = plural(children.length, Array.isArray(value) ? "item" : "field");
  const line = h("span", { class: "tta-line tta-branch" }, label, h("span", { class: "tta-gist" }, Array.isArray(value) ? `[${size}]` : `{${size}}`));
  const group = h("ul", { role: "group", hidden: true });
  let made = 0;
  const makeMore = () => {
    for (const [childName, child] of children.slice(made, made + STEP)) group.append(treeItem(childName, child, level + 1, false));
    made = Math.min(children.length, made + STEP);
    if (made === children.length) return;
    const rest = h("li", { role: "none" }, h("button", { type: "button", class: "tta-link", onclick: () => {
      rest.remove();
      makeMore();
    } }, `${count(children.length - made)} more…`));
    group.append(rest);
  };
  /** @param {boolean} opens */
  const open = (opens) => {
    if (opens && !made) makeMore();
    group.hidden = !opens;
    item.setAttribute("aria-expanded", String(opens));
  };
  item.append(line, group);
  branches.set(item, open);
  line.addEventListener("click", () => open(Boolean(group.hidden)));
  open(isOpen && children.length > 0);
  return item;
}

/**
 * @param {Fields} value
 * @returns {HTMLElement}
 */
export function tree(value) {
  const list = h("ul", { role: "tree", class: "tta-tree", "aria-label": "value", onkeydown: (event) => {
    pressed(list, event);
  } });
  for (const [name, child] of value.entries.slice(0, STEP)) list.append(treeItem(name, child, 1, (childrenOf(child)?.length ?? Infinity) <= FEW));
  const rest = value.entries.slice(STEP);
  if (rest.length) list.append(treeItem(null, new Fields(rest), 1, false));
  list.firstElementChild?.setAttribute("tabindex", "0");
  return list;
}

/**
 * @param {HTMLElement} list
 * @param {KeyboardEvent} event
 */
function pressed(list, event) {
  const items = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("[role=treeitem]")]).filter((item) => item.offsetParent);
  const here = items.findIndex((item) => item === document.activeElement);
  const from = items[here];
  if (!from) return;
  const expanded = from.getAttribute("aria-expanded");
  const parent = items.findIndex((item) => item === from.parentElement?.closest("[role=treeitem]"));
  const move = treeMove(event.key, { here, size: items.length, parent, isOpen: expanded === null ? null : expanded === "true" });
  if (!move) return;
  event.preventDefault();
  event.stopPropagation();
  if ("open" in move) {
    branches.get(from)?.(move.open);
    return;
  }
  const to = items[move.focus];
  if (!to) return;
  from.setAttribute("tabindex", "-1");
  to.setAttribute("tabindex", "0");
  to.focus();
}

/**
 * A value as JSON text, where it cannot be shown as a tree.
 *
 * @param {string} text
 */
export function plainText(text) {
  return h("pre", { class: "tta-json" }, harmlessLines(text));
}
