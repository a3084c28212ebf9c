// Texts of records. They are hostile: control characters are replaced before a text is shown.

/** @import { Span } from "./types.js" */

/** Characters that change the direction of the text around them, with their usual abbreviations. */
const DIRECTION_CONTROLS = new Map([
  [0x200e, "LRM"], [0x200f, "RLM"], [0x202a, "LRE"], [0x202b, "RLE"], [0x202c, "PDF"],
  [0x202d, "LRO"], [0x202e, "RLO"], [0x2066, "LRI"], [0x2067, "RLI"], [0x2068, "FSI"], [0x2069, "PDI"],
]);
// eslint-disable-next-line no-control-regex -- these are the characters that must not reach the page
const UNSAFE = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/**
 * The text with visible symbols in place of its control characters, on one line.
 *
 * @param {string} text
 */
export function harmless(text) {
  return text.replace(UNSAFE, (character) => {
    const code = character.charCodeAt(0);
    const direction = DIRECTION_CONTROLS.get(code);
    if (direction) return `⟨${direction}⟩`;
    if (code < 0x20) return String.fromCodePoint(0x2400 + code);
    return code === 0x7f ? "␡" : "�";
  });
}

/**
 * As `harmless`, but line breaks remain.
 *
 * @param {string} text
 */
export function harmlessLines(text) {
  return text.split("\n").map(harmless).join("\n");
}

/**
 * The text cut where matches begin and end.
 *
 * @param {string} text
 * @param {Span[]} [spans] the matches in their order
 * @returns {{ text: string, isMatch: boolean }[]}
 */
export function segments(text, spans = []) {
  const parts = [];
  let end = 0;
  for (const [start, stop] of spans) {
    parts.push({ text: text.slice(end, start), isMatch: false }, { text: text.slice(start, stop), isMatch: true });
    end = stop;
  }
  parts.push({ text: text.slice(end), isMatch: false });
  return parts.filter((part) => part.text).map((part) => ({ ...part, text: harmless(part.text) }));
}

const MOST_COMPARISONS = 250_000;

/**
 * The difference of two texts, line by line: " " for lines of both, "-" for lines of the first only, "+" for
 * lines of the second only.
 *
 * @param {string} before
 * @param {string} after
 * @returns {[sign: " " | "-" | "+", line: string][] | null} null for texts that are too long: the time is quadratic
 */
export function lineDiff(before, after) {
  const [a, b] = [before.split("\n"), after.split("\n")];
  if (a.length * b.length > MOST_COMPARISONS) return null;
  // The length of the longest common subsequence of a[i..] and b[j..], at i * width + j.
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  /** @type {(i: number, j: number) => number} */
  const common = (i, j) => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i -= 1) {
    for (let j = b.length - 1; j >= 0; j -= 1) {
      longest[i * width + j] = a[i] === b[j] ? common(i + 1, j + 1) + 1 : Math.max(common(i + 1, j), common(i, j + 1));
    }
  }
  /** @type {[" " | "-" | "+", string][]} */
  const lines = [];
  let [i, j] = [0, 0];
  for (;;) {
    const [gone, added] = [a[i], b[j]];
    if (gone === undefined && added === undefined) return lines;
    if (gone !== undefined && gone === added) {
      lines.push([" ", gone]);
      i += 1;
      j += 1;
    } else if (gone !== undefined && (added === undefined || common(i + 1, j) >= common(i, j + 1))) {
      lines.push(["-", gone]);
      i += 1;
    } else {
      lines.push(["+", added ?? ""]);
      j += 1;
    }
  }
}
