import assert from "node:assert/strict";
import { test } from "node:test";
import { Drafts, isWritten, newDraft, placeOf } from "../../tta_memory_nb/notebook/explorer/frontend/drafts.js";

const EMPTY = { draft: null, conflict: null, question: null };
const written = (text, from = "{}") => ({ ...newDraft(from, "base"), text });

test("what was written is kept until its record is opened again", () => {
  const drafts = new Drafts();
  const draft = written("half an hour of work");
  const conflict = { text: null, base: "" };
  drafts.keep("a", { ...EMPTY, draft, conflict });
  drafts.keep("b", { ...EMPTY, draft: newDraft("{}", "base") });
  assert.deepEqual(drafts.take("b"), EMPTY);
  assert.deepEqual(drafts.take("a"), { ...EMPTY, draft, conflict });
  assert.deepEqual(drafts.take("a"), EMPTY);
});

test("an open question is kept as well", () => {
  const drafts = new Drafts();
  drafts.keep("a", { ...EMPTY, question: { childElementCount: 0 } });
  assert.deepEqual(drafts.take("a"), EMPTY);
  drafts.keep("a", { ...EMPTY, question: { childElementCount: 1 } });
  assert.notEqual(drafts.take("a").question, null);
});

test("a text that takes the place of another leads back to it", () => {
  const first = written("mine");
  assert.ok(isWritten(first));
  const second = newDraft("theirs", "base", first);
  assert.equal(isWritten(second), false);
  assert.equal(second.before, first);
  assert.equal(newDraft("older", "base", second).before, first);
  assert.equal(newDraft("older", "base", newDraft("{}", "base")).before, null);
  const drafts = new Drafts();
  drafts.keep("a", { ...EMPTY, draft: second });
  assert.equal(drafts.take("a").draft, second);
});

test("a draft that has been saved is forgotten, and one that was written on is not", () => {
  const drafts = new Drafts();
  drafts.keep("a", { ...EMPTY, draft: written("saved") });
  drafts.keep("b", { ...EMPTY, draft: written("saved, and more") });
  for (const place of ["a", "b", "c"]) drafts.saved(place, "saved");
  assert.deepEqual(drafts.take("a"), EMPTY);
  assert.equal(drafts.take("b").draft.text, "saved, and more");
});

test("records of the same key in two memories are two records", () => {
  assert.notEqual(placeOf("a", "b:c"), placeOf("a:b", "c"));
});
