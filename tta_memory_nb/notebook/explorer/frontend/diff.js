// Differences, word by word: what is gone is struck out, what came is bold or underlined.

/** @import { Child, DiffPart, FieldDiff } from "./types.js" */
import { h } from "./dom.js";
import { harmless, harmlessLines } from "./text.js";

/**
 * The fields that differ.
 *
 * @param {FieldDiff[]} fields
 * @returns {Child}
 */
export function drawFields(fields) {
  return h("dl", { class: "tta-diff" }, fields.map(({ name, parts }) => [h("dt", {}, harmless(name)), h("dd", {}, drawParts(parts))]));
}

/**
 * The pieces of one text.
 *
 * @param {DiffPart[]} parts
 * @returns {Child}
 */
export function drawParts(parts) {
  return parts.map(([sign, text]) => {
    if (sign === " ") return harmlessLines(text);
    return h(sign === "-" ? "del" : "ins", { class: sign === "-" ? "tta-gone" : "tta-came" }, harmlessLines(text));
  });
}
