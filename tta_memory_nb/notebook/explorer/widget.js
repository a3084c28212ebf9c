// The front end of the explorer. Texts from a memory are hostile: they reach the page as text
// nodes and as values of fixed attributes, never as markup, addresses or styles.

const ROW = 28; // pixels, as in widget.css
const TALLEST = 8_000_000; // pixels; browsers place nothing beyond some 17 million
const DEBOUNCE = 120; // milliseconds
const PATIENCE = 8000;
const GREETINGS = [0, 300, 1200, 4000, 12_000]; // milliseconds; a greeting may have to wait for a running cell, and a later one not
const SLOW = 700; // milliseconds; who waits longer is told so
const SILENCE = 8; // seconds without a sign of life, which comes every 2
const LOST = "jupyter-widgets-disconnected"; // how ipywidgets marks a widget out of a saved notebook
// What can be done with a record while no kernel answers.
const READING = new Set(["close-detail", "copy", "detail-record", "detail-edit", "detail-history"]);
const IDS_OF_A_VIEW = 1_000_000;
const WIDE = 760; // pixels; from here on the detail stands beside the table
const NARROWEST = 48;
const LONG_TEXT = 2000;
const STEP = 100; // children of a node in the tree
const WIDTHS = { key: 190, text: 280, time: 110, expiry: 120, number: 90, matches: 130, mixed: 180 };

const FOCUSABLE = new Set(["a", "button", "input", "select", "textarea"]);

let views = 0;

// ---------------------------------------------------------------- small tools

/** An element; what is given as a child is text unless it is a node. */
function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  // Notebook 7 looks for its keys before anybody else, first at what has the focus itself: "d d" there
  // would delete the cell that the widget is in.
  if (FOCUSABLE.has(tag) || "tabindex" in attributes) element.setAttribute("data-lm-suppress-shortcuts", "true");
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const STEERING = new Map([
  [0x200e, "LRM"], [0x200f, "RLM"], [0x202a, "LRE"], [0x202b, "RLE"], [0x202c, "PDF"],
  [0x202d, "LRO"], [0x202e, "RLO"], [0x2066, "LRI"], [0x2067, "RLI"], [0x2068, "FSI"], [0x2069, "PDI"],
]);
// eslint-disable-next-line no-control-regex
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** Text whose control characters are seen and do nothing. */
function harmless(text) {
  return text.replace(UNSAFE, (character) => {
    const code = character.codePointAt(0);
    if (STEERING.has(code)) return `⟨${STEERING.get(code)}⟩`;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "␡" : "�";
  });
}

/** As `harmless`, but lines stay lines. */
function harmlessLines(text) {
  return text.split("\n").map(harmless).join("\n");
}

const count = (number) => number.toLocaleString("en-US");
const plural = (number, noun) => `${count(number)} ${noun}${number === 1 ? "" : "s"}`;

function iso(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(/\.\d+Z$/, "Z").replace("T", " ");
}

