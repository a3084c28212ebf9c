// Query, filters and order of a listing.

/** @import { Filters, NameCount, Settings, State, StateChange } from "./types.js" */
import { iso } from "./format.js";
import { harmless } from "./text.js";

/** @type {Filters} */
const NO_FILTERS = { user: null, session: null, prefix: null, since: null, until: null, where: null };

/**
 * The state of a view until the kernel has sent the first one.
 *
 * @returns {State}
 */
export function initialState() {
  return {
    query: "", mode: "keyword", modes: [], filters: { ...NO_FILTERS }, sort: { by: "recency", descending: true }, view: "table",
    live: true, read_only: false, namespace: "", namespaces: [], columns: [], more_fields: 0, automatic: true, total: 0, loading: true,
    start: 0, rows: [], selected: 0, status: null, facets: null, charts: null, undoable: null,
  };
}

/** @type {("query" | "mode" | "filters" | "sort" | "namespace")[]} */
const DECIDING = ["query", "mode", "filters", "sort", "namespace"];

/**
 * Whether settings may change which records are listed, or their order.
 *
 * @param {Settings} settings
 */
export function changesListing(settings) {
  return DECIDING.some((name) => name in settings);
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
    const isTime = typeof value === "number";
    const shown = isTime ? iso(value) : typeof value === "string" ? value : JSON.stringify(value);
    return { name, text: harmless(`${name} ${shown}`) };
  });
}

/**
 * The filters for a choice in a list of users or sessions. Another user has other sessions.
 *
 * @param {"user" | "session"} name
 * @param {string | null} value null for all
 * @returns {Partial<Filters>}
 */
export function facetFilter(name, value) {
  return name === "user" ? { user: value, session: null } : { session: value };
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

/** @type {[label: string, seconds: number][]} */
export const RECENT_TIMES = [["Last 5 minutes", 300], ["Last hour", 3600], ["Last 24 hours", 86_400], ["Last 7 days", 604_800]];

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
