// A button with a panel that opens below it.

/** @import { Attributes } from "./types.js" */
import { find, h } from "./dom.js";

const GAP = 4; // pixels
const FOCUSABLE_PARTS = "input, button, [tabindex]";

/**
 * Writes the content of a panel.
 *
 * @typedef {(panel: HTMLElement, close: () => void, isOpening: boolean) => void} Fill
 */

export class Popover {
  /**
   * @param {HTMLElement} root of the widget, inside which the panel stays
   * @param {string} label
   * @param {Attributes} attributes of the button
   * @param {Fill} fill
   * @param {string | null} icon shown on the button in place of the label
   * @param {HTMLElement | null} home what has the focus after Escape, if not the button
   */
  constructor(root, label, attributes, fill, icon = null, home = null) {
    this.root = root;
    this.label = label;
    this.fill = fill;
    /** @type {HTMLElement | null} */
    this.panel = null;
    this.button = h("button", {
      type: "button", class: "tta-button", "aria-haspopup": "dialog", "aria-expanded": "false", ...attributes,
      onclick: () => (this.panel ? this.close() : this.open()),
    }, icon ?? label);
    this.home = home ?? this.button;
    /** @param {PointerEvent} event */
    this.closeFromOutside = (event) => {
      const target = /** @type {Node} */ (event.target);
      if (!this.panel?.contains(target) && !this.button.contains(target)) this.close();
    };
  }

  open() {
    const panel = h("div", { class: "tta-popover", role: "dialog", "aria-label": this.label, onkeydown: (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
      this.home.focus();
    } });
    this.panel = panel;
    this.button.setAttribute("aria-expanded", "true");
    this.root.append(panel);
    this.fill(panel, () => this.close(), true);
    // Below the button, but inside the widget.
    const [outer, inner] = [this.root.getBoundingClientRect(), this.button.getBoundingClientRect()];
    panel.style.top = `${inner.bottom - outer.top + GAP}px`;
    panel.style.left = `${Math.max(GAP, Math.min(inner.left - outer.left, outer.width - panel.offsetWidth - 2 * GAP))}px`;
    document.addEventListener("pointerdown", this.closeFromOutside, true);
    find(panel, FOCUSABLE_PARTS)?.focus();
  }

  close() {
    this.panel?.remove();
    this.panel = null;
    this.button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", this.closeFromOutside, true);
  }

  /** Writes the content of an open panel again, and keeps the typed text, the scroll position and the focus. */
  refill() {
    const { panel } = this;
    if (!panel) return;
    const focused = document.activeElement;
    const hadFocus = panel.contains(focused) || focused === this.button || focused === document.body;
    const item = panel.contains(focused) ? nameOf(focused?.closest("li")) : null;
    const before = partsOf(panel);
    const [typed, scrolled] = [before.search?.value, before.list?.scrollTop];
    panel.replaceChildren();
    this.fill(panel, () => this.close(), false);
    const { search, list } = partsOf(panel);
    if (search && typed) {
      search.value = typed;
      search.dispatchEvent(new Event("input"));
    }
    if (list && scrolled) list.scrollTop = scrolled;
    if (!hadFocus) return;
    const same = item ? [...panel.querySelectorAll("li")].find((each) => nameOf(each) === item) : null;
    find(same ?? panel, FOCUSABLE_PARTS)?.focus({ preventScroll: Boolean(same) });
  }
}

/**
 * What an item of a list stands for, without the number of its records.
 *
 * @param {Element | null | undefined} item
 */
function nameOf(item) {
  return (item?.querySelector(".tta-text") ?? item)?.textContent;
}

/**
 * @param {HTMLElement} panel
 * @returns {{ search: HTMLInputElement | null, list: HTMLUListElement | null }}
 */
function partsOf(panel) {
  return { search: panel.querySelector("input[type=search]"), list: panel.querySelector("ul") };
}
