// The timeline, and the distributions of sizes and times to live.

/** @import { Charts, Child, Histogram, Limit, State } from "./types.js" */
/** @import { View } from "./view.js" */
import { CHART, TimeAxis, describeBars, layOutHistogram, rangeOf } from "./chart-layout.js";
import { followPointer, h, svg } from "./dom.js";
import { timeOfLimit } from "./filters.js";
import { axisTime, bytes, count, iso, plural, shortKey, timeToLive } from "./format.js";
import { harmless } from "./text.js";

const LABELS_OF_TIMES = 5;
const LABELS_OF_SIZES = 12;

/** @param {number[]} numbers */
function sum(numbers) {
  return numbers.reduce((total, number) => total + number, 0);
}

/**
 * A histogram as a picture.
 *
 * @template Edge
 * @param {Histogram<Edge>} histogram
 * @param {string} summary of the picture in words
 * @param {(edge: Edge) => string} label
 * @param {number} labels about how many edges are labelled
 */
function drawHistogram(histogram, summary, label, labels) {
  const { width, height, left, right } = CHART;
  const layout = layOutHistogram(histogram, labels);
  const names = describeBars(histogram, label);
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": summary, class: "tta-chart" },
    layout.guides.map(({ number, y }) => [
      svg("line", { x1: left, x2: width - right, y1: y, y2: y, class: "tta-guide" }),
      svg("text", { x: left - 6, y: y + 4, "text-anchor": "end" }, count(number)),
    ]),
    layout.bars.map((bar, at) =>
      svg("rect", { x: bar.x, y: bar.y, width: bar.width, height: bar.height, class: "tta-bar" }, svg("title", {}, `${names[at]?.range}: ${count(bar.number)}`))),
    layout.labels.map(({ edge, x, anchor }) => svg("text", { x, y: height - 6, "text-anchor": anchor }, label(edge))));
}

/**
 * The same numbers as a table, for screen readers.
 *
 * @template Edge
 * @param {string} caption
 * @param {Histogram<Edge>} histogram
 * @param {(edge: Edge) => string} label
 */
function drawTable(caption, histogram, label) {
  return h("table", { class: "tta-hidden" }, h("caption", {}, caption), h("tbody", {}, describeBars(histogram, label).map(({ range, number }) =>
    h("tr", {}, h("th", { scope: "row" }, range), h("td", {}, count(number))))));
}

export class ChartPanel {
  /** @param {View} view */
  constructor(view) {
    this.view = view;
    /** @type {string | null} What was drawn last. */
    this.signature = null;
    this.element = h("div", { class: "tta-pictures", role: "region", "aria-label": "pictures", tabindex: "0", hidden: true });
  }

  /** @returns {State} */
  get state() {
    return this.view.state;
  }

  draw() {
    const { view, charts, filters } = this.state;
    this.element.hidden = view !== "timeline" && view !== "distributions";
    if (this.element.hidden) return;
    const signature = JSON.stringify([view, charts, filters]);
    if (this.signature === signature) return;
    this.signature = signature;
    const drawn = h("div", {}, charts ? (view === "timeline" ? this.drawTimeline(charts) : this.drawDistributions(charts)) : h("p", { class: "tta-note" }, "Working it out…"));
    this.element.replaceChildren(...drawn.childNodes);
  }

  /**
   * @param {Charts} charts
   * @returns {Child[]}
   */
  drawTimeline(charts) {
    const { edges, counts } = charts.timeline;
    const [from, to] = [edges[0], edges.at(-1)];
    if (!counts.length || from === undefined || to === undefined) return []; // `Nothing` says so
    const axis = new TimeAxis(from, to);
    const label = axisTime(to - from);
    const summary = `${plural(sum(counts), "record")} written from ${iso(from)} to ${iso(to)}`;
    const { since, until } = this.state.filters;
    const isChosen = since !== null || until !== null;
    /** @type {(limit: Limit | null, none: string) => string} */
    const shown = (limit, none) => (limit === null ? none : limit.back === null ? limit.text : `${limit.text} ago`);
    return [
      h("h3", {}, "Records by the time of their last write"),
      this.drawBrush(drawHistogram(charts.timeline, summary, label, LABELS_OF_TIMES), axis),
      drawTable("Records by time", charts.timeline, label),
      isChosen
        ? h("p", { class: "tta-hint" }, `Chosen: ${shown(since, "the beginning")} to ${shown(until, "now")} `,
          h("button", { type: "button", class: "tta-link", "data-do": "all-time", onclick: () => this.view.filter({ since: null, until: null }) }, "all of it"))
        : h("p", { class: "tta-hint" }, "Drag across the bars to keep a part of the time. "),
      h("h3", {}, "Sessions, the most recent first"),
      this.drawLanes(charts, axis, label),
    ];
  }