/** A length of time in its two largest units. */
function span(seconds, units = 2) {
  const steps = [["y", 31_536_000], ["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];
  let left = Math.floor(Math.abs(seconds));
  const parts = [];
  for (const [unit, length] of steps) {
    if (left >= length && parts.length < units) {
      parts.push(`${Math.floor(left / length)} ${unit}`);
      left %= length;
    } else if (parts.length) break;
  }
  return parts.join(" ") || "0 s";
}

function ago(seconds) {
  if (seconds < 0) return `in ${span(seconds, 1)}`;
  return seconds < 5 ? "just now" : `${span(seconds, 1)} ago`;
}

function bytes(size) {
  if (size < 1024) return `${size} B`;
  const unit = size < 1_048_576 ? [1024, "KB"] : [1_048_576, "MB"];
  return `${(size / unit[0]).toFixed(size / unit[0] < 10 ? 1 : 0)} ${unit[1]}`;
}

/** The parts of a text, those that match marked. */
function marked(text, spans) {
  if (!spans) return [harmless(text)];
  const parts = [];
  let at = 0;
  for (const [start, end] of spans) {
    parts.push(harmless(text.slice(at, start)), h("mark", {}, harmless(text.slice(start, end))));
    at = end;
  }
  parts.push(harmless(text.slice(at)));
  return parts;
}

function download(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "application/x-ndjson" }));
  h("a", { href: address, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// ---------------------------------------------------------------- the kernel

/** What nobody answers. */
const UNANSWERED = new Set(["cancel", "bye"]);

/** One view's line to the kernel. */
class Line {
  constructor(model, receive, lose) {
    this.base = (Math.floor(Math.random() * 1_000_000) + 1) * IDS_OF_A_VIEW;
    this.last = 0;
    this.model = model;
    this.waiting = new Map();
    this.receive = (message) => receive(message);
    this.lose = lose;
    model.on("msg:custom", this.receive);
  }

  /**
   * Sends a message; gives its number. Notices when the kernel that would hear it has gone.
   * The answer, where one is wanted, goes to a function.
   */
  tell(verb, content = {}, answered = null) {
    this.last += 1;
    const id = this.base + this.last;
    if (!UNANSWERED.has(verb)) this.waiting.set(id, { verb, content, answered });
    try {
      this.model.send({ id, do: verb, ...content });
    } catch {
      this.lose();
    }
    return id;
  }

  /** Hands an answer to whoever waits for it. Gives the number of the last message that was sent again, if any. */
  answer(message) {
    const asked = this.waiting.get(message.for);
    this.waiting.delete(message.for);
    asked?.answered?.(message);
    return asked?.verb === "hello" ? this.sendAgain(message.for) : null;
  }

  /**
   * Sends again what was sent before a greeting and is answered later than it: that waits somewhere, mostly for
   * a cell to end, and the kernel will not listen to it any more.
   */
  sendAgain(greeting) {
    let number = null;
    for (const [id, { verb, content, answered }] of [...this.waiting]) {
      if (id > greeting) continue;
      this.waiting.delete(id);
      if (verb !== "hello") number = this.tell(verb, content, answered);
    }
    return number;
  }

  isMine(number) {
    return number > this.base && number < this.base + IDS_OF_A_VIEW;
  }

  close() {
    this.tell("bye");
    this.model.off("msg:custom", this.receive);
  }
}

// ---------------------------------------------------------------- popovers

/** A button with a panel that opens below it; one at a time. */
function popover(root, label, attributes, fill) {
  let panel = null;
  const button = h("button", {
    type: "button", class: "tta-button", "aria-haspopup": "dialog", "aria-expanded": "false", ...attributes,
    onclick: () => (panel ? close() : open()),
  }, label);
  const outside = (event) => {
    if (panel && !panel.contains(event.target) && !button.contains(event.target)) close();
  };
  function refill() {
    if (!panel) return;
    const before = document.activeElement;
    const [typed, item, top] = [panel.querySelector("input[type=search]")?.value, before?.closest("li")?.textContent, panel.querySelector("ul")?.scrollTop];
    const wasHere = panel.contains(before) || before === button || before === document.body;
    panel.replaceChildren();
    fill(panel, close, false);
    const [search, list] = [panel.querySelector("input[type=search]"), panel.querySelector("ul")];
    if (search && typed) {
      search.value = typed;
      search.dispatchEvent(new Event("input"));
    }
    if (list && top) list.scrollTop = top;
    const same = item && [...panel.querySelectorAll("li")].find((each) => each.textContent === item);
    if (wasHere) (same ? same.querySelector("input, button") : panel.querySelector("input, button"))?.focus({ preventScroll: Boolean(same) });
  }
  function open() {
    panel = h("div", { class: "tta-popover", role: "dialog", "aria-label": label, onkeydown: (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      close();
      button.focus();
    } });
    button.setAttribute("aria-expanded", "true");
    root.append(panel);
    fill(panel, close, true);
    // Below its button, but inside the widget.
    const [outer, inner] = [root.getBoundingClientRect(), button.getBoundingClientRect()];
    panel.style.top = `${inner.bottom - outer.top + 4}px`;
    panel.style.left = `${Math.max(4, Math.min(inner.left - outer.left, outer.width - panel.offsetWidth - 8))}px`;
    document.addEventListener("pointerdown", outside, true);
    panel.querySelector("input, button")?.focus();
  }
  function close() {
    panel?.remove();
    panel = null;
    button.setAttribute("aria-expanded", "false");
    document.removeEventListener("pointerdown", outside, true);
  }
  return { button, close, refill };
}

// ---------------------------------------------------------------- the tree of a value

function leaf(value) {
  if (value === null) return h("span", { class: "tta-null" }, "null");
  if (value instanceof Exact) return h("span", { class: "tta-number" }, value.text);
  if (typeof value !== "string") return h("span", { class: "tta-number" }, String(value));
  const text = h("span", { class: "tta-string" }, harmlessLines(value.slice(0, LONG_TEXT)));
  if (value.length <= LONG_TEXT) return text;
  const more = h("button", { type: "button", class: "tta-link", onclick: () => {
    text.textContent = harmlessLines(value);
    more.remove();
  } }, `… show all ${count(value.length)} characters`);
  return h("span", {}, text, more);
}

/** A number that JavaScript would round. */
class Exact {
  constructor(text) {
    this.text = text;
  }
}

/** The value of a JSON text; browsers that tell how a number was written lose nothing of it. */
function exactly(text) {
  return JSON.parse(text, (_, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source ? new Exact(context.source) : value);
}

/** An item of the tree; its children are made when it is opened. */
function node(name, value, level, isOpen) {
  const isBranch = value !== null && typeof value === "object" && !(value instanceof Exact);
  const item = h("li", { role: "treeitem", "aria-level": level, tabindex: "-1" });
  const label = name === null ? [] : [h("span", { class: "tta-name" }, harmless(String(name))), ": "];
  if (!isBranch) {
    item.append(h("span", { class: "tta-line" }, ...label, leaf(value)));
    return item;
  }
  const names = Array.isArray(value) ? null : Object.keys(value);
  const size = names ? names.length : value.length;
  const gist = names ? `{${plural(size, "field")}}` : `[${plural(size, "item")}]`;
  const line = h("span", { class: "tta-line tta-branch" }, ...label, h("span", { class: "tta-gist" }, gist));
  const group = h("ul", { role: "group", hidden: true });
  let made = 0;
  function grow() {
    const end = Math.min(size, made + STEP);
    for (; made < end; made += 1) {
      const key = names ? names[made] : made;
      group.append(node(key, value[key], level + 1, false));
    }
    if (made < size) {
      const more = h("button", { type: "button", class: "tta-link", onclick: () => {
        more.parentElement.remove();
        grow();
      } }, `${count(size - made)} more…`);
      group.append(h("li", { role: "none" }, more));
    }
  }
  function open(is) {
    if (is && !made) grow();
    group.hidden = !is;
    item.setAttribute("aria-expanded", String(is));
  }
  item.append(line, group);
  item.tta = { open };
  line.addEventListener("click", () => open(group.hidden));
  open(isOpen && size > 0);
  return item;
}

function tree(value) {
  const list = h("ul", { role: "tree", class: "tta-tree", "aria-label": "value" });
  for (const [name, child] of Object.entries(value).slice(0, STEP)) list.append(node(name, child, 1, level(child)));
  const rest = Object.entries(value).slice(STEP);
  if (rest.length) list.append(node(null, Object.fromEntries(rest), 1, false));
  function level(child) {
    return child !== null && typeof child === "object" && Object.keys(child).length <= 8;
  }
  list.firstElementChild?.setAttribute("tabindex", "0");
  list.addEventListener("keydown", (event) => {
    const items = [...list.querySelectorAll("[role=treeitem]")].filter((item) => item.offsetParent);
    const here = items.indexOf(document.activeElement);
    if (here < 0) return;
    const expanded = items[here].getAttribute("aria-expanded");
    let next = here;
    if (event.key === "ArrowDown") next += 1;
    else if (event.key === "ArrowUp") next -= 1;
    else if (event.key === "Home") next = 0;
    else if (event.key === "End") next = items.length - 1;
    else if (event.key === "ArrowRight" && expanded === "false") items[here].tta.open(true);
    else if (event.key === "ArrowRight" && expanded) next += 1;
    else if (event.key === "ArrowLeft" && expanded === "true") items[here].tta.open(false);
    else if (event.key === "ArrowLeft") next = items.indexOf(items[here].parentElement.closest("[role=treeitem]"));
    else if (event.key === "Enter" || event.key === " ") items[here].tta?.open(expanded === "false");
    else return;
    event.preventDefault();
    event.stopPropagation();
    const item = items[next];
    if (!item) return;
    items[here].setAttribute("tabindex", "-1");
    item.setAttribute("tabindex", "0");
    item.focus();
  });
  return list;
}

/** The lines of two texts: same, gone, new. Short texts only: it is quadratic. */
function lineDiff(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  if (a.length * b.length > 250_000) return null;
  const best = Array.from({ length: a.length + 1 }, () => new Uint16Array(b.length + 1));
  for (let i = a.length - 1; i >= 0; i -= 1)
    for (let j = b.length - 1; j >= 0; j -= 1)
      best[i][j] = a[i] === b[j] ? best[i + 1][j + 1] + 1 : Math.max(best[i + 1][j], best[i][j + 1]);
  const lines = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && a[i] === b[j]) {
      lines.push([" ", a[i]]);
      i += 1;
      j += 1;
    }
    else if (j >= b.length || (i < a.length && best[i + 1][j] >= best[i][j + 1])) lines.push(["-", a[i++]]);
    else lines.push(["+", b[j++]]);
  }
  return lines;
}

// ---------------------------------------------------------------- the table

/** The grid: draws the rows in sight, asks for others, keeps the keyboard's place. */
class Grid {
  constructor(view) {
    this.view = view;
    this.start = 0;
    this.rows = [];
    this.elements = new Map();
    this.widths = new Map();
    this.active = { row: 0, column: 0 };
    this.anchorRow = null; // where a range of selected rows begins
    this.asked = [0, 0];
    this.id = `tta-${(views += 1)}`;
    this.headRow = h("div", { role: "row", class: "tta-row tta-headings", "aria-rowindex": "1" });
    this.canvas = h("div", { class: "tta-canvas", role: "rowgroup" });
    this.empty = h("div", { class: "tta-empty" });
    this.element = h("div", {
      role: "grid", class: "tta-grid", tabindex: "0", "aria-label": "records", "aria-multiselectable": "true",
      onkeydown: (event) => this.pressed(event), onscroll: () => this.scrolled(), onclick: (event) => this.clicked(event),
    }, h("div", { role: "rowgroup", class: "tta-thead" }, this.headRow), this.canvas);
  }

  get state() {
    return this.view.state;
  }

  get columns() {
    return this.state.columns.filter((column) => column.shown);
  }

  get total() {
    return this.state.total;
  }

  get inSight() {
    return Math.max(1, Math.floor((this.element.clientHeight - ROW) / ROW));
  }

  // ---- geometry: beyond TALLEST the scroll position stands for a share of the rows

  get height() {
    return Math.min(this.total * ROW, TALLEST);
  }

  get firstInSight() {
    const { scrollTop, clientHeight } = this.element;
    if (this.total * ROW <= TALLEST) return Math.floor(scrollTop / ROW);
    const room = Math.max(1, this.height - (clientHeight - ROW));
    return Math.min(this.total - this.inSight, Math.round((scrollTop / room) * (this.total - this.inSight)));
  }

  topOf(row) {
    if (this.total * ROW <= TALLEST) return row * ROW;
    return Math.min(this.element.scrollTop, this.height - this.inSight * ROW) + (row - this.firstInSight) * ROW;
  }

  bringIntoSight(row) {
    if (this.total * ROW > TALLEST) {
      const first = this.firstInSight;
      if (row >= first && row < first + this.inSight) return;
      const room = this.height - (this.element.clientHeight - ROW);
      this.element.scrollTop = (Math.max(0, row - (row < first ? 0 : this.inSight - 1)) / (this.total - this.inSight)) * room;
      return;
    }
    const [top, { scrollTop, clientHeight }] = [row * ROW, this.element];
    if (top < scrollTop) this.element.scrollTop = top;
    else if (top + 2 * ROW > scrollTop + clientHeight) this.element.scrollTop = top + 2 * ROW - clientHeight;
  }

  // ---- what comes from the kernel

  /** Takes new rows; `isNew` when others than before are listed, `cameBy` when some were added. */
  take(news, isNew, cameBy) {
    if ("columns" in news || "sort" in news) this.drawHeadings();
    if (isNew) {
      this.element.scrollTop = 0;
      this.active.row = Math.min(this.active.row, 0); // a heading stays chosen
      this.anchorRow = null;
    }
    if ("rows" in news) [this.start, this.rows] = [news.start, news.rows];
    if (news.anchor && !isNew) this.keepInPlace(news.anchor);
    if (this.active.row >= 0) this.active.row = Math.max(0, Math.min(this.active.row, this.total - 1));
    this.draw(cameBy);
    this.askForRows();
  }

  /** Rows came in above: what was read stays where it was. */
  keepInPlace({ key, index }) {
    const before = this.elements.get(key);
    if (before === undefined || this.element.scrollTop < ROW) return;
    const moved = index - Number(before.getAttribute("aria-rowindex")) + 2;
    if (moved && this.total * ROW <= TALLEST) {
      this.canvas.style.height = `${this.height}px`;
      this.element.scrollTop += moved * ROW;
      this.active.row += moved;
    }
  }

  scrolled() {
    this.draw(false);
    clearTimeout(this.asking);
    this.asking = setTimeout(() => this.askForRows(), 30);
  }

  askForRows() {
    const first = this.firstInSight;
    const [start, stop] = [first, Math.min(first + this.inSight + 1, this.total)];
    const isThere = start >= this.start && stop <= this.start + this.rows.length;
    const around = [Math.max(0, start - this.inSight), stop + this.inSight];
    if (isThere || (this.asked[0] === around[0] && this.asked[1] === around[1])) return;
    this.asked = around;
    this.view.ask("set", { window: around });
  }

  /** The key that stays in place while others come in; none at the top, where they are wanted. */
  get anchor() {
    const row = this.rows[this.firstInSight - this.start];
    return this.element.scrollTop < ROW || !row ? null : row.key;
  }

  // ---- drawing

  widthOf(column) {
    return this.widths.get(column.name) ?? WIDTHS[column.kind] ?? WIDTHS.mixed;
  }

  layOut() {
    const widths = this.columns.map((column) => this.widthOf(column));
    const spare = this.element.clientWidth - 34 - widths.reduce((sum, width) => sum + width, 0);
    // What is left over goes to the texts, which can use it.
    const wide = this.columns.map((column, at) => (column.kind === "text" && !this.widths.has(column.name) ? at : -1)).filter((at) => at >= 0);
    const grow = spare > 0 ? spare / (wide.length || 1) : 0;
    const sizes = widths.map((width, at) => width + (wide.includes(at) || (!wide.length && at === widths.length - 1) ? grow : 0));
    this.element.style.setProperty("--tta-columns", ["34px", ...sizes.map((size) => `${Math.floor(size)}px`)].join(" "));
    this.element.style.setProperty("--tta-width", `${Math.floor(34 + sizes.reduce((sum, size) => sum + size, 0))}px`);
  }

  drawHeadings() {
    const { sort } = this.state;
    const all = h("input", {
      type: "checkbox", tabindex: "-1", "aria-label": "select all matching records", "data-do": "select-all", disabled: this.view.isLost,
      onclick: (event) => this.view.ask("select", event.target.checked ? { all: true } : { none: true }),
    });
    this.all = all;
    this.headRow.replaceChildren(
      h("div", { role: "columnheader", class: "tta-cell tta-check", "aria-colindex": "1" }, all),
      ...this.columns.map((column, at) => {
        const by = sort.by === column.name;
        const direction = by ? (sort.descending ? "descending" : "ascending") : "none";
        return h("div", {
          role: "columnheader", class: `tta-cell tta-heading tta-is-${column.kind}`, id: `${this.id}-h-${at + 1}`,
          "aria-colindex": at + 2, "aria-sort": column.sortable ? direction : null, "data-column": column.name, title: column.title,
        }, h("span", { class: "tta-title" }, harmless(column.title)),
        by ? h("span", { class: "tta-arrow", "aria-hidden": "true" }, sort.descending ? "▾" : "▴") : null,
        h("span", { class: "tta-grip", "aria-hidden": "true", onpointerdown: (event) => this.drag(event, column), ondblclick: (event) => this.fit(event, column) }));
      }),
    );
    this.element.setAttribute("aria-colcount", this.columns.length + 1);
    this.layOut();
  }

  draw(fadesIn) {
    this.element.setAttribute("aria-rowcount", this.total + 1);
    this.canvas.style.height = `${Math.max(this.height, 1)}px`;
    const first = Math.max(0, this.firstInSight - 4);
    const last = Math.min(this.total, first + this.inSight + 10);
    const kept = new Map();
    for (let number = first; number < last; number += 1) {
      const row = this.rows[number - this.start] ?? null;
      const key = row ? row.key : `\u0000${number}`;
      let element = this.elements.get(key);
      if (!element) {
        element = h("div", { role: "row", class: `tta-row${fadesIn && row ? " tta-new" : ""}` });
        this.canvas.append(element);
      }
      this.fill(element, row, number);
      kept.set(key, element);
    }
    for (const [key, element] of this.elements) if (!kept.has(key)) element.remove();
    this.elements = kept;
    // Whoever has them read aloud hears them in the order of the page.
    let next = this.canvas.firstElementChild;
    for (const element of kept.values()) {
      if (element === next) next = next.nextElementSibling;
      else this.canvas.insertBefore(element, next);
    }
    this.all.checked = this.state.selected > 0 && this.state.selected >= this.total;
    this.all.indeterminate = this.state.selected > 0 && !this.all.checked;
    this.drawEmpty();
    this.showActive();
  }

  fill(element, row, number) {
    element.style.top = `${this.topOf(number)}px`;
    element.setAttribute("aria-rowindex", number + 2);
    element.classList.toggle("tta-odd", number % 2 === 1);
    const signature = JSON.stringify([row, this.columns.map((column) => column.name), this.view.isLost]);
    if (element.tta === signature) return;
    element.tta = signature;
    if (!row) {
      element.replaceChildren(h("div", { role: "gridcell", class: "tta-cell tta-shimmer" }));
      return;
    }
    element.setAttribute("aria-selected", String(row.selected));
    element.classList.toggle("tta-selected", row.selected);
    const check = h("input", { type: "checkbox", tabindex: "-1", "aria-label": `select ${harmless(row.key)}`, disabled: this.view.isLost });
    check.checked = row.selected;
    element.replaceChildren(
      h("div", { role: "gridcell", class: "tta-cell tta-check", "aria-colindex": "1" }, check),
      ...this.columns.map((column, at) => this.cell(row, column, at)),
    );
  }

  cell(row, column, at) {
    const role = column.kind === "key" ? "rowheader" : "gridcell";
    const cell = h("div", { role, class: `tta-cell tta-is-${column.kind}`, "aria-colindex": at + 2 });
    if (column.kind === "key") cell.append(h("span", { class: "tta-text", title: harmless(row.key) }, harmless(row.key)));
    else if (column.kind === "time" || column.kind === "expiry") this.time(cell, row.cells[column.name], column.kind);
    else if (row.cells[column.name]) {
      const { t, m, k, c } = row.cells[column.name];
      cell.append(h("span", { class: `tta-text tta-${k}`, title: k === "str" && t.length > 24 ? harmless(t) : null }, ...marked(t, m), c ? "…" : ""));
    }
    return cell;
  }

  time(cell, content, kind) {
    if (!content || content.v === undefined) {
      if (kind === "expiry") cell.append(h("span", { class: "tta-text tta-null" }, "never"));
      return;
    }
    const text = h("span", { class: "tta-text", title: iso(content.v) });
    cell.append(text);
    cell.tta = { at: content.v, kind, text };
    this.tick(cell);
  }

  /** Writes a time as it is now. */
  tick(cell) {
    const { at, kind, text } = cell.tta;
    const now = this.view.now();
    if (kind === "time") text.textContent = ago(now - at);
    else {
      const left = at - now;
      text.textContent = left > 0 ? `in ${span(left)}` : "expired";
      text.className = `tta-text${left <= 0 ? " tta-expired" : left < 60 ? " tta-soon" : ""}`;
    }
  }

  tickAll() {
    for (const element of this.elements.values()) for (const cell of element.children) if (cell.tta) this.tick(cell);
  }

  drawEmpty() {
    const { state } = this;
    this.empty.remove();
    if (this.total || state.loading) return;
    const isFiltered = state.query || Object.values(state.filters).some((value) => value !== null);
    this.empty.replaceChildren(...(isFiltered
      ? [h("p", {}, state.query ? `Nothing matches “${harmless(state.query)}”.` : "No record passes the filters."),
        h("button", { type: "button", class: "tta-button", "data-do": "clear", onclick: () => this.view.clearAll() }, "Show all records")]
      : [h("p", {}, "This memory is empty."), h("p", {}, h("code", {}, "%memory add KEY text"), " adds a first record.")]));
    this.element.parentElement?.append(this.empty);
  }

  // ---- widths

  drag(event, column) {
    event.preventDefault();
    event.stopPropagation();
    const [from, width] = [event.clientX, event.target.parentElement.offsetWidth];
    const move = (moved) => {
      this.widths.set(column.name, Math.max(NARROWEST, width + moved.clientX - from));
      this.layOut();
    };
    const end = () => {
      window.removeEventListener("pointermove", move);
      window.removeEventListener("pointerup", end);
      // Let go over a heading, it would be a click on that.
      this.isDragged = true;
      setTimeout(() => {
        this.isDragged = false;
      });
    };
    window.addEventListener("pointermove", move);
    window.addEventListener("pointerup", end);
  }

  fit(event, column) {
    event.stopPropagation();
    const at = this.columns.indexOf(column) + 1;
    const texts = [...this.elements.values()].map((row) => row.children[at]?.firstElementChild).filter(Boolean);
    this.widths.set(column.name, Math.max(NARROWEST, Math.min(900, ...[Math.max(0, ...texts.map((text) => text.scrollWidth)) + 22])));
    this.layOut();
  }

  widen(column, by) {
    this.widths.set(column.name, Math.max(NARROWEST, this.widthOf(column) + by));
    this.layOut();
  }

  // ---- mouse and keyboard

  sortBy(column) {
    if (!column?.sortable) return;
    const { by, descending } = this.state.sort;
    // Three states: the direction one looks for first, the other one, the memory's own order.
    const first = ["time", "number", "expiry"].includes(column.kind);
    if (by !== column.name) this.view.set({ sort: { by: column.name, descending: first } });
    else if (descending === first) this.view.set({ sort: { by, descending: !first } });
    else this.view.set({ sort: { by: "recency", descending: true } });
  }

  clicked(event) {
    const heading = event.target.closest(".tta-heading");
    if (heading) {
      if (!event.target.closest(".tta-grip") && !this.isDragged) this.sortBy(this.columns.find((column) => column.name === heading.dataset.column));
      return;
    }
    const element = event.target.closest(".tta-canvas .tta-row");
    if (!element) return;
    const number = Number(element.getAttribute("aria-rowindex")) - 2;
    const cell = event.target.closest(".tta-cell");
    this.active = { row: number, column: Math.max(0, [...element.children].indexOf(cell)) };
    this.showActive();
    if (event.target.closest(".tta-check")) this.toggle(number, event.shiftKey);
    else if (event.shiftKey) this.extend(number);
    else this.open(number);
  }

  rowAt(number) {
    return this.rows[number - this.start] ?? null;
  }

  toggle(number, isRange) {
    if (isRange && this.anchorRow !== null) return this.extend(number);
    this.anchorRow = number;
    const row = this.rowAt(number);
    return row && this.view.ask("select", { keys: [row.key], on: !row.selected });
  }

  extend(number) {
    this.anchorRow ??= this.active.row;
    const range = [Math.min(this.anchorRow, number), Math.max(this.anchorRow, number) + 1];
    this.view.ask("select", { range, on: true });
  }

  open(number) {
    const row = this.rowAt(number);
    if (row) this.view.detail.open(row.key);
  }

  pressed(event) {
    const isMeta = event.ctrlKey || event.metaKey;
    const page = Math.max(1, this.inSight - 1);
    const last = Math.max(0, this.total - 1);
    const { row, column } = this.active;
    const columns = this.columns.length;
    const moves = {
      ArrowDown: [row + 1, column], ArrowUp: [row - 1, column], PageDown: [row + page, column], PageUp: [row - page, column],
      ArrowRight: [row, column + 1], ArrowLeft: [row, column - 1],
      Home: isMeta ? [-1 + 1, 0] : [row, 0], End: isMeta ? [last, columns] : [row, columns],
    };
    const isHeading = row < 0;
    if (event.altKey && isHeading && (event.key === "ArrowLeft" || event.key === "ArrowRight")) {
      if (column > 0) this.widen(this.columns[column - 1], event.key === "ArrowRight" ? 16 : -16);
    } else if (moves[event.key]) {
      const [to, across] = moves[event.key];
      const from = row;
      this.active = { row: Math.max(-1, Math.min(last, to)), column: Math.max(0, Math.min(columns, across)) };
      if (this.active.row >= 0) this.bringIntoSight(this.active.row);
      if (event.shiftKey && this.active.row !== from && this.active.row >= 0) {
        this.anchorRow ??= from;
        this.extend(this.active.row);
      }
      this.draw(false);
    } else if (event.key === "Enter") {
      if (isHeading) this.sortBy(this.columns[column - 1]);
      else this.open(row);
    } else if (event.key === " ") {
      if (isHeading) this.all.click();
      else this.toggle(row, false);
    } else if (event.key === "Delete" || event.key === "Backspace") {
      this.view.remove(this.rowAt(row)?.key);
    } else if (isMeta && event.key.toLowerCase() === "a") {
      this.view.ask("select", { all: true });
    } else if (event.key === "/" && !isMeta) {
      this.view.search.focus();
      this.view.search.select();
    } else if (event.key === "Escape") {
      this.view.escape();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** Shows where the keyboard is, and tells who reads it aloud. */
  showActive() {
    for (const cell of this.element.querySelectorAll(".tta-active")) cell.classList.remove("tta-active");
    const { row, column } = this.active;
    const line = row < 0 ? this.headRow : this.elements.get(this.rowAt(row)?.key);
    const cell = line?.children[column];
    if (!cell) {
      this.element.removeAttribute("aria-activedescendant");
      return;
    }
    cell.id ||= `${this.id}-${Math.random().toString(36).slice(2)}`;
    cell.classList.add("tta-active");
    this.element.setAttribute("aria-activedescendant", cell.id);
  }
}

// ---------------------------------------------------------------- one record

class Detail {
  constructor(view) {
    this.view = view;
    this.key = null;
    this.tab = "record";
    this.record = null;
    this.draft = null; // what is being written, and what it began with
    this.element = h("section", { class: "tta-detail", "aria-label": "record", hidden: true, onkeydown: (event) => {
      if (event.key !== "Escape") return;
      event.stopPropagation();
      this.close();
    } });
  }

  open(key) {
    if (this.view.isLost) return;
    if (key !== this.key) [this.draft, this.conflict] = [null, null];
    this.key = key;
    this.load();
  }

  close() {
    this.element.hidden = true;
    [this.key, this.draft, this.kept] = [null, null, null];
    this.view.grid.layOut();
    this.view.grid.element.focus();
  }

  load(whole = false) {
    if (this.view.isLost) return;
    this.view.line.tell("record", { key: this.key, whole }, (message) => {
      if (message.kind !== "record" || message.key !== this.key) return;
      // Whoever reads or writes there is not disturbed for nothing.
      const signature = JSON.stringify({ ...message, for: null });
      if (signature === this.drawn && !this.element.hidden) return;
      this.drawn = signature;
      this.record = message;
      this.draw();
    });
  }

  /** Others may have changed it: it is looked at again, unless somebody is writing. */
  refresh() {
    if (this.key !== null && !this.draft) this.load();
  }

  draw() {
    const { record } = this;
    const wasHidden = this.element.hidden;
    const focused = this.element.contains(document.activeElement) ? document.activeElement : null;
    const chosen = focused?.matches("input[type=text]") ? [focused.selectionStart, focused.selectionEnd] : null;
    this.element.hidden = false;
    if (wasHidden) this.view.grid.layOut();
    const close = h("button", { type: "button", class: "tta-icon", "data-do": "close-detail", "aria-label": "close", onclick: () => this.close() }, "✕");
    const title = h("h3", { title: harmless(record.key) }, harmless(record.key));
    if (record.gone) {
      this.element.replaceChildren(h("header", {}, title, close), h("p", { class: "tta-note" }, "This record is gone: deleted, evicted or expired."));
      if (focused) close.focus();
      return;
    }
    const tabs = [["record", "Record"], ...(this.view.state.read_only ? [] : [["edit", "Edit"]]), ["history", "History"]];
    const panels = { record: () => this.drawRecord(), edit: () => this.drawEdit(), history: () => this.drawHistory() };
    const scrolled = this.body?.scrollTop ?? 0;
    this.body = h("div", { class: "tta-detail-body", role: "tabpanel", tabindex: "0", "aria-label": this.tab }, ...panels[this.tab]());
    this.element.replaceChildren(
      h("header", {}, title, close),
      h("div", { role: "tablist", class: "tta-tabs", "aria-label": "record" }, ...tabs.map(([name, label]) =>
        h("button", { type: "button", role: "tab", "aria-selected": String(this.tab === name), "data-do": `detail-${name}`, onclick: () => {
          this.tab = name;
          this.draw();
        } }, label))),
      this.body,
    );
    this.body.scrollTop = scrolled;
    if (this.view.isLost) {
      for (const button of this.element.querySelectorAll("button")) button.disabled = !READING.has(button.dataset.do);
      for (const field of this.element.querySelectorAll("input, textarea")) field.readOnly = true; // but can be copied
    }
    if (!focused) return;
    const again = focused.isConnected ? focused : this.element.querySelector(`[data-do="${focused.dataset.do}"]`);
    (again ?? this.body).focus({ preventScroll: true });
    if (chosen && again === focused) focused.setSelectionRange(...chosen);
  }

  drawRecord() {
    const { record, view } = this;
    const facts = [
      ["user", record.user && harmless(record.user)], ["session", record.session && harmless(record.session)],
      ["created", this.told(record.created, () => ago(view.now() - record.created))],
      ["updated", this.told(record.updated, () => ago(view.now() - record.updated))],
      ["expires", this.expiry()], ["size", bytes(record.bytes)],
      ["matches", record.matches.length ? record.matches.map(harmless).join(", ") : null],
    ];
    let value = null;
    try {
      value = record.cut ? null : exactly(record.text);
    } catch {
      value = null;
    }
    const copy = h("button", { type: "button", class: "tta-button", "data-do": "copy", onclick: () => {
      navigator.clipboard?.writeText(record.text).then(() => view.say("Copied"), () => view.say("The browser does not let this page copy"));
    } }, "Copy JSON");
    const writing = view.state.read_only ? [] : [
      h("button", { type: "button", class: "tta-button", "data-do": "duplicate", onclick: () => this.duplicate() }, "Duplicate"),
      h("button", { type: "button", class: "tta-button tta-danger", "data-do": "delete-record", onclick: () => view.remove(this.key, true) }, "Delete"),
    ];
    // What was asked and what was opened stay, however often others write.
    if (this.kept?.key !== this.key) this.kept = { key: this.key, asking: h("div", { class: "tta-asking" }) };
    if (this.kept.text !== record.text) {
      this.kept.text = record.text;
      this.kept.shown = value ? tree(value) : h("pre", { class: "tta-json" }, harmlessLines(record.text));
    }
    this.asking = this.kept.asking;
    return [
      h("dl", { class: "tta-facts" }, ...facts.filter(([, fact]) => fact).flatMap(([name, fact]) => [h("dt", {}, name), h("dd", {}, fact)])),
      h("div", { class: "tta-actions" }, copy, ...writing), this.asking,
      this.kept.shown,
      record.cut ? h("button", { type: "button", class: "tta-link", "data-do": "whole", onclick: () => this.load(true) }, `… show all ${count(record.length)} characters`) : null,
      ...this.neighbours(),
    ].filter(Boolean);
  }

  /** A time as it is told now, and again by `tick`. */
  told(seconds, tell) {
    const element = h("span", { title: iso(seconds) });
    element.tta = () => {
      element.textContent = tell();
    };
    element.tta();
    return element;
  }

  tick() {
    for (const element of this.element.querySelectorAll(".tta-facts span")) element.tta?.();
  }

  expiry() {
    const { record, view } = this;
    const left = () => (record.expires > view.now() ? `in ${span(record.expires - view.now())}` : "expired");
    const shown = h("span", {}, record.expires === null ? "never" : this.told(record.expires, left), " ");
    if (view.state.read_only) return shown;
    shown.append(h("button", { type: "button", class: "tta-link", "data-do": "expire", onclick: () => this.ask(
      "Expires in", "15m, 2h, 7d; empty for never", "", (ttl) => this.send("expire", { ttl: ttl.trim() || null })) }, "change"));
    return shown;
  }

  /** Asks for one line of text below the buttons. */
  ask(label, hint, value, done) {
    const input = h("input", { type: "text", "aria-label": label, placeholder: hint });
    input.value = value;
    const form = h("form", { class: "tta-ask", onsubmit: (event) => {
      event.preventDefault();
      done(input.value);
    } }, h("label", {}, label, input), h("button", { type: "submit", class: "tta-button tta-primary", "data-do": "ok" }, "OK"),
    h("button", { type: "button", class: "tta-button", onclick: () => form.remove() }, "Cancel"), h("p", { class: "tta-problem", role: "alert" }));
    this.asking.replaceChildren(form);
    input.focus();
    input.select();
  }

  duplicate() {
    this.ask("New key", "", `${this.key}-copy`, (as) => this.send("duplicate", { as }, (message) => this.open(message.key)));
  }

  send(verb, content, done = () => this.load()) {
    this.view.line.tell(verb, { key: this.key, base: this.record.base, ...content }, (message) => {
      if (message.kind === "edited" && message.ok) {
        this.asking?.replaceChildren();
        [this.draft, this.conflict, this.drawn] = [null, null, null];
        done(message);
      } else if (message.kind === "edited" && message.conflict) {
        this.conflict = message.conflict;
        this.tab = "edit";
        this.draft ??= { text: this.record.text, base: this.record.base };
        this.draw();
      } else {
        const place = this.element.querySelector(".tta-problem");
        if (place) place.textContent = harmless(message.problem ?? message.message);
      }
    });
  }

  neighbours() {
    const { neighbours } = this.record;
    if (neighbours.length < 2) return [];
    return [h("h4", {}, "In the same session"), h("ol", { class: "tta-neighbours" }, ...neighbours.map((each) =>
      h("li", {}, h("button", { type: "button", "aria-current": each.current ? "true" : null, title: harmless(each.key), onclick: () => this.open(each.key) },
        h("span", { class: "tta-text" }, harmless(each.t) || harmless(each.key)), h("time", {}, iso(each.updated).slice(11, 19))))))];
  }

  drawEdit() {
    const { record, view } = this;
    if (record.cut) return [h("p", { class: "tta-note" }, "This value is too long to be edited here."), h("button", { type: "button", class: "tta-link", onclick: () => this.load(true) }, "Load all of it")];
    this.draft ??= { text: record.text, base: record.base };
    const problem = h("p", { class: "tta-problem", role: "alert" });
    const area = h("textarea", { class: "tta-editor", spellcheck: "false", "aria-label": "value as JSON", oninput: () => {
      this.draft.text = area.value;
      check();
    }, onkeydown: (event) => {
      if ((event.ctrlKey || event.metaKey) && (event.key === "s" || event.key === "Enter")) {
        event.preventDefault();
        save.click();
      } else if (event.key === "Escape") {
        event.stopPropagation(); // what has been written is not thrown away by a key
        this.view.grid.element.focus();
      }
    } });
    area.value = this.draft.text;
    const save = h("button", { type: "button", class: "tta-button tta-primary", "data-do": "save", onclick: () => {
      this.send("edit", { text: this.draft.text, base: this.draft.base }, () => {
        this.tab = "record";
        this.load();
      });
    } }, "Save");
    const check = () => {
      try {
        const value = JSON.parse(area.value);
        const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
        problem.textContent = isObject ? "" : "A value is a JSON object: write {...} around it.";
      } catch (error) {
        problem.textContent = `Not JSON yet: ${error.message}`;
      }
      save.disabled = problem.textContent !== "" || this.draft.text === record.text;
    };
    check();
    const reset = h("button", { type: "button", class: "tta-button", "data-do": "reset", onclick: () => {
      [this.draft, this.conflict, this.drawn] = [null, null, null];
      this.load();
    } }, "Discard");
    return [...this.drawConflict(), area, problem, h("div", { class: "tta-actions" }, save, reset, h("span", { class: "tta-hint" }, view.isMac ? "⌘S saves" : "Ctrl+S saves"))];
  }

  drawConflict() {
    if (!this.conflict) return [];
    const { text, base } = this.conflict;
    if (text === null) return [h("div", { class: "tta-conflict", role: "alert" }, h("p", {}, "This record has been deleted meanwhile; Duplicate keeps what you have written under another key."),
      h("button", { type: "button", class: "tta-button", onclick: () => this.close() }, "Close"))];
    return [h("div", { class: "tta-conflict", role: "alert" }, h("p", {}, "This record has changed meanwhile. It is now:"), h("pre", { class: "tta-json" }, harmlessLines(text.slice(0, LONG_TEXT))),
      h("div", { class: "tta-actions" },
        h("button", { type: "button", class: "tta-button", "data-do": "theirs", onclick: () => {
          [this.draft, this.conflict] = [{ text, base }, null];
          this.draw();
        } }, "Take theirs"),
        h("button", { type: "button", class: "tta-button tta-danger", "data-do": "mine", onclick: () => {
          this.draft.base = base;
          this.conflict = null;
          this.draw();
          this.element.querySelector("[data-do=save]")?.click();
        } }, "Keep mine (overwrite)")))];
  }

  drawHistory() {
    const { history, text } = this.record;
    const shown = h("div", {});
    const show = (version) => {
      const lines = lineDiff(version.text, text);
      const isSame = version.text === text;
      shown.replaceChildren(
        h("pre", { class: "tta-json" }, ...(isSame || !lines ? [harmlessLines(version.text)] : lines.map(([sign, line]) =>
          h("span", { class: { "-": "tta-gone", "+": "tta-came", " ": "" }[sign] }, `${sign} ${harmless(line)}\n`)))),
        ...(isSame || this.view.state.read_only ? [] : [h("button", { type: "button", class: "tta-button", "data-do": "restore", onclick: () => {
          this.draft = { text: version.text, base: this.record.base };
          this.tab = "edit";
          this.draw();
        } }, "Take this into the editor")]),
      );
    };
    return [h("p", { class: "tta-hint" }, "What this explorer has seen of the record since it was opened."),
      h("ol", { class: "tta-neighbours" }, ...history.map((version) => h("li", {}, h("button", { type: "button", onclick: () => show(version) },
        h("span", { class: "tta-text" }, `${iso(version.at)}`), h("span", { class: "tta-badge" }, version.what))))), shown];
  }
}

// ---------------------------------------------------------------- pictures

const CHART = { width: 720, height: 150, left: 46, right: 10, top: 12, bottom: 24 };

/** A histogram; `place` puts an edge on the axis, `label` writes it. */
function histogram({ edges, counts }, { gist, label, labels = 5 }) {
  const { width, height, left, right, top, bottom } = CHART;
  const [inner, floor, most] = [width - left - right, height - bottom, Math.max(1, ...counts)];
  const bar = inner / Math.max(1, counts.length);
  const picture = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": gist, class: "tta-chart" });
  for (const number of new Set([0, Math.floor(most / 2), most])) {
    const y = floor - (number / most) * (floor - top);
    picture.append(svg("line", { x1: left, x2: width - right, y1: y, y2: y, class: "tta-guide" }),
      svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, count(number)));
  }
  counts.forEach((number, at) => {
    const tall = number ? Math.max(1.5, (number / most) * (floor - top)) : 0;
    picture.append(svg("rect", { x: left + at * bar + 0.5, y: floor - tall, width: Math.max(0.5, bar - 1), height: tall, class: "tta-bar" },
      svg("title", {}, `${label(edges[at])} to ${label(edges[at + 1])}: ${count(number)}`)));
  });
  const step = Math.max(1, Math.ceil(edges.length / labels));
  edges.forEach((edge, at) => {
    if (at % step) return;
    const anchor = at === 0 ? "start" : at === edges.length - 1 ? "end" : "middle";
    picture.append(svg("text", { x: left + at * bar, y: height - 6, "text-anchor": anchor }, label(edge)));
  });
  return picture;
}

/** The same numbers for whoever does not see the picture. */
function numbers(caption, { edges, counts }, label) {
  return h("table", { class: "tta-hidden" }, h("caption", {}, caption), h("tbody", {}, ...counts.map((number, at) =>
    h("tr", {}, h("th", { scope: "row" }, `${label(edges[at])} to ${label(edges[at + 1])}`), h("td", {}, count(number))))));
}

function dated(width) {
  if (width < 10) return (seconds) => new Date(seconds * 1000).toISOString().slice(11, 23);
  if (width < 600) return (seconds) => iso(seconds).slice(11, 19);
  return (seconds) => (width < 172_800 ? iso(seconds).slice(5, 16) : iso(seconds).slice(0, 10));
}

class Pictures {
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "tta-pictures", role: "region", "aria-label": "pictures", tabindex: "0", hidden: true });
  }

  draw() {
    const { view, charts } = this.view.state;
    this.element.hidden = view === "table";
    if (view === "table") return;
    if (!charts) {
      this.element.replaceChildren(h("p", { class: "tta-note" }, "Working it out…"));
      return;
    }
    const signature = JSON.stringify([view, charts, this.view.state.filters]);
    if (this.drawn === signature) return;
    this.drawn = signature;
    this.element.replaceChildren(...(view === "timeline" ? this.timeline(charts) : this.distributions(charts)));
  }

  timeline(charts) {
    const { edges, counts } = charts.timeline;
    if (!counts.length) return [h("p", { class: "tta-note" }, "There is nothing to show.")];
    const [from, to] = [edges[0], edges.at(-1)];
    const label = dated(to - from);
    const gist = `${plural(counts.reduce((sum, number) => sum + number, 0), "record")} written from ${iso(from)} to ${iso(to)}`;
    const picture = histogram(charts.timeline, { gist, label });
    const frame = h("div", { class: "tta-brushed" }, picture);
    this.brush(frame, picture, from, to);
    const { filters } = this.view.state;
    const isChosen = filters.since !== null || filters.until !== null;
    return [
      h("h3", {}, "Records by the time of their last write"),
      frame, numbers("Records by time", charts.timeline, label),
      h("p", { class: "tta-hint" }, isChosen ? `Chosen: ${filters.since === null ? "the beginning" : iso(filters.since)} to ${filters.until === null ? "now" : iso(filters.until)} ` : "Drag across the bars to keep a part of the time. ",
        isChosen ? h("button", { type: "button", class: "tta-link", "data-do": "all-time", onclick: () => this.view.filter({ since: null, until: null }) }, "all of it") : ""),
      h("h3", {}, "Sessions, the most recent first"),
      this.lanes(charts, from, to, label),
    ];
  }

  /** Lets the mouse and the arrow keys choose a part of the time. */
  brush(frame, picture, from, to) {
    const { width, left, right, top, height, bottom } = CHART;
    const inner = width - left - right;
    const { filters } = this.view.state;
    const wide = Math.max(to - from, 1e-6);
    const place = (seconds) => left + Math.max(0, Math.min(1, (seconds - from) / wide)) * inner;
    let range = [filters.since ?? from, filters.until ?? to];
    const shade = svg("rect", { y: top, height: height - top - bottom, class: "tta-brush" });
    const show = () => {
      shade.setAttribute("x", place(range[0]));
      const isAll = range[0] <= from && range[1] >= to;
      shade.setAttribute("width", isAll ? 0 : Math.max(0, place(range[1]) - place(range[0])));
    };
    show();
    picture.append(shade);
    const at = (event) => {
      const box = picture.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * width;
      return from + Math.max(0, Math.min(1, (x - left) / inner)) * wide;
    };
    picture.addEventListener("pointerdown", (event) => {
      const begin = at(event);
      const move = (moved) => {
        range = [begin, at(moved)].sort((a, b) => a - b);
        show();
      };
      const end = (moved) => {
        window.removeEventListener("pointermove", move);
        window.removeEventListener("pointerup", end);
        move(moved);
        if ((range[1] - range[0]) / wide > 0.005) this.view.filter({ since: range[0], until: range[1] });
      };
      window.addEventListener("pointermove", move);
      window.addEventListener("pointerup", end);
    });
    const share = (value) => Math.round(((value - from) / wide) * 100);
    ["since", "until"].forEach((edge, number) => {
      const slider = h("input", { type: "range", min: "0", max: "100", step: "1", "aria-label": edge === "since" ? "from" : "to", "data-do": `brush-${edge}`, onchange: () => {
        range[number] = from + (Number(slider.value) / 100) * wide;
        range.sort((a, b) => a - b);
        this.view.filter({ since: range[0] <= from ? null : range[0], until: range[1] >= to ? null : range[1] });
      } });
      slider.value = share(range[number]);
      slider.setAttribute("aria-valuetext", iso(range[number]));
      frame.append(slider);
    });
  }

  lanes({ sessions, more_sessions: more }, from, to, label) {
    if (!sessions.length) return h("p", { class: "tta-note" }, "No key reads user:session.");
    const wide = Math.max(to - from, 1e-6);
    const lanes = h("ul", { class: "tta-lanes" });
    for (const { user, session, first, last, count: size } of sessions) {
      const lane = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { x: ((first - from) / wide) * 99, width: Math.max(0.8, ((last - first) / wide) * 99), y: 1, height: 6, class: "tta-bar" }));
      lanes.append(h("li", {}, h("button", { type: "button", title: `${iso(first)} to ${iso(last)}`, onclick: () => this.view.filter({ user, session }, "table") },
        h("span", { class: "tta-text" }, `${harmless(user)}:${harmless(session)}`), lane, h("span", { class: "tta-count" }, `${plural(size, "record")}, ${label(last)}`))));
    }
    if (more) lanes.append(h("li", { class: "tta-hint" }, `and ${plural(more, "more session")}`));
    return lanes;
  }

  distributions({ sizes, ttl }) {
    if (!sizes.counts.length) return [h("p", { class: "tta-note" }, "There is nothing to show.")];
    const life = (seconds) => (seconds === null ? "longer" : seconds === 0 ? "0" : span(seconds, 1));
    const expiring = ttl.counts.reduce((sum, number) => sum + number, 0);
    const all = sizes.counts.reduce((sum, number) => sum + number, 0);
    return [
      h("h3", {}, "Size of the values"),
      histogram(sizes, { gist: `sizes of ${plural(all, "record")}, from ${bytes(sizes.edges[0])} to ${bytes(sizes.edges.at(-1))}`, label: bytes, labels: 12 }), numbers("Records by size", sizes, bytes),
      h("h3", {}, "Time to live"),
      h("p", { class: "tta-hint" }, `${plural(ttl.never, "record")} never ${ttl.never === 1 ? "expires" : "expire"}, ${count(expiring)} will.`),
      ...(expiring ? [histogram(ttl, { gist: `time to live of ${plural(expiring, "record")}`, label: life, labels: 12 }), numbers("Records by time to live", ttl, life)] : []),
    ];
  }
}

