// One record: read, edited, compared with its earlier values.

/** @import { Child, Conflict, EditedMessage, ErrorMessage, GoneMessage, Judgement, KernelMessage, Neighbour, RecordMessage, Requests, Version } from "./types.js" */
/** @import { Draft } from "./drafts.js" */
/** @import { View } from "./view.js" */
import { drawConversation } from "./conversation.js";
import { find, focusedIn, h } from "./dom.js";
import { Drafts, isWritten, newDraft, placeOf } from "./drafts.js";
import { ago, bytes, count, iso, timeLeft, timeOfDay } from "./format.js";
import { Fields, parseExactly, problemOf } from "./json.js";
import { drawHistory } from "./history.js";
import { drawJudging, drawScore } from "./ranking.js";
import { harmless } from "./text.js";
import { plainText, tree } from "./tree.js";

const LONG_CONFLICT = 2000; // characters of another client's value that are shown

/** What can still be done with a record while no kernel answers. */
const READING = new Set(["close-detail", "copy", "detail-record", "detail-edit", "detail-history"]);

/** @typedef {"record" | "edit" | "history"} TabName */

/** Parts of the first tab that stay when the record is drawn again. @typedef {{ key: string, question: HTMLElement, text: string | null, value: HTMLElement }} Kept */

export class Detail {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string | null} The key of the record that was opened. */
    this.key = null;
    /** Its name among those of all memories. */
    this.place = "";
    this.drafts = new Drafts();
    /** @type {TabName} */
    this.tab = "record";
    /** @type {RecordMessage | GoneMessage | null} The record that is shown; the one before `key` until the kernel has answered. */
    this.record = null;
    /** @type {string | null} What was drawn last. */
    this.signature = null;
    /** @type {Draft | null} */
    this.draft = null;
    /** @type {Conflict | null} */
    this.conflict = null;
    /** @type {Kept | null} */
    this.kept = null;
    /** @type {HTMLElement | null} */
    this.body = null;
    /** Write the times in sight as they are now. @type {(() => void)[]} */
    this.times = [];
    this.element = h("section", { class: "tta-detail", "aria-label": "record", hidden: true, onkeydown: (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    } });
  }

  /** @param {string} key */
  open(key) {
    if (this.view.isLost) return;
    const place = placeOf(this.view.state.namespace, key);
    if (key !== this.key || place !== this.place) {
      this.putAside();
      [this.key, this.place] = [key, place];
      const { draft, conflict, question } = this.drafts.take(place);
      [this.draft, this.conflict] = [draft, conflict];
      if (question) this.kept = { key, question, text: null, value: question };
    }
    this.load();
  }

  close() {
    this.leave();
    this.view.grid.element.focus();
  }

  /** Closes the record, and leaves the focus where it is. */
  leave() {
    if (this.key === null) return;
    this.putAside();
    this.element.hidden = true;
    this.key = null;
    this.view.grid.headings.layOut();
  }

  /** Keeps what was being written until the record is opened again. */
  putAside() {
    if (this.key !== null) this.drafts.keep(this.place, { draft: this.draft, conflict: this.conflict, question: this.kept?.question ?? null });
    this.dropDraft();
    this.kept = null;
  }

  dropDraft() {
    [this.draft, this.conflict] = [null, null];
  }

  /** @param {boolean} isWhole whether a long value is wanted in full */
  load(isWhole = false) {
    if (this.view.isLost || this.key === null) return;
    this.view.channel.send("record", { key: this.key, whole: isWhole }, (message) => this.take(message));
  }

  /**
   * Says whether the record answers the search.
   *
   * @param {Judgement} right null takes back what was said
   */
  judge(right) {
    const { key, record } = this;
    if (key === null || !record || record.gone) return;
    this.view.channel.send("judge", { key, whole: !record.cut, right }, (message) => this.take(message));
  }

  /** @param {KernelMessage} message */
  take(message) {
    if (message.kind !== "record" || message.key !== this.key || this.view.isComposing) return;
    // An unchanged record is not drawn again, because the user may be reading or writing there.
    const signature = JSON.stringify({ ...message, for: null });
    if (signature === this.signature && !this.element.hidden) return;
    this.signature = signature;
    const { draft, record: before } = this;
    // Only its expiry has changed: what is being written still replaces the value that the user has read.
    if (draft && !message.gone && before && !before.gone && before.key === message.key && before.text === message.text && draft.base === before.base) draft.base = message.base;
    this.record = message;
    this.draw();
  }

  /** Loads the record again, which others may have changed, unless the user is writing. */
  refresh() {
    if (!this.draft && !this.view.isComposing) this.load();
  }

  /** Draws the record again if it is in sight. */
  redraw() {
    if (this.key !== null) this.draw();
  }

  // ---- drawing

  draw() {
    const { record } = this;
    if (!record) return; // the kernel has not answered yet
    const wasHidden = this.element.hidden;
    const focused = focusedIn(this.element);
    const cursor = focused instanceof HTMLInputElement && focused.type === "text" ? focused : null;
    const selection = cursor && [cursor.selectionStart, cursor.selectionEnd];
    this.element.hidden = false;
    if (wasHidden) this.view.grid.headings.layOut();
    const close = h("button", { type: "button", class: "tta-icon", "data-do": "close-detail", "aria-label": "close", onclick: () => this.close() }, "✕");
    const title = h("h3", { title: harmless(record.key) }, harmless(record.key));
    this.times = [];
    if (record.gone) {
      this.element.replaceChildren(h("header", {}, title, close), h("p", { class: "tta-note" }, "This record is gone: deleted, evicted or expired."), ...this.drawOrphan());
      if (focused) close.focus();
      return;
    }
    const scrolled = this.body?.scrollTop ?? 0;
    const body = h("div", { class: "tta-detail-body", role: "tabpanel", tabindex: "0", "aria-label": this.tab }, this.drawTab(record));
    this.body = body;
    this.element.replaceChildren(h("header", {}, title, close), this.drawTabs(), body);
    body.scrollTop = scrolled;
    if (this.view.isLost) this.disable();
    if (!focused) return;
    const again = focused.isConnected ? focused : find(this.element, `[data-do="${focused.dataset["do"]}"]`);
    (again ?? body).focus({ preventScroll: true });
    if (cursor && again === cursor && selection) cursor.setSelectionRange(selection[0] ?? null, selection[1] ?? null);
  }

  drawTabs() {
    /** @type {[TabName, string][]} */
    const tabs = [["record", "Record"], ["edit", "Edit"], ["history", "History"]];
    const offered = tabs.filter(([name]) => name !== "edit" || !this.view.state.read_only);
    return h("div", { role: "tablist", class: "tta-tabs", "aria-label": "record" }, offered.map(([name, label]) =>
      h("button", { type: "button", role: "tab", "aria-selected": String(this.tab === name), "data-do": `detail-${name}`, onclick: () => this.show(name) },
        name === "edit" && isWritten(this.draft) ? `${label} (not saved)` : label)));
  }

  /** What was being written about a record that is gone. */
  drawOrphan() {
    const { draft } = this;
    if (!draft || !isWritten(draft)) return [];
    return [h("p", { class: "tta-note" }, "What you have written was not saved:"), plainText(draft.text),
      h("div", { class: "tta-actions" }, h("button", { type: "button", class: "tta-button", "data-do": "copy", onclick: () => this.view.copy(draft.text) }, "Copy it"))];
  }

  /** @param {TabName} tab */
  show(tab) {
    this.tab = tab;
    this.draw();
  }

  /**
   * @param {RecordMessage} record
   * @returns {Child[]}
   */
  drawTab(record) {
    if (this.tab === "edit") return this.drawEdit(record);
    if (this.tab === "record") return this.drawRecord(record);
    return drawHistory(record, this.view.state.read_only ? null : (version) => this.restore(record, version));
  }

  /** Without a kernel a record can be read and copied, and nothing else. */
  disable() {
    for (const button of this.element.querySelectorAll("button")) button.disabled = !READING.has(button.dataset["do"] ?? "");
    for (const field of this.element.querySelectorAll("input")) field.readOnly = true;
    for (const field of this.element.querySelectorAll("textarea")) field.readOnly = true;
  }

  /** Writes the times in sight as they are now. */
  tick() {
    this.times.forEach((write) => write());
  }

  /**
   * A time that `tick` writes again.
   *
   * @param {number} seconds Unix seconds
   * @param {() => string} write gives the text
   */
  time(seconds, write) {
    const element = h("span", { title: iso(seconds) }, write());
    this.times.push(() => {
      element.textContent = write();
    });
    return element;
  }

  // ---- the record

  /**
   * @param {RecordMessage} record
   * @returns {Child[]}
   */
  drawRecord(record) {
    const { view } = this;
    /** @type {[name: string, fact: Child][]} */
    const facts = [
      ["user", record.user && harmless(record.user)], ["session", record.session && harmless(record.session)],
      ["created", this.time(record.created, () => ago(view.now() - record.created))],
      ["updated", this.time(record.updated, () => ago(view.now() - record.updated))],
      ["expires", this.drawExpiry(record)], ["size", bytes(record.bytes)],
      ["matches", record.matches.map(harmless).join(", ")],
    ];
    const copy = h("button", { type: "button", class: "tta-button", "data-do": "copy", onclick: () => this.view.copy(record.text) }, "Copy JSON");
    const kept = this.keep(record);
    return [
      h("dl", { class: "tta-facts" }, facts.filter(([, fact]) => fact).map(([name, fact]) => [h("dt", {}, name), h("dd", {}, fact)])),
      h("div", { class: "tta-actions" }, copy, view.state.read_only ? [] : [
        h("button", { type: "button", class: "tta-button", "data-do": "duplicate", onclick: () => this.duplicate(record.key) }, "Duplicate"),
        h("button", { type: "button", class: "tta-button tta-danger", "data-do": "delete-record", onclick: () => view.remove(record.key) }, "Delete"),
      ]),
      view.state.query ? drawJudging(record.judged, (right) => this.judge(right)) : null,
      kept.question,
      drawScore(record),
      kept.value,
      record.cut ? h("button", { type: "button", class: "tta-link", "data-do": "whole", onclick: () => this.load(true) }, `… show all ${count(record.length)} characters`) : null,
      this.drawRecords("Summarizes", "tta-sources", record.sources),
      this.drawRecords("Summarized in", "tta-summaries", record.summaries),
      record.neighbours.length < 2 ? null : this.drawRecords("In the same session", "", record.neighbours),
      drawConversation(record.conversation, (key) => this.open(key)),
    ];
  }

  /**
   * The open question and the tree of the value. Both are kept, together with the typed text and the open branches,
   * when other clients write to the memory.
   *
   * @param {RecordMessage} record
   * @returns {Kept}
   */
  keep(record) {
    const before = this.kept?.key === record.key ? this.kept : null;
    const isSame = before?.text === record.text;
    this.kept = {
      key: record.key,
      question: before?.question ?? h("div", { class: "tta-asking" }),
      text: record.text,
      value: before && isSame ? before.value : drawValue(record),
    };
    return this.kept;
  }

  /** @param {RecordMessage} record */
  drawExpiry(record) {
    const { view } = this;
    const { expires } = record;
    const shown = h("span", {}, expires === null ? "never" : this.time(expires, () => timeLeft(expires - view.now())), " ");
    if (view.state.read_only) return shown;
    shown.append(h("button", { type: "button", class: "tta-link", "data-do": "expire", onclick: () => this.ask(
      "Expires in", "15m, 2h, 7d; empty for never", "", (ttl) => this.edit("expire", { ttl: ttl.trim() || null })) }, "change"));
    return shown;
  }

  /** @param {string} key */
  duplicate(key) {
    this.ask("New key", "", `${key}-copy`, (as) => this.edit("duplicate", { as }, (message) => this.open(message.key ?? as)));
  }

  /**
   * Asks for one line of text below the buttons.
   *
   * @param {string} label
   * @param {string} hint
   * @param {string} value to begin with
   * @param {(text: string) => void} answer
   */
  ask(label, hint, value, answer) {
    const input = h("input", { type: "text", "aria-label": label, placeholder: hint });
    input.value = value;
    const form = h("form", { class: "tta-ask", onsubmit: (event) => {
      event.preventDefault();
      answer(input.value);
    } }, h("label", {}, label, input), h("button", { type: "submit", class: "tta-button tta-primary", "data-do": "ok" }, "OK"),
    h("button", { type: "button", class: "tta-button", onclick: () => {
      form.remove();
    } }, "Cancel"), h("p", { class: "tta-problem", role: "alert" }));
    this.kept?.question.replaceChildren(form);
    input.focus();
    input.select();
  }

  /**
   * A list of records to open, with a heading.
   *
   * @param {string} heading
   * @param {string} kind a class of the list; empty for none
   * @param {Neighbour[]} records
   * @returns {Child[]}
   */
  drawRecords(heading, kind, records) {
    if (!records.length) return [];
    return [h("h4", {}, heading), h("ol", { class: `tta-neighbours ${kind}`.trim() }, records.map((each) =>
      h("li", {}, h("button", { type: "button", "aria-current": each.current ? "true" : null, title: harmless(each.key), onclick: () => this.open(each.key) },
        h("span", { class: "tta-text" }, harmless(each.t) || harmless(each.key)), h("time", {}, timeOfDay(each.updated))))))];
  }

  // ---- editing

  /**
   * Sends a change of the record, and shows whether it was accepted.
   *
   * @template {"edit" | "expire" | "duplicate"} V
   * @param {V} verb
   * @param {{ edit: { text: string, base: string }, expire: { ttl: string | null }, duplicate: { as: string } }[V]} content
   * @param {(message: EditedMessage) => void} done
   */
  edit(verb, content, done = () => this.load()) {
    const { record, key, place } = this;
    if (!record || record.gone || key === null) return;
    const request = /** @type {Requests[V]} */ (/** @type {unknown} */ ({ key, base: record.base, ...content }));
    this.view.channel.send(verb, request, (message) => {
      const isOk = message.kind === "edited" && message.ok;
      if (isOk && "text" in content) this.drafts.saved(place, content.text);
      if (this.place !== place || this.key === null) return; // another record is open meanwhile
      if (isOk) {
        this.kept?.question.replaceChildren();
        if ("text" in content && this.draft?.text === content.text) this.dropDraft();
        this.signature = null;
        done(message);
      } else if (message.kind === "edited" && message.conflict) {
        this.conflict = message.conflict;
        this.draft ??= newDraft(record.text, record.base);
        this.show("edit");
      } else if (message.kind === "edited" || message.kind === "error") this.explain(message);
    });
  }

  /** @param {EditedMessage | ErrorMessage} message why a change was refused */
  explain(message) {
    const place = find(this.element, ".tta-problem");
    if (place) place.textContent = harmless((message.kind === "error" ? message.message : message.problem) ?? "");
  }

  /**
   * @param {RecordMessage} record
   * @returns {Child[]}
   */
  drawEdit(record) {
    if (record.cut) {
      return [
        h("p", { class: "tta-note" }, "This value is too long to be edited here."),
        h("button", { type: "button", class: "tta-link", onclick: () => this.load(true) }, "Load all of it"),
      ];
    }
    const draft = (this.draft ??= newDraft(record.text, record.base));
    const problem = h("p", { class: "tta-problem", role: "alert" });
    const save = h("button", { type: "button", class: "tta-button tta-primary", "data-do": "save", onclick: () => this.save(draft) }, "Save");
    const check = () => {
      problem.textContent = problemOf(draft.text);
      save.disabled = problem.textContent !== "" || draft.text === record.text;
    };
    const area = h("textarea", { class: "tta-editor", spellcheck: "false", "aria-label": "value as JSON", oninput: () => {
      draft.text = area.value;
      check();
    }, onkeydown: (event) => {
      if ((event.ctrlKey || event.metaKey) && (event.key === "s" || event.key === "Enter")) {
        event.preventDefault();
        save.click();
      } else if (event.key === "Escape") {
        event.stopPropagation(); // no key discards the text in the editor
        this.view.grid.element.focus();
      }
    } });
    area.value = draft.text;
    check();
    const discard = h("button", { type: "button", class: "tta-button", "data-do": "reset", onclick: () => {
      this.dropDraft();
      this.signature = null;
      this.load();
    } }, "Discard");
    const { before } = draft;
    const back = before && h("button", { type: "button", class: "tta-button", "data-do": "back", onclick: () => {
      this.draft = before;
      this.draw();
    } }, "Back to what I was writing");
    return [this.drawConflict(), area, problem, h("div", { class: "tta-actions" }, save, discard, back, h("span", { class: "tta-hint" }, this.view.isMac ? "⌘S saves" : "Ctrl+S saves"))];
  }

  /** @param {Draft} draft */
  save({ text, base }) {
    this.edit("edit", { text, base }, () => {
      this.tab = "record";
      this.load();
    });
  }

  /**
   * Takes an earlier value into the editor.
   *
   * @param {RecordMessage} record
   * @param {Version} version
   */
  restore({ text, base }, version) {
    this.draft = { ...newDraft(version.text, base, this.draft), from: text };
    this.show("edit");
  }

  /** @returns {Child} */
  drawConflict() {
    if (!this.conflict) return null;
    const { text, base } = this.conflict;
    if (text === null) {
      return h("div", { class: "tta-conflict", role: "alert" }, h("p", {}, "This record has been deleted meanwhile; Duplicate keeps what you have written under another key."),
        h("button", { type: "button", class: "tta-button", onclick: () => this.close() }, "Close"));
    }
    return h("div", { class: "tta-conflict", role: "alert" }, h("p", {}, "This record has changed meanwhile. It is now:"), plainText(text.slice(0, LONG_CONFLICT)),
      h("div", { class: "tta-actions" },
        h("button", { type: "button", class: "tta-button", "data-do": "theirs", onclick: () => {
          [this.draft, this.conflict] = [newDraft(text, base, this.draft), null];
          this.draw();
        } }, "Take theirs"),
        h("button", { type: "button", class: "tta-button tta-danger", "data-do": "mine", onclick: () => {
          if (this.draft) this.draft.base = base;
          this.conflict = null;
          this.draw();
          find(this.element, "[data-do=save]")?.click();
        } }, "Keep mine (overwrite)")));
  }
}

/**
 * The value as a tree; as text where a tree cannot be made of it.
 *
 * @param {RecordMessage} record
 */
function drawValue({ text, cut }) {
  if (cut) return plainText(text);
  try {
    const value = parseExactly(text);
    return value instanceof Fields ? tree(value) : plainText(text);
  } catch {
    return plainText(text); // nested more deeply than this browser reads
  }
}
