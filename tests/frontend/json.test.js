import assert from "node:assert/strict";
import { test } from "node:test";
import { ExactNumber, Fields, parseExactly, problemOf } from "../../tta_memory_nb/notebook/explorer/frontend/json.js";

test("numbers that JavaScript would round keep their digits", () => {
  const { entries } = parseExactly('{"big": 9007199254740993, "small": 7, "list": [1e2, 0.1, -0]}');
  assert.deepEqual(entries, [
    ["big", new ExactNumber("9007199254740993")], ["small", 7], ["list", [new ExactNumber("1e2"), 0.1, new ExactNumber("-0")]],
  ]);
});

test("a field named like a property of every object is a field", () => {
  const { entries } = parseExactly('{"__proto__": {"polluted": true}}');
  assert.deepEqual(entries, [["__proto__", new Fields([["polluted", true]])]]);
  assert.equal({}.polluted, undefined);
});

test("fields stay in the order in which they are written, whatever they are called", () => {
  const names = ["10", "9", "b", "a", "1", "-1", "01", "", "é", "4294967295"];
  const text = `{${names.map((name) => `${JSON.stringify(name)}:{"2":0,"1":[{"7":0,"3":0}]}`).join(",")}}`;
  const { entries } = parseExactly(text);
  assert.deepEqual(entries.map(([name]) => name), names);
  for (const [, inner] of entries) {
    assert.deepEqual(inner.entries.map(([name]) => name), ["2", "1"]);
    assert.deepEqual(inner.entries[1][1][0].entries.map(([name]) => name), ["7", "3"]);
  }
});

test("every JSON text is read as JSON.parse reads it", () => {
  const plain = (value) => {
    if (value instanceof ExactNumber) return Number(value.text);
    if (value instanceof Fields) return Object.fromEntries(value.entries.map(([name, child]) => [name, plain(child)]));
    return Array.isArray(value) ? value.map(plain) : value;
  };
  for (const text of [
    "{}", "[]", "[[],{}]", ' {\n "a" :\t[ 1 , 2.5e-3 , true , false , null ] } ', '"\\"\\\\ \\u00e9 \\ud83d\\ude00, ]}"', '{"a\\"b": "{", "c": {"d": []}}', "-0.5", "null",
    JSON.stringify("x".repeat(1_000_000)), JSON.stringify("\\".repeat(200_000)),
  ]) assert.deepEqual(plain(parseExactly(text)), JSON.parse(text));
});

test("what is not JSON is refused", () => {
  for (const text of ["", "{", '{"a" 1}', "[1 2]", "[,1]", "01", '"\n"', "{'a': 1}", "nul", "[1] 2"]) assert.throws(() => parseExactly(text), SyntaxError);
});

test("a value that is nested too deeply for this browser is an error, and no crash", () => {
  assert.throws(() => parseExactly("[".repeat(200_000)));
});

test("an editor says why its text cannot be saved", () => {
  assert.equal(problemOf('{"text": "It rains"}'), "");
  assert.equal(problemOf("[]"), "A value is a JSON object: write {...} around it.");
  assert.match(problemOf('{"text": '), /^Not JSON yet: ./);
});