// ---------------------------------------------------------------- the whole

class View {
  constructor(model, el) {
    this.state = {
      query: "", mode: "keyword", modes: [], filters: {}, sort: { by: "recency", descending: true }, view: "table", live: true, read_only: false,
      namespace: "", namespaces: [], columns: [], total: 0, loading: true, selected: 0, status: null, facets: null, charts: null, undoable: null,
    };
    this.isMac = /mac/i.test(navigator.platform ?? "");
    this.skew = 0; // of the kernel's clock
    this.isAlive = false; // whether rows have come
    this.isHeard = false; // whether the kernel has answered this view
    this.isLost = false; // whether the kernel that has answered does so no more
    this.silent = 0; // seconds
    this.pending = null; // the last message whose answer is seen
    this.line = new Line(model, (message) => this.receive(message), () => this.lose());
    this.grid = new Grid(this);
    this.detail = new Detail(this);
    this.pictures = new Pictures(this);
    this.root = h("div", { class: "tta-explorer", "data-lm-suppress-shortcuts": "true", onkeydown: (event) => this.pressed(event) });
    this.build();
    el.append(this.root);
    this.el = el;
    this.sizes = new ResizeObserver(() => {
      this.root.classList.toggle("tta-wide", this.root.clientWidth >= WIDE);
      this.grid.layOut();
      if (this.isAlive) {
        this.grid.draw(false);
        this.grid.askForRows();
      }
    });
    this.sizes.observe(this.root);
    this.clock = setInterval(() => this.tick(), 1000);
    this.silence = setTimeout(() => this.drawDead(), PATIENCE);
    // The first rows come with the widget. A widget out of a saved notebook has no kernel to have them from.
    const opening = el.classList.contains(LOST) ? null : model.get("_opening");
    if (opening) this.takeState({ for: null, view: this.line.base / IDS_OF_A_VIEW, state: opening });
    this.greetings = GREETINGS.map((after) => setTimeout(() => this.isHeard || this.ask("hello"), after));
  }

