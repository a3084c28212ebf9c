import assert from "node:assert/strict";
import { test } from "node:test";
import { HEADINGS, gridMove, isOfInputMethod, rowRange, treeMove } from "../../tta_memory_nb/notebook/explorer/frontend/keyboard.js";

const SIZE = { rows: 100, columns: 3, page: 9 };
const move = (key, row, column, isJump = false, size = SIZE) => {
  const to = gridMove(key, isJump, { row, column }, size);
  return to && [to.row, to.column];
};

test("arrows and pages move by one cell and by one page", () => {
  assert.deepEqual(move("ArrowDown", 5, 1), [6, 1]);
  assert.deepEqual(move("ArrowUp", 5, 1), [4, 1]);
  assert.deepEqual(move("ArrowRight", 5, 1), [5, 2]);
  assert.deepEqual(move("ArrowLeft", 5, 1), [5, 0]);
  assert.deepEqual(move("PageDown", 5, 1), [14, 1]);
  assert.deepEqual(move("PageUp", 50, 1), [41, 1]);
});

test("Home and End go along the row, with Ctrl to the first and last record", () => {
  assert.deepEqual(move("Home", 5, 2), [5, 0]);
  assert.deepEqual(move("End", 5, 0), [5, 3]);
  assert.deepEqual(move("Home", 5, 2, true), [0, 0]);
  assert.deepEqual(move("End", 5, 0, true), [99, 3]);
});

test("nothing moves out of the table, whose top are the headings", () => {
  assert.deepEqual(move("ArrowUp", 0, 1), [HEADINGS, 1]);
  assert.deepEqual(move("ArrowUp", HEADINGS, 1), [HEADINGS, 1]);
  assert.deepEqual(move("PageUp", 3, 1), [HEADINGS, 1]);
  assert.deepEqual(move("ArrowDown", 99, 1), [99, 1]);
  assert.deepEqual(move("ArrowRight", 0, 3), [0, 3]);
  assert.deepEqual(move("ArrowDown", HEADINGS, 0, false, { ...SIZE, rows: 0 }), [0, 0]);
});

test("other keys do not move, not even those named like a property of every object", () => {
  for (const key of ["a", "Enter", "Escape", "constructor", "__proto__"]) assert.equal(move(key, 0, 0), null);
});

test("a range has both its ends, in either direction, and begins at the first record", () => {
  assert.deepEqual(rowRange(3, 5), [3, 6]);
  assert.deepEqual(rowRange(5, 3), [3, 6]);
  assert.deepEqual(rowRange(4, 4), [4, 5]);
  // From the headings downwards. A start of -1 would count from the end of the list.
  assert.deepEqual(rowRange(HEADINGS, 0), [0, 1]);
});

test("arrows walk through a tree, and open and close its branches", () => {
  const place = { here: 4, size: 9, parent: 2 };
  const act = (key, isOpen) => treeMove(key, { ...place, isOpen });
  assert.deepEqual(act("ArrowDown", null), { focus: 5 });
  assert.deepEqual(act("ArrowUp", null), { focus: 3 });
  assert.deepEqual(act("Home", null), { focus: 0 });
  assert.deepEqual(act("End", null), { focus: 8 });
  assert.deepEqual(act("ArrowRight", false), { open: true });
  assert.deepEqual(act("ArrowRight", true), { focus: 5 });
  assert.equal(act("ArrowRight", null), null);
  assert.deepEqual(act("ArrowLeft", true), { open: false });
  assert.deepEqual(act("ArrowLeft", false), { focus: 2 });
  assert.deepEqual(act("ArrowLeft", null), { focus: 2 });
  assert.deepEqual(act("Enter", false), { open: true });
  assert.deepEqual(act(" ", true), { open: false });
  assert.equal(act("x", true), null);
});

test("keys belong to an input method while it composes, and the one that ends a composition in Safari does too", () => {
  assert.ok(isOfInputMethod({ isComposing: true, keyCode: 13 }));
  assert.ok(isOfInputMethod({ isComposing: false, keyCode: 229 }));
  assert.equal(isOfInputMethod({ isComposing: false, keyCode: 13 }), false);
});
