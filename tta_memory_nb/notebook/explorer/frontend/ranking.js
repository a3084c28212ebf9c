// Of one record: where its score comes from, and whether it answers the search.

/** @import { Child, Judgement, RecordMessage, ScorePart } from "./types.js" */
import { h } from "./dom.js";
import { harmless } from "./text.js";

const DIGITS = 2;

/**
 * The score of a record and its parts, each with the words behind it.
 *
 * @param {Pick<RecordMessage, "ranked">} record
 * @returns {Child[]} nothing if the search does not rank
 */
export function drawScore({ ranked }) {
  if (!ranked) return [];
  const rows = sums(ranked.parts).map(({ signal, amount, words }) => h("tr", {},
    h("th", { scope: "row" }, signal), h("td", { class: "tta-amount" }, amount.toFixed(DIGITS)), h("td", {}, words.map(harmless).join(", "))));
  return [h("h4", {}, `Score ${ranked.score.toFixed(DIGITS)}`), h("table", { class: "tta-score", "data-do": "score", "aria-label": "parts of the score" }, h("tbody", {}, rows))];
}

/**
 * The parts of a score by signal, in the order in which they come.
 *
 * @param {ScorePart[]} parts
 * @returns {{ signal: string, amount: number, words: string[] }[]}
 */
export function sums(parts) {
  /** @type {Map<string, { signal: string, amount: number, words: string[] }>} */
  const bySignal = new Map();
  for (const { signal, amount, t: word, near } of parts) {
    const sum = bySignal.get(signal) ?? { signal, amount: 0, words: [] };
    sum.amount += amount;
    const text = near === null ? word : `${word} (in ${near})`;
    if (word && !sum.words.includes(text)) sum.words.push(text);
    bySignal.set(signal, sum);
  }
  return [...bySignal.values()];
}

/**
 * Two buttons that say whether a record answers the search; a second press takes that back.
 *
 * @param {Judgement} judged
 * @param {(right: Judgement) => void} judge
 * @returns {Child}
 */
export function drawJudging(judged, judge) {
  /** @type {[name: string, label: string, right: boolean][]} */
  const choices = [["right", "✓ Right", true], ["wrong", "✗ Wrong", false]];
  return h("div", { class: "tta-actions", role: "group", "aria-label": "does this record answer the search?" }, choices.map(([name, label, right]) =>
    h("button", { type: "button", class: "tta-button", "data-do": `judge-${name}`, "aria-pressed": String(judged === right), onclick: () => judge(judged === right ? null : right) }, label)));
}
