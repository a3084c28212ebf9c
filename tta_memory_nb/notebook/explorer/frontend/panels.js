// The panels of the buttons beside the search: users and sessions, times, namespaces, columns.

/** @import { FilterChanges } from "./types.js" */
/** @import { View } from "./view.js" */
import { chosenColumns, columnsTitled } from "./columns.js";
import { h } from "./dom.js";
import { RECENT_TIMES, changedLimits, fieldOfTime, namesContaining, timeOfLimit } from "./filters.js";
import { count, plural } from "./format.js";
import { harmless } from "./text.js";

/** The fields of `Facets` for users and for sessions. @type {{ user: ["users", "more_users"], session: ["sessions", "more_sessions"] }} */
const FACETS = { user: ["users", "more_users"], session: ["sessions", "more_sessions"] };

/**
 * A field that filters the list below it.
 *
 * @param {string} what the user looks for, with an article
 * @param {() => void} fill writes the list again
 * @param {(typed: string) => void} [accept] called with the text when Enter is pressed
 */
function searchField(what, fill, accept) {
  const field = h("input", { type: "search", placeholder: `Find ${what}`, "aria-label": `find ${what}`, oninput: fill, onkeydown: (event) => {
    if (event.key === "Enter" && field.value) accept?.(field.value);
    if (event.key !== "Escape") event.stopPropagation();
  } });
  return field;
}

/**
 * Users or sessions, with how many records each has.
 *
 * @param {View} view
 * @param {"user" | "session"} name
 * @param {HTMLElement} panel
 * @param {() => void} close
 * @param {boolean} isOpening
 */
export function fillFacet(view, name, panel, close, isOpening) {
  const { facets, filters } = view.state;
  // Opening the panel has the records counted again; the last counts are shown until then.
  if (isOpening || !facets) view.countFacets();
  if (!facets) {
    panel.append(h("p", { class: "tta-hint" }, "Counting…"));
    return;
  }
  /** @param {string | null} value */
  const choose = (value) => {
    close();
    view.filter({ [name]: value });
  };
  const [names, others] = [facets[FACETS[name][0]], facets[FACETS[name][1]]];
  const items = h("ul");
  const fill = () => {
    items.replaceChildren(...namesContaining(names, typed.value).map(([each, size]) => {
      const isChosen = filters[name] === each;
      return h("li", {}, h("button", { type: "button", "aria-pressed": String(isChosen), onclick: () => choose(isChosen ? null : each) },
        h("span", { class: "tta-text", title: harmless(each) }, harmless(each)), h("span", { class: "tta-count" }, count(size))));
    }));
  };
  const typed = searchField(`a ${name}`, fill, choose);
  fill();
  panel.append(typed, items);
  if (others) panel.append(h("p", { class: "tta-hint" }, `and ${count(others)} more: type the whole name, then Enter`));
}

/**
 * Recent times, and a range of dates.
 *
 * @param {View} view
 * @param {HTMLElement} panel
 * @param {() => void} close
 */
export function fillTimes(view, panel, close) {
  const { filters } = view.state;
  /** @param {FilterChanges} changes */
  const choose = (changes) => {
    close();
    if (Object.keys(changes).length) view.filter(changes);
  };
  /** @type {(label: string, value: number | null) => HTMLInputElement} */
  const edge = (label, value) => {
    const input = h("input", { type: "datetime-local", "aria-label": label });
    input.value = fieldOfTime(value);
    return input;
  };
  const now = view.now();
  const since = edge("from", timeOfLimit(filters.since, now));
  const until = edge("to", timeOfLimit(filters.until, now));
  const values = () => ({ since: since.value, until: until.value });
  const before = values();
  panel.append(
    h("ul", {}, RECENT_TIMES.map(([label, recent]) => h("li", {}, h("button", { type: "button", "aria-pressed": String(filters.since?.text === recent && !filters.until), onclick: () => choose({ since: recent, until: null }) }, label))),
      h("li", {}, h("button", { type: "button", onclick: () => choose({ since: null, until: null }) }, "All times"))),
    h("label", {}, "From", since), h("label", {}, "To", until),
    h("button", { type: "button", class: "tta-button tta-primary", onclick: () => choose(changedLimits(before, values())) }, "Apply"),
  );
}

/**
 * @param {View} view
 * @param {HTMLElement} panel
 * @param {() => void} close
 */
export function fillNamespaces(view, panel, close) {
  const { namespace, namespaces } = view.state;
  panel.append(h("ul", {}, namespaces.map((name) => h("li", {}, h("button", { type: "button", "aria-pressed": String(name === namespace), onclick: () => {
    close();
    view.set({ namespace: name });
  } }, harmless(name))))));
}

/**
 * Which columns the table has.
 *
 * @param {View} view
 * @param {HTMLElement} panel
 */
export function fillColumns(view, panel) {
  const { columns, more_fields: more, automatic } = view.state;
  const items = h("ul");
  const fill = () => {
    items.replaceChildren(...columnsTitled(columns, typed.value).map((column) => {
      const box = h("input", { type: "checkbox", onchange: () => {
        view.set({ columns: chosenColumns(view.state.columns, column.name, box.checked) });
      } });
      box.checked = column.shown;
      return h("li", {}, h("label", {}, box, h("span", { class: "tta-text", title: harmless(column.title) }, harmless(column.title))));
    }));
  };
  const typed = searchField("a column", fill);
  fill();
  panel.append(typed, items);
  if (more) panel.append(h("p", { class: "tta-hint" }, `${plural(more, "more field")}: open a record to see them`));
  panel.append(h("button", { type: "button", class: "tta-button", disabled: automatic, onclick: () => view.set({ columns: null }) }, "Automatic"));
}
