import assert from "node:assert/strict";
import { test } from "node:test";
import { sums } from "../../tta_memory_nb/notebook/explorer/frontend/ranking.js";

test("parts of a score are summed by signal, with each word once", () => {
  const parts = [
    { signal: "words", amount: 1, t: "moved", near: null },
    { signal: "around", amount: 0.25, t: "Lyon", near: "chat:march" },
    { signal: "words", amount: 0.5, t: "flat", near: null },
    { signal: "words", amount: 0.25, t: "flat", near: null },
    { signal: "when", amount: 0.125, t: "", near: null },
  ];
  assert.deepEqual(sums(parts), [
    { signal: "words", amount: 1.75, words: ["moved", "flat"] },
    { signal: "around", amount: 0.25, words: ["Lyon (in chat:march)"] },
    { signal: "when", amount: 0.125, words: [] },
  ]);
});

test("a record that is not ranked has no parts", () => {
  assert.deepEqual(sums([]), []);
});
