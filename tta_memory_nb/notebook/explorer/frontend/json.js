// JSON values without loss: in their order, and with all digits of their numbers.

/** A number that JavaScript would round, as it was written. */
export class ExactNumber {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
  }
}

/** The fields of an object, in their order. An object of JavaScript moves fields that are called by numbers to its front. */
export class Fields {
  /** @param {[name: string, value: unknown][]} entries */
  constructor(entries) {
    this.entries = entries;
  }
}

// A text, a number, a word, or a sign. Spaces before it are skipped.
const TOKEN = /[ \t\n\r]*(?:("[^"\\]*(?:\\.[^"\\]*)*")|(-?[0-9][-+.0-9eE]*)|(true|false|null)|([[\]{}:,]))/y;

/** Reads one JSON text, which JSON.parse accepts. */
class Reader {
  /** @param {string} text */
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  token() {
    TOKEN.lastIndex = this.at;
    const [all, text, number, word, sign] = TOKEN.exec(this.text) ?? [];
    if (all === undefined) throw new SyntaxError(`not JSON at character ${this.at}`);
    this.at += all.length;
    return { text, number, word, sign };
  }

  /**
   * @param {ReturnType<Reader["token"]>} token the first of the value
   * @returns {unknown}
   */
  value({ text, number, word, sign } = this.token()) {
    if (text !== undefined) return JSON.parse(text);
    if (number !== undefined) return String(Number(number)) === number ? Number(number) : new ExactNumber(number);
    if (word !== undefined) return JSON.parse(word);
    if (sign === "[") return this.items("]", (first) => this.value(first));
    return new Fields(this.items("}", (first) => {
      this.token(); // the colon
      return [JSON.parse(first.text ?? '""'), this.value()];
    }));
  }

  /**
   * @template Item
   * @param {string} end
   * @param {(first: ReturnType<Reader["token"]>) => Item} read
   * @returns {Item[]}
   */
  items(end, read) {
    const items = [];
    for (let token = this.token(); token.sign !== end; token = this.token()) items.push(read(token.sign === "," ? this.token() : token));
    return items;
  }
}

/**
 * The value of a JSON text; an object as `Fields`, a number that JavaScript would round as `ExactNumber`.
 *
 * @param {string} text
 * @returns {unknown}
 */
export function parseExactly(text) {
  JSON.parse(text); // refuses what is not JSON
  return new Reader(text).value();
}

/**
 * Why a text cannot be saved as a value.
 *
 * @param {string} text
 * @returns {string} empty when nothing is wrong with it
 */
export function problemOf(text) {
  try {
    const value = JSON.parse(text);
    const isObject = value !== null && typeof value === "object" && !Array.isArray(value);
    return isObject ? "" : "A value is a JSON object: write {...} around it.";
  } catch (error) {
    return `Not JSON yet: ${error instanceof Error ? error.message : String(error)}`;
  }
}
