// The row of headings: titles, the order, widths, and a small picture of what each column holds.

/** @import { Column, Heading, HeadingBar } from "./types.js" */
/** @import { Grid } from "./grid.js" */
import { CHECKBOX_WIDTH, allowedWidth, fittedWidth, layOutColumns, nextSort, widthOf } from "./columns.js";
import { followPointer, h } from "./dom.js";
import { isFiltered } from "./filters.js";
import { count, plural } from "./format.js";
import { Popover } from "./popover.js";
import { ROW_HEIGHT } from "./scrolling.js";
import { describeBar, sharesOf } from "./summary.js";
import { harmless } from "./text.js";

const WIDTH_STEP = 16; // pixels by which Alt and an arrow key change a width

/** Values that a heading has room for; its panel shows more. */
const VALUES_IN_A_HEADING = 3;

export class Headings {
  /** @param {Grid} grid */
  constructor(grid) {
    this.grid = grid;
    this.view = grid.view;
    /** Widths that the user has chosen. @type {Map<string, number>} */
    this.widths = new Map();
    this.isDragged = false;
    /** The panels that say more of a column, by its name. @type {Map<string, Popover>} */
    this.panels = new Map();
    this.selectAll = h("input", { type: "checkbox" });
    this.element = h("div", { role: "row", class: "tta-row tta-headings", "aria-rowindex": "1" });
  }

  /** In pixels; that of a row while the widget has no size. */
  get height() {
    return this.element.offsetHeight || ROW_HEIGHT;
  }

  /** @param {Column} column */
  headingOf(column) {
    return this.view.state.headings[column.name];
  }

  draw() {
    const { view, grid } = this;
    const { sort } = view.state;
    this.selectAll = h("input", {
      type: "checkbox", tabindex: "-1", "aria-label": "select all matching records", "data-do": "select-all", disabled: view.isLost,
      onclick: () => view.ask("select", this.selectAll.checked ? { all: true } : { none: true }),
    });
    this.element.replaceChildren(
      h("div", { role: "columnheader", class: "tta-cell tta-check", "aria-colindex": "1" }, this.selectAll),
      ...grid.columns.map((column, at) => {
        const isSorted = sort.by === column.name;
        const direction = isSorted ? (sort.descending ? "descending" : "ascending") : "none";
        const title = harmless(column.title);
        const heading = h("div", {
          role: "columnheader", class: `tta-cell tta-heading tta-is-${column.kind}`, id: `${grid.id}-h-${at + 1}`,
          "aria-colindex": at + 2, "aria-sort": column.sortable ? direction : null, "aria-label": title, "data-column": column.name,
        }, h("div", { class: "tta-heading-line" }, h("span", { class: "tta-title", title }, title),
          isSorted ? h("span", { class: "tta-arrow", "aria-hidden": "true" }, sort.descending ? "▾" : "▴") : null),
        h("div", { class: "tta-summary", "aria-hidden": "true" }),
        h("span", { class: "tta-grip", "aria-hidden": "true", onpointerdown: (event) => {
          this.drag(event, column, heading);
        }, ondblclick: (event) => this.fit(event, column) }));
        return heading;
      }),
    );
    grid.element.setAttribute("aria-colcount", String(grid.columns.length + 1));
    this.drawSummaries();
    this.layOut();
  }

  layOut() {
    const { element } = this.grid;
    if (!element.clientWidth) return;
    const { sizes, total } = layOutColumns(this.grid.columns, this.widths, element.clientWidth);
    element.style.setProperty("--tta-columns", [CHECKBOX_WIDTH, ...sizes].map((size) => `${size}px`).join(" "));
    element.style.setProperty("--tta-width", `${total}px`);
  }

  // ---- what the columns hold

  drawSummaries() {
    const { grid, view } = this;
    const { state } = view;
    const isNew = grid.columns.some((column) => this.headingOf(column));
    // While a search or a filter leaves nothing to say, the rows stay where they are.
    if (isNew || !isFiltered(state)) this.element.classList.toggle("tta-summarized", isNew);
    grid.columns.forEach((column, at) => {
      const cell = this.element.children[at + 1];
      const [line, picture] = cell?.children ?? [];
      if (!cell || !line || !picture) return;
      const heading = this.headingOf(column);
      const panel = heading ? this.panelOf(column) : undefined;
      picture.replaceChildren(...(heading ? drawPicture(heading) : []));
      cell.toggleAttribute("aria-haspopup", false);
      if (heading) cell.setAttribute("aria-haspopup", "dialog");
      cell.classList.toggle("tta-chosen", Boolean(heading?.chosen));
      line.querySelector(".tta-more")?.remove();
      if (panel) {
        line.append(panel.button);
        panel.button.toggleAttribute("disabled", view.isLost);
      }
    });
    for (const [name, panel] of this.panels) {
      if (view.isLost || !grid.columns.some((column) => column.name === name && this.headingOf(column))) panel.close();
      else panel.refill();
    }
  }

