// The bottom of the widget: how many records there are, and where they are kept.

/** @import { Child, Outage, Status } from "./types.js" */
/** @import { View } from "./view.js" */
import { find, focusedIn, h } from "./dom.js";
import { count, iso, plural, timeOfDay } from "./format.js";
import { harmless } from "./text.js";

export class Foot {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string | null} What was drawn last. */
    this.signature = null;
    this.element = h("fieldset", { class: "tta-foot", "aria-label": "status" });
  }

  draw() {
    const { status, selected, total, read_only: readOnly, loading, live, understood } = this.view.state;
    if (!status) return;
    const signature = JSON.stringify([status, selected, total, readOnly, loading, live, understood]);
    if (signature === this.signature) return;
    this.signature = signature;
    const focused = focusedIn(this.element)?.dataset["do"];
    this.element.replaceChildren(
      h("div", { class: "tta-left" }, selected ? this.drawSelection(selected) : this.drawCounts(status),
        h("button", { type: "button", class: "tta-link", "data-do": "copy-code", title: "the Python call that finds these records", onclick: () => this.view.copy(this.view.state.code) }, "Copy as code"),
        understood.length ? this.drawUnderstood(harmless(understood.join("; "))) : null),
      h("div", { class: "tta-right" },
        status.degraded ? this.drawOutage(status.degraded) : this.drawPlace(status),
        h("span", { class: "tta-text", title: "namespace" }, harmless(status.namespace)),
        status.as_of === null ? null : h("span", { class: "tta-degraded", title: "the records as they were then" }, `as of ${iso(status.as_of)}`),
        status.capacity === null ? null : h("meter", {
          min: "0", max: Math.max(1, status.capacity), value: status.size, "aria-label": "capacity in use", title: `${count(status.size)} of at most ${count(status.capacity)}`,
        }),
        status.evictions ? h("span", {}, plural(status.evictions, "eviction")) : null,
        readOnly ? h("span", { class: "tta-badge" }, "read-only") : null,
        this.drawLive(live)),
    );
    if (focused) find(this.element, `[data-do="${focused}"]`)?.focus();
  }

  /**
   * @param {Status} status
   * @returns {Child}
   */
  drawCounts({ size }) {
    const { total, loading } = this.view.state;
    return h("span", { class: "tta-counts" }, total === size ? plural(total, "record") : `${count(total)} of ${plural(size, "record")}`, loading ? " …" : "");
  }

  /** @param {string} text what is unexpected in how the query was understood: another mode, other words */
  drawUnderstood(text) {
    return h("span", { class: "tta-text tta-understood", role: "status", title: text }, text);
  }

  /**
   * What keeps the records: a file by its name, with the whole path as a tip.
   * @param {Status} status
   */
  drawPlace({ backend, server, path }) {
    const whole = path ?? server;
    const name = path ? path.slice(Math.max(path.lastIndexOf("/"), path.lastIndexOf("\\")) + 1) : backend;
    return h("span", { class: "tta-text", title: whole && harmless(whole) }, harmless(name));
  }

  /**
   * @param {number} selected
   * @returns {Child}
   */
  drawSelection(selected) {
    const { view } = this;
    return [
      h("strong", {}, `${count(selected)} selected`),
      selected < 2 ? null : h("button", { type: "button", class: "tta-link", "data-do": "compare-selected", "aria-keyshortcuts": "=", title: "side by side, to keep one or to merge them (=)", onclick: () => view.compareSelected() }, "Compare"),
      view.state.read_only ? null : h("button", { type: "button", class: "tta-link tta-danger", "data-do": "delete", onclick: () => view.removeSelected() }, "Delete"),
      h("button", { type: "button", class: "tta-link", "data-do": "export", onclick: () => view.channel.send("export", { selected: true }) }, "Export"),
      h("button", { type: "button", class: "tta-link", "data-do": "clear-selection", onclick: () => view.ask("select", { none: true }) }, "Clear"),
    ];
  }

  /** @param {boolean} live */
  drawLive(live) {
    const box = h("input", { type: "checkbox", "data-do": "live", onchange: () => {
      this.view.set({ live: box.checked });
    } });
    box.checked = live;
    return h("label", { title: "show what others write at once" }, box, "live");
  }

  /** @param {Outage} outage */
  drawOutage({ since, because, waiting }) {
    return h("span", { class: "tta-degraded", role: "status", title: harmless(because) }, `degraded since ${timeOfDay(since)}${waiting ? `, ${plural(waiting, "write")} waiting` : ""} `,
      h("button", { type: "button", class: "tta-link", "data-do": "reconnect", onclick: () => this.view.channel.send("reconnect", {}) }, "Try now"));
  }
}
