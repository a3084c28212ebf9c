import assert from "node:assert/strict";
import { test } from "node:test";

import { stillCurrent } from "../../tta_memory_nb/notebook/explorer/frontend/proposals.js";

test("the focus stays on a proposal that is still there", () => {
  assert.equal(stillCurrent(["a", "b", "c"], ["b", "c", "d"], "c"), "c");
});

test("the next proposal takes the place of one that was decided", () => {
  assert.equal(stillCurrent(["a", "b", "c"], ["a", "c"], "b"), "c");
  assert.equal(stillCurrent(["a", "b", "c", "d"], ["a", "d"], "b"), "d");
});

test("behind the last one, the focus goes back", () => {
  assert.equal(stillCurrent(["a", "b"], ["a"], "b"), "a");
  assert.equal(stillCurrent(["a"], [], "a"), "");
});
