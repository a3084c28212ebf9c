import assert from "node:assert/strict";
import { test } from "node:test";
import { CHART, TimeAxis, describeBars, layOutHistogram, rangeOf } from "../../tta_memory_nb/notebook/explorer/frontend/chart-layout.js";

const INNER = CHART.width - CHART.left - CHART.right;

test("all bars begin at the baseline, and the highest reaches the top", () => {
  const { bars, guides } = layOutHistogram({ edges: [0, 1, 2, 3], counts: [0, 10, 5] }, 5);
  assert.deepEqual(bars.map(({ y, height }) => y + height), Array(3).fill(CHART.height - CHART.bottom));
  assert.equal(bars[0].height, 0);
  assert.equal(bars[1].y, CHART.top);
  assert.equal(bars[2].height * 2, bars[1].height);
  assert.deepEqual(guides.map(({ number }) => number), [0, 5, 10]);
});

test("a single record is seen beside very many", () => {
  const { bars } = layOutHistogram({ edges: [0, 1, 2], counts: [1, 1_000_000] }, 5);
  assert.equal(bars[0].height, 1.5);
});

test("no guide is drawn twice", () => {
  assert.deepEqual(layOutHistogram({ edges: [0, 1], counts: [1] }, 5).guides.map(({ number }) => number), [0, 1]);
});

test("labels are few, and the outer ones stay inside", () => {
  const edges = Array.from({ length: 41 }, (_, at) => at);
  const { labels } = layOutHistogram({ edges, counts: Array(40).fill(1) }, 5);
  assert.deepEqual(labels.map(({ edge }) => edge), [0, 9, 18, 27, 36]);
  assert.equal(labels[0].anchor, "start");
  const all = layOutHistogram({ edges: [0, 1, 2], counts: [1, 1] }, 12).labels;
  assert.deepEqual(all.map(({ anchor }) => anchor), ["start", "middle", "end"]);
  assert.equal(all[2].x, CHART.width - CHART.right);
});

test("each bar is described by its edges, the last of which may lie at infinity", () => {
  const described = describeBars({ edges: [0, 60, null], counts: [3, 4] }, (edge) => edge?.toString() ?? "longer");
  assert.deepEqual(described, [{ range: "0 to 60", number: 3 }, { range: "60 to longer", number: 4 }]);
});

test("times and places on the axis belong together", () => {
  const axis = new TimeAxis(1000, 3000);
  assert.equal(axis.xOf(1000), CHART.left);
  assert.equal(axis.xOf(3000), CHART.width - CHART.right);
  assert.equal(axis.xOf(-5), CHART.left);
  assert.equal(axis.timeAt(axis.xOf(2000), CHART.width), 2000);
  assert.equal(axis.timeAt(axis.xOf(2000) / 2, CHART.width / 2), 2000);
  assert.equal(axis.timeAt(0, CHART.width), 1000);
  assert.equal(axis.timeOfPercent(axis.percentOf(1500)), 1500);
});

test("a range is marked unless it is the whole axis", () => {
  const axis = new TimeAxis(0, 100);
  assert.deepEqual(axis.shade([0, 100]).width, 0);
  assert.deepEqual(axis.shade([0, 50]), { x: CHART.left, width: INNER / 2 });
  assert.equal(axis.shade([200, 300]).width, 0);
});

test("a click chooses nothing, and an end of the axis is no limit", () => {
  const axis = new TimeAxis(0, 100);
  assert.equal(axis.isMeant([5, 5.4]), false);
  assert.ok(axis.isMeant([5, 6]));
  assert.deepEqual(axis.limits([0, 40]), { since: null, until: 40 });
  assert.deepEqual(axis.limits([10, 100]), { since: 10, until: null });
});

test("an axis of no length divides by nothing", () => {
  const axis = new TimeAxis(5, 5);
  assert.equal(axis.xOf(5), CHART.left);
  assert.deepEqual(axis.lane(5, 5), { x: 0, width: 0.8 });
});

test("a range is in order, however it was drawn", () => {
  assert.deepEqual(rangeOf(5, 3), [3, 5]);
  assert.deepEqual(rangeOf(3, 5), [3, 5]);
});