  tick() {
    // Seconds that the page has slept through do not count, so that they are counted one by one.
    this.silent += 1;
    if (this.isHeard && this.silent > SILENCE) this.lose();
    if (this.isLost) return;
    this.grid.tickAll();
    this.detail.tick();
  }

  close() {
    clearInterval(this.clock);
    clearTimeout(this.silence);
    clearTimeout(this.slow);
    this.greetings.forEach(clearTimeout);
    this.sizes.disconnect();
    this.line.close();
    if (this.hidden) this.hidden.style.display = "";
    this.root.remove();
  }

  now() {
    return Date.now() / 1000 + this.skew;
  }

  // ---- the frame

  build() {
    this.search = h("input", {
      type: "search", class: "tta-search", placeholder: "Search", "aria-label": "search", "data-do": "search", "aria-keyshortcuts": "/",
      oninput: () => {
        clearTimeout(this.typing);
        this.typing = setTimeout(() => this.set({ query: this.search.value }), DEBOUNCE);
      },
      onkeydown: (event) => {
        if (event.key === "Escape") {
          event.preventDefault();
          if (this.search.value) {
            this.search.value = "";
            this.set({ query: "" });
          } else this.grid.element.focus();
        } else if (event.key === "Enter" || event.key === "ArrowDown") {
          event.preventDefault();
          this.grid.element.focus();
        }
      },
    });
    this.modes = h("select", { "aria-label": "search mode", "data-do": "mode", hidden: true, onchange: () => this.set({ mode: this.modes.value }) });
    this.facets = [
      popover(this.root, "User", { "data-do": "facet-user" }, (panel, close, opens) => this.fillFacet(panel, close, opens, "user", "users", "more_users")),
      popover(this.root, "Session", { "data-do": "facet-session" }, (panel, close, opens) => this.fillFacet(panel, close, opens, "session", "sessions", "more_sessions")),
      popover(this.root, "Time", { "data-do": "facet-time" }, (panel, close) => this.fillTimes(panel, close)),
      popover(this.root, "Namespace", { "data-do": "facet-namespace" }, (panel, close) => this.fillNamespaces(panel, close)),
    ];
    this.chooser = popover(this.root, "Columns", { "data-do": "columns" }, (panel) => this.fillColumns(panel));
    this.tabs = h("div", { role: "tablist", class: "tta-tabs", "aria-label": "views" }, ...[["table", "Table"], ["timeline", "Timeline"], ["distributions", "Sizes & expiry"]].map(([name, label]) =>
      h("button", { type: "button", role: "tab", "data-do": `tab-${name}`, "data-view": name, onclick: () => this.set({ view: name }) }, label)));
    this.chips = h("fieldset", { class: "tta-chips", "aria-label": "filters", hidden: true });
    this.progress = h("div", { class: "tta-progress", hidden: true });
    this.slowness = h("div", { class: "tta-slowness", role: "status", hidden: true }, h("progress", { "aria-label": "waiting" }),
      h("span", {}, "Waiting for the kernel. A cell that runs may have to end first."));
    this.lost = h("div", { class: "tta-warning", role: "alert", hidden: true });
    this.banner = h("div", { class: "tta-banner", role: "alert", hidden: true });
    this.notice = h("div", { class: "tta-toast", role: "status", hidden: true });
    this.foot = h("fieldset", { class: "tta-foot", "aria-label": "status" });
    this.said = h("div", { class: "tta-hidden", "aria-live": "polite" });
    this.dead = h("div", { class: "tta-waiting" }, h("div", { class: "tta-shimmer" }), h("div", { class: "tta-shimmer" }), h("div", { class: "tta-shimmer" }));
    this.main = h("div", { class: "tta-main" }, this.grid.element, this.pictures.element, this.dead);
    this.head = h("fieldset", { class: "tta-head", "aria-label": "what is shown" },
      this.search, this.modes, ...this.facets.map(({ button }) => button), this.chooser.button, this.tabs);
    this.root.append(
      this.head, this.chips, this.progress, this.slowness, this.lost, this.banner,
      h("div", { class: "tta-body" }, this.main, this.detail.element),
      this.foot, this.notice, this.said,
    );
  }

