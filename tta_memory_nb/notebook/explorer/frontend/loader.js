// The part of the front end that the state of the widget holds: it asks the kernel for the rest.
// The notebook is saved with that state, so this file is small. It is sent without its comments.

/** @import { CodeMessage, FrontEnd, KernelMessage, Loading, Model, OpeningMessage } from "./types.js" */

/** Replaced by that of the code, so that no page runs the code of another version. */
const VERSION = "version of the code";

/** Milliseconds. A request, or the code itself, may be lost or held up by a running cell where a later one is not. */
const REQUESTS = [0, 300, 1200, 4000, 12_000];
const PATIENCE = 8000; // milliseconds without the code, after which the widget says that no kernel answers

/** @type {Record<string, Loading>} The code by its version, shared by all explorers of the page. */
const loadings = (/** @type {any} */ (globalThis).ttaMemoryExplorers ??= {});
const loading = (loadings[VERSION] ??= newLoading());

/** @returns {Loading} */
function newLoading() {
  const made = /** @type {Loading} */ ({});
  made.done = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  return made;
}

/** @param {CodeMessage} message */
async function take({ module, style }) {
  if (loading.isTaken) return;
  loading.isTaken = true;
  const url = URL.createObjectURL(new Blob([module], { type: "text/javascript" }));
  try {
    loading.resolve({ show: (await import(url)).default, style });
  } catch (error) {
    loading.reject(error);
  }
  URL.revokeObjectURL(url);
}

export default {
  /**
   * Shows the widget in an element as soon as its code is there.
   *
   * @param {{ model: Model, el: HTMLElement }} given
   * @returns {() => void} removes it
   */
  render({ model, el }) {
    /** @type {OpeningMessage | null} */
    let opening = null;
    let close = () => {};
    /** @param {string} text */
    const say = (text) => {
      const line = document.createElement("p");
      line.textContent = text;
      el.replaceChildren(line);
    };
    /** @param {KernelMessage} message */
    const hear = (message) => {
      if (message.kind === "opening") opening = message;
      if (message.kind === "code" && message.version === VERSION) void take(message);
    };
    const ask = () => {
      try {
        model.send({ do: "load" });
      } catch {
        // There is no kernel, which is said when the patience is over.
      }
    };
    const timers = REQUESTS.map((after) => setTimeout(ask, after));
    timers.push(setTimeout(() => say("No kernel answers, so the explorer cannot start. Run the cell again."), PATIENCE));
    let isWaiting = true;
    const stop = () => {
      isWaiting = false;
      timers.forEach((timer) => clearTimeout(timer));
      model.off("msg:custom", hear);
    };
    /** @param {FrontEnd} code */
    const start = ({ show, style }) => {
      if (!isWaiting) return;
      stop();
      const sheet = document.createElement("style");
      sheet.textContent = style;
      el.replaceChildren(sheet);
      close = show(model, el, opening);
    };
    model.on("msg:custom", hear);
    loading.done.then(start, (error) => {
      if (isWaiting) say(`The explorer cannot start in this browser: ${error}`);
      stop();
    });
    return () => {
      stop();
      close();
    };
  },
};
