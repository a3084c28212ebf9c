// The table of records. Only the rows in sight are drawn; the grid itself keeps the focus, since rows come and go.

/** @import { Cell, Column, Position, Row, State, StateChange } from "./types.js" */
/** @import { View } from "./view.js" */
import { h, highlighted, targetOf } from "./dom.js";
import { ago, iso, shortKey, timeLeft } from "./format.js";
import { Headings } from "./headings.js";
import { HEADINGS, gridMove, rowRange } from "./keyboard.js";
import { ROW_HEIGHT, Viewport } from "./scrolling.js";
import { harmless } from "./text.js";

const SCROLL_PAUSE = 30; // milliseconds without scrolling until rows are asked for
const LONG_CELL = 24; // characters from which on a cell has its text as tooltip
const SOON = 60; // seconds before its expiry in which a record is marked

/** A time in a cell, which is written anew every second. @typedef {{ at: number, kind: "time" | "expiry", text: HTMLElement }} CellTime */

/** A row as it was drawn. @typedef {{ element: HTMLElement, signature: string, times: CellTime[] }} DrawnRow */

let grids = 0;

export class Grid {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    grids += 1;
    this.id = `tta-${grids}`;
    /** The number of the first row that is known, and the known rows. */
    this.start = 0;
    /** @type {Row[]} */
    this.rows = [];
    /** What is drawn: by key, or by number where the record is not known yet. @type {Map<string | number, DrawnRow>} */
    this.drawn = new Map();
    /** @type {Position} */
    this.active = { row: 0, column: 0 };
    /** Where a range of selected rows begins. @type {number | null} */
    this.rangeStart = null;
    /** The rows that were asked for last. */
    this.asked = [0, 0];
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.asking = undefined;
    /** Whether a person has scrolled since rows were last asked for. */
    this.isBrowsed = false;
    this.isHidden = false;
    /** The place and the size of the rows when they were last in sight, in pixels. */
    this.seen = { scrollTop: 0, clientHeight: 0 };
    this.headings = new Headings(this);
    this.head = h("div", { role: "rowgroup", class: "tta-thead" }, this.headings.element);
    this.canvas = h("div", { class: "tta-canvas", role: "rowgroup" });
    this.element = h("div", {
      role: "grid", class: "tta-grid", tabindex: "0", "aria-label": "records", "aria-multiselectable": "true",
      onkeydown: (event) => this.pressed(event), onscroll: () => this.scrolled(), onclick: (event) => this.clicked(event),
    }, this.head, this.canvas);
  }

  /** @returns {State} */
  get state() {
    return this.view.state;
  }

  get columns() {
    return this.state.columns.filter((column) => column.shown);
  }

  get viewport() {
    const { scrollTop, clientHeight } = this.element;
    if (!this.isHidden && clientHeight) this.seen = { scrollTop, clientHeight };
    return new Viewport(this.state.total, this.seen.scrollTop, this.seen.clientHeight, this.headings.height);
  }

  /**
   * While the widget is hidden it has no size, and the browser may forget where it was scrolled to.
   *
   * @param {boolean} isHidden
   */
  setHidden(isHidden) {
    if (this.isHidden && !isHidden) this.element.scrollTop = this.seen.scrollTop;
    this.isHidden = isHidden;
  }

  /** @param {number} top in pixels */
  scrollTo(top) {
    this.seen.scrollTop = top;
    this.element.scrollTop = top;
  }

  // ---- rows from the kernel

  /**
   * Draws the changes of the state.
   *
   * @param {StateChange} news
   * @param {boolean} isAnother whether the kernel now lists by another query, filter or order
   * @param {boolean} hasNewRecords whether other clients have added records
   */
  update(news, isAnother, hasNewRecords) {
    if ("columns" in news || "sort" in news) this.headings.draw();
    else if ("headings" in news) this.headings.drawSummaries();
    if (isAnother) {
      this.scrollTo(0);
      this.active.row = Math.min(this.active.row, 0); // a chosen heading stays chosen
      this.rangeStart = null;
    }
    if (news.rows) [this.start, this.rows] = [news.start ?? 0, news.rows];
    if (news.anchor && !isAnother) this.keepInPlace(news.anchor);
    if (this.active.row >= 0) this.active.row = Math.max(0, Math.min(this.active.row, this.state.total - 1));
    this.draw(hasNewRecords);
    this.askForRows();
  }

  /**
   * Scrolls so that a row stays where it was on the screen when records were added above it.
   *
   * @param {{ key: string, index: number }} anchor the row, and its present number
   */
  keepInPlace({ key, index }) {
    const before = this.drawn.get(key)?.element;
    const { viewport } = this;
    if (before === undefined || viewport.scrollTop < ROW_HEIGHT || viewport.isScaled) return;
    const moved = index - numberOf(before);
    this.canvas.style.height = `${viewport.height}px`;
    this.scrollTo(viewport.scrollTop + moved * ROW_HEIGHT);
    this.active.row += moved;
  }

  scrolled() {
    if (this.isHidden) return;
    // Where the widget itself has scrolled to, or the browser in a shorter list, is known already.
    this.isBrowsed ||= this.element.scrollTop !== this.seen.scrollTop;
    this.draw(false);
    clearTimeout(this.asking);
    this.asking = setTimeout(() => {
      if (this.isBrowsed) this.view.use();
      this.isBrowsed = false;
      this.askForRows();
    }, SCROLL_PAUSE);
  }

  askForRows() {
    const missing = this.viewport.missingRows(this.start, this.rows.length);
    if (!missing || (this.asked[0] === missing[0] && this.asked[1] === missing[1])) return;
    this.asked = missing;
    this.view.ask("set", { window: missing });
  }

  // ---- drawing

  /** @param {boolean} fadesIn whether rows that are drawn for the first time are highlighted */
  draw(fadesIn) {
    const { total, selected } = this.state;
    this.element.setAttribute("aria-rowcount", String(total + 1));
    this.canvas.style.height = `${Math.max(this.viewport.height, 1)}px`;
    const { viewport } = this; // read now: in a lower canvas the browser has moved the scroll position
    const [start, stop] = viewport.drawnRows;
    /** @type {typeof this.drawn} */
    const kept = new Map();
    for (let number = start; number < stop; number += 1) {
      const row = this.rowAt(number);
      const key = row ? row.key : number;
      const drawn = this.drawn.get(key) ?? this.newRow(fadesIn && row !== null);
      drawn.element.style.top = `${viewport.topOf(number)}px`;
      this.fill(drawn, row, number);
      kept.set(key, drawn);
    }
    for (const [key, { element }] of this.drawn) if (!kept.has(key)) element.remove();
    this.drawn = kept;
    // Screen readers read the rows in the order of the page.
    let next = this.canvas.firstElementChild;
    for (const { element } of kept.values()) {
      if (element === next) next = next.nextElementSibling;
      else this.canvas.insertBefore(element, next);
    }
    this.headings.selectAll.checked = selected > 0 && selected >= total;
    this.headings.selectAll.indeterminate = selected > 0 && !this.headings.selectAll.checked;
    this.head.hidden = !this.state.total && !this.state.loading; // headings without rows
    this.showActive();
  }

  /**
   * @param {boolean} fadesIn
   * @returns {DrawnRow}
   */
  newRow(fadesIn) {
    const element = h("div", { role: "row", class: `tta-row${fadesIn ? " tta-new" : ""}` });
    this.canvas.append(element);
    return { element, signature: "", times: [] };
  }

  /**
   * @param {DrawnRow} drawn
   * @param {Row | null} row null while the kernel has not sent it
   * @param {number} number
   */
  fill(drawn, row, number) {
    const { element } = drawn;
    element.setAttribute("aria-rowindex", String(number + 2));
    element.classList.toggle("tta-odd", number % 2 === 1);
    const signature = JSON.stringify([row, this.columns.map((column) => column.name), this.view.isLost]);
    if (drawn.signature === signature) return;
    drawn.signature = signature;
    drawn.times = [];
    if (!row) {
      element.replaceChildren(h("div", { role: "gridcell", class: "tta-cell tta-shimmer" }));
      return;
    }
    element.setAttribute("aria-selected", String(row.selected));
    element.classList.toggle("tta-selected", row.selected);
    const check = h("input", { type: "checkbox", tabindex: "-1", "aria-label": `select ${harmless(row.key)}`, disabled: this.view.isLost });
    check.checked = row.selected;
    element.replaceChildren(
      h("div", { role: "gridcell", class: "tta-cell tta-check", "aria-colindex": "1" }, check),
      ...this.columns.map((column, at) => this.cell(drawn, row, column, at)),
    );
  }

  /**
   * @param {DrawnRow} drawn
   * @param {Row} row
   * @param {Column} column
   * @param {number} at
   */
  cell(drawn, row, column, at) {
    const role = column.kind === "key" ? "rowheader" : "gridcell";
    const cell = h("div", { role, class: `tta-cell tta-is-${column.kind}`, "aria-colindex": at + 2 });
    const content = row.cells[column.name];
    if (column.kind === "key") cell.append(h("span", { class: "tta-text", title: harmless(row.key) }, harmless(shortKey(row.key))));
    else if (column.kind === "time" || column.kind === "expiry") this.time(drawn, cell, content, column.kind);
    else if (content) {
      const { t: text, m: matches, k: kind, c: isCut, h: hint } = content;
      cell.append(h("span", { class: `tta-text tta-${kind}`, title: hint ? harmless(hint) : kind === "str" && text.length > LONG_CELL ? harmless(text) : null }, highlighted(text, matches), isCut ? "…" : ""));
    }
    return cell;
  }

  /**
   * @param {DrawnRow} drawn
   * @param {HTMLElement} cell
   * @param {Cell | null | undefined} content
   * @param {"time" | "expiry"} kind
   */
  time(drawn, cell, content, kind) {
    if (content?.v === undefined) {
      if (kind === "expiry") cell.append(h("span", { class: "tta-text tta-null" }, "never"));
      return;
    }
    const text = h("span", { class: "tta-text", title: iso(content.v) });
    cell.append(text);
    const time = { at: content.v, kind, text };
    drawn.times.push(time);
    this.writeTime(time);
  }

  /** @param {CellTime} time */
  writeTime({ at, kind, text }) {
    const now = this.view.now();
    if (kind === "time") {
      text.textContent = ago(now - at);
      return;
    }
    const left = at - now;
    text.textContent = timeLeft(left);
    text.className = `tta-text${left <= 0 ? " tta-expired" : left < SOON ? " tta-soon" : ""}`;
  }

  /** Writes all times as they are now. */
  tick() {
    for (const { times } of this.drawn.values()) times.forEach((time) => this.writeTime(time));
  }

  /**
   * The widths of the texts of a column that are drawn, in pixels.
   *
   * @param {Column} column
   */
  widthsOfTexts(column) {
    const at = this.columns.indexOf(column) + 1;
    return [...this.drawn.values()].map(({ element }) => element.children[at]?.firstElementChild?.scrollWidth ?? 0);
  }

  // ---- mouse and keyboard

  /** @param {MouseEvent} event */
  clicked(event) {
    const target = targetOf(event);
    if (this.head.contains(target)) {
      this.headings.clicked(target);
      return;
    }
    const element = target.closest(".tta-canvas .tta-row");
    if (!element) return;
    const number = numberOf(element);
    this.active = { row: number, column: Math.max(0, [...element.children].findIndex((cell) => cell.contains(target))) };
    this.showActive();
    if (target.closest(".tta-check")) this.toggle(number, event.shiftKey);
    else if (event.shiftKey) this.selectTo(number);
    else this.open(number);
  }

  /**
   * @param {number} number
   * @returns {Row | null} null for a row that is not known
   */
  rowAt(number) {
    return this.rows[number - this.start] ?? null;
  }

  /**
   * Selects a row, or removes it from the selection.
   *
   * @param {number} number
   * @param {boolean} isRange whether all rows up to this one are meant
   */
  toggle(number, isRange) {
    if (isRange && this.rangeStart !== null) {
      this.selectTo(number);
      return;
    }
    this.rangeStart = number;
    const row = this.rowAt(number);
    if (row) this.view.ask("select", { keys: [row.key], on: !row.selected });
  }

  /** @param {number} number */
  selectTo(number) {
    this.rangeStart ??= this.active.row;
    this.view.ask("select", { range: rowRange(this.rangeStart, number), on: true });
  }

  /** @param {number} number */
  open(number) {
    const row = this.rowAt(number);
    if (row) this.view.detail.open(row.key);
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!this.act(event)) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /**
   * Carries out the command of a key.
   *
   * @param {KeyboardEvent} event
   * @returns {boolean} whether the key means anything here
   */
  act(event) {
    const { key, altKey, shiftKey } = event;
    const isMeta = event.ctrlKey || event.metaKey;
    const { row, column } = this.active;
    const isHeading = row === HEADINGS;
    if (altKey && isHeading && (key === "ArrowLeft" || key === "ArrowRight")) {
      this.headings.resize(this.columns[column - 1], key === "ArrowRight" ? 1 : -1);
      return true;
    }
    if (altKey && isHeading && key === "ArrowDown") {
      this.headings.open(this.columns[column - 1]);
      return true;
    }
    const size = { rows: this.state.total, columns: this.columns.length, page: Math.max(1, this.viewport.rowsInSight - 1) };
    const to = gridMove(key, isMeta, this.active, size);
    if (to) this.moveTo(to, shiftKey);
    else if (key === "Enter") {
      if (isHeading) this.headings.sortBy(this.columns[column - 1]);
      else this.open(row);
    } else if (key === " ") {
      if (isHeading) this.headings.selectAll.click();
      else this.toggle(row, false);
    } else if (key === "Delete" || key === "Backspace") this.view.removeSelected(this.rowAt(row)?.key);
    else if (isMeta && key.toLowerCase() === "a") this.view.ask("select", { all: true });
    // How many are selected the kernel says, perhaps later than a fast hand has pressed this key.
    else if (key === "=" && !isMeta) this.view.compareSelected();
    else if (key === "/" && !isMeta) this.view.focusSearch();
    else if (key === "Escape") this.view.escape();
    else return false;
    return true;
  }

  /**
   * @param {Position} to
   * @param {boolean} selects whether the rows on the way are selected
   */
  moveTo(to, selects) {
    const from = this.active.row;
    this.active = to;
    if (to.row >= 0) this.scrollTo(this.viewport.scrollTopFor(to.row));
    if (selects && to.row !== from && to.row >= 0) {
      this.rangeStart ??= from;
      this.selectTo(to.row);
    }
    this.draw(false);
  }

  /** Shows which cell the keyboard is at, also to screen readers. */
  showActive() {
    for (const cell of this.element.querySelectorAll(".tta-active")) cell.classList.remove("tta-active");
    const { row, column } = this.active;
    const line = row === HEADINGS ? this.headings.element : this.drawn.get(this.rowAt(row)?.key ?? row)?.element;
    const cell = line?.children[column];
    if (!cell) {
      this.element.removeAttribute("aria-activedescendant");
      return;
    }
    cell.id ||= `${this.id}-${Math.random().toString(36).slice(2)}`;
    cell.classList.add("tta-active");
    this.element.setAttribute("aria-activedescendant", cell.id);
  }
}

/**
 * The number of the record that a row shows, from 0.
 *
 * @param {Element} row
 */
function numberOf(row) {
  return Number(row.getAttribute("aria-rowindex")) - 2;
}
