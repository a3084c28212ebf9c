// The explorer's front end: the entry that anywidget calls.

/** @import { Model } from "./types.js" */
import { View } from "./view.js";

export default {
  /**
   * Shows the widget in an element.
   *
   * @param {{ model: Model, el: HTMLElement }} given
   * @returns {() => void} removes it
   */
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
