// The versions of a record as a timeline: when each came to be, who made it, and what it changed.

/** @import { Child, RecordMessage, Version } from "./types.js" */
import { drawFields } from "./diff.js";
import { h } from "./dom.js";
import { iso } from "./format.js";
import { harmless, harmlessLines, lineDiff } from "./text.js";

const DIFF_CLASSES = { "-": "tta-gone", "+": "tta-came", " ": "" };

/**
 * The timeline, the newest version first. A click on a version shows how it differs from the present value.
 *
 * @param {RecordMessage} record
 * @param {((version: Version) => void) | null} restore takes a version into the editor; null where nothing may be changed
 * @returns {Child[]}
 */
export function drawHistory({ history, kept_since: since, text }, restore) {
  const shown = h("div", {});
  /** @param {Version} version */
  const show = (version) => {
    const isSame = version.text === text;
    const lines = isSame ? null : lineDiff(version.text, text);
    shown.replaceChildren(
      h("h4", {}, isSame ? "The value is as in this version" : "From this version to the present value"),
      h("pre", { class: "tta-json" }, lines?.map(([sign, line]) => h("span", { class: DIFF_CLASSES[sign] }, `${sign} ${harmless(line)}\n`)) ?? harmlessLines(version.text)),
      ...(isSame || !restore ? [] : [h("button", { type: "button", class: "tta-button", "data-do": "restore", onclick: () => restore(version) }, "Take this into the editor")]),
    );
  };
  return [h("p", { class: "tta-hint" }, since === null ? "What this explorer has seen of the record since it was opened." : `The memory keeps all changes since ${iso(since)}.`),
    h("ol", { class: "tta-neighbours tta-versions" }, history.map((version) => h("li", {}, h("button", { type: "button", onclick: () => show(version) },
      h("span", { class: "tta-when" }, iso(version.at)), h("span", { class: "tta-badge" }, version.what),
      version.by ? h("span", { class: "tta-text", title: harmless(version.by) }, harmless(version.by)) : null),
    version.fields.length ? drawFields(version.fields) : null))), shown];
}
