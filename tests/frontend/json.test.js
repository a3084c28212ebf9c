import assert from "node:assert/strict";
import { test } from "node:test";
import { ExactNumber, isObject, parseExactly, problemOf } from "../../tta_memory_nb/notebook/explorer/frontend/json.js";

test("numbers that JavaScript would round keep their digits", () => {
  const value = parseExactly('{"big": 9007199254740993, "small": 7, "list": [1e2, 0.1]}');
  assert.deepEqual(value.big, new ExactNumber("9007199254740993"));
  assert.equal(value.small, 7);
  assert.deepEqual(value.list, [new ExactNumber("1e2"), 0.1]);
});

test("a field named like a property of every object is a field", () => {
  const value = parseExactly('{"__proto__": {"polluted": true}}');
  assert.deepEqual(Object.keys(value), ["__proto__"]);
  assert.equal({}.polluted, undefined);
});

test("only JSON objects are values of records", () => {
  assert.deepEqual(["{}", "[]", "null", "1", '"text"'].map((text) => isObject(JSON.parse(text))), [true, false, false, false, false]);
  assert.equal(isObject(new ExactNumber("1")), false);
});

test("an editor says why its text cannot be saved", () => {
  assert.equal(problemOf('{"text": "It rains"}'), "");
  assert.equal(problemOf("[]"), "A value is a JSON object: write {...} around it.");
  assert.match(problemOf('{"text": '), /^Not JSON yet: ./);
});
