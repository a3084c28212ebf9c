import assert from "node:assert/strict";
import { test } from "node:test";

import { isPlanned, preview } from "../../tta_memory_nb/notebook/explorer/frontend/resolve.js";

test("the preview says how many records become how many, before anything is written", () => {
  assert.equal(preview({ before: 412, after: 96, decided: 96, count: 100 }), "412 records become 96; 96 of 100 cases decided. Nothing is changed yet.");
  assert.equal(preview({ before: 2, after: 2, decided: 1, count: 1 }), "2 records stay side by side; 1 of 1 case decided. Nothing is changed yet.");
  assert.equal(preview({ before: 0, after: 0, decided: 0, count: 3 }), "Nothing is planned yet.");
});

test("the preview names the key of the record that the pair in view becomes", () => {
  /** @type {import("../../tta_memory_nb/notebook/explorer/frontend/types.js").Case} */
  const pair = {
    id: "", why: "", records: [], more_records: 0, old: { key: "a:1", at: 0, expires: null }, new: { key: "a:\u202e2", at: 1, expires: null }, right: 1, is_newest: true, changed: false,
    choice: { what: "merge", said: "merge into new", place: 1, into: { place: 1, key: "a:\u202e2" } }, fields: [], more_fields: 0,
  };
  assert.equal(preview({ before: 2, after: 1, decided: 1, count: 1, case: pair }), "2 records become 1; 1 of 1 case decided. The merged record will have the key a:⟨RLO⟩2. Nothing is changed yet.");
  assert.equal(preview({ before: 2, after: 1, decided: 1, count: 2, case: { ...pair, choice: null } }), "2 records become 1; 1 of 2 cases decided. Nothing is changed yet.");
});

test("a choice is planned if the same record stays", () => {
  /** @type {(what: "keep" | "both" | "merge", place?: number) => { what: "keep" | "both" | "merge", said: string, place: number }} */
  const choice = (what, place = 1) => ({ what, said: "", place, into: null });
  assert.equal(isPlanned(null, "keep", 0), false);
  assert.equal(isPlanned(choice("keep", 0), "keep", 0), true);
  assert.equal(isPlanned(choice("keep", 1), "keep", 0), false);
  assert.equal(isPlanned(choice("merge"), "merge", null), true);
  assert.equal(isPlanned(choice("merge"), "both", null), false);
});
