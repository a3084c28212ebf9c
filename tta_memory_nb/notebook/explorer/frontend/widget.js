// The explorer's front end: the entry that the loader calls.

/** @import { Model, OpeningMessage } from "./types.js" */
import { View } from "./view.js";

/**
 * Shows the widget in an element.
 *
 * @param {Model} model
 * @param {HTMLElement} el
 * @param {OpeningMessage | null} opening the first rows, if they came before this code
 * @returns {() => void} removes it
 */
export default function show(model, el, opening) {
  const view = new View(model, el);
  if (opening) view.receive(opening);
  return () => view.close();
}