  /** @param {Column} column */
  panelOf(column) {
    const { view, grid, panels } = this;
    const known = panels.get(column.name);
    if (known) return known;
    const label = `values of ${harmless(column.title)}`;
    const panel = new Popover(view.root, label, { class: "tta-icon tta-more", tabindex: "-1", "aria-label": label, title: `${label} (Alt+↓)` },
      (element, close) => this.fillPanel(column, element, close), "▿", grid.element);
    panels.set(column.name, panel);
    return panel;
  }

  /**
   * Writes the values of a column and how many records have each.
   *
   * @param {Column} column
   * @param {HTMLElement} panel
   * @param {() => void} close
   */
  fillPanel(column, panel, close) {
    const heading = this.headingOf(column);
    if (!heading) return;
    /** @param {HeadingBar} bar */
    const choose = (bar) => {
      close();
      this.grid.element.focus();
      this.view.pick(column.name, bar);
    };
    /** @param {HeadingBar} bar */
    const item = (bar) => {
      const content = [h("span", { class: "tta-text", title: harmless(bar.t) }, harmless(bar.t)), h("span", { class: "tta-count" }, describeBar(bar, heading))];
      if (bar.filter === null) return h("li", {}, h("span", { class: "tta-fact" }, content));
      return h("li", {}, h("button", { type: "button", "aria-pressed": String(bar.on), onclick: () => choose(bar) }, content));
    };
    const { bars, others, counted, total } = heading;
    panel.append(h("ul", { tabindex: bars.some((bar) => bar.filter !== null) ? null : "0", role: "list", "aria-label": `values of ${harmless(column.title)}` },
      bars.map(item)));
    if (others) panel.append(h("p", { class: "tta-hint" }, `and ${plural(others, "record")} with other values`));
    if (counted < total) panel.append(h("p", { class: "tta-hint" }, `estimated from ${count(counted)} of ${plural(total, "record")}`));
  }

  /**
   * Opens the panel of a column.
   *
   * @param {Column | undefined} column
   */
  open(column) {
    if (column && this.headingOf(column) && !this.view.isLost) this.panelOf(column).open();
  }

  close() {
    this.panels.forEach((panel) => panel.close());
  }

  // ---- mouse

  /** @param {Element} target that was clicked, inside a heading */
  clicked(target) {
    const heading = /** @type {HTMLElement | null} */ (target.closest(".tta-heading"));
    if (!heading || this.isDragged || this.view.isLost || target.closest(".tta-grip, .tta-more")) return;
    const column = this.grid.columns.find(({ name }) => name === heading.dataset["column"]);
    const bar = target.closest("[data-at]");
    if (!bar || !column) {
      if (!target.closest(".tta-summary")) this.sortBy(column);
      return;
    }
    const chosen = this.headingOf(column)?.bars[Number(bar.getAttribute("data-at"))];
    if (chosen) this.view.pick(column.name, chosen);
  }

  /** @param {Column | undefined} column */
  sortBy(column) {
    if (column?.sortable) this.view.set({ sort: nextSort(column, this.view.state.sort) });
  }

  // ---- widths

  /**
   * @param {PointerEvent} event
   * @param {Column} column
   * @param {HTMLElement} heading
   */
  drag(event, column, heading) {
    event.preventDefault();
    event.stopPropagation();
    const [from, width] = [event.clientX, heading.offsetWidth];
    followPointer(
      (moved) => this.setWidth(column, width + moved.clientX - from),
      () => {
        // Released over a heading, the pointer would click it.
        this.isDragged = true;
        setTimeout(() => {
          this.isDragged = false;
        });
      },
    );
  }

  /**
   * @param {MouseEvent} event
   * @param {Column} column
   */
  fit(event, column) {
    event.stopPropagation();
    this.setWidth(column, fittedWidth(this.grid.widthsOfTexts(column)));
  }

  /**
   * Makes a column wider or narrower by one step.
   *
   * @param {Column | undefined} column
   * @param {1 | -1} direction
   */
  resize(column, direction) {
    if (column) this.setWidth(column, widthOf(column, this.widths) + direction * WIDTH_STEP);
  }

  /**
   * @param {Column} column
   * @param {number} width
   */
  setWidth(column, width) {
    this.widths.set(column.name, allowedWidth(width));
    this.layOut();
  }
}

/**
 * A histogram, or the most frequent values with their shares as bars.
 *
 * @param {Heading} heading
 */
function drawPicture(heading) {
  const isHistogram = heading.kind === "histogram";
  const bars = isHistogram ? heading.bars : heading.bars.slice(0, VALUES_IN_A_HEADING);
  const shares = sharesOf(heading);
  return [h("div", { class: isHistogram ? "tta-bins" : "tta-values" }, bars.map((bar, at) => {
    const fill = h("span", { class: "tta-share" });
    fill.style.setProperty("--tta-share", `${(shares[at] ?? 0) * 100}%`);
    const state = bar.on ? " tta-on" : heading.chosen ? " tta-off" : "";
    return h("div", { class: `${isHistogram ? "tta-bin" : "tta-value"}${state}${bar.filter === null ? "" : " tta-can-filter"}`, "data-at": at, title: `${harmless(bar.t)}: ${describeBar(bar, heading)}` },
      fill, isHistogram ? null : h("span", { class: "tta-text" }, harmless(bar.t)));
  }))];
}
