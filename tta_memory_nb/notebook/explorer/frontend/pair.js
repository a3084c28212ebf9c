// Two records that should perhaps be one, side by side: each field with what differs, and which side stays.

/** @import { Case, CaseRecord, Child, PairField } from "./types.js" */
import { drawParts } from "./diff.js";
import { chooser, h } from "./dom.js";
import { ago, count, iso } from "./format.js";
import { harmless } from "./text.js";

/**
 * What a pair asks of the panel around it. `editor` is the open editor of a field, if it is that of this pair.
 *
 * @typedef {{
 *   group: string, now: number, isReadOnly: boolean, editor: { field: string, element: HTMLElement } | null,
 *   take: (field: string, side: "old" | "new") => void, into: (place: number) => void, edit: (field: PairField) => void, compare: (place: number) => void,
 * }} PairActions
 */

const SIDES = /** @type {const} */ (["old", "new"]);

/**
 * @param {Case} pair
 * @param {PairActions} actions
 */
export function drawPair(pair, actions) {
  return h("table", { class: "tta-sides" },
    h("thead", {}, h("tr", {}, h("td", {}), drawHeading("Old", pair.old, 0, pair, actions), drawHeading(pair.is_newest ? "New" : "Compared", pair.new, pair.right, pair, actions), h("td", {}))),
    h("tbody", {}, pair.fields.map((field, row) => drawField(pair, field, row, actions)),
      pair.more_fields ? h("tr", {}, h("td", {}), h("td", { class: "tta-hint", colspan: "2" }, `and ${count(pair.more_fields)} more fields`)) : null));
}

/**
 * @param {string} title
 * @param {CaseRecord} record
 * @param {number} place of the record in the case
 * @param {Case} pair
 * @param {PairActions} actions
 */
function drawHeading(title, { key, at, expires }, place, pair, actions) {
  const { now } = actions;
  const others = place ? drawOthers(pair, actions) : null;
  return h("th", { scope: "col" }, h("span", { class: "tta-act" }, title), " ", h("span", { class: "tta-text tta-keyed", title: harmless(key) }, harmless(key)), others,
    h("div", { class: "tta-hint" }, `${iso(at)}, ${ago(now - at)}${expires === null ? "" : `, expires ${iso(expires)}`}`),
    drawInto(place, key, pair, actions));
}

/**
 * Of records that become one: whether it has the key of this one, which is chosen here.
 *
 * @param {number} place
 * @param {string} key
 * @param {Case} pair
 * @param {PairActions} actions
 * @returns {Child}
 */
function drawInto(place, key, { choice }, { group, into, isReadOnly }) {
  if (!choice?.into || isReadOnly) return null;
  const box = h("input", { type: "radio", "data-do": `into-${place ? "new" : "old"}`, "aria-label": `merge into ${harmless(key)}`, onchange: () => into(place) });
  box.name = `${group}-into`;
  box.checked = choice.into.place === place;
  return h("label", { class: "tta-hint" }, box, " merge into this key");
}

/**
 * Of a case of more than two records: which of them is compared with the oldest.
 *
 * @param {Case} pair
 * @param {PairActions} actions
 * @returns {Child}
 */
function drawOthers({ records, more_records: more, right }, { compare }) {
  if (records.length < 3) return null;
  /** @type {[string, string][]} */
  const options = records.map(({ key }, place) => [String(place), `${place + 1} of ${count(records.length + more)}: ${harmless(key)}`]);
  return chooser({ "aria-label": "record to compare with the oldest", "data-do": "compare" }, options.slice(1), String(right), (place) => compare(Number(place)));
}

/**
 * @param {Case} pair
 * @param {PairField} field
 * @param {number} row
 * @param {PairActions} actions
 * @returns {Child}
 */
function drawField(pair, field, row, actions) {
  const name = h("th", { scope: "row", class: "tta-field" }, harmless(field.name));
  if (field.old === null && field.new === null) return h("tr", {}, name, h("td", { class: "tta-stays", colspan: "2" }, h("span", { class: "tta-side" }, drawParts(field.result ?? []))), h("td", {}));
  const { editor, isReadOnly } = actions;
  const edit = field.text === null || isReadOnly ? null : h("button", { type: "button", class: "tta-icon", "data-do": `edit-${row}`, title: "edit", "aria-label": `edit ${harmless(field.name)}`, onclick: () => actions.edit(field) }, "✎");
  const sides = field.same ? h("td", { class: "tta-same", colspan: "2" }, h("span", { class: "tta-side" }, drawParts(field.old ?? []))) : SIDES.map((side) => drawSide(pair, field, row, side, actions));
  return [
    h("tr", { class: field.same ? "tta-is-same" : null }, name, sides, h("td", {}, edit)),
    editor?.field === field.name ? h("tr", {}, h("td", {}), h("td", { colspan: "2" }, editor.element)) : drawResult(field),
  ];
}

/**
 * One side of a field. Of a pair that becomes one record, the side is chosen here.
 *
 * @param {Case} pair
 * @param {PairField} field
 * @param {number} row
 * @param {"old" | "new"} side
 * @param {PairActions} actions
 */
function drawSide({ choice }, field, row, side, { group, take, isReadOnly }) {
  const parts = field[side];
  const stays = field.takes === side || field.takes === "both";
  const text = h("span", { class: "tta-side" }, parts === null ? h("span", { class: "tta-null" }, "no such field") : drawParts(parts));
  const box = h("input", { type: "radio", "data-do": `take-${row}-${side}`, "data-field": field.name, "aria-label": `${harmless(field.name)}: take the ${side} one`, disabled: isReadOnly, onchange: () => take(field.name, side) });
  box.name = `${group}-${row}`;
  box.checked = field.takes === side;
  const state = choice === null ? "" : stays ? " tta-stays" : " tta-goes";
  return h("td", { class: `tta-cell-side${state}` }, h("label", {}, isReadOnly ? null : box, text));
}

/**
 * What a field becomes, if that is on neither side.
 *
 * @param {PairField} field
 * @returns {Child}
 */
function drawResult({ takes, result }) {
  if (takes === "out") return h("tr", {}, h("td", {}), h("td", { class: "tta-hint", colspan: "2" }, "is left out"));
  if (result === null) return null;
  const from = takes === "edit" ? "edited:" : "becomes:";
  return h("tr", {}, h("td", { class: "tta-hint" }, from), h("td", { class: "tta-stays", colspan: "2" }, h("span", { class: "tta-side" }, drawParts(result))));
}