  /**
   * Lets the mouse and the arrow keys choose a range of the time axis.
   *
   * @param {SVGSVGElement} picture
   * @param {TimeAxis} axis
   */
  drawBrush(picture, axis) {
    const { since, until } = this.state.filters;
    const now = this.view.now();
    let range = rangeOf(timeOfLimit(since, now) ?? axis.from, timeOfLimit(until, now) ?? axis.to);
    const shade = svg("rect", { y: CHART.top, height: CHART.height - CHART.top - CHART.bottom, class: "tta-brush" });
    const show = () => {
      const { x, width } = axis.shade(range);
      shade.setAttribute("x", String(x));
      shade.setAttribute("width", String(width));
    };
    show();
    picture.append(shade);
    /** @param {PointerEvent} event */
    const timeOf = (event) => {
      const box = picture.getBoundingClientRect();
      return axis.timeAt(event.clientX - box.left, box.width);
    };
    picture.addEventListener("pointerdown", (event) => {
      const begin = timeOf(event);
      /** @param {PointerEvent} moved */
      const move = (moved) => {
        range = rangeOf(begin, timeOf(moved));
        show();
      };
      followPointer(move, (released) => {
        move(released);
        if (axis.isMeant(range)) this.view.filter({ since: range[0], until: range[1] });
      });
    });
    return h("div", { class: "tta-brushed" }, picture,
      this.drawSlider("from", "since", axis, range[0], (seconds) => rangeOf(seconds, range[1])),
      this.drawSlider("to", "until", axis, range[1], (seconds) => rangeOf(range[0], seconds)));
  }

  /**
   * One end of the range, for the keyboard.
   *
   * @param {string} label
   * @param {"since" | "until"} name
   * @param {TimeAxis} axis
   * @param {number} seconds where the end is
   * @param {(seconds: number) => [number, number]} rangeWith gives the range when this end has moved
   */
  drawSlider(label, name, axis, seconds, rangeWith) {
    const slider = h("input", {
      type: "range", min: "0", max: "100", step: "1", "aria-label": label, "aria-valuetext": iso(seconds), "data-do": `brush-${name}`,
      onchange: () => {
        const moved = axis.timeOfPercent(Number(slider.value));
        const range = rangeWith(moved);
        const limits = axis.limits(range);
        // Only an end that was moved beyond the other one changes both.
        const isBeyond = range[name === "since" ? 0 : 1] !== moved;
        this.view.filter(isBeyond ? limits : { [name]: limits[name] });
      },
    });
    slider.value = String(axis.percentOf(seconds));
    return slider;
  }

  /**
   * @param {Charts} charts
   * @param {TimeAxis} axis
   * @param {(seconds: number) => string} label
   */
  drawLanes({ sessions, more_sessions: more }, axis, label) {
    if (!sessions.length) return h("p", { class: "tta-note" }, "No key reads user:session.");
    return h("ul", { class: "tta-lanes" }, sessions.map(({ user, session, first, last, count: size }) => {
      const { x, width } = axis.lane(first, last);
      const lane = svg("svg", { viewBox: "0 0 100 8", preserveAspectRatio: "none", "aria-hidden": "true" },
        svg("rect", { x, width, y: 1, height: 6, class: "tta-bar" }));
      return h("li", {}, h("button", { type: "button", title: `${iso(first)} to ${iso(last)}`, onclick: () => this.view.filter({ user, session }, "table") },
        h("span", { class: "tta-text" }, harmless(shortKey(`${user}:${session}`))), lane, h("span", { class: "tta-count" }, `${plural(size, "record")}, ${label(last)}`)));
    }), more ? h("li", { class: "tta-hint" }, `and ${plural(more, "more session")}`) : null);
  }

  /**
   * @param {Charts} charts
   * @returns {Child[]}
   */
  drawDistributions({ sizes, ttl }) {
    const [smallest, largest] = [sizes.edges[0], sizes.edges.at(-1)];
    if (!sizes.counts.length || smallest === undefined || largest === undefined) return []; // `Nothing` says so
    const expiring = sum(ttl.counts);
    return [
      h("h3", {}, "Size of the values"),
      drawHistogram(sizes, `sizes of ${plural(sum(sizes.counts), "record")}, from ${bytes(smallest)} to ${bytes(largest)}`, bytes, LABELS_OF_SIZES),
      drawTable("Records by size", sizes, bytes),
      h("h3", {}, "Time to live"),
      h("p", { class: "tta-hint" }, `${plural(ttl.never, "record")} never ${ttl.never === 1 ? "expires" : "expire"}, ${count(expiring)} will.`),
      expiring ? [drawHistogram(ttl, `time to live of ${plural(expiring, "record")}`, timeToLive, LABELS_OF_SIZES), drawTable("Records by time to live", ttl, timeToLive)] : null,
    ];
  }
}
