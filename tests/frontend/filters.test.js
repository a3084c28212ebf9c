import assert from "node:assert/strict";
import { test } from "node:test";
import { RECENT_TIMES, changedLimits, changesListing, fieldOfTime, filterTexts, initialState, isAnotherListing, isFiltered, namesContaining, timeOfField, timeOfLimit, whatToTry } from "../../tta_memory_nb/notebook/explorer/frontend/filters.js";

const state = (changes) => ({ ...initialState(), ...changes });
const filters = (changes) => ({ ...initialState().filters, ...changes });

test("two views do not share their first state", () => {
  initialState().filters.user = "ann";
  assert.equal(initialState().filters.user, null);
});

test("a first state is not filtered, and has no chips", () => {
  assert.equal(isFiltered(initialState()), false);
  assert.deepEqual(filterTexts(initialState().filters), []);
});

test("a query and each filter filter", () => {
  assert.ok(isFiltered(state({ query: "rain" })));
  assert.ok(isFiltered(state({ filters: filters({ since: { text: "1h", at: null, back: 3600 } }) })));
  assert.ok(isFiltered(state({ filters: filters({ where: "{}" }) })));
});

test("filters are shown as the kernel has written them, hostile names harmless", () => {
  const since = { text: "1970-01-01 00:00:00Z", at: 0, back: null };
  assert.deepEqual(filterTexts(filters({ user: "ann\u202e", since, where: '{"id": 9007199254740993}' })), [
    { name: "user", text: "user ann⟨RLO⟩" },
    { name: "since", text: "since 1970-01-01 00:00:00Z" },
    { name: "where", text: 'where {"id": 9007199254740993}' },
  ]);
});

test("a limit that counts back from now moves with the clock", () => {
  assert.equal(timeOfLimit(null, 1000), null);
  assert.equal(timeOfLimit({ text: "1970-01-01 00:00:00Z", at: 0, back: null }, 1000), 0);
  assert.equal(timeOfLimit({ text: "1m", at: null, back: 60 }, 1000), 940);
  assert.equal(timeOfLimit({ text: "1m", at: null, back: 60 }, 1010), 950);
  for (const [, since] of RECENT_TIMES) assert.match(since, /^\d+[mhd]$/);
});

test("of two times only those that were changed are filters", () => {
  const [early, late] = ["2026-10-25T02:30", "2026-11-01T00:00"];
  assert.deepEqual(changedLimits({ since: early, until: late }, { since: early, until: late }), {});
  assert.deepEqual(changedLimits({ since: early, until: late }, { since: early, until: "" }), { until: null });
  assert.deepEqual(changedLimits({ since: "", until: late }, { since: early, until: late }), { since: timeOfField(early) });
});

test("settings that list other records are distinguished from those that only change the view", () => {
  for (const settings of [{ query: "" }, { mode: "keyword" }, { filters: {} }, { sort: { by: "key", descending: false } }, { namespace: "n" }]) assert.ok(changesListing(settings));
  for (const settings of [{ window: [0, 60] }, { columns: null }, { view: "table" }, { live: true }]) assert.equal(changesListing(settings), false);
});

test("a listing is another one only if a value has changed", () => {
  const before = state({ query: "rain", sort: { by: "key", descending: false } });
  assert.equal(isAnotherListing(before, { now: 0, query: "rain", sort: { by: "key", descending: false }, total: 5 }), false);
  assert.ok(isAnotherListing(before, { now: 0, query: "sun" }));
  assert.ok(isAnotherListing(before, { now: 0, sort: { by: "key", descending: true } }));
});

test("names are found by a piece of them, in any case", () => {
  const names = [["Ann", 2], ["Bob", 1], ["joann", 7]];
  assert.deepEqual(namesContaining(names, "ANN"), [["Ann", 2], ["joann", 7]]);
  assert.deepEqual(namesContaining(names, ""), names);
});

test("a time survives the field that shows it, in the time zone of the browser", () => {
  assert.equal(timeOfField(""), null);
  assert.equal(fieldOfTime(null), "");
  assert.equal(fieldOfTime(1e300), "");
  const minute = 60;
  for (const seconds of [0, 1_764_478_560, 1_751_000_000 - (1_751_000_000 % minute)]) assert.equal(timeOfField(fieldOfTime(seconds)), seconds);
});

test("a time in summer is shown in summer time, even in winter", { concurrency: false }, () => {
  const zone = process.env.TZ;
  try {
    process.env.TZ = "Europe/Madrid";
    assert.equal(fieldOfTime(Date.UTC(2026, 6, 1, 10) / 1000), "2026-07-01T12:00");
    assert.equal(fieldOfTime(Date.UTC(2026, 0, 1, 10) / 1000), "2026-01-01T11:00");
  } finally {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  }
});

test("where a search has found nothing, it says what may find more in its mode", () => {
  assert.match(whatToTry(state({ query: "where did Ana move" })), /the mode “ranked”/u);
  assert.equal(whatToTry(state({ query: " move " })), "Try a part of the word.");
  assert.equal(whatToTry(state({ query: "where did Ana move", mode: "ranked" })), "Try other words.");
});
