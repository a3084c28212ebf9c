// One view of an explorer: the state from the kernel, and the parts that show it.

/** @import { FilterChanges, HeadingBar, KernelMessage, Model, Requests, Settings, State, StateChange, StateMessage, Verb, ViewName } from "./types.js" */
import { Channel } from "./channel.js";
import { ChartPanel } from "./charts.js";
import { Detail } from "./detail.js";
import { copyText, download, h, targetOf } from "./dom.js";
import { NO_FILTERS, changesListing, initialState, isAnotherListing } from "./filters.js";
import { FindingsPanel } from "./findings.js";
import { Foot } from "./foot.js";
import { plural } from "./format.js";
import { Grid } from "./grid.js";
import { Head } from "./head.js";
import { isOfInputMethod } from "./keyboard.js";
import { Notices } from "./notices.js";
import { Nothing } from "./nothing.js";
import { ProposalPanel } from "./proposals.js";
import { ResolvePanel } from "./resolve.js";

const OPENING_TIME = 8000; // milliseconds without any message, after which the view says that no kernel answers
const TICK = 1000; // milliseconds
const MOST_SILENT_TICKS = 8; // the kernel gives a sign of life every 2 s

/** Milliseconds. A greeting may be held up by a running cell where a later one is not. */
const GREETINGS = [0, 300, 1200, 4000, 12_000];

const WIDE = 760; // pixels from which on a record is shown beside the table, and not below it
const ROOMY = 1100; // pixels from which on a record leaves room enough for two others side by side
const NARROW_VIEW = 420; // pixels below which the controls take several lines

/** Fields in which text is typed, and to which letters belong. */
const TEXT_FIELDS = "input:not([type=checkbox]):not([type=range]), textarea, select";