  // ---- from the kernel

  receive(message) {
    [this.silent, this.heardAt] = [0, new Date()];
    if (this.isLost) this.find();
    const isMine = this.line.isMine(message.for);
    const again = this.line.answer(message);
    if (again) this.pending = again;
    else if (isMine && message.for >= this.pending) this.isAnswered();
    const handle = {
      state: () => this.takeState(message),
      progress: () => this.drawProgress(message),
      said: () => this.say(message.text, message.undo),
      error: () => this.fail(message.message),
      file: () => isMine && download(message.name, message.text),
    }[message.kind];
    handle?.();
  }

  takeState({ for: number, view, state: news }) {
    if (view * IDS_OF_A_VIEW !== this.line.base) return; // another view's, with rows of its own
    if (number !== null) this.isHeard = true;
    clearTimeout(this.silence);
    this.skew = news.now - Date.now() / 1000;
    const isNew = ["query", "mode", "filters", "sort", "namespace"].some((name) => name in news && JSON.stringify(news[name]) !== JSON.stringify(this.state[name]));
    const { total: before, loading: wasLoading } = this.state;
    Object.assign(this.state, news);
    // What nobody has asked for has just been written.
    const cameBy = number === null && !isNew && !wasLoading && news.total > before;
    const wasAlive = this.isAlive;
    this.isAlive = true;
    this.root.classList.add("tta-live");
    this.root.classList.remove("tta-dead");
    this.dead.remove();
    this.hideStatic();
    this.drawHead(news);
    if ("filters" in news) this.drawChips();
    this.grid.element.hidden = this.state.view !== "table";
    this.pictures.draw();
    this.grid.take(news, isNew && wasAlive, cameBy);
    this.drawFoot();
    if ("total" in news || "query" in news) this.tell(`${plural(this.state.total, "record")}${this.state.query ? " found" : ""}`);
    if ("rows" in news || "total" in news) this.detail.refresh();
    if ("facets" in news) this.facets.forEach(({ refill }) => refill());
    if ("columns" in news) this.chooser.refill();
  }

