// Elements. Texts of records reach the page as text nodes and as values of the attributes that `Attributes`
// names; never as markup, addresses or styles.

/** @import { Attributes, Child, ShapeAttributes, Span } from "./types.js" */
import { segments } from "./text.js";

const FOCUSABLE = new Set(["a", "button", "input", "select", "textarea"]);

/**
 * An element. A child that is a string becomes a text node.
 *
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Attributes} attributes names that begin with "on" are event listeners; false, null and undefined are left out
 * @param {Child[]} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") element.addEventListener(name.slice(2), /** @type {EventListener} */ (value));
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  // Notebook 7 handles its keyboard shortcuts before the widget does, unless the element that has the focus
  // is marked so. Without the mark, "d d" would delete the widget's cell.
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) element.setAttribute("data-lm-suppress-shortcuts", "true");
  append(element, children);
  return element;
}

/**
 * An element of a drawing.
 *
 * @template {keyof SVGElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {ShapeAttributes} attributes
 * @param {Child[]} children
 * @returns {SVGElementTagNameMap[Tag]}
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  append(element, children);
  return element;
}

/**
 * @param {Element} element
 * @param {Child} child
 */
function append(element, child) {
  if (Array.isArray(child)) child.forEach((each) => append(element, each));
  else if (child !== null && child !== undefined) element.append(child);
}

/**
 * A list of which one item is chosen.
 *
 * @param {Attributes} attributes
 * @param {[value: string, label: string][]} options
 * @param {string} value of the item that is chosen
 * @param {(value: string) => void} choose called with the value of another one
 */
export function chooser(attributes, options, value, choose) {
  const select = h("select", attributes, options.map(([each, label]) => h("option", { value: each }, label)));
  select.value = value;
  select.addEventListener("change", () => choose(select.value));
  return select;
}

/**
 * A text whose matches are highlighted.
 *
 * @param {string} text
 * @param {Span[]} [spans]
 * @returns {Child[]}
 */
export function highlighted(text, spans) {
  return segments(text, spans).map((part) => (part.isMatch ? h("mark", {}, part.text) : part.text));
}

/**
 * The element at which an event happened.
 *
 * @param {Event} event
 */
export function targetOf(event) {
  return /** @type {Element} */ (event.target);
}

/**
 * @param {Element} above
 * @param {string} selector
 * @returns {HTMLElement | null}
 */
export function find(above, selector) {
  return /** @type {HTMLElement | null} */ (above.querySelector(selector));
}

/** The element that has the focus, if it is inside another one.
 *
 * @param {Element} above
 */
export function focusedIn(above) {
  const focused = document.activeElement;
  return focused instanceof HTMLElement && above.contains(focused) ? focused : null;
}

/**
 * Follows the pointer until it is released.
 *
 * @param {(event: PointerEvent) => void} move
 * @param {(event: PointerEvent) => void} end
 */
export function followPointer(move, end) {
  /** @param {PointerEvent} event */
  const release = (event) => {
    window.removeEventListener("pointermove", move);
    window.removeEventListener("pointerup", release);
    end(event);
  };
  window.addEventListener("pointermove", move);
  window.addEventListener("pointerup", release);
}

/**
 * Copies a text to the clipboard.
 *
 * @param {string} text
 * @param {HTMLElement} root of the widget
 * @returns {Promise<boolean>} whether the browser has let the page do so
 */
export async function copyText(text, root) {
  try {
    // Pages that were loaded by plain http have no `clipboard`; others may be forbidden to use it.
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copySelected(text, root);
  }
}

/**
 * Copies a text in the way of older browsers, which works on every page: as a selection.
 *
 * @param {string} text
 * @param {HTMLElement} root
 */
function copySelected(text, root) {
  const focused = focusedIn(root);
  const area = h("textarea", { class: "tta-hidden", "aria-hidden": "true", tabindex: "-1" });
  area.value = text;
  root.append(area);
  area.select();
  const isCopied = document.execCommand("copy");
  area.remove();
  focused?.focus({ preventScroll: true });
  return isCopied;
}

const DOWNLOAD_TIME = 10_000; // milliseconds until the browser has read the file

/**
 * Lets the browser save a text as a file.
 *
 * @param {string} name of the file
 * @param {string} text
 */
export function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  const link = document.createElement("a");
  // eslint-disable-next-line no-restricted-syntax -- an address that the browser itself has made
  link.href = address;
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(address), DOWNLOAD_TIME);
}
