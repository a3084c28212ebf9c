// JSON values without loss.

/** A number that JavaScript would round, as it was written. */
export class ExactNumber {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** @typedef {(this: unknown, name: string, value: unknown, context?: { source?: string }) => unknown} Reviver */

/**
 * The value of a JSON text. Browsers that report how a number was written lose no digit of it.
 *
 * @param {string} text
 * @returns {unknown}
 */
export function parseExactly(text) {
  /** @type {Reviver} */
  const revive = (_, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source ? new ExactNumber(context.source) : value;
  return JSON.parse(text, revive);
}

/**
 * Whether a value is a JSON object, which the value of a record has to be.
 *
 * @param {unknown} value
 * @returns {value is Record<string, unknown>}
 */
export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value) && !(value instanceof ExactNumber);
}

/**
 * Why a text cannot be saved as a value.
 *
 * @param {string} text
 * @returns {string} empty when nothing is wrong with it
 */
export function problemOf(text) {
  try {
    return isObject(JSON.parse(text)) ? "" : "A value is a JSON object: write {...} around it.";
  } catch (error) {
    return `Not JSON yet: ${error instanceof Error ? error.message : String(error)}`;
  }
}
