// The list of what the doctor has found, beside the table. A click shows the records of a finding.

/** @import { Child, FindingItem, Findings, FoundCheck } from "./types.js" */
/** @import { View } from "./view.js" */
import { find, focusedIn, h } from "./dom.js";
import { count, plural } from "./format.js";
import { harmless } from "./text.js";

export class FindingsPanel {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string | null} What was drawn last. */
    this.signature = null;
    this.isClosed = false;
    this.element = h("section", { class: "tta-findings", "aria-label": "findings", hidden: true });
  }

  /** Shows the list, or has the records examined if there is none yet. */
  toggle() {
    const { findings } = this.view.state;
    if (!findings) {
      this.isClosed = false;
      this.view.channel.send("examine", {});
      return;
    }
    this.isClosed = !this.isClosed;
    this.draw();
    if (this.isClosed && this.view.state.finding) this.view.set({ finding: "" });
  }

  draw() {
    const { findings, finding } = this.view.state;
    this.element.hidden = !findings || this.isClosed;
    if (!findings) return;
    const signature = JSON.stringify([findings, finding]);
    if (signature === this.signature) return;
    this.signature = signature;
    const focused = focusedIn(this.element)?.dataset["finding"];
    const scrolled = this.element.scrollTop;
    this.element.replaceChildren(
      h("header", {}, h("h3", {}, "Doctor"),
        h("button", { type: "button", class: "tta-link", "data-do": "examine", title: "examine the records again", onclick: () => this.view.channel.send("examine", {}) }, "Again"),
        h("button", { type: "button", class: "tta-icon", "data-do": "close-findings", "aria-label": "close the findings", onclick: () => this.toggle() }, "✕")),
      findings.checks.length ? h("ul", {}, this.drawAll(findings), findings.checks.map((check) => this.drawCheck(check, findings.items))) : h("p", { class: "tta-hint" }, `Nothing was found in ${plural(findings.examined, "record")}.`),
      findings.skipped.length ? h("p", { class: "tta-hint", title: harmless(findings.skipped.join("\n")) }, `${plural(findings.skipped.length, "check")} not carried out`) : "",
    );
    this.element.scrollTop = scrolled;
    if (focused !== undefined) find(this.element, `[data-finding="${CSS.escape(focused)}"]`)?.focus();
  }

  /**
   * @param {Findings} findings
   * @returns {Child}
   */
  drawAll({ examined }) {
    return h("li", {}, this.drawButton("", null, "All records", null, examined));
  }

  /**
   * @param {FoundCheck} check
   * @param {FindingItem[]} items of the check that is chosen
   */
  drawCheck(check, items) {
    const isOpen = this.view.state.finding.split("/")[0] === check.finding;
    const shown = isOpen && check.count > 1 ? items : [];
    return h("li", {}, h("div", { class: "tta-check" }, this.drawButton(check.finding, check.severity, check.finding, `${check.about}, in ${plural(check.records, "record")}`, check.count),
      check.decidable ? h("button", { type: "button", class: "tta-link", "data-do": `resolve-${check.finding}`, title: "decide about these records, pair by pair", onclick: () => this.view.set({ finding: check.finding, view: "resolve" }) }, "Resolve") : null),
      shown.length ? h("ul", { class: "tta-items" }, shown.map((item) => h("li", {}, this.drawButton(item.finding, item.severity, item.shown, item.text, item.records))),
        shown.length < check.count ? h("li", { class: "tta-hint" }, `and ${count(check.count - shown.length)} more`) : null) : null);
  }

  /**
   * @param {string} finding what a click shows; empty for all records
   * @param {string | null} severity
   * @param {string} text
   * @param {string | null} about
   * @param {number} number
   */
  drawButton(finding, severity, text, about, number) {
    const isChosen = this.view.state.finding === finding;
    return h("button", { type: "button", "data-finding": finding, "aria-pressed": String(isChosen), title: about && harmless(about), onclick: () => this.view.set({ finding: isChosen ? "" : finding }) },
      severity ? h("span", { class: `tta-severity tta-is-${severity}`, role: "img", "aria-label": severity }) : null,
      h("span", { class: "tta-text" }, harmless(text)), h("span", { class: "tta-count" }, count(number)));
  }
}
