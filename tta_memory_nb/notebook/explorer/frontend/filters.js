// Query, filters and order of a listing.

/** @import { FilterChanges, Filters, Limit, NameCount, Settings, State, StateChange } from "./types.js" */
import { harmless } from "./text.js";

/** @type {{ [Name in keyof Filters]: null }} */
export const NO_FILTERS = { user: null, session: null, prefix: null, since: null, until: null, where: null };

/**
 * The state of a view until the kernel has sent the first one.
 *
 * @returns {State}
 */
export function initialState() {
  return {
    query: "", mode: "keyword", modes: [], filters: { ...NO_FILTERS }, sort: { by: "recency", descending: true }, view: "table",
    live: true, read_only: false, namespace: "", namespaces: [], columns: [], more_fields: 0, automatic: true, total: 0, loading: true, understood: [],
    start: 0, rows: [], selected: 0, status: null, facets: null, charts: null, headings: {}, findings: null, finding: "", proposals: null, cases: null, code: "", undoable: null,
  };
}

/** @type {("query" | "mode" | "filters" | "sort" | "namespace" | "finding")[]} */
const DECIDING = ["query", "mode", "filters", "sort", "namespace", "finding"];

/**
 * Whether settings may change which records are listed, or their order.
 *
 * @param {Settings} settings
 */
export function changesListing(settings) {
  return "pick" in settings || DECIDING.some((name) => name in settings);
}

/**
 * Whether the kernel now lists by another query, filter or order.
 *
 * @param {State} state
 * @param {StateChange} news
 */
export function isAnotherListing(state, news) {
  return DECIDING.some((name) => name in news && JSON.stringify(news[name]) !== JSON.stringify(state[name]));
}

/**
 * What may find more than a query for which there is nothing.
 *
 * @param {Pick<State, "query" | "mode">} state
 */
export function whatToTry({ query, mode }) {
  if (mode !== "keyword") return "Try other words.";
  return /\S\s+\S/u.test(query) ? "This exact text is in no record: try fewer words, or the mode “ranked”, which answers questions." : "Try a part of the word.";
}

/** @param {Pick<State, "query" | "filters">} state */
export function isFiltered({ query, filters }) {
  return query !== "" || Object.values(filters).some((value) => value !== null);
}

/**
 * The filters that are set, as text to show.
 *
 * @param {Filters} filters
 * @returns {{ name: string, text: string }[]}
 */
export function filterTexts(filters) {
  return Object.entries(filters).filter(([, value]) => value !== null && value !== undefined).map(([name, value]) => {
    const shown = typeof value === "string" ? value : value.text;
    return { name, text: harmless(`${name} ${shown}`) };
  });
}

/**
 * Where a limit of time is now.
 *
 * @param {Limit | null} limit
 * @param {number} now Unix seconds
 * @returns {number | null} Unix seconds; null for no limit
 */
export function timeOfLimit(limit, now) {
  return limit && (limit.at ?? now - (limit.back ?? 0));
}

/**
 * The names that contain the typed text.
 *
 * @param {NameCount[]} names
 * @param {string} typed
 */
export function namesContaining(names, typed) {
  const wanted = typed.toLowerCase();
  return names.filter(([name]) => name.toLowerCase().includes(wanted));
}

/** Limits that move with the clock. @type {[label: string, since: string][]} */
export const RECENT_TIMES = [["Last 5 minutes", "5m"], ["Last hour", "1h"], ["Last 24 hours", "24h"], ["Last 7 days", "7d"]];

/**
 * A time as the value of a field for date and time, which is in the time zone of the browser.
 *
 * @param {number | null} seconds Unix seconds
 */
export function fieldOfTime(seconds) {
  if (seconds === null) return "";
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) return "";
  const local = new Date(date.getTime() - date.getTimezoneOffset() * 60_000);
  return Number.isNaN(local.getTime()) ? "" : local.toISOString().slice(0, 16);
}

/**
 * @param {string} field value of a field for date and time
 * @returns {number | null} Unix seconds; null for an empty field
 */
export function timeOfField(field) {
  return field ? new Date(field).getTime() / 1000 : null;
}

/**
 * The limits of time that the user has changed in two fields. A field shows neither seconds nor which of the two
 * hours at the end of summer time is meant, so what was not changed is not read from it.
 *
 * @param {{ since: string, until: string }} before values of the fields when they were opened
 * @param {{ since: string, until: string }} after values now
 * @returns {FilterChanges}
 */
export function changedLimits(before, after) {
  /** @type {FilterChanges} */
  const changes = {};
  if (after.since !== before.since) changes.since = timeOfField(after.since);
  if (after.until !== before.until) changes.until = timeOfField(after.until);
  return changes;
}
