// Decides about records that should perhaps be one, pair by pair. Nothing is written before all that is planned is carried out.

/** @import { Case, CaseList, Choosing, PairField, Planning } from "./types.js" */
/** @import { View } from "./view.js" */
import { chooser, find, focusedIn, h, targetOf } from "./dom.js";
import { count, plural } from "./format.js";
import { isTyping } from "./keyboard.js";
import { drawPair } from "./pair.js";
import { harmless } from "./text.js";

/** What each key does, in words for the list of keys. @type {[key: string, about: string][]} */
const KEYS = [
  ["1", "keep the old record"], ["2", "keep the new record"], ["3", "keep both"], ["m", "merge: choose a side of each field below"],
  ["i", "merge into the key of the other record"], ["e", "edit the text of a field"], ["j", "next case"], ["k", "case before"], ["a", "the same for all cases without a decision"],
  ["g", "for good: what goes is refused when it comes again"], ["c", "carry out what is planned"], ["u", "take back, or undo what was carried out"], ["?", "show or hide this list"],
];

/** Keys that decide nothing, and need not be pressed again if the kernel has not answered yet. */
const LOOKING = new Set(["e", "j", "k"]);

/** Stands for the records that a person has chosen, among the names of findings. */
const COMPARED = "/";

/** Ways to decide about all cases at once. @type {[rule: string, label: string][]} */
const RULES = [["newest", "keep the newest"], ["oldest", "keep the oldest"], ["longest", "keep the longest"], ["merge", "merge"], ["both", "keep all"]];

/**
 * What will become of the records that something is planned about, in one line.
 *
 * @param {Pick<CaseList, "before" | "after" | "decided" | "count"> & Partial<Pick<CaseList, "case">>} list
 */
export function preview({ before, after, decided, count: all, case: pair }) {
  if (!decided) return "Nothing is planned yet.";
  const become = before === after ? `${plural(before, "record")} stay side by side` : `${plural(before, "record")} become ${count(after)}`;
  const into = pair?.choice?.into ? ` The merged record will have the key ${harmless(pair.choice.into.key)}.` : "";
  return `${become}; ${count(decided)} of ${plural(all, "case")} decided.${into} Nothing is changed yet.`;
}

/**
 * What is planned about a case if a key is pressed that plans the same already.
 *
 * @param {Case["choice"]} choice
 * @param {Choosing} what
 * @param {number | null} place of the record that stays
 */
export function isPlanned(choice, what, place) {
  return choice !== null && choice.what === what && (what !== "keep" || choice.place === place);
}

