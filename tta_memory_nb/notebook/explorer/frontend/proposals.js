// What agents have proposed: each change with a difference word by word, to approve or to reject.

/** @import { Proposal } from "./types.js" */
/** @import { View } from "./view.js" */
import { drawFields } from "./diff.js";
import { find, focusedIn, h, targetOf } from "./dom.js";
import { ago, count, iso } from "./format.js";
import { harmless, harmlessLines } from "./text.js";

/** Which proposal each key leads to, counted from the one that has the focus. @type {Record<string, number>} */
const STEPS = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1, Home: -Infinity, End: Infinity };

/**
 * The proposal that has the focus after the list has changed: the same one, or the one that has taken its place.
 *
 * @param {string[]} before the ids before
 * @param {string[]} after the ids after
 * @param {string} current the one that had it
 * @returns {string} empty if the list is empty
 */
export function stillCurrent(before, after, current) {
  if (after.includes(current)) return current;
  const place = before.indexOf(current);
  const next = before.slice(place + 1).find((id) => after.includes(id));
  return next ?? after.at(-1) ?? "";
}

export class ProposalPanel {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string | null} What was drawn last. */
    this.signature = null;
    /** @type {string[]} The ids in the list. */
    this.ids = [];
    /** The id of the proposal that Tab leads to. */
    this.current = "";
    /** @type {Set<string>} The proposals about which the kernel was told a decision. */
    this.decided = new Set();
    this.element = h("section", { class: "tta-review", "aria-label": "proposals", hidden: true, onkeydown: (event) => this.pressed(event) });
  }

  /** @returns {Proposal[]} */
  get items() {
    return this.view.state.proposals?.items ?? [];
  }

  draw() {
    const { view, proposals, read_only: isReadOnly, namespace } = this.view.state;
    this.element.hidden = view !== "proposals";
    if (this.element.hidden) {
      this.signature = null;
      return;
    }
    const signature = JSON.stringify([proposals, isReadOnly, namespace]);
    if (signature === this.signature) return;
    this.signature = signature;
    const hadFocus = focusedIn(this.element) !== null;
    const ids = this.items.map(({ id }) => id);
    this.current = stillCurrent(this.ids, ids, this.current || (ids[0] ?? ""));
    this.ids = ids;
    this.decided = new Set([...this.decided].filter((id) => ids.includes(id)));
    const scrolled = this.element.scrollTop;
    this.element.replaceChildren(...this.drawAll().flat());
    this.element.scrollTop = scrolled;
    if (hadFocus) this.focus(this.current);
  }

  /** @returns {HTMLElement[]} */
  drawAll() {
    const { proposals, read_only: isReadOnly } = this.view.state;
    if (!proposals) return [h("p", { class: "tta-note" }, "Looking them up…")];
    if (!proposals.count) return [h("p", { class: "tta-note", tabindex: "0", "data-proposal": "" }, "No proposal waits for a decision.")];
    const more = proposals.count - proposals.items.length;
    return [
      h("p", { class: "tta-hint" }, isReadOnly ? "Nothing changes before somebody approves it." : "Nothing changes before you approve it: A approves, R rejects, the arrow keys move on."),
      h("ol", { "aria-label": "proposals" }, proposals.items.map((item) => this.drawItem(item))),
      ...(more > 0 ? [h("p", { class: "tta-hint" }, `and ${count(more)} more, which follow`)] : []),
    ];
  }

  /** @param {Proposal} item */
  drawItem({ id, action, key, reason, by, at, replaces, fields, since }) {
    const { view } = this;
    const what = action === "delete" ? "Delete" : replaces ? "Replace" : "Add";
    return h("li", { "data-proposal": id, tabindex: id === this.current ? "0" : "-1", "aria-label": `${what} ${harmless(key)}`, "aria-keyshortcuts": "a r", onfocusin: () => this.choose(id) },
      h("header", {}, h("span", { class: `tta-act tta-is-${action}` }, what), h("span", { class: "tta-text tta-keyed", title: harmless(key) }, harmless(key)),
        h("span", { class: "tta-hint tta-text", title: iso(at) }, `${by ? `${harmless(by)}, ` : ""}${ago(view.now() - at)}`)),
      reason ? h("p", { class: "tta-reason" }, harmlessLines(reason)) : null,
      since ? h("div", { class: "tta-conflict", role: "note" }, h("strong", {}, "The record has changed since this was proposed:"), drawFields(since)) : null,
      since ? h("p", {}, "Approving would now do this:") : null,
      fields.length ? drawFields(fields) : h("p", { class: "tta-hint" }, "It would change nothing: the record is like that already."),
      view.state.read_only ? null : this.drawButtons(id, since !== null));
  }

  /**
   * @param {string} id
   * @param {boolean} isConflict
   */
  drawButtons(id, isConflict) {
    const isDecided = this.decided.has(id);
    return h("div", { class: "tta-actions" },
      h("button", { type: "button", class: "tta-button tta-primary", "data-do": "approve", disabled: isDecided, onclick: () => this.approve(id, isConflict) }, isConflict ? "Approve anyway" : "Approve"),
      h("button", { type: "button", class: "tta-button", "data-do": "reject", disabled: isDecided, onclick: () => this.decide("reject", id) }, "Reject"));
  }

  /** @param {string} id */
  choose(id) {
    if (id === this.current) return;
    find(this.element, `[data-proposal="${CSS.escape(this.current)}"]`)?.setAttribute("tabindex", "-1");
    this.current = id;
    find(this.element, `[data-proposal="${CSS.escape(id)}"]`)?.setAttribute("tabindex", "0");
  }

  /** @param {string} id */
  focus(id) {
    find(this.element, `[data-proposal="${CSS.escape(id)}"]`)?.focus();
  }

  /**
   * @param {string} id
   * @param {boolean} anyway whether also a record that has changed since is replaced or deleted
   */
  approve(id, anyway) {
    this.decide("approve", id, anyway);
  }

  /**
   * @param {"approve" | "reject"} verb
   * @param {string} id
   * @param {boolean} [anyway]
   */
  decide(verb, id, anyway = false) {
    if (this.view.state.read_only || this.decided.has(id)) return;
    this.decided.add(id);
    if (verb === "approve") this.view.channel.send("approve", { proposal: id, anyway }, () => this.answered(id));
    else this.view.channel.send("reject", { proposal: id }, () => this.answered(id));
  }

  /** A decision was refused, or the proposal is gone from the list by now. @param {string} id */
  answered(id) {
    this.decided.delete(id);
    this.signature = null;
    this.draw();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const step = STEPS[event.key];
    const item = this.items.find(({ id }) => id === this.current);
    if (step !== undefined) {
      const at = Math.min(Math.max(this.ids.indexOf(this.current) + step, 0), this.ids.length - 1);
      this.focus(this.ids[at] ?? "");
    } else if (!item || targetOf(event).matches("button") || event.repeat) {
      return;
    } else if (event.key === "a" && item.since) {
      this.view.notices.say("The record has changed since: Shift+A approves it anyway");
    } else if (event.key === "a" || event.key === "A") {
      this.approve(item.id, item.since !== null);
    } else if (event.key === "r") {
      this.decide("reject", item.id);
    } else {
      return;
    }
    event.preventDefault();
  }
}
