// Numbers, times and sizes as text.

/** @param {number} number */
export function count(number) {
  return number.toLocaleString("en-US");
}

/**
 * @param {number} number
 * @param {string} noun in the singular
 */
export function plural(number, noun) {
  return `${count(number)} ${noun}${number === 1 ? "" : "s"}`;
}

const UUID = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/gi;
const LEFT_OF_A_UUID = 6;

/**
 * A key in which UUIDs are cut, since nobody reads them.
 *
 * @param {string} key
 */
export function shortKey(key) {
  return key.replace(UUID, (uuid) => `${uuid.slice(0, LEFT_OF_A_UUID)}…`);
}

/**
 * A time as "2026-11-30 04:56:00Z"; the bare number where no date can hold it.
 *
 * @param {number} seconds Unix seconds
 */
export function iso(seconds) {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(/\.\d+Z$/, "Z").replace("T", " ");
}

/**
 * The time of day as "04:56:00", in UTC.
 *
 * @param {number} seconds Unix seconds
 */
export function timeOfDay(seconds) {
  return iso(seconds).slice(11, 19);
}

/** @type {[unit: string, seconds: number][]} */
const UNITS = [["y", 31_536_000], ["d", 86_400], ["h", 3600], ["min", 60], ["s", 1]];

/**
 * A length of time in its largest units, such as "2 h 5 min".
 *
 * @param {number} seconds
 * @param {number} units how many units at most
 */
export function duration(seconds, units = 2) {
  let left = Math.floor(Math.abs(seconds));
  const parts = [];
  for (const [unit, length] of UNITS) {
    if (left >= length && parts.length < units) {
      parts.push(`${Math.floor(left / length)} ${unit}`);
      left %= length;
    } else if (parts.length) break;
  }
  return parts.join(" ") || "0 s";
}

/** @param {number} seconds how long ago; negative for a time to come */
export function ago(seconds) {
  if (seconds < 0) return `in ${duration(seconds, 1)}`;
  return seconds < 5 ? "just now" : `${duration(seconds, 1)} ago`;
}

/** @param {number} seconds until a record expires */
export function timeLeft(seconds) {
  return seconds > 0 ? `in ${duration(seconds)}` : "expired";
}

/** @param {number} size in bytes */
export function bytes(size) {
  if (size < 1024) return `${size} B`;
  const [length, unit] = size < 1_048_576 ? [1024, "KB"] : [1_048_576, "MB"];
  return `${(size / length).toFixed(size / length < 10 ? 1 : 0)} ${unit}`;
}

/**
 * How times are written along an axis: the longer the axis, the coarser.
 *
 * @param {number} length of the axis, in seconds
 * @returns {(seconds: number) => string}
 */
export function axisTime(length) {
  if (length < 10) return (seconds) => new Date(seconds * 1000).toISOString().slice(11, 23);
  if (length < 600) return timeOfDay;
  if (length < 172_800) return (seconds) => iso(seconds).slice(5, 16);
  return (seconds) => iso(seconds).slice(0, 10);
}

/** @param {number | null} seconds a time to live; null for one longer than the last edge of the chart */
export function timeToLive(seconds) {
  if (seconds === null) return "longer";
  return seconds === 0 ? "0" : duration(seconds, 1);
}
