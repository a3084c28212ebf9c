import assert from "node:assert/strict";
import { test } from "node:test";
import { ROW_HEIGHT, TALLEST, Viewport } from "../../tta_memory_nb/notebook/explorer/frontend/scrolling.js";

const TEN_ROWS = 11 * ROW_HEIGHT; // ten rows below the headings
const MILLION = 1_000_000;

/** The greatest scroll position that a browser allows. */
function endOf(total) {
  return new Viewport(total, 0, TEN_ROWS).height - (TEN_ROWS - ROW_HEIGHT);
}

test("rows of a short list are where they belong", () => {
  const viewport = new Viewport(1000, 5 * ROW_HEIGHT + 3, TEN_ROWS);
  assert.equal(viewport.rowsInSight, 10);
  assert.equal(viewport.firstRow, 5);
  assert.equal(viewport.height, 1000 * ROW_HEIGHT);
  assert.equal(viewport.topOf(7), 7 * ROW_HEIGHT);
  assert.deepEqual(viewport.drawnRows, [1, 21]);
});

test("an empty list and a list without room are no special cases", () => {
  assert.deepEqual(new Viewport(0, 0, TEN_ROWS).drawnRows, [0, 0]);
  assert.equal(new Viewport(0, 0, TEN_ROWS).missingRows(0, 0), null);
  assert.equal(new Viewport(10, 0, 0).rowsInSight, 1);
});

test("a list that is too long for a browser is scaled", () => {
  const start = new Viewport(MILLION, 0, TEN_ROWS);
  assert.ok(start.isScaled);
  assert.equal(start.height, TALLEST);
  assert.equal(start.firstRow, 0);
  const middle = new Viewport(MILLION, endOf(MILLION) / 2, TEN_ROWS);
  assert.equal(middle.firstRow, (MILLION - 10) / 2);
  const end = new Viewport(MILLION, endOf(MILLION), TEN_ROWS);
  assert.equal(end.firstRow, MILLION - 10);
  assert.equal(end.topOf(MILLION - 1), TALLEST - ROW_HEIGHT);
  assert.equal(end.drawnRows[1], MILLION);
});

test("rows in sight of a scaled list lie below each other", () => {
  for (const share of [0, 0.1, 0.5, 0.999, 1]) {
    const viewport = new Viewport(MILLION, share * endOf(MILLION), TEN_ROWS);
    const first = viewport.topOf(viewport.firstRow);
    assert.ok(Math.abs(first - viewport.scrollTop) < ROW_HEIGHT);
    assert.equal(viewport.topOf(viewport.firstRow + 1), first + ROW_HEIGHT);
  }
});

for (const total of [1000, MILLION]) {
  test(`a row of ${total} is brought into sight, wherever the list is scrolled to`, () => {
    for (const scrollTop of [0, endOf(total) / 3, endOf(total)]) {
      for (const row of [0, 1, 9, 10, 11, Math.floor(total / 3), total - 10, total - 1]) {
        const moved = new Viewport(total, new Viewport(total, scrollTop, TEN_ROWS).scrollTopFor(row), TEN_ROWS);
        assert.ok(row >= moved.firstRow && row < moved.firstRow + moved.rowsInSight, `row ${row} from ${scrollTop}`);
        assert.ok(moved.scrollTop <= endOf(total) + 1e-6);
      }
    }
  });
}

test("a row that is in sight moves nothing", () => {
  const viewport = new Viewport(1000, 100 * ROW_HEIGHT, TEN_ROWS);
  for (const row of [100, 105, 109]) assert.equal(viewport.scrollTopFor(row), viewport.scrollTop);
});

test("rows are asked for when one in sight is not known, with a page around them", () => {
  const viewport = new Viewport(1000, 100 * ROW_HEIGHT, TEN_ROWS);
  assert.equal(viewport.missingRows(100, 11), null);
  assert.deepEqual(viewport.missingRows(0, 60), [90, 121]);
  assert.deepEqual(viewport.missingRows(101, 60), [90, 121]);
  assert.deepEqual(new Viewport(1000, 0, TEN_ROWS).missingRows(0, 5), [0, 21]);
});
