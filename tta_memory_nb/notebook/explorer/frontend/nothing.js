// What stands in place of records where there are none: why, and what to try.

/** @import { State } from "./types.js" */
/** @import { View } from "./view.js" */
import { h } from "./dom.js";
import { NO_FILTERS, isFiltered, whatToTry } from "./filters.js";
import { harmless } from "./text.js";

/**
 * Whether the view that is shown has nothing to show.
 *
 * The charts leave out the filters for time, so that they may have bars where no record passes these.
 *
 * @param {Pick<State, "view" | "total" | "loading" | "charts">} state
 */
export function isBlank({ view, total, loading, charts }) {
  if (total || loading) return false;
  if (view === "table") return true;
  if (view === "timeline") return charts !== null && !charts.timeline.counts.length;
  if (view === "distributions") return charts !== null && !charts.sizes.counts.length;
  return false; // the other views say themselves what is not there
}

export class Nothing {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    this.element = h("div", { class: "tta-empty", hidden: true });
  }

  draw() {
    const { state } = this.view;
    this.element.hidden = !isBlank(state);
    this.element.replaceChildren(...(this.element.hidden ? [] : isFiltered(state) ? this.describe() :
      [h("p", {}, "This memory is empty. ", h("code", {}, "%memory add KEY text"), " adds a first record.")]));
  }

  /** Why no record passes the search and the filters. */
  describe() {
    const { view } = this;
    const { state } = view;
    const isLimited = isFiltered({ query: "", filters: state.filters });
    /** @type {(name: string, label: string, act: () => void) => HTMLElement} */
    const button = (name, label, act) => h("button", { type: "button", class: "tta-button", "data-do": name, onclick: () => {
      act();
      view.grid.element.focus();
    } }, label);
    const why = !state.query ? "No record passes the filters."
      : isLimited ? `No record that passes the filters matches “${harmless(state.query)}”.`
        : `Nothing matches “${harmless(state.query)}”. ${whatToTry(state)}`;
    return [
      h("p", {}, why),
      h("p", {}, state.query && isLimited ? button("clear-filters", "Search without the filters", () => view.filter({ ...NO_FILTERS })) : null, " ",
        button("clear", "Show all records", () => view.clearAll())),
    ];
  }
}
