// The numbers of the small pictures in the header.

/** @import { Heading, HeadingBar } from "./types.js" */
import { count, plural } from "./format.js";

const LEAST_SHARE = 0.06; // so that a single record is seen beside thousands

/**
 * How long each bar is: of the longest one in a histogram, of all records among values.
 *
 * @param {Heading} heading
 * @returns {number[]} from 0 to 1
 */
export function sharesOf({ kind, bars, counted }) {
  const whole = kind === "histogram" ? Math.max(1, ...bars.map((bar) => bar.n)) : Math.max(1, counted);
  return bars.map(({ n }) => (n ? Math.max(LEAST_SHARE, n / whole) : 0));
}

/**
 * How many records a bar stands for: their number, or their share where not all of them were counted.
 *
 * @param {HeadingBar} bar
 * @param {Heading} heading
 */
export function describeBar({ n }, { counted, total }) {
  if (counted >= total) return plural(n, "record");
  const percent = (100 * n) / Math.max(1, counted);
  if (n && percent < 1) return "less than 1 %";
  return `about ${count(Math.round(percent))} %`;
}
