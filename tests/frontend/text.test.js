import assert from "node:assert/strict";
import { test } from "node:test";
import { harmless, harmlessLines, lineDiff, segments } from "../../tta_memory_nb/notebook/explorer/frontend/text.js";

test("control characters are seen and do nothing", () => {
  assert.equal(harmless("\u001b[31mred\u0007"), "␛[31mred␇");
  assert.equal(harmless("a\u202egnp.exe\u2066"), "a⟨RLO⟩gnp.exe⟨LRI⟩");
  assert.equal(harmless("a\nb\u007f\u0085"), "a␊b␡�");
});

test("no control character is left, whichever it is", () => {
  const codes = [...Array(0x20).keys(), 0x7f, ...Array.from({ length: 0x20 }, (_, at) => 0x80 + at), 0x200e, 0x200f, 0x202a, 0x202e, 0x2066, 0x2069];
  for (const code of codes) assert.doesNotMatch(harmless(`a${String.fromCharCode(code)}b`), /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/u);
});

test("other text stays as it is", () => {
  const text = "Málaga 東京 👩‍👩‍👧 <script>&amp;";
  assert.equal(harmless(text), text);
});

test("lines stay lines where they may", () => {
  assert.equal(harmlessLines("a\r\nb\u0000"), "a␍\nb␀");
});

test("a text is cut where matches begin and end", () => {
  assert.deepEqual(segments("It rains", [[3, 7]]), [{ text: "It ", isMatch: false }, { text: "rain", isMatch: true }, { text: "s", isMatch: false }]);
  assert.deepEqual(segments("rain", [[0, 2], [2, 4]]), [{ text: "ra", isMatch: true }, { text: "in", isMatch: true }]);
  assert.deepEqual(segments("dry"), [{ text: "dry", isMatch: false }]);
  assert.deepEqual(segments(""), []);
});

test("spans count before control characters are replaced", () => {
  assert.deepEqual(segments("\u202eab", [[1, 3]]), [{ text: "⟨RLO⟩", isMatch: false }, { text: "ab", isMatch: true }]);
});

test("a difference keeps the lines of both texts in their order", () => {
  assert.deepEqual(lineDiff("{\n a\n b\n}", "{\n b\n c\n}"), [[" ", "{"], ["-", " a"], [" ", " b"], ["+", " c"], [" ", "}"]]);
  assert.deepEqual(lineDiff("same", "same"), [[" ", "same"]]);
  assert.deepEqual(lineDiff("a", "b"), [["-", "a"], ["+", "b"]]);
  assert.deepEqual(lineDiff("", "\n"), [[" ", ""], ["+", ""]]);
});

test("both texts can be read from their difference", () => {
  const words = ["a", "b", "a", "", "c", "b", "a", "c"];
  for (let seed = 0; seed < 200; seed += 1) {
    const pick = (from) => words.filter((_, at) => (seed >> ((at + from) % 8)) & 1).join("\n");
    const [before, after] = [pick(0), pick(3)];
    const lines = lineDiff(before, after);
    const side = (sign) => lines.filter(([each]) => each !== sign).map(([, line]) => line).join("\n");
    assert.equal(side("+"), before);
    assert.equal(side("-"), after);
  }
});

test("texts of very many lines are not compared", () => {
  assert.equal(lineDiff("\n".repeat(1000), "\n".repeat(1000)), null);
});