  /** The plain table beside the widget is for whoever has no kernel. */
  hideStatic() {
    if (this.hidden?.isConnected) return;
    for (let above = this.el; above; above = above.parentElement) {
      const next = [...above.querySelectorAll(".tta-explorer-static")].find((page) => this.root.compareDocumentPosition(page) & Node.DOCUMENT_POSITION_FOLLOWING);
      if (next) {
        next.style.display = "none";
        this.hidden = next;
        return;
      }
    }
  }

  // ---- to the kernel

  /** Sends what changes what is seen, and says so if that takes its time. */
  ask(verb, content = {}) {
    if (this.isLost) return;
    const number = this.line.tell(verb, content);
    this.pending = number;
    if (this.slow) return;
    this.slow = setTimeout(() => {
      this.slowness.hidden = !this.isAlive;
    }, SLOW);
  }

  isAnswered() {
    clearTimeout(this.slow);
    [this.slow, this.pending] = [null, null];
    this.slowness.hidden = true;
  }

  /** The kernel has gone, or is not heard: what is in sight is old, and nothing can be done with it. */
  lose() {
    if (!this.isAlive || this.isLost) return;
    const from = (this.heardAt ?? new Date()).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
    this.lost.replaceChildren(h("strong", {}, "The kernel has gone, or does not answer."), ` What you see is from ${from}. Run the cell again to go on.`);
    this.drawLost(true);
  }

