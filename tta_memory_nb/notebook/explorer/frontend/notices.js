// Messages to the user: progress, errors, results, and a lost kernel.

/** @import { ProgressMessage } from "./types.js" */
/** @import { View } from "./view.js" */
import { h } from "./dom.js";
import { count } from "./format.js";
import { harmless } from "./text.js";

const SLOW = 700; // milliseconds without an answer, after which the widget says that it waits
const NOTICE_TIME = 8000; // milliseconds that a result stays
const ANNOUNCEMENT_PAUSE = 400; // milliseconds, so that a screen reader reads only the last of many changes

/** @typedef {ReturnType<typeof setTimeout> | undefined} Timer */

export class Notices {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {Timer} */
    this.slowTimer = undefined;
    /** @type {Timer} */
    this.noticeTimer = undefined;
    /** @type {Timer} */
    this.announcementTimer = undefined;
    this.progress = h("div", { class: "tta-progress", hidden: true });
    this.slowness = h("div", { class: "tta-slowness", role: "status", hidden: true }, h("progress", { "aria-label": "waiting" }),
      h("span", {}, "Waiting for the kernel. A cell that runs has to end first, unless kernel and front end have subshells (ipykernel 7, JupyterLab 4.4)."));
    this.lost = h("div", { class: "tta-warning", role: "alert", hidden: true });
    this.error = h("div", { class: "tta-banner", role: "alert", hidden: true });
    this.notice = h("div", { class: "tta-toast", role: "status", hidden: true });
    /** Read by screen readers only. */
    this.announcement = h("div", { class: "tta-hidden", "aria-live": "polite" });
    /** In place of the table until the first rows come. */
    this.placeholder = h("div", { class: "tta-waiting" }, h("div", { class: "tta-shimmer" }), h("div", { class: "tta-shimmer" }), h("div", { class: "tta-shimmer" }));
  }

  /** Shows after a moment that the widget waits for the kernel. */
  startWaiting() {
    this.slowTimer ??= setTimeout(() => {
      // A progress says more, and its button must not be covered.
      this.slowness.hidden = !this.view.isAlive || !this.progress.hidden;
    }, SLOW);
  }

  stopWaiting() {
    clearTimeout(this.slowTimer);
    this.slowTimer = undefined;
    this.slowness.hidden = true;
  }

  /** @param {ProgressMessage} message */
  showProgress({ what, done, total }) {
    if (total !== null && done >= total) {
      this.endProgress();
      return;
    }
    this.progress.hidden = false;
    this.slowness.hidden = true; // the progress says more
    const bar = h("progress", { max: total ?? 1, "aria-label": what });
    if (total !== null) bar.value = done;
    this.progress.replaceChildren(bar, h("span", {}, `${what} ${count(done)}${total === null ? "" : ` of ${count(total)}`}`),
      h("button", { type: "button", class: "tta-link", "data-do": "cancel", onclick: () => {
        this.view.channel.send("cancel", {});
        this.view.stopWaiting();
      } }, "Cancel"));
  }

  endProgress() {
    this.progress.hidden = true;
  }

  /**
   * Shows the result of an action for a few seconds.
   *
   * @param {string} text
   * @param {boolean} canBeUndone
   */
  say(text, canBeUndone = false) {
    const undo = canBeUndone && !this.view.state.read_only ? h("button", { type: "button", class: "tta-link", "data-do": "undo", onclick: () => {
      this.view.channel.send("undo", {});
      this.notice.hidden = true;
    } }, "Undo") : "";
    this.notice.replaceChildren(h("span", {}, harmless(text)), undo);
    this.notice.hidden = false;
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => {
      this.notice.hidden = true;
    }, NOTICE_TIME);
  }

  /** @param {string} message of an error */
  fail(message) {
    this.error.replaceChildren(h("span", {}, harmless(message)), h("button", { type: "button", class: "tta-icon", "data-do": "dismiss", "aria-label": "dismiss", onclick: () => {
      this.error.hidden = true;
    } }, "✕"));
    this.error.hidden = false;
    this.progress.hidden = true;
    if (!this.view.isAlive) this.placeholder.replaceChildren(h("p", {}, "There is nothing to show yet."));
  }

  /** @param {string} text for screen readers */
  announce(text) {
    clearTimeout(this.announcementTimer);
    this.announcementTimer = setTimeout(() => {
      this.announcement.textContent = text;
    }, ANNOUNCEMENT_PAUSE);
  }

  /** Shows that no kernel has answered since the widget was opened. */
  showDead() {
    this.placeholder.replaceChildren(h("p", {}, "No kernel answers, so there is nothing to show. Run the cell again."));
  }

  /** Shows that the kernel no longer answers. @param {Date} heardAt time of its last message */
  showLost(heardAt) {
    const from = heardAt.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    this.lost.replaceChildren(h("strong", {}, "The kernel has gone, or does not answer."), ` What you see is from ${from}. Run the cell again to go on.`);
  }

  /** @param {boolean} isLost whether no kernel answers */
  setLost(isLost) {
    this.progress.hidden = true;
    this.notice.hidden = true;
    this.lost.hidden = !isLost;
  }

  close() {
    for (const timer of [this.slowTimer, this.noticeTimer, this.announcementTimer]) clearTimeout(timer);
  }
}
