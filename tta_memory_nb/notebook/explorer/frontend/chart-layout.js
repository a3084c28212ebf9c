// Where the shapes of a chart are.

/** @import { Histogram } from "./types.js" */

/** The size of a chart and its margins, in its own units. */
export const CHART = { width: 720, height: 150, left: 46, right: 10, top: 12, bottom: 24 };
const INNER_WIDTH = CHART.width - CHART.left - CHART.right;
const BASELINE = CHART.height - CHART.bottom;
const LOWEST_BAR = 1.5; // so that a single record is seen beside thousands
const LANE = 99; // of the 100 units that a lane of sessions is wide
const NARROWEST_LANE = 0.8;

/**
 * Bars, horizontal guides and labels of a histogram.
 *
 * @template Edge
 * @param {Histogram<Edge>} histogram
 * @param {number} labels about how many edges are labelled
 */
export function layOutHistogram({ edges, counts }, labels) {
  const most = Math.max(1, ...counts);
  const slot = INNER_WIDTH / Math.max(1, counts.length);
  /** @type {(number: number) => number} */
  const tall = (number) => (number / most) * (BASELINE - CHART.top);
  const step = Math.max(1, Math.ceil(edges.length / labels));
  return {
    guides: [...new Set([0, Math.floor(most / 2), most])].map((number) => ({ number, y: BASELINE - tall(number) })),
    bars: counts.map((number, at) => {
      const height = number ? Math.max(LOWEST_BAR, tall(number)) : 0;
      return { number, x: CHART.left + at * slot + 0.5, y: BASELINE - height, width: Math.max(0.5, slot - 1), height };
    }),
    labels: edges.map((edge, at) => ({
      edge,
      x: CHART.left + at * slot,
      anchor: at === 0 ? "start" : at === edges.length - 1 ? "end" : "middle",
    })).filter((_, at) => at % step === 0),
  };
}

/**
 * The two edges and the number of each bar.
 *
 * @template Edge
 * @param {Histogram<Edge>} histogram
 * @param {(edge: Edge) => string} label
 * @returns {{ range: string, number: number }[]}
 */
export function describeBars({ edges, counts }, label) {
  const names = edges.map(label);
  return counts.map((number, at) => ({ range: `${names[at]} to ${names[at + 1]}`, number }));
}

/** @typedef {[from: number, to: number]} Range */

/** The time axis of a chart, on which a range can be chosen. All times are Unix seconds. */
export class TimeAxis {
  /**
   * @param {number} from
   * @param {number} to
   */
  constructor(from, to) {
    this.from = from;
    this.to = to;
    this.length = Math.max(to - from, 1e-6);
  }

  /** @param {number} seconds */
  #share(seconds) {
    return (seconds - this.from) / this.length;
  }

  /**
   * Where a time is drawn; times beyond the axis at its ends.
   *
   * @param {number} seconds
   */
  xOf(seconds) {
    return CHART.left + Math.max(0, Math.min(1, this.#share(seconds))) * INNER_WIDTH;
  }

  /**
   * The time at a place on the screen.
   *
   * @param {number} x pixels from the left edge of the chart
   * @param {number} width of the chart in pixels
   */
  timeAt(x, width) {
    const inner = ((x / width) * CHART.width - CHART.left) / INNER_WIDTH;
    return this.from + Math.max(0, Math.min(1, inner)) * this.length;
  }

  /**
   * Position and width of the shape that marks a range. The width is 0 for the whole axis.
   *
   * @param {Range} range
   */
  shade([from, to]) {
    const [x, end] = [this.xOf(from), this.xOf(to)];
    const isWhole = from <= this.from && to >= this.to;
    return { x, width: isWhole ? 0 : Math.max(0, end - x) };
  }

  /**
   * Whether a range is wide enough to be intended: a click without a drag is not.
   *
   * @param {Range} range
   */
  isMeant([from, to]) {
    return (to - from) / this.length > 0.005;
  }

  /** @param {number} seconds */
  percentOf(seconds) {
    return Math.round(this.#share(seconds) * 100);
  }

  /** @param {number} percent */
  timeOfPercent(percent) {
    return this.from + (percent / 100) * this.length;
  }

  /**
   * The filters for a range; an end of the axis is no limit.
   *
   * @param {Range} range
   * @returns {{ since: number | null, until: number | null }}
   */
  limits([from, to]) {
    return { since: from <= this.from ? null : from, until: to >= this.to ? null : to };
  }

  /**
   * The bar of a session in its lane.
   *
   * @param {number} first
   * @param {number} last
   */
  lane(first, last) {
    return { x: this.#share(first) * LANE, width: Math.max(NARROWEST_LANE, ((last - first) / this.length) * LANE) };
  }
}

/**
 * Two times in their order.
 *
 * @param {number} a
 * @param {number} b
 * @returns {Range}
 */
export function rangeOf(a, b) {
  return a <= b ? [a, b] : [b, a];
}