  /** The kernel is heard again. */
  find() {
    this.drawLost(false);
    this.footDrawn = null;
    this.ask("hello");
  }

  drawLost(isLost) {
    this.isLost = isLost;
    this.counting = false;
    this.isAnswered();
    this.progress.hidden = true;
    this.notice.hidden = true;
    this.lost.hidden = !isLost;
    this.root.classList.toggle("tta-lost", isLost);
    this.head.disabled = this.chips.disabled = this.foot.disabled = isLost;
    for (const { close } of [...this.facets, this.chooser]) close();
    this.grid.drawHeadings();
    this.grid.draw(false);
    this.pictures.element.inert = isLost;
    if (this.detail.key !== null) this.detail.draw();
  }

  set(content) {
    const lists = ["query", "mode", "filters", "sort", "namespace"].some((name) => name in content);
    const window = lists ? { window: [0, 2 * this.grid.inSight + 2] } : {};
    if (lists) this.grid.asked = [0, 0];
    this.ask("set", { ...window, ...content });
  }

  filter(changed, view = null) {
    this.set({ filters: { ...this.state.filters, ...changed }, ...(view ? { view } : {}) });
  }

  clearAll() {
    this.search.value = "";
    this.set({ query: "", filters: {} });
    this.grid.element.focus();
  }

  remove(key, isOne = false) {
    if (this.state.read_only || (!key && !this.state.selected)) return;
    this.ask("delete", this.state.selected && !isOne ? { selected: true } : { keys: [key] });
  }

  // ---- parts

  drawHead(news) {
    const { state } = this;
    if ("query" in news && document.activeElement !== this.search) this.search.value = state.query;
    this.modes.hidden = state.modes.length < 2;
    if ("modes" in news) this.modes.replaceChildren(...state.modes.map((mode) => h("option", { value: mode }, mode)));
    this.modes.value = state.mode;
    this.facets[3].button.hidden = state.namespaces.length < 2;
    for (const tab of this.tabs.children) tab.setAttribute("aria-selected", String(tab.dataset.view === state.view));
    this.chooser.button.hidden = state.view !== "table";
  }