export class ResolvePanel {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string | null} What was drawn last. */
    this.signature = null;
    this.showsKeys = false;
    /** Whether the pair gets the focus when it is drawn next. */
    this.takesFocus = false;
    /** What a screen reader was told last. */
    this.announced = "";
    /** Whether the kernel was asked for something and has not answered: a decision is about the pair that is seen. */
    this.isWaiting = false;
    /** A key that was pressed meanwhile and decides nothing. @type {string | null} */
    this.next = null;
    /** @type {{ place: string, field: string, element: HTMLElement } | null} The open editor, and the records it is about. */
    this.editor = null;
    this.element = h("section", { class: "tta-resolve", "aria-label": "resolve", hidden: true });
  }

  /** @returns {CaseList | null} */
  get list() {
    return this.view.state.cases?.list ?? null;
  }

  /** @returns {Case | null} */
  get pair() {
    return this.list?.case ?? null;
  }

  draw() {
    const { view, cases, finding, read_only: isReadOnly, undoable, findings } = this.view.state;
    this.element.hidden = view !== "resolve";
    if (this.element.hidden) {
      this.signature = null;
      return;
    }
    if (this.view.isComposing) return;
    const signature = JSON.stringify([cases, finding, isReadOnly, undoable, findings === null, this.showsKeys, this.editor?.field]);
    if (signature === this.signature) return;
    this.signature = signature;
    if (this.editor && this.editor.place !== pairOf(this.pair)) this.editor = null;
    const focused = focusedIn(this.element);
    const scrolled = find(this.element, ".tta-pair")?.scrollTop ?? 0;
    this.element.replaceChildren(...this.drawAll());
    const body = find(this.element, ".tta-pair");
    if (body) body.scrollTop = scrolled;
    if (focused) this.refocus(focused);
    else if (this.takesFocus) body?.focus({ preventScroll: true });
    this.takesFocus = false;
    this.announce();
  }

  /** Has a screen reader say which case is in view, and what is planned by now. */
  announce() {
    const { list, pair } = this;
    const said = list && pair ? `${positionOf(list, pair)}. ${pair.why ? `${pair.why}. ` : ""}${preview(list)}` : "";
    if (said && said !== this.announced) this.view.notices.announce(said);
    this.announced = said;
  }

  /** Gives the focus back to what had it before all was drawn anew. @param {HTMLElement} focused */
  refocus(focused) {
    const name = focused.dataset["do"];
    const again = focused.isConnected ? focused : name && find(this.element, `[data-do="${CSS.escape(name)}"]:not(:disabled)`);
    (again || find(this.element, ".tta-pair"))?.focus({ preventScroll: true });
  }

  /** @returns {HTMLElement[]} */
  drawAll() {
    const { list, pair } = this;
    if (!list) {
      return [h("div", { class: "tta-pair tta-note", tabindex: "0" }, h("p", {}, "The doctor has not looked at these records yet."),
        h("button", { type: "button", class: "tta-button", "data-do": "examine-first", onclick: () => this.view.channel.send("examine", {}) }, "Examine"))];
    }
    if (!pair) {
      return [this.drawTop(list), h("div", { class: "tta-pair tta-note", tabindex: "0" }, h("p", {}, "Nothing is left to decide here."),
        this.canUndo ? this.drawButton("undo", "u", "Undo", () => this.back()) : null,
        this.view.state.cases?.compared
          ? h("button", { type: "button", class: "tta-link", "data-do": "to-table", onclick: () => this.view.set({ view: "table" }) }, "Back to the table")
          : h("button", { type: "button", class: "tta-link", "data-do": "examine-again", onclick: () => this.view.channel.send("examine", {}) }, "Examine again"))];
    }
    const body = h("div", { class: "tta-pair", role: "region", "aria-label": "the two records", tabindex: "0" },
      pair.changed ? h("p", { class: "tta-conflict", role: "alert" }, "These records have changed since you looked. Decide about what they are now.") : null,
      drawPair(pair, {
        group: `tta-take-${this.view.channel.view}`, now: this.view.now(), isReadOnly: this.view.state.read_only, editor: this.editor,
        take: (field, side) => this.plan({ act: "take", case: pair.id, field, side }),
        into: (place) => this.mergeInto(place),
        edit: (field) => this.edit(pair, field),
        compare: (place) => this.plan({ act: "compare", place }),
      }));
    return [this.drawTop(list), ...(this.showsKeys ? [drawKeys()] : []), body, ...(this.view.state.read_only ? [] : [this.drawFoot(list, pair)])];
  }

  /** @param {CaseList} list */
  drawTop(list) {
    const { at, count: all, case: pair } = list;
    const why = pair ? harmless(pair.why) : "";
    return h("header", {}, this.drawChecks(),
      pair ? h("strong", { class: "tta-when" }, positionOf(list, pair)) : null,
      h("span", { class: "tta-text tta-hint tta-why", title: why }, why),
      this.drawButton("case-before", "k", "‹", () => this.go(-1), { "aria-label": "case before", disabled: at === 0 }),
      this.drawButton("case-next", "j", "›", () => this.go(1), { "aria-label": "next case", disabled: at >= all - 1 }),
      h("button", { type: "button", class: "tta-icon", "data-do": "keys", "aria-label": "keys", "aria-expanded": String(this.showsKeys), title: "keys (?)", onclick: () => this.toggleKeys() }, "?"));
  }

  /** Which findings the cases are of. */
  drawChecks() {
    const { cases, finding } = this.view.state;
    const checks = cases?.checks ?? [];
    const all = checks.reduce((sum, [, number]) => sum + number, 0);
    /** @type {[string, string][]} */
    const options = [["", `All findings (${count(all)})`], ...checks.map(([name, number]) => /** @type {[string, string]} */ ([name, `${name} (${count(number)})`]))];
    if (!options.some(([name]) => name === finding)) options.push([finding, finding]);
    if (cases?.compared) options.unshift([COMPARED, "Records to compare"]);
    return chooser({ "aria-label": "findings", "data-do": "choose-check" }, options, cases?.compared ? COMPARED : finding, (chosen) => this.view.set({ finding: chosen }));
  }

  /**
   * @param {string} name
   * @param {string} key that does the same
   * @param {string} label
   * @param {() => void} onclick
   * @param {import("./types.js").Attributes} more
   */
  drawButton(name, key, label, onclick, more = {}) {
    return h("button", { type: "button", class: "tta-button", "data-do": name, "aria-keyshortcuts": key, title: key.toUpperCase(), onclick, ...more }, h("kbd", {}, key.toUpperCase()), ` ${label}`);
  }

  /**
   * @param {CaseList} list
   * @param {Case} pair
   */
  drawFoot(list, pair) {
    const all = pair.records.length + pair.more_records;
    const rest = list.count - list.decided;
    /** @type {(what: Choosing, place: number | null) => { "aria-pressed": string }} */
    const pressed = (what, place) => ({ "aria-pressed": String(isPlanned(pair.choice, what, place)) });
    const rules = chooser({ "aria-label": "decide about all cases without a decision", "data-do": "rest", disabled: !rest },
      [["", `All ${count(rest)} without a decision…`], ...RULES], "", (rule) => this.plan({ act: "rest", rule }));
    const forGood = h("input", { type: "checkbox", "data-do": "for-good", "aria-keyshortcuts": "g", onchange: () => {
      this.plan({ act: "for good", on: forGood.checked });
    } });
    forGood.checked = list.for_good;
    return h("footer", {},
      h("div", { class: "tta-actions" },
        this.drawButton("keep-old", "1", "Keep old", () => this.decide("keep", 0), pressed("keep", 0)),
        this.drawButton("keep-new", "2", pair.is_newest ? "Keep new" : "Keep the right one", () => this.decide("keep", pair.right), pressed("keep", pair.right)),
        this.drawButton("keep-both", "3", all > 2 ? `Keep all ${count(all)}` : "Keep both", () => this.decide("both", null), pressed("both", null)),
        this.drawButton("merge", "m", "Merge", () => this.decide("merge", null), pressed("merge", null)),
        h("span", { class: "tta-gap" }), rules,
        this.drawButton("same", "a", list.last ? `Rest: ${list.last}` : "Rest alike", () => this.plan({ act: "rest", rule: null }), { disabled: !rest || !list.last, title: "the same for all cases without a decision (A)" })),
      h("div", { class: "tta-actions" },
        h("strong", { class: "tta-preview" }, preview(list)), h("span", { class: "tta-gap" }),
        h("label", { title: "what goes leaves a tombstone, and is refused when it comes again (G)" }, forGood, " for good"),
        this.drawButton("back", "u", list.can_step_back ? "Take back" : "Undo", () => this.back(), { disabled: !list.can_step_back && !this.canUndo }),
        this.drawButton("carry-out", "c", "Carry out", () => this.carryOut(), { class: "tta-button tta-primary", disabled: !list.decided })));
  }

  // ---- decisions

  /** Whether the newest change of the memory was made here. */
  get canUndo() {
    return this.view.state.undoable === "resolve" && !this.view.state.read_only;
  }

  /**
   * @param {Planning} content
   * @param {() => void} [done] called if the kernel has accepted it
   */
  plan(content, done) {
    if (this.isWaiting || this.view.isLost) return;
    this.isWaiting = true;
    this.view.channel.send("plan", content, (message) => {
      if (message.kind === "state") done?.();
      this.answered();
    });
  }

  /** The kernel has answered: what was chosen is drawn as it is by now. */
  answered() {
    const { next } = this;
    [this.isWaiting, this.next, this.signature] = [false, null, null];
    this.draw();
    // The state that the message holds is taken right after this.
    if (next) queueMicrotask(() => this.actOf(next)?.());
  }

  /**
   * Plans what becomes of the pair in view; what is planned already is taken back.
   *
   * @param {Choosing} what
   * @param {number | null} place of the record that stays
   */
  decide(what, place) {
    const { pair } = this;
    if (!pair || this.view.state.read_only) return;
    if (isPlanned(pair.choice, what, place)) this.plan({ act: "undecide" });
    else this.plan({ act: "decide", case: pair.id, what, ...(place === null ? {} : { place }) });
  }

  /**
   * Plans a merge under the key of another record.
   *
   * @param {number | null} place of the record; null for the other one of the pair in view
   */
  mergeInto(place) {
    const { pair } = this;
    if (!pair || this.view.state.read_only) return;
    const other = pair.choice?.into?.place === pair.right ? 0 : pair.right;
    this.plan({ act: "into", case: pair.id, place: place ?? other });
  }

  /** @param {number} step */
  go(step) {
    const { list } = this;
    const at = (list?.at ?? 0) + step;
    if (list && at >= 0 && at < list.count) this.plan({ act: "go", at });
  }

  /** Takes the newest decision back, or undoes what was carried out. */
  back() {
    if (this.list?.can_step_back) this.plan({ act: "back" });
    else if (this.canUndo) this.send("undo");
  }

  carryOut() {
    if (this.list?.decided && !this.view.state.read_only) this.send("carry out");
  }

  /** @param {"undo" | "carry out"} verb */
  send(verb) {
    if (this.isWaiting || this.view.isLost) return;
    this.isWaiting = true;
    this.view.channel.send(verb, {}, () => this.answered());
  }

  toggleKeys() {
    this.showsKeys = !this.showsKeys;
    this.draw();
  }

  // ---- the text of a field

  /**
   * Opens an editor below a field.
   *
   * @param {Case} pair
   * @param {PairField} field
   */
  edit(pair, field) {
    const area = h("textarea", { class: "tta-editor tta-short", "data-do": "field-text", "aria-label": `${harmless(field.name)}${field.kind === "json" ? " as JSON" : ""}`, spellcheck: "false", onkeydown: (event) => {
      if (event.key === "Escape") this.closeEditor();
      else if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) save();
      else return;
      event.preventDefault();
      event.stopPropagation();
    } });
    area.value = field.text ?? "";
    const save = () => {
      if (area.value === field.text) this.closeEditor();
      else if (this.pair) this.plan({ act: "edit", case: this.pair.id, field: field.name, text: area.value, kind: field.kind }, () => this.closeEditor());
    };
    const leaveOut = () => {
      if (this.pair) this.plan({ act: "take", case: this.pair.id, field: field.name, side: "out" }, () => this.closeEditor());
    };
    this.editor = { place: pairOf(pair), field: field.name, element: h("div", {}, area, h("div", { class: "tta-actions" },
      h("button", { type: "button", class: "tta-button tta-primary", "data-do": "save-field", onclick: save }, "Take this text"),
      h("button", { type: "button", class: "tta-button", "data-do": "leave-out", onclick: leaveOut }, "Leave the field out"),
      h("button", { type: "button", class: "tta-button", "data-do": "cancel-field", onclick: () => this.closeEditor() }, "Cancel"),
      h("span", { class: "tta-hint" }, this.view.isMac ? "⌘Enter takes it" : "Ctrl+Enter takes it"))) };
    this.draw();
    area.focus();
  }

  closeEditor() {
    this.editor = null;
    this.draw();
    find(this.element, ".tta-pair")?.focus();
  }

  /** Opens the editor of the field that has the focus, or of the first one that differs. */
  editFocused() {
    const { pair } = this;
    const name = focusedIn(this.element)?.dataset["field"];
    const field = pair?.fields.find((each) => each.text !== null && (name === undefined ? !each.same : each.name === name));
    if (pair && field && !this.view.state.read_only) this.edit(pair, field);
  }

  /** A key that was pressed anywhere in the widget while this panel is in view. @param {KeyboardEvent} event */
  pressed(event) {
    if (this.element.hidden || event.ctrlKey || event.metaKey || event.altKey || event.repeat || isTyping(targetOf(event))) return;
    const key = event.key.toLowerCase();
    const act = this.actOf(key);
    if (!act) return;
    if (!this.isWaiting) act();
    else if (LOOKING.has(key)) this.next = key;
    event.preventDefault();
  }

  /** @param {string} key @returns {(() => void) | undefined} */
  actOf(key) {
    const { list, pair } = this;
    switch (key) {
      case "1": return () => this.decide("keep", 0);
      case "2": return () => this.decide("keep", pair?.right ?? 0);
      case "3": return () => this.decide("both", null);
      case "m": return () => this.decide("merge", null);
      case "i": return () => this.mergeInto(null);
      case "e": return () => this.editFocused();
      case "j": return () => this.go(1);
      case "k": return () => this.go(-1);
      case "a": return () => (list?.last && !this.view.state.read_only ? this.plan({ act: "rest", rule: null }) : undefined);
      case "g": return () => (list && !this.view.state.read_only ? this.plan({ act: "for good", on: !list.for_good }) : undefined);
      case "c": return () => this.carryOut();
      case "u": return () => this.back();
      case "?": return () => this.toggleKeys();
      default: return undefined;
    }
  }
}

/**
 * Which case is in view, and what is planned about it.
 *
 * @param {CaseList} list
 * @param {Case} pair
 */
function positionOf({ at, count: all }, { choice, records, more_records: more }) {
  const size = records.length + more;
  const said = choice?.what === "both" && size > 2 ? `keep all ${count(size)}` : choice?.said;
  return `Case ${count(at + 1)} of ${count(all)}${said ? `: ${said}` : ""}`;
}

/** The records of a case, whatever is in them. @param {Case | null} pair */
function pairOf(pair) {
  return pair ? JSON.stringify([pair.old.key, pair.new.key]) : "";
}

/** @returns {HTMLElement} */
function drawKeys() {
  return h("dl", { class: "tta-keys", "aria-label": "keys" }, KEYS.map(([key, about]) => h("div", {}, h("dt", {}, h("kbd", {}, key.toUpperCase())), h("dd", {}, about))));
}
