// The top of the widget: the search, the buttons beside it, the tabs, and the filters that are set.

/** @import { StateChange, ViewName } from "./types.js" */
/** @import { View } from "./view.js" */
import { h } from "./dom.js";
import { filterTexts } from "./filters.js";
import { count } from "./format.js";
import { fillColumns, fillFacet, fillNamespaces, fillTimes } from "./panels.js";
import { Popover } from "./popover.js";

const TYPING_PAUSE = 120; // milliseconds without typing until a search begins

/** @type {[name: ViewName, label: string][]} */
const TABS = [["table", "Table"], ["timeline", "Timeline"], ["distributions", "Sizes & expiry"], ["proposals", "Proposals"], ["resolve", "Resolve"]];

export class Head {
  /**
   * @param {View} view
   * @param {HTMLElement} root of the widget
   */
  constructor(view, root) {
    this.view = view;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.typing = undefined;
    this.search = h("input", {
      type: "search", class: "tta-search", placeholder: "Search", "aria-label": "search", "data-do": "search", "aria-keyshortcuts": "/",
      oninput: () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => view.set({ query: this.search.value }), TYPING_PAUSE);
      },
      onkeydown: (event) => this.pressed(event),
    });
    this.modes = h("select", { "aria-label": "search mode", "data-do": "mode", hidden: true, onchange: () => {
      view.set({ mode: this.modes.value });
    } });
    this.facets = [
      new Popover(root, "User", { "data-do": "facet-user" }, (panel, close, isOpening) => fillFacet(view, "user", panel, close, isOpening)),
      new Popover(root, "Session", { "data-do": "facet-session" }, (panel, close, isOpening) => fillFacet(view, "session", panel, close, isOpening)),
      new Popover(root, "Time", { "data-do": "facet-time" }, (panel, close) => fillTimes(view, panel, close)),
    ];
    this.namespaces = new Popover(root, "Namespace", { "data-do": "facet-namespace" }, (panel, close) => fillNamespaces(view, panel, close));
    this.columns = new Popover(root, "Columns", { "data-do": "columns" }, (panel) => fillColumns(view, panel));
    this.popovers = [...this.facets, this.namespaces, this.columns];
    this.tabs = TABS.map(([name, label]) => ({ name, button: h("button", { type: "button", role: "tab", "data-do": `tab-${name}`, "data-view": name, onclick: () => view.set({ view: name }) }, label) }));
    this.doctor = h("button", { type: "button", class: "tta-button", "data-do": "doctor", title: "what is wrong with the records", onclick: () => view.findings.toggle() }, "Doctor");
    this.element = h("fieldset", { class: "tta-head", "aria-label": "what is shown" },
      this.search, this.modes, this.popovers.map(({ button }) => button), this.doctor,
      h("div", { role: "tablist", class: "tta-tabs", "aria-label": "views" }, this.tabs.map(({ button }) => button)));
    this.chips = h("fieldset", { class: "tta-chips", "aria-label": "filters", hidden: true });
  }

  /** @param {StateChange} news */
  update(news) {
    const { state } = this.view;
    if ("query" in news && document.activeElement !== this.search) this.search.value = state.query;
    this.modes.hidden = state.modes.length < 2;
    if ("modes" in news) this.modes.replaceChildren(...state.modes.map((mode) => h("option", { value: mode }, mode)));
    this.modes.value = state.mode;
    this.namespaces.button.hidden = state.namespaces.length < 2;
    for (const { name, button } of this.tabs) button.setAttribute("aria-selected", String(name === state.view));
    const waiting = state.proposals?.count ?? 0;
    const proposals = this.tabs.find(({ name }) => name === "proposals")?.button;
    if (proposals) {
      proposals.hidden = !waiting && state.view !== "proposals";
      proposals.textContent = waiting ? `Proposals (${count(waiting)})` : "Proposals";
    }
    const resolve = this.tabs.find(({ name }) => name === "resolve")?.button;
    if (resolve) resolve.hidden = !state.cases?.checks.length && !state.cases?.compared && state.view !== "resolve";
    this.columns.button.hidden = state.view !== "table";
    if ("filters" in news) this.drawChips();
  }

  /** Writes the open panels again if their content has changed. @param {StateChange} news */
  refill(news) {
    if (this.view.isComposing) return; // until the input method has written its text
    if ("facets" in news) [...this.facets, this.namespaces].forEach((popover) => popover.refill());
    if ("columns" in news) this.columns.refill();
  }

  refillAll() {
    this.popovers.forEach((popover) => popover.refill());
  }

  drawChips() {
    const chips = filterTexts(this.view.state.filters).map(({ name, text }) =>
      h("span", { class: "tta-chip" }, h("span", { class: "tta-text", title: text }, text),
        h("button", { type: "button", "aria-label": `remove filter ${text}`, onclick: () => this.view.filter({ [name]: null }) }, "✕")));
    this.chips.hidden = !chips.length;
    this.chips.replaceChildren(...chips);
  }

  /** @param {boolean} isLost whether no kernel answers */
  setLost(isLost) {
    this.element.disabled = this.chips.disabled = isLost;
    this.popovers.forEach((popover) => popover.close());
  }

  focusSearch() {
    this.search.focus();
    this.search.select();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.key === "Escape") {
      event.preventDefault();
      if (this.search.value) this.clearQuery();
      else this.view.grid.element.focus();
    } else if (event.key === "Enter" || event.key === "ArrowDown") {
      event.preventDefault();
      this.view.grid.element.focus();
    }
  }

  clearQuery() {
    this.forgetTyped();
    this.view.set({ query: "" });
  }

  /** Empties the search field, and cancels a search that has not begun yet. */
  forgetTyped() {
    clearTimeout(this.typing);
    this.search.value = "";
  }

  close() {
    clearTimeout(this.typing);
    this.popovers.forEach((popover) => popover.close());
  }
}