  drawChips() {
    const { filters } = this.state;
    const told = { since: (value) => `since ${iso(value)}`, until: (value) => `until ${iso(value)}`, where: (value) => `where ${JSON.stringify(value)}` };
    const chips = Object.entries(filters).filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => {
      const text = harmless(told[name]?.(value) ?? `${name} ${value}`);
      return h("span", { class: "tta-chip" }, h("span", { class: "tta-text", title: text }, text),
        h("button", { type: "button", "aria-label": `remove filter ${text}`, onclick: () => this.filter({ [name]: null }) }, "✕"));
    });
    this.chips.hidden = !chips.length;
    this.chips.replaceChildren(...chips);
  }

  fillFacet(panel, close, opens, name, list, more) {
    const { facets, filters } = this.state;
    // They are counted anew for whoever opens the panel, who sees the last ones until then.
    if ((opens || !facets) && !this.counting) {
      this.counting = true;
      this.line.tell("facets", {}, () => {
        this.counting = false;
      });
    }
    if (!facets) {
      panel.append(h("p", { class: "tta-hint" }, "Counting…"));
      return;
    }
    const choose = (value) => {
      close();
      this.filter(name === "user" ? { user: value, session: null } : { [name]: value });
    };
    const items = h("ul", {});
    const typed = h("input", { type: "search", placeholder: `Find a ${name}`, "aria-label": `find a ${name}`, oninput: () => fill(), onkeydown: (event) => {
      if (event.key === "Enter" && typed.value) choose(typed.value);
      if (event.key !== "Escape") event.stopPropagation();
    } });
    const fill = () => {
      const wanted = typed.value.toLowerCase();
      items.replaceChildren(...facets[list].filter(([each]) => each.toLowerCase().includes(wanted)).map(([each, size]) =>
        h("li", {}, h("button", { type: "button", "aria-pressed": String(filters[name] === each), onclick: () => choose(filters[name] === each ? null : each) },
          h("span", { class: "tta-text", title: harmless(each) }, harmless(each)), h("span", { class: "tta-count" }, count(size))))));
    };
    fill();
    panel.append(typed, items, ...(facets[more] ? [h("p", { class: "tta-hint" }, `and ${count(facets[more])} more: type the whole name, then Enter`)] : []));
  }

  fillTimes(panel, close) {
    const choose = (filters) => {
      close();
      this.filter(filters);
    };
    const now = this.now();
    const steps = [["Last 5 minutes", 300], ["Last hour", 3600], ["Last 24 hours", 86_400], ["Last 7 days", 604_800]];
    const local = (seconds) => (seconds === null || seconds === undefined ? "" : new Date((seconds - new Date().getTimezoneOffset() * 60) * 1000).toISOString().slice(0, 16));
    const edge = (label, value) => {
      const input = h("input", { type: "datetime-local", "aria-label": label });
      input.value = local(value);
      return input;
    };
    const [since, until] = [edge("from", this.state.filters.since), edge("to", this.state.filters.until)];
    const seconds = (input) => (input.value ? new Date(input.value).getTime() / 1000 : null);
    panel.append(
      h("ul", {}, ...steps.map(([label, length]) => h("li", {}, h("button", { type: "button", onclick: () => choose({ since: now - length, until: null }) }, label))),
        h("li", {}, h("button", { type: "button", onclick: () => choose({ since: null, until: null }) }, "All times"))),
      h("label", {}, "From", since), h("label", {}, "To", until),
      h("button", { type: "button", class: "tta-button tta-primary", onclick: () => choose({ since: seconds(since), until: seconds(until) }) }, "Apply"),
    );
  }

  fillNamespaces(panel, close) {
    panel.append(h("ul", {}, ...this.state.namespaces.map((name) => h("li", {}, h("button", { type: "button", "aria-pressed": String(name === this.state.namespace), onclick: () => {
      close();
      this.set({ namespace: name });
    } }, harmless(name))))));
  }

  fillColumns(panel) {
    const { columns, more_fields: more, automatic } = this.state;
    const items = h("ul", {});
    const typed = h("input", { type: "search", placeholder: "Find a column", "aria-label": "find a column", oninput: () => fill(), onkeydown: (event) => event.key !== "Escape" && event.stopPropagation() });
    const shown = () => this.state.columns.filter((column) => column.shown && column.kind !== "key").map((column) => column.name);
    const fill = () => {
      const wanted = typed.value.toLowerCase();
      items.replaceChildren(...columns.filter((column) => column.kind !== "key" && column.title.toLowerCase().includes(wanted)).map((column) => {
        const box = h("input", { type: "checkbox", onchange: () => {
          this.set({ columns: box.checked ? [...shown(), column.name] : shown().filter((name) => name !== column.name) });
        } });
        box.checked = column.shown;
        return h("li", {}, h("label", {}, box, h("span", { class: "tta-text", title: harmless(column.title) }, harmless(column.title))));
      }));
    };
    fill();
    panel.append(typed, items,
      ...(more ? [h("p", { class: "tta-hint" }, `${plural(more, "more field")}: open a record to see them`)] : []),
      h("button", { type: "button", class: "tta-button", disabled: automatic, onclick: () => this.set({ columns: null }) }, "Automatic"));
  }

  drawProgress({ what, done, total }) {
    const isOver = total !== null && done >= total;
    this.progress.hidden = isOver;
    if (isOver) return;
    this.slowness.hidden = true; // it is told better
    const bar = h("progress", { max: total ?? 1, "aria-label": what });
    if (total !== null) bar.value = done;
    this.progress.replaceChildren(bar, h("span", {}, `${what} ${count(done)}${total === null ? "" : ` of ${count(total)}`}`),
      h("button", { type: "button", class: "tta-link", "data-do": "cancel", onclick: () => {
        this.line.tell("cancel");
        this.isAnswered();
      } }, "Cancel"));
  }

  drawFoot() {
    const { status, selected, total, read_only: readOnly, loading } = this.state;
    if (!status) return;
    const left = selected
      ? [h("strong", {}, `${count(selected)} selected`),
        ...(readOnly ? [] : [h("button", { type: "button", class: "tta-link tta-danger", "data-do": "delete", onclick: () => this.remove() }, "Delete")]),
        h("button", { type: "button", class: "tta-link", "data-do": "export", onclick: () => this.line.tell("export", { selected: true }) }, "Export"),
        h("button", { type: "button", class: "tta-link", "data-do": "clear-selection", onclick: () => this.ask("select", { none: true }) }, "Clear")]
      : [h("span", { class: "tta-counts" }, total === status.size ? plural(total, "record") : `${count(total)} of ${plural(status.size, "record")}`, loading ? " …" : "")];
    const meter = status.capacity === null ? null : h("meter", { min: "0", max: Math.max(1, status.capacity), value: status.size, "aria-label": "capacity in use", title: `${count(status.size)} of at most ${count(status.capacity)}` });
    const live = h("input", { type: "checkbox", "data-do": "live", onchange: () => this.set({ live: live.checked }) });
    live.checked = this.state.live;
    const parts = [
      h("div", { class: "tta-left" }, ...left),
      h("div", { class: "tta-right" },
        status.degraded ? this.degraded(status.degraded) : h("span", { class: "tta-text", title: status.server && harmless(status.server) }, status.backend),
        h("span", { class: "tta-text", title: "namespace" }, harmless(status.namespace)), meter,
        status.evictions ? h("span", {}, `${plural(status.evictions, "eviction")}`) : null,
        readOnly ? h("span", { class: "tta-badge" }, "read-only") : null,
        h("label", { title: "show what others write at once" }, live, "live")),
    ];
    const signature = JSON.stringify([status, selected, total, readOnly, loading, this.state.live]);
    if (signature === this.footDrawn) return;
    this.footDrawn = signature;
    const focused = this.foot.contains(document.activeElement) ? document.activeElement.dataset.do : null;
    this.foot.replaceChildren(...parts);
    if (focused) this.foot.querySelector(`[data-do="${focused}"]`)?.focus();
  }

  degraded({ since, because, waiting }) {
    return h("span", { class: "tta-degraded", role: "status", title: harmless(because) }, `degraded since ${iso(since).slice(11, 19)}${waiting ? `, ${plural(waiting, "write")} waiting` : ""} `,
      h("button", { type: "button", class: "tta-link", "data-do": "reconnect", onclick: () => this.line.tell("reconnect") }, "Try now"));
  }

  drawDead() {
    this.root.classList.add("tta-dead");
    this.dead.replaceChildren(h("p", {}, "No kernel answers, so there is nothing to show. Run the cell again."));
  }

  say(text, canBeUndone = false) {
    const undo = canBeUndone && !this.state.read_only ? h("button", { type: "button", class: "tta-link", "data-do": "undo", onclick: () => {
      this.line.tell("undo");
      this.notice.hidden = true;
    } }, "Undo") : null;
    this.notice.replaceChildren(h("span", {}, harmless(text)), ...(undo ? [undo] : []));
    this.notice.hidden = false;
    clearTimeout(this.saying);
    this.saying = setTimeout(() => {
      this.notice.hidden = true;
    }, 8000);
  }

  fail(message) {
    this.banner.replaceChildren(h("span", {}, harmless(message)), h("button", { type: "button", class: "tta-icon", "data-do": "dismiss", "aria-label": "dismiss", onclick: () => {
      this.banner.hidden = true;
    } }, "✕"));
    this.banner.hidden = false;
    this.progress.hidden = true;
    clearTimeout(this.silence);
    if (!this.isAlive) this.dead.replaceChildren(h("p", {}, "There is nothing to show yet."));
  }

  tell(text) {
    clearTimeout(this.telling);
    this.telling = setTimeout(() => {
      this.said.textContent = text;
    }, 400);
  }

  /** Esc, from the inside out: the record, the selection, the search. */
  escape() {
    if (this.detail.key !== null) this.detail.close();
    else if (this.state.selected) this.ask("select", { none: true });
    else if (this.state.query) {
      this.search.value = "";
      this.set({ query: "" });
    }
  }

  pressed(event) {
    const isTyping = event.target.matches("input:not([type=checkbox]):not([type=range]), textarea, select");
    if (event.key === "/" && !isTyping) {
      event.preventDefault();
      this.search.focus();
      this.search.select();
    }
    // Saving is the notebook's, which is told from outside: it takes no keys from in here.
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s" && !event.defaultPrevented) {
      event.preventDefault();
      const { key, code, keyCode, ctrlKey, metaKey, shiftKey } = event;
      this.el.parentElement?.dispatchEvent(new KeyboardEvent("keydown", { key, code, keyCode, ctrlKey, metaKey, shiftKey, bubbles: true, cancelable: true }));
    }
    // It has keys of its own as well: what is typed here must not delete a cell there.
    event.stopPropagation();
  }
}

export default {
  render({ model, el }) {
    const view = new View(model, el);
    return () => view.close();
  },
};
