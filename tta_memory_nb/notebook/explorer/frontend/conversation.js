// Messages of a session: who says what, one below the other.

/** @import { Child, Message } from "./types.js" */
import { h } from "./dom.js";
import { timeOfDay } from "./format.js";
import { harmless, harmlessLines } from "./text.js";

/**
 * The messages before and after one, each of which opens itself.
 *
 * @param {Message[]} messages in their order
 * @param {(key: string) => void} open shows the record of a message
 * @returns {Child[]}
 */
export function drawConversation(messages, open) {
  if (!messages.length) return [];
  return [h("h4", {}, "Conversation"), h("ol", { class: "tta-neighbours tta-conversation" }, messages.map((each) =>
    h("li", {}, h("button", { type: "button", "aria-current": each.current ? "true" : null, title: harmless(each.key), onclick: () => open(each.key) },
      h("span", { class: "tta-role" }, harmless(each.role)),
      h("span", { class: "tta-text" }, harmlessLines(each.t)), h("time", {}, timeOfDay(each.updated))))))];
}
