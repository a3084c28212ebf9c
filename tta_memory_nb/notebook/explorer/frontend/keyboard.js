// Where a key leads to, in the grid and in the tree of a value.

/** @import { Position } from "./types.js" */

/** As which browsers report a key that an input method handles, and Safari the one that ends its composition. */
const KEY_OF_AN_INPUT_METHOD = 229;

/**
 * Whether a key belongs to an input method, in which Japanese, Chinese or Korean is composed: Enter accepts there
 * what is proposed, and Escape takes it back.
 *
 * @param {Pick<KeyboardEvent, "isComposing" | "keyCode">} event
 */
export function isOfInputMethod({ isComposing, keyCode }) {
  return isComposing || keyCode === KEY_OF_AN_INPUT_METHOD;
}

/** Where letters are text, or choose an item of a list. */
const TYPED = "input:not([type=checkbox]):not([type=radio]):not([type=range]), textarea, select";

/**
 * Whether a key that is pressed there is typed.
 *
 * @param {Pick<Element, "matches">} target
 */
export function isTyping(target) {
  return target.matches(TYPED);
}

/** The row of headings, above the first record. */
export const HEADINGS = -1;

/**
 * The cell to which a key moves.
 *
 * @param {string} key name of the key
 * @param {boolean} isJump whether Ctrl or Cmd is held, with which Home and End go to the first and last row
 * @param {Position} from
 * @param {{ rows: number, columns: number, page: number }} size of the table, without headings and checkboxes;
 *   `page` is how many rows Page Up and Page Down move by
 * @returns {Position | null} null for a key that does not move
 */
export function gridMove(key, isJump, { row, column }, { rows, columns, page }) {
  const last = Math.max(0, rows - 1);
  /** @type {(row: number, column: number) => Position} */
  const within = (toRow, toColumn) => ({
    row: Math.max(HEADINGS, Math.min(last, toRow)),
    column: Math.max(0, Math.min(columns, toColumn)),
  });
  switch (key) {
    case "ArrowDown": return within(row + 1, column);
    case "ArrowUp": return within(row - 1, column);
    case "PageDown": return within(row + page, column);
    case "PageUp": return within(row - page, column);
    case "ArrowRight": return within(row, column + 1);
    case "ArrowLeft": return within(row, column - 1);
    case "Home": return within(isJump ? 0 : row, 0);
    case "End": return within(isJump ? last : row, columns);
    default: return null;
  }
}

/**
 * The rows from one to another, in either direction. A range that begins at the headings has all records above.
 *
 * @param {number} from
 * @param {number} to
 * @returns {[start: number, stop: number]}
 */
export function rowRange(from, to) {
  return [Math.max(0, Math.min(from, to)), Math.max(from, to) + 1];
}

/**
 * What a key does in a tree.
 *
 * @param {string} key name of the key
 * @param {{ here: number, size: number, parent: number, isOpen: boolean | null }} place the item that has the
 *   focus, how many items are in sight, the item above it or -1, and whether it is open (null: it has no children)
 * @returns {{ focus: number } | { open: boolean } | null} null for a key that does nothing; the item to focus may
 *   not exist
 */
export function treeMove(key, { here, size, parent, isOpen }) {
  switch (key) {
    case "ArrowDown": return { focus: here + 1 };
    case "ArrowUp": return { focus: here - 1 };
    case "Home": return { focus: 0 };
    case "End": return { focus: size - 1 };
    case "ArrowRight":
      if (isOpen === null) return null;
      return isOpen ? { focus: here + 1 } : { open: true };
    case "ArrowLeft": return isOpen ? { open: false } : { focus: parent };
    case "Enter":
    case " ": return isOpen === null ? { focus: here } : { open: !isOpen };
    default: return null;
  }
}
