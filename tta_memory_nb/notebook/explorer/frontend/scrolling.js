// The arithmetic of a list that is too long to be drawn as a whole.

export const ROW_HEIGHT = 28; // pixels, as in widget.css

/**
 * Pixels. Browsers place nothing beyond some 17 million; in a longer list the scroll position is a share of
 * the rows, and no longer a number of pixels.
 */
export const TALLEST = 8_000_000;

/** Rows that are drawn above and below those in sight. */
const DRAWN_ABOVE = 4;
const DRAWN_BELOW = 6;

/** What is in sight of a list below a row of headings. */
export class Viewport {
  /**
   * @param {number} total how many rows the list has
   * @param {number} scrollTop in pixels
   * @param {number} clientHeight of the list and its headings, in pixels
   * @param {number} headHeight of the headings, in pixels
   */
  constructor(total, scrollTop, clientHeight, headHeight = ROW_HEIGHT) {
    this.total = total;
    this.scrollTop = scrollTop;
    /** Of the rows in sight, in pixels. */
    this.bodyHeight = clientHeight - headHeight;
    this.rowsInSight = Math.max(1, Math.floor(this.bodyHeight / ROW_HEIGHT));
    /** Whether the list is longer than a browser can show. */
    this.isScaled = total * ROW_HEIGHT > TALLEST;
    /** Of all rows, in pixels. */
    this.height = Math.min(total * ROW_HEIGHT, TALLEST);
    this.firstRow = this.isScaled ? Math.min(this.#lastFirstRow, Math.round((scrollTop / this.#range) * this.#lastFirstRow)) : Math.floor(scrollTop / ROW_HEIGHT);
  }

  /** The greatest scroll position of a list that is scaled. */
  get #range() {
    return Math.max(1, this.height - this.bodyHeight);
  }

  /** The first row in sight when the list is scrolled to its end. */
  get #lastFirstRow() {
    return this.total - this.rowsInSight;
  }

  /**
   * Where a row is drawn.
   *
   * @param {number} row
   * @returns {number} pixels below the headings
   */
  topOf(row) {
    if (!this.isScaled) return row * ROW_HEIGHT;
    return Math.min(this.scrollTop, this.height - this.rowsInSight * ROW_HEIGHT) + (row - this.firstRow) * ROW_HEIGHT;
  }

  /**
   * The scroll position at which a row is in sight; the present one if that row is in sight already.
   *
   * @param {number} row
   */
  scrollTopFor(row) {
    if (this.isScaled) {
      const isAbove = row < this.firstRow;
      if (!isAbove && row < this.firstRow + this.rowsInSight) return this.scrollTop;
      const first = Math.max(0, row - (isAbove ? 0 : this.rowsInSight - 1));
      return (first / this.#lastFirstRow) * this.#range;
    }
    const top = row * ROW_HEIGHT;
    if (top < this.scrollTop) return top;
    return Math.max(this.scrollTop, top + ROW_HEIGHT - this.bodyHeight);
  }

  /**
   * The rows to draw.
   *
   * @returns {[start: number, stop: number]}
   */
  get drawnRows() {
    const start = Math.max(0, this.firstRow - DRAWN_ABOVE);
    return [start, Math.min(this.total, start + this.rowsInSight + DRAWN_ABOVE + DRAWN_BELOW)];
  }

  /**
   * The rows to ask the kernel for: those in sight, and as many above and below.
   *
   * @param {number} start the first row that is known
   * @param {number} size how many rows are known
   * @returns {[start: number, stop: number] | null} null if all rows in sight are known
   */
  missingRows(start, size) {
    const [first, stop] = [this.firstRow, Math.min(this.firstRow + this.rowsInSight + 1, this.total)];
    if (first >= start && stop <= start + size) return null;
    return [Math.max(0, first - this.rowsInSight), stop + this.rowsInSight];
  }
}
