import assert from "node:assert/strict";
import { test } from "node:test";
import { CHECKBOX_WIDTH, allowedWidth, chosenColumns, columnsTitled, fittedWidth, layOutColumns, nextSort, widthOf } from "../../tta_memory_nb/notebook/explorer/frontend/columns.js";

const column = (name, kind, shown = true) => ({ name, kind, title: name, sortable: true, shown });
const KEY = column("key", "key");
const TEXT = column("text", "text");
const MAIN = column("said", "main");
const TURN = column("turn", "number");
const UPDATED = column("updated", "time");

test("a column has the width of its kind, or the one that was chosen", () => {
  assert.equal(widthOf(KEY, new Map()), 190);
  assert.equal(widthOf(KEY, new Map([["key", 77]])), 77);
});

test("spare room goes to the texts", () => {
  const { sizes, total } = layOutColumns([KEY, TEXT, TURN], new Map(), 1000);
  assert.deepEqual(sizes, [190, 1000 - CHECKBOX_WIDTH - 190 - 90, 90]);
  assert.equal(total, 1000);
});

test("the field that says what a record is about takes all the room that is left", () => {
  const { sizes } = layOutColumns([KEY, MAIN, TEXT], new Map(), CHECKBOX_WIDTH + 1000);
  assert.deepEqual(sizes, [190, 640, 170]);
  assert.deepEqual(layOutColumns([MAIN, TEXT], new Map([["said", 100]]), CHECKBOX_WIDTH + 600).sizes, [100, 500]);
});

test("several texts share the room, except those whose width was chosen", () => {
  const other = column("other", "text");
  assert.deepEqual(layOutColumns([TEXT, other], new Map(), CHECKBOX_WIDTH + 600).sizes, [300, 300]);
  assert.deepEqual(layOutColumns([TEXT, other], new Map([["text", 100]]), CHECKBOX_WIDTH + 600).sizes, [100, 500]);
});

test("without texts the last column takes the room", () => {
  assert.deepEqual(layOutColumns([KEY, TURN], new Map(), CHECKBOX_WIDTH + 400).sizes, [190, 210]);
});

test("where there is no room the table is wider than the widget", () => {
  const { sizes, total } = layOutColumns([KEY, TEXT], new Map(), 100);
  assert.deepEqual(sizes, [190, 170]);
  assert.equal(total, CHECKBOX_WIDTH + 360);
});

test("in a narrow table the key makes room for what the records say", () => {
  const sizes = (available, chosen = new Map()) => layOutColumns([KEY, MAIN, TURN], chosen, CHECKBOX_WIDTH + available).sizes;
  assert.deepEqual(sizes(470), [190, 280, 90]);
  assert.deepEqual(sizes(400), [120, 280, 90]);
  assert.deepEqual(sizes(300), [84, 216, 90]);
  assert.deepEqual(sizes(100), [84, 200, 90]);
  assert.deepEqual(sizes(400, new Map([["key", 190]])), [190, 210, 90]);
  assert.deepEqual(sizes(-CHECKBOX_WIDTH), [190, 280, 90]);
});

test("a table without columns has a width as well", () => {
  assert.deepEqual(layOutColumns([], new Map(), 500), { sizes: [], total: CHECKBOX_WIDTH });
});

test("widths have bounds", () => {
  assert.equal(allowedWidth(-20), 48);
  assert.equal(fittedWidth([]), 48);
  assert.equal(fittedWidth([100, 300]), 322);
  assert.equal(fittedWidth([50_000]), 900);
});

test("a heading is clicked through its two directions and the memory's own order", () => {
  const clicks = (clicked) => {
    let sort = { by: "recency", descending: true };
    return [1, 2, 3].map(() => (sort = nextSort(clicked, sort)));
  };
  const own = { by: "recency", descending: true };
  assert.deepEqual(clicks(TURN), [{ by: "turn", descending: true }, { by: "turn", descending: false }, own]);
  assert.deepEqual(clicks(TEXT), [{ by: "text", descending: false }, { by: "text", descending: true }, own]);
  assert.deepEqual(nextSort(TEXT, { by: "turn", descending: true }), { by: "text", descending: false });
});

test("columns are switched on at the end and off in place; the key is not among them", () => {
  const columns = [KEY, TEXT, UPDATED, column("size", "number", false)];
  assert.deepEqual(chosenColumns(columns, "size", true), ["text", "updated", "size"]);
  assert.deepEqual(chosenColumns(columns, "text", false), ["updated"]);
});

test("columns are found by a piece of their titles", () => {
  assert.deepEqual(columnsTitled([KEY, TEXT, UPDATED], "TE"), [TEXT, UPDATED]);
  assert.deepEqual(columnsTitled([KEY, TEXT], ""), [TEXT]);
});
