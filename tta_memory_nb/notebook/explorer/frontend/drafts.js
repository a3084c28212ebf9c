// What the user has begun to write about records. No click on another record discards it.

/** @import { Conflict } from "./types.js" */

/**
 * The text in the editor, the identity of the value that it replaces, the text that it began as, and the draft whose
 * place it took.
 *
 * @typedef {{ text: string, base: string, from: string, before: Draft | null }} Draft
 */

/** What is unfinished about a record. @typedef {{ draft: Draft | null, conflict: Conflict | null, question: HTMLElement | null }} Unfinished */

/**
 * @param {string} text to begin with
 * @param {string} base
 * @param {Draft | null} before the draft that is in the editor now
 * @returns {Draft}
 */
export function newDraft(text, base, before = null) {
  return { text, base, from: text, before: isWritten(before) ? before : (before?.before ?? null) };
}

/**
 * Whether the user has changed the text of a draft.
 *
 * @param {Draft | null} draft
 * @returns {boolean}
 */
export function isWritten(draft) {
  return draft !== null && draft.text !== draft.from;
}

/** What is unfinished, by record. */
export class Drafts {
  constructor() {
    /** @type {Map<string, Unfinished>} */
    this.kept = new Map();
  }

  /**
   * Keeps what is worth it.
   *
   * @param {string} place the name of the record: see `placeOf`
   * @param {Unfinished} unfinished
   */
  keep(place, unfinished) {
    const { draft, question } = unfinished;
    if (isWritten(draft) || draft?.before || question?.childElementCount) this.kept.set(place, unfinished);
    else this.kept.delete(place);
  }

  /**
   * Gives what was kept of a record, which is then kept no longer.
   *
   * @param {string} place
   * @returns {Unfinished}
   */
  take(place) {
    const unfinished = this.kept.get(place) ?? { draft: null, conflict: null, question: null };
    this.kept.delete(place);
    return unfinished;
  }

  /**
   * Discards a draft that has been saved, unless the user has written on.
   *
   * @param {string} place
   * @param {string} text that was saved
   */
  saved(place, text) {
    if (this.kept.get(place)?.draft?.text === text) this.kept.delete(place);
  }
}

/**
 * The name of a record among those of all memories.
 *
 * @param {string} namespace
 * @param {string} key
 */
export function placeOf(namespace, key) {
  return JSON.stringify([namespace, key]);
}
