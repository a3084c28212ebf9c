// Widths, order and choice of columns.

/** @import { Column, Sort } from "./types.js" */

/** Pixels. */
const DEFAULT_WIDTHS = { key: 190, main: 280, text: 170, time: 110, expiry: 120, number: 90, matches: 130, mixed: 180, score: 70 };
const NARROWEST = 48;
/** How narrow a key, then the field that says what the record is about, may become so that this field is in sight. */
const NARROW = { key: 84, main: 200 };
const WIDEST_FITTED = 900;
const FIT_PADDING = 22;
export const CHECKBOX_WIDTH = 34;

/**
 * @param {Column} column
 * @param {ReadonlyMap<string, number>} chosen widths that the user has chosen, by name
 */
export function widthOf(column, chosen) {
  return chosen.get(column.name) ?? DEFAULT_WIDTHS[column.kind];
}

/** @param {number} width that the user asks for */
export function allowedWidth(width) {
  return Math.max(NARROWEST, width);
}

/**
 * The width at which no text of a column is cut, within bounds.
 *
 * @param {number[]} widths of its texts
 */
export function fittedWidth(widths) {
  return allowedWidth(Math.min(WIDEST_FITTED, Math.max(0, ...widths) + FIT_PADDING));
}

/**
 * The widths of all columns. Spare room goes to the field that says what the record is about, or else to all
 * texts, which can use it; to the last column where no text may grow. In a narrow table the key makes room for the
 * field that says what the record is about, so that no scrolling is needed to read it.
 *
 * @param {Column[]} columns
 * @param {ReadonlyMap<string, number>} chosen widths that the user has chosen, by name
 * @param {number} available the width of the table
 * @returns {{ sizes: number[], total: number }} whole pixels; `total` includes the checkboxes
 */
export function layOutColumns(columns, chosen, available) {
  const widths = columns.map((column) => widthOf(column, chosen));
  const may = columns.map((column) => !chosen.has(column.name));
  makeRoomForMain(columns, widths, may, available);
  const spare = available - CHECKBOX_WIDTH - widths.reduce((sum, width) => sum + width, 0);
  const main = columns.map((column, at) => column.kind === "main" && may[at]);
  const growing = main.some(Boolean) ? main : columns.map((column, at) => column.kind === "text" && may[at]);
  const howMany = growing.filter(Boolean).length;
  if (!howMany && growing.length) growing[growing.length - 1] = true;
  const share = spare > 0 ? spare / (howMany || 1) : 0;
  const sizes = widths.map((width, at) => width + (growing[at] ? share : 0));
  const total = Math.floor(CHECKBOX_WIDTH + sizes.reduce((sum, size) => sum + size, 0));
  return { sizes: sizes.map(Math.floor), total };
}

/**
 * Narrows columns as far as the end of the main field is out of sight. A table that is hidden has no width.
 *
 * @param {Column[]} columns
 * @param {number[]} widths changed in place
 * @param {boolean[]} may whether the width of each column may be changed
 * @param {number} available the width of the table
 */
function makeRoomForMain(columns, widths, may, available) {
  const main = columns.findIndex((column) => column.kind === "main");
  if (main < 0 || available <= 0) return;
  let missing = widths.slice(0, main + 1).reduce((sum, width) => sum + width, CHECKBOX_WIDTH) - available;
  for (const kind of /** @type {const} */ (["key", "main"])) {
    const at = columns.findIndex((column, index) => column.kind === kind && index <= main && may[index]);
    const width = widths[at];
    if (width === undefined || missing <= 0) continue;
    const given = Math.min(missing, Math.max(0, width - NARROW[kind]));
    widths[at] = width - given;
    missing -= given;
  }
}

/** Kinds of which the greatest value is looked for first. */
const LARGEST_FIRST = new Set(["time", "number", "expiry"]);

/**
 * The order after a click on a heading. There are three: the usual direction of the column, the other
 * direction, the memory's own order.
 *
 * @param {Column} column
 * @param {Sort} sort the present order
 * @returns {Sort}
 */
export function nextSort(column, sort) {
  const usual = LARGEST_FIRST.has(column.kind);
  if (sort.by !== column.name) return { by: column.name, descending: usual };
  if (sort.descending === usual) return { by: column.name, descending: !usual };
  return { by: "recency", descending: true };
}

/**
 * The names of the columns in the table after one was switched on or off. The key is always shown and is
 * not among them.
 *
 * @param {Column[]} columns
 * @param {string} name
 * @param {boolean} isShown
 */
export function chosenColumns(columns, name, isShown) {
  const shown = columns.filter((column) => column.shown && column.kind !== "key").map((column) => column.name);
  return isShown ? [...shown, name] : shown.filter((each) => each !== name);
}

/**
 * The columns whose titles contain the typed text, except the key.
 *
 * @param {Column[]} columns
 * @param {string} typed
 */
export function columnsTitled(columns, typed) {
  const wanted = typed.toLowerCase();
  return columns.filter((column) => column.kind !== "key" && column.title.toLowerCase().includes(wanted));
}
