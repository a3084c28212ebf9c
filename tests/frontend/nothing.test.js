import assert from "node:assert/strict";
import { test } from "node:test";

import { isBlank } from "../../tta_memory_nb/notebook/explorer/frontend/nothing.js";

const NONE = { edges: [], counts: [] };
const SOME = { edges: [1, 2], counts: [3] };
const state = { view: "table", total: 0, loading: false, charts: null };
/** @param {object} histogram of all charts */
const charts = (histogram) => ({ timeline: histogram, sizes: histogram });

test("a view without records is blank, and no other", () => {
  assert.ok(isBlank(state));
  assert.ok(!isBlank({ ...state, total: 1 }));
  assert.ok(!isBlank({ ...state, loading: true }));
});

for (const view of ["timeline", "distributions"]) {
  test(`${view}: blank once it is known that no chart has bars`, () => {
    assert.ok(!isBlank({ ...state, view }));
    assert.ok(!isBlank({ ...state, view, charts: charts(SOME) }));
    assert.ok(isBlank({ ...state, view, charts: charts(NONE) }));
  });
}

test("the views about proposals and cases say themselves what is not there", () => {
  for (const view of ["proposals", "resolve"]) assert.ok(!isBlank({ ...state, view, charts: charts(NONE) }));
});