export class View {
  /**
   * @param {Model} model
   * @param {HTMLElement} el where the widget is shown
   */
  constructor(model, el) {
    /** @type {State} */
    this.state = initialState();
    this.el = el;
    this.isMac = /mac/i.test(navigator.platform);
    /** Seconds by which the kernel's clock is ahead of the browser's. */
    this.clockSkew = 0;
    /** Whether rows have come. */
    this.isAlive = false;
    /** Whether the kernel has answered this view. */
    this.isHeard = false;
    /** Whether a kernel that has answered before does not answer any more. */
    this.isLost = false;
    this.silentTicks = 0;
    this.heardAt = new Date();
    this.isCounting = false;
    /** Whether the kernel was asked for the whole state, because messages of it were lost. */
    this.isCatchingUp = false;
    /** Whether the user composes a text with an input method. */
    this.isComposing = false;
    this.isOnScreen = true;
    /** What the kernel was told last. */
    this.wasVisible = true;
    this.channel = new Channel(model, (message) => this.receive(message), () => this.lose());
    this.root = h("div", { class: "tta-explorer", "data-lm-suppress-shortcuts": "true", onkeydown: (event) => this.pressed(event), oncompositionstart: () => {
      this.isComposing = true;
    }, oncompositionend: () => this.composed() });
    // Before any other listener: no part of the widget takes a key that belongs to an input method.
    this.root.addEventListener("keydown", (event) => {
      if (isOfInputMethod(event)) event.stopPropagation();
    }, true);
    this.grid = new Grid(this);
    this.detail = new Detail(this);
    this.charts = new ChartPanel(this);
    this.findings = new FindingsPanel(this);
    this.proposals = new ProposalPanel(this);
    this.resolve = new ResolvePanel(this);
    this.nothing = new Nothing(this);
    this.notices = new Notices(this);
    this.head = new Head(this, this.root);
    this.foot = new Foot(this);
    this.arrange();
    el.append(this.root);
    this.sizes = new ResizeObserver(() => this.resized());
    this.sizes.observe(this.root);
    this.sight = new IntersectionObserver((changes) => {
      this.isOnScreen = changes.at(-1)?.isIntersecting ?? false;
      this.showSight();
    });
    this.sight.observe(this.root);
    this.page = new AbortController();
    const { signal } = this.page;
    document.addEventListener("visibilitychange", () => this.showSight(), { signal });
    // A page that is closed or reloaded removes no widget.
    window.addEventListener("pagehide", () => this.channel.send("bye", {}), { signal });
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) this.greet();
    }, { signal });
    this.clock = setInterval(() => this.tick(), TICK);
    this.openingTimer = setTimeout(() => this.drawDead(), OPENING_TIME);
    this.greetings = GREETINGS.map((after) => setTimeout(() => {
      if (!this.isHeard) this.greet();
    }, after));
  }

  arrange() {
    const { notices } = this;
    this.root.append(
      this.head.element, this.head.chips, notices.progress, notices.slowness, notices.lost, notices.error,
      h("div", { class: "tta-body" }, this.findings.element,
        h("div", { class: "tta-main" }, this.grid.element, this.charts.element, this.proposals.element, this.resolve.element, this.nothing.element, notices.placeholder),
        this.detail.element),
      this.foot.element, notices.notice, notices.announcement,
    );
  }

  close() {
    clearInterval(this.clock);
    clearTimeout(this.openingTimer);
    this.greetings.forEach((greeting) => clearTimeout(greeting));
    this.notices.close();
    this.head.close();
    this.grid.headings.close();
    this.sizes.disconnect();
    this.sight.disconnect();
    this.page.abort();
    this.channel.close();
    this.root.remove();
  }

  /** The kernel's time in Unix seconds. */
  now() {
    return Date.now() / 1000 + this.clockSkew;
  }

  tick() {
    // Ticks are counted, not seconds: the time during which the browser has stopped the page does not count.
    this.silentTicks += 1;
    if (this.isHeard && this.silentTicks > MOST_SILENT_TICKS) this.lose();
    if (this.isLost) return;
    this.grid.tick();
    this.detail.tick();
  }

  resized() {
    // What is hidden, by another tab or in a collapsed output, has no size: it stays as it was seen last.
    this.grid.setHidden(this.root.clientHeight === 0);
    if (this.root.clientHeight === 0) return;
    this.root.classList.toggle("tta-wide", this.root.clientWidth >= WIDE);
    this.root.classList.toggle("tta-narrow", this.root.clientWidth > 0 && this.root.clientWidth < NARROW_VIEW);
    this.grid.headings.layOut();
    if (!this.isAlive) return;
    this.grid.draw(false);
    this.grid.askForRows();
  }

  /** Whether the widget can be seen on the screen. */
  get isVisible() {
    return this.isOnScreen && document.visibilityState === "visible";
  }

  /** Tells the kernel whether somebody can see this view: code reads the records of the view that is looked at. */
  showSight() {
    if (this.isVisible === this.wasVisible || this.isLost) return;
    this.wasVisible = this.isVisible;
    this.channel.send("see", { visible: this.isVisible });
  }

  /** Tells the kernel that a person browses in this view, which asks for nothing by itself. */
  use() {
    if (this.isLost) return;
    this.wasVisible = true;
    this.channel.send("see", { visible: true });
  }

  /** An input method has written its text: draws what has come meanwhile. */
  composed() {
    this.isComposing = false;
    this.head.refillAll();
    this.resolve.draw();
    this.detail.refresh();
  }

  // ---- messages from the kernel

  /** @param {KernelMessage} message */
  receive(message) {
    [this.silentTicks, this.heardAt] = [0, new Date()];
    if (this.isLost) this.recover();
    if (this.channel.misses(message)) this.catchUp(message.kind === "alive");
    if (this.channel.settle(message)) this.stopWaiting();
    switch (message.kind) {
      case "state": return this.receiveState(message);
      case "opening": return this.isAlive ? undefined : this.takeState(message.state, null);
      case "alive":
        this.channel.answerSign();
        return this.notices.endProgress(); // nothing is being listed then
      case "progress": return this.notices.showProgress(message);
      case "said": return this.notices.say(message.text, message.undo);
      case "error": return this.receiveError(message.message);
      case "file": return this.channel.isOurs(message.for) ? download(message.name, message.text) : undefined;
      default: return undefined; // an answer, which the channel has handled
    }
  }

  /**
   * Asks for the whole state, since messages were lost.
   *
   * @param {boolean} again whether to ask even if that was done before, since the answer may have been lost as well
   */
  catchUp(again) {
    if (this.isCatchingUp && !again) return;
    this.isCatchingUp = true;
    this.greet();
  }

  /** @param {string} message */
  receiveError(message) {
    clearTimeout(this.openingTimer);
    this.notices.fail(message);
  }

  /** @param {StateMessage} message */
  receiveState({ for: number, view, state, whole }) {
    if (view !== this.channel.view) return; // the message is for another view, which shows other rows
    if (number !== null) this.isHeard = true;
    if (whole) this.isCatchingUp = false;
    this.takeState(state, number);
  }

  /**
   * @param {StateChange} news
   * @param {number | null} number of the message that is answered
   */
  takeState(news, number) {
    clearTimeout(this.openingTimer);
    this.clockSkew = news.now - Date.now() / 1000;
    const { state: before, isAlive: wasAlive } = this;
    const isAnother = isAnotherListing(before, news);
    this.state = { ...before, ...news };
    // Another client has just written the records that this view has not asked for.
    const hasNewRecords = number === null && !isAnother && !before.loading && this.state.total > before.total;
    this.showAlive();
    // What is to be decided needs the room more than the list that leads to it.
    if (!wasAlive && this.state.view === "resolve") this.findings.isClosed = true;
    if (wasAlive && this.state.view === "resolve" && before.view !== "resolve" && this.root.clientWidth < ROOMY) this.detail.leave();
    if (wasAlive && this.state.namespace !== before.namespace) this.detail.leave(); // a record of another memory
    this.head.update(news);
    this.grid.element.hidden = this.state.view !== "table";
    this.charts.draw();
    this.proposals.draw();
    this.resolve.draw();
    this.grid.update(news, isAnother && wasAlive, hasNewRecords);
    this.nothing.draw();
    this.foot.draw();
    this.findings.draw();
    if ("total" in news || "query" in news) this.notices.announce(`${plural(this.state.total, "record")}${this.state.query ? " found" : ""}`);
    if ("rows" in news || "total" in news) this.detail.refresh();
    this.head.refill(news);
  }

  showAlive() {
    this.isAlive = true;
    this.root.classList.add("tta-live");
    this.root.classList.remove("tta-dead");
    this.notices.placeholder.remove();
  }

  drawDead() {
    this.root.classList.add("tta-dead");
    this.notices.showDead();
  }

  // ---- messages to the kernel

  /**
   * Sends a message whose answer changes the view, and shows that the widget waits if the answer takes long.
   *
   * @template {Verb} V
   * @param {V} verb
   * @param {Requests[V]} content
   */
  ask(verb, content) {
    if (this.isLost) return;
    this.channel.request(verb, content);
    // The kernel may never hear this message. The answer to a greeting behind it has it sent again.
    if (!this.isHeard && verb !== "hello") this.channel.request("hello", { visible: this.isVisible });
    if (!this.isLost) this.notices.startWaiting();
  }

  /** Asks for the whole state. */
  greet() {
    this.wasVisible = this.isVisible;
    this.ask("hello", { visible: this.isVisible });
  }

  /** The user no longer waits for an answer. */
  stopWaiting() {
    this.channel.stopWaiting();
    this.notices.stopWaiting();
  }

  /** @param {Settings} settings */
  set(settings) {
    if (!changesListing(settings)) {
      this.ask("set", settings);
      return;
    }
    this.grid.asked = [0, 0];
    this.ask("set", { window: [0, 2 * this.grid.viewport.rowsInSight + 2], ...settings });
  }

  /**
   * Changes some filters. The kernel keeps the others, which JavaScript could not send back as they are.
   *
   * @param {FilterChanges} changed
   * @param {ViewName | null} view to change to
   */
  filter(changed, view = null) {
    this.set({ filters: changed, ...(view ? { view } : {}) });
  }

  /**
   * Chooses a bar in the header, or takes its filter away again.
   *
   * @param {string} column
   * @param {HeadingBar} bar
   */
  pick(column, { filter, on, t: text }) {
    if (filter !== null) this.set({ pick: { column, filter: on ? null : filter, text } });
  }

  /** @param {string} text */
  copy(text) {
    void copyText(text, this.root).then((isCopied) => this.notices.say(isCopied ? "Copied" : "The browser does not let this page copy"));
  }

  clearAll() {
    this.head.forgetTyped();
    this.set({ query: "", filters: { ...NO_FILTERS }, finding: "" });
    this.grid.element.focus();
  }

  /** @param {string} key */
  remove(key) {
    if (!this.state.read_only) this.ask("delete", { keys: [key] });
  }

  /**
   * Deletes the selected records.
   *
   * @param {string} [key] of the record to delete if none is selected
   */
  removeSelected(key) {
    if (this.state.read_only || (!this.state.selected && key === undefined)) return;
    // Whether any are selected the kernel knows, and this page perhaps later than a fast hand has pressed this key.
    this.ask("delete", { selected: true, keys: key === undefined ? [] : [key] });
  }

  /** Shows the selected records side by side, and has the keys of that view answer at once. */
  compareSelected() {
    this.channel.send("compare", {}, ({ kind }) => {
      if (kind !== "state") return;
      this.detail.leave(); // for room
      this.resolve.takesFocus = true;
    });
  }

  /** Has the records of users and sessions counted, once at a time. */
  countFacets() {
    if (this.isCounting) return;
    this.isCounting = true;
    this.channel.send("facets", {}, () => {
      this.isCounting = false;
    });
  }

  // ---- without a kernel

  /** The kernel has gone or does not answer: the view keeps its content, which can only be read. */
  lose() {
    if (!this.isAlive || this.isLost) return;
    this.notices.showLost(this.heardAt);
    this.setLost(true);
  }

  /** The kernel is heard again. */
  recover() {
    this.setLost(false);
    this.foot.signature = null;
    this.greet();
  }

  /** @param {boolean} isLost */
  setLost(isLost) {
    this.isLost = isLost;
    this.isCounting = false;
    this.stopWaiting();
    this.root.classList.toggle("tta-lost", isLost);
    this.notices.setLost(isLost);
    this.head.setLost(isLost);
    this.foot.element.disabled = isLost;
    this.grid.headings.draw();
    this.grid.draw(false);
    this.charts.element.inert = this.findings.element.inert = this.proposals.element.inert = this.resolve.element.inert = isLost;
    this.detail.redraw();
  }

  // ---- the keyboard

  focusSearch() {
    this.head.focusSearch();
  }

  /** Escape, from the inside out: the record, the selection, the search. */
  escape() {
    if (this.detail.key !== null) this.detail.close();
    else if (this.state.selected) this.ask("select", { none: true });
    else if (this.state.query) this.head.clearQuery();
  }

  /** @param {KeyboardEvent} event */
  pressed(event) {
    if (!event.defaultPrevented) this.resolve.pressed(event);
    if (event.key === "/" && !targetOf(event).matches(TEXT_FIELDS)) {
      event.preventDefault();
      this.focusSearch();
    }
    // Saving is left to the notebook, which takes no keys from inside the widget: the key is sent again from outside.
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s" && !event.defaultPrevented) {
      event.preventDefault();
      const { key, code, keyCode, ctrlKey, metaKey, shiftKey } = event;
      this.el.parentElement?.dispatchEvent(new KeyboardEvent("keydown", { key, code, keyCode, ctrlKey, metaKey, shiftKey, bubbles: true, cancelable: true }));
    }
    // The notebook has shortcuts of its own: a key pressed in the widget must not delete a cell.
    event.stopPropagation();
  }
}
