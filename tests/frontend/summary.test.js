import assert from "node:assert/strict";
import { test } from "node:test";
import { describeBar, sharesOf } from "../../tta_memory_nb/notebook/explorer/frontend/summary.js";

const bars = (...counts) => counts.map((n) => ({ t: "text", n, filter: null, on: false }));
const heading = (kind, counts, counted, total = counted) => ({ kind, bars: bars(...counts), others: 0, counted, total, chosen: false });

test("the longest bar of a histogram has all the height", () => {
  assert.deepEqual(sharesOf(heading("histogram", [2, 0, 4], 6)), [0.5, 0, 1]);
});

test("a value has its share of all records as length", () => {
  assert.deepEqual(sharesOf(heading("values", [5, 2], 20)), [0.25, 0.1]);
});

test("a single record is seen beside thousands, and no bars are no special case", () => {
  assert.ok(sharesOf(heading("histogram", [1, 100_000], 100_001))[0] > 0.05);
  assert.deepEqual(sharesOf(heading("histogram", [], 0)), []);
  assert.deepEqual(sharesOf(heading("values", [0], 0)), [0]);
});

test("records are counted where all were looked at, and estimated elsewhere", () => {
  assert.equal(describeBar({ n: 1 }, heading("values", [], 9)), "1 record");
  assert.equal(describeBar({ n: 1234 }, heading("values", [], 5000)), "1,234 records");
  assert.equal(describeBar({ n: 5000 }, heading("values", [], 20_000, 258_145)), "about 25 %");
  assert.equal(describeBar({ n: 5 }, heading("values", [], 20_000, 258_145)), "less than 1 %");
  assert.equal(describeBar({ n: 0 }, heading("values", [], 20_000, 258_145)), "about 0 %");
});
